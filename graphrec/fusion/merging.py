"""The two ways in which stacked lists become one: by the sum of what entries are worth, and by turns."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from graphrec.data.lists import ItemLists
from graphrec.fusion.fused import FusedLists, concatenate_fused
from graphrec.fusion.kernels import merge_by_sum, merge_by_turns
from graphrec.fusion.stacked import StackedLists
from graphrec.threads import map_chunks

# Queries that a thread merges at a time.
_QUERIES = 256


def by_sum(stacked: StackedLists, values: npt.NDArray[np.float64], k: int, *, depth: int = 0) -> FusedLists:
    """Return the k items of each query whose entries are worth most together, with provenance.

    Parameters
    ----------
    stacked : StackedLists
        C channels' answers to n queries, m entries in all.
    values : ndarray
        (m,) float64, finite, >= 0: what each entry adds to its item. An item whose sum is 0 is left out.
    k : int
        Items wanted a query, >= 1.
    depth : int, default 0
        Entries of each list that are looked at; 0 looks at all.

    Returns
    -------
    FusedLists
        At most k entries a query, scored by their sums, falling; ties by row. An item that stands twice in one
        channel's list counts there once, at its better rank.

    Notes
    -----
    Sums are taken in float64 in the order of channels, and compared in float32. Time O(E + k log k) for a query with E
    entries over all channels; memory O(n k C). Deterministic.
    """

    def work(start: int, stop: int) -> FusedLists:
        part = stacked.part(start, stop)
        out = _Output.blank(part, k)
        total = merge_by_sum(
            part.bounds, part.items, part.scores, values, depth, k, out.widest,
            out.counts, out.items, out.scores, out.ranks, out.own,
        )  # fmt: skip
        return out.first(total, part)

    return concatenate_fused(list(map_chunks(work, stacked.n, chunk=_QUERIES)) or [work(0, 0)])


def by_turns(
    stacked: StackedLists,
    quotas: npt.NDArray[np.int64],
    order: npt.NDArray[np.int64],
    k: int,
    *,
    turn_length: int = 1,
) -> FusedLists:
    """Return k items a query, placed by channels that take turns, with provenance.

    Parameters
    ----------
    stacked : StackedLists
        C channels' answers to n queries.
    quotas : ndarray
        (C,) int64 places by channel. Once all are used up, room that is left is filled in the same turns, without them.
    order : ndarray
        (C,) int64: the channels' columns in the order of turns, which is reversed every round.
    k : int
        Items wanted a query, >= 1.
    turn_length : int, default 1
        Places that one turn fills at most.

    Returns
    -------
    FusedLists
        At most k entries a query. The score is ``1 - position / k``: it says the place and nothing else.

    Notes
    -----
    Time O(E + k C) for a query with E entries over all channels; memory O(n k C). Deterministic.
    """
    out = _Output.blank(stacked, k)
    total = merge_by_turns(
        stacked.bounds, stacked.items, stacked.scores, quotas, order, turn_length, k, out.widest,
        out.counts, out.items, out.scores, out.ranks, out.own,
    )  # fmt: skip
    return out.first(total, stacked)


@dataclass(frozen=True, slots=True, eq=False)
class _Output:
    """Arrays that a merging kernel fills: ``widest`` is the most entries that one query has over all channels."""

    widest: int
    counts: npt.NDArray[np.int64]
    items: npt.NDArray[np.int32]
    scores: npt.NDArray[np.float32]
    ranks: npt.NDArray[np.int32]
    own: npt.NDArray[np.float32]

    @classmethod
    def blank(cls, stacked: StackedLists, k: int) -> _Output:
        """Return arrays with room for all that k items a query can be."""
        entries = np.diff(stacked.bounds, axis=1).sum(axis=0)  # (n,)
        most, c = int(np.minimum(entries, k).sum()), len(stacked.channels)
        return cls(
            int(entries.max(initial=0)),
            np.empty(stacked.n, dtype=np.int64),
            np.empty(most, dtype=np.int32),
            np.empty(most, dtype=np.float32),
            np.empty((most, c), dtype=np.int32),
            np.empty((most, c), dtype=np.float32),
        )

    def first(self, total: int, stacked: StackedLists) -> FusedLists:
        """Return the first ``total`` entries, those that were written."""
        indptr = np.zeros(stacked.n + 1, dtype=np.int64)
        np.cumsum(self.counts, out=indptr[1:])
        merged = ItemLists(indptr, self.items[:total], self.scores[:total])
        return FusedLists(merged, stacked.channels, self.ranks[:total], self.own[:total])
