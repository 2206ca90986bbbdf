"""The lists of several channels in one run of arrays, the form that kernels read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from graphrec.data.lists import ItemLists, slice_lists
from graphrec.errors import DataError
from graphrec.fusion.fused import FusedLists, concatenate_fused
from graphrec.threads import map_chunks

# Queries that a thread merges at a time: what is held of them stays in the cache.
_QUERIES = 16


@dataclass(frozen=True, slots=True, eq=False)
class StackedLists:
    """C channels' answers to the same n queries, laid end to end.

    Channel c's answer to query i is ``items[starts[c, i]:stops[c, i]]``, best first.

    Parameters
    ----------
    channels : tuple of str
        Names of the C channels.
    starts, stops : ndarray
        (C, n) int64: where each answer starts and ends.
    items, scores : ndarray
        (m,) int32 and (m,) float32: the entries of all channels.
    histories : ItemLists, optional
        What each query's user took, where it is known.
    """

    channels: tuple[str, ...]
    starts: npt.NDArray[np.int64]
    stops: npt.NDArray[np.int64]
    items: npt.NDArray[np.int32]
    scores: npt.NDArray[np.float32]
    histories: ItemLists | None = None

    @property
    def n(self) -> int:
        """Number of queries."""
        return int(self.starts.shape[1])

    @property
    def lengths(self) -> npt.NDArray[np.int64]:
        """(C, n) int64: entries of each answer."""
        return self.stops - self.starts

    @property
    def widest(self) -> int:
        """The most entries that one query has over all channels."""
        return int(self.lengths.sum(axis=0).max(initial=0))

    def ranks(self) -> npt.NDArray[np.int64]:
        """Return (m,) int64: each entry's 1-based rank in its list, where no list was cut."""
        starts, lengths = self.starts.ravel(), self.lengths.ravel()
        return np.arange(1, len(self.items) + 1) - np.repeat(starts, lengths)

    def entries_of(self, column: int) -> slice:
        """Return where the entries of the channel of one column lie, where there is a query and no list was cut."""
        return slice(int(self.starts[column, 0]), int(self.stops[column, -1]))


def stack(
    lists: Mapping[str, ItemLists],
    start: int = 0,
    stop: int | None = None,
    *,
    depth: int = 0,
    histories: ItemLists | None = None,
) -> StackedLists:
    """Return the channels' lists stacked in the order of the mapping.

    Parameters
    ----------
    lists : mapping of str to ItemLists
        Each channel's answers to the same n queries.
    start, stop : int
        The queries ``start`` to ``stop`` alone; default all.
    depth : int, default 0
        Entries of each list that are read; 0 reads all.
    histories : ItemLists, optional
        What the users of the n queries took.

    Raises
    ------
    DataError
        If there is no channel, or the channels answer different numbers of queries, or there are other histories.
    """
    n = n_queries(lists)
    if histories is not None and len(histories) != n:
        raise DataError(f"there are {len(histories)} histories of {n} queries")
    stop = n if stop is None else stop
    parts = list(lists.values())
    bounds = np.array([part.indptr[start : stop + 1] for part in parts])  # (C, n + 1)
    pieces = [slice(first, last) for first, last in zip(bounds[:, 0].tolist(), bounds[:, -1].tolist(), strict=True)]
    # From places in the channel's own arrays to places in the joined ones.
    before = np.cumsum(bounds[:, -1] - bounds[:, 0]) - bounds[:, -1]
    bounds += before[:, None]
    starts, stops = bounds[:, :-1].copy(), bounds[:, 1:].copy()
    if depth > 0:
        np.minimum(stops, starts + depth, out=stops)
    items = np.concatenate([part.items[piece] for part, piece in zip(parts, pieces, strict=True)])
    scores = np.concatenate([part.scores[piece] for part, piece in zip(parts, pieces, strict=True)])
    known = None if histories is None else slice_lists(histories, start, stop)
    return StackedLists(tuple(lists), starts, stops, items, scores, known)


def n_queries(lists: Mapping[str, ItemLists]) -> int:
    """Return how many queries all channels answer.

    Raises
    ------
    DataError
        If there is no channel, or the channels answer different numbers of queries.
    """
    if not lists:
        raise DataError("there are no channels to merge; give at least one list of candidates")
    first, *_ = lists
    n = len(lists[first])
    for name, part in lists.items():
        if len(part) != n:
            raise DataError(f"channel {name!r} answers {len(part)} queries, channel {first!r} answers {n}")
    return n


def merge_in_chunks(
    lists: Mapping[str, ItemLists],
    merge: Callable[[StackedLists], FusedLists],
    *,
    depth: int = 0,
    histories: ItemLists | None = None,
) -> FusedLists:
    """Return what ``merge`` makes of the channels' lists, a few queries at a time, on several threads.

    ``depth`` and ``histories`` are those of :func:`stack`. Memory: the stacked lists of a few queries a thread, beside
    the result.
    """

    def work(start: int, stop: int) -> FusedLists:
        return merge(stack(lists, start, stop, depth=depth, histories=histories))

    return concatenate_fused(list(map_chunks(work, n_queries(lists), chunk=_QUERIES)) or [work(0, 0)])
