"""Merging by sums: an item's score is the sum of what its entries are worth."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from graphrec.data.lists import lists_of
from graphrec.fusion.candidates import Candidates, number_entries, write_provenance
from graphrec.fusion.fused import FusedLists
from graphrec.fusion.selection import best_entries
from graphrec.fusion.stacked import StackedLists
from graphrec.kernels import kernel

Bounds = npt.NDArray[np.int64]
Rows = npt.NDArray[np.int32]
Scores = npt.NDArray[np.float32]


def by_sum(stacked: StackedLists, values: npt.NDArray[np.float64], k: int) -> FusedLists:
    """Return the k items of each query whose entries have the largest sum, with provenance.

    Parameters
    ----------
    stacked : StackedLists
        C channels' answers to n queries, m entries in all.
    values : ndarray
        (m,) float64, finite, >= 0: what each entry adds to its item. An item whose sum is 0 is left out.
    k : int
        Items wanted a query, >= 1.

    Returns
    -------
    FusedLists
        At most k entries a query, scored by their sums, falling; ties by row. An item that stands twice in one
        channel's list counts there once, at its better rank.

    Notes
    -----
    Sums are taken in float64 in the order of channels, and compared in float32. Time O(E + k) for a query with E
    entries over all channels; memory O(n k C). Deterministic.
    """
    indptr, items, scores, ranks, own = _merge(stacked.starts, stacked.stops, stacked.items, stacked.scores, values, k)
    return FusedLists(lists_of(indptr, items, scores), stacked.channels, ranks, own)


def sum_values(
    stacked: StackedLists, candidates: Candidates, values: npt.NDArray[np.float64]
) -> npt.NDArray[np.float32]:
    """Return (c,) float32: the sum of the ``values`` (m,) of the entries that name each candidate."""
    sums = np.zeros(len(candidates.items) + 1)
    _add(stacked.starts, stacked.stops, candidates.numbers, values, sums)
    return sums[:-1].astype(np.float32)


@kernel
def _add(
    starts: npt.NDArray[np.int64],
    stops: npt.NDArray[np.int64],
    numbers: npt.NDArray[np.int32],
    values: npt.NDArray[np.float64],
    sums: npt.NDArray[np.float64],
) -> None:  # pragma: no cover - compiled
    """Add every entry's value to its candidate's sum, channel after channel; those of no candidate (-1) to the last."""
    for channel in range(starts.shape[0]):
        for query in range(starts.shape[1]):
            for p in range(starts[channel, query], stops[channel, query]):
                sums[numbers[p]] += values[p]


@kernel
def _merge(
    starts: Bounds, stops: Bounds, items: Rows, scores: Scores, values: npt.NDArray[np.float64], k: int
) -> tuple[Bounds, Rows, Scores, Rows, Scores]:  # pragma: no cover - compiled
    """Return bounds, items and sums of the merged lists, and each channel's ranks and scores of their entries.

    It is numbering, adding, selecting and provenance one after the other: between them, Python takes longer than they.
    """
    n, widest = starts.shape[1], 0
    for query in range(n):
        widest = max(widest, (stops[:, query] - starts[:, query]).sum())
    first, distinct = np.zeros(n + 1, dtype=np.int64), np.empty(items.size, dtype=np.int32)
    numbers = np.empty(items.size, dtype=np.int32)
    number_entries(starts, stops, items, widest, first, distinct, numbers)
    c = first[n]
    sums = np.zeros(c + 1)
    _add(starts, stops, numbers, values, sums)
    totals = sums[:c].astype(np.float32)
    counts, places = np.empty(n, dtype=np.int64), np.empty(min(c, n * min(k, c)), dtype=np.int64)
    places = places[: best_entries(first, distinct, totals, k, counts, places)]
    # The last is for the candidate -1, which an entry names whose list has its item already.
    positions = np.full(c + 1, places.size, dtype=np.int32)
    positions[places] = np.arange(places.size)
    ranks = np.zeros((places.size, starts.shape[0]), dtype=np.int32)
    own = np.full((places.size, starts.shape[0]), np.nan, dtype=np.float32)
    write_provenance(starts, stops, numbers, positions, scores, ranks, own)
    indptr = np.zeros(n + 1, dtype=np.int64)
    indptr[1:] = np.cumsum(counts)
    return indptr, distinct[places], totals[places], ranks, own
