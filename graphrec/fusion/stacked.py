"""The lists of several channels in one run of arrays, the form that kernels read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numba as nb
import numpy as np
import numpy.typing as npt

from graphrec.errors import DataError
from graphrec.lists import ItemLists


@dataclass(frozen=True, slots=True, eq=False)
class StackedLists:
    """C channels' answers to the same n queries, laid end to end.

    ``bounds`` (C, n + 1) int64 are each channel's ``indptr`` shifted by where the channel starts, so that channel c's
    answer to query i is ``items[bounds[c, i]:bounds[c, i + 1]]``; ``items`` (m,) int32 and ``scores`` (m,) float32.
    """

    channels: tuple[str, ...]
    bounds: npt.NDArray[np.int64]
    items: npt.NDArray[np.int32]
    scores: npt.NDArray[np.float32]

    @property
    def n(self) -> int:
        """Number of queries."""
        return int(self.bounds.shape[1]) - 1


def stack(lists: Mapping[str, ItemLists]) -> StackedLists:
    """Return the channels' lists stacked in the order of the mapping.

    Raises
    ------
    DataError
        If there is no channel, or the channels answer different numbers of queries.
    """
    if not lists:
        raise DataError("there are no channels to merge; give at least one list of candidates")
    parts = list(lists.values())
    n = len(parts[0])
    bounds = np.empty((len(parts), n + 1), dtype=np.int64)
    start = 0
    for position, (name, part) in enumerate(lists.items()):
        if len(part) != n:
            first = next(iter(lists))
            raise DataError(f"channel {name!r} answers {len(part)} queries, channel {first!r} answers {n}")
        np.add(part.indptr, start, out=bounds[position])
        start += len(part.items)
    items = np.concatenate([part.items for part in parts])
    scores = np.concatenate([part.scores for part in parts])
    return StackedLists(tuple(lists), bounds, items, scores)


@nb.njit(nogil=True, cache=True)
def table_size(n: int) -> int:  # pragma: no cover - compiled
    """Return the power of two that holds n entries at most half full."""
    size = 16
    while size < 2 * n:
        size *= 2
    return size


@nb.njit(nogil=True, cache=True)
def find(item: int, keys: npt.NDArray[np.int32], mask: int) -> int:  # pragma: no cover - compiled
    """Return the place of ``item`` in an open-addressing table (-1 = free), or the free place where it belongs."""
    # Fibonacci hashing: neighbouring rows are spread over the table.
    place = ((np.int64(item) * np.int64(2654435769)) >> np.int64(8)) & mask
    while keys[place] != -1 and keys[place] != item:
        place = (place + 1) & mask
    return int(place)


@nb.njit(nogil=True, cache=True)
def gather(
    query: int,
    depth: int,
    bounds: npt.NDArray[np.int64],
    items: npt.NDArray[np.int32],
    keys: npt.NDArray[np.int32],
    slots: npt.NDArray[np.int32],
    rows: npt.NDArray[np.int32],
    ranks: npt.NDArray[np.int32],
) -> int:  # pragma: no cover - compiled
    """Collect the distinct candidates of one query and their 1-based rank by channel; return how many there are.

    ``keys`` and ``slots`` are the scratch hash table, ``rows`` (m,) and ``ranks`` (m, C) take the candidates in
    order of appearance. An item that a channel returns twice keeps its better rank.
    """
    keys[:] = -1
    mask = keys.size - 1
    found = 0
    for c in range(bounds.shape[0]):
        start = bounds[c, query]
        stop = bounds[c, query + 1]
        if depth > 0:
            stop = min(stop, start + depth)
        for p in range(start, stop):
            item = items[p]
            place = find(item, keys, mask)
            if keys[place] == -1:
                keys[place] = item
                slots[place] = found
                rows[found] = item
                ranks[found, :] = 0
                found += 1
            slot = slots[place]
            if ranks[slot, c] == 0:
                ranks[slot, c] = p - start + 1
    return found


def room(stacked: StackedLists, k: int) -> tuple[int, int]:
    """Return (most entries one query has over all channels, most entries that all merged lists can have)."""
    entries = np.diff(stacked.bounds, axis=1).sum(axis=0)  # (n,)
    widest = int(entries.max()) if len(entries) else 0
    return widest, int(np.minimum(entries, k).sum())
