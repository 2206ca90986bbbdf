"""The best k entries of ragged scored lists, best first."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from graphrec.data.lists import indptr_of
from graphrec.kernels import kernel

# Buckets that the scores of one list are sorted into, and entries from which on a bucket is sorted by itself.
_BUCKETS, _LARGE = 1024, 32


@dataclass(frozen=True, slots=True, eq=False)
class Selection:
    """What was selected for n queries.

    Parameters
    ----------
    indptr : ndarray
        (n + 1,) int64.
    places : ndarray
        (t,) int64: places in the arrays that were selected from; of candidates, their numbers.
    scores : ndarray
        (t,) float32.
    """

    indptr: npt.NDArray[np.int64]
    places: npt.NDArray[np.int64]
    scores: npt.NDArray[np.float32]

    def positions(self, n: int) -> npt.NDArray[np.int32]:
        """Return (n + 1,) int32: where each of n places stands in the selection; t where it was not selected.

        The last is for the place -1, which was not selected either.
        """
        positions = np.full(n + 1, len(self.places), dtype=np.int32)
        positions[self.places] = np.arange(len(self.places), dtype=np.int32)
        return positions

    def where(self, keep: npt.NDArray[np.bool_]) -> Selection:
        """Return the part that the mask ``keep`` (t,) holds."""
        return Selection(indptr_of(keep)[self.indptr], self.places[keep], self.scores[keep])


def select_best(
    indptr: npt.NDArray[np.int64], items: npt.NDArray[np.int32], scores: npt.NDArray[np.float32], k: int
) -> Selection:
    """Return the k entries of each list that score most, best first, ties by row; scores of 0 are left out.

    Parameters
    ----------
    indptr, items, scores : ndarray
        n lists of m entries: (n + 1,) int64, (m,) int32 rows, (m,) float32 >= 0.
    k : int
        Entries wanted a list, >= 1.

    Notes
    -----
    A list is sorted by the leading bits of its scores into buckets, the buckets that hold its best k entries are sorted
    whole: O(E + k) time for a list of E scores that are spread, O(E log E) for one whose scores lie close together.
    """
    k = min(k, max(len(items), 1))  # a multiple of a great k may be no int64
    counts = np.empty(len(indptr) - 1, dtype=np.int64)
    places = np.empty(int(np.minimum(np.diff(indptr), k).sum()), dtype=np.int64)
    total = best_entries(indptr, items, scores, k, counts, places)
    places = places[:total]
    return Selection(indptr_of(counts), places, scores[places])


@kernel
def best_entries(
    indptr: npt.NDArray[np.int64],
    items: npt.NDArray[np.int32],
    scores: npt.NDArray[np.float32],
    k: int,
    counts: npt.NDArray[np.int64],
    places: npt.NDArray[np.int64],
) -> int:  # pragma: no cover - compiled
    """Write the places of each list's best entries, and how many they are; return how many are written in all."""
    # Positive floats sort like their bits.
    bits = scores.view(np.int32)
    widest = 0
    for query in range(counts.size):
        widest = max(widest, indptr[query + 1] - indptr[query])
    keys, own = np.empty(widest, dtype=np.int64), np.empty(widest, dtype=np.int64)
    ends = np.empty(_BUCKETS + 1, dtype=np.int64)
    total = 0
    for query in range(counts.size):
        first, last = indptr[query], indptr[query + 1]
        low, high, n = np.int64(0x7FFFFFFF), np.int64(0), 0
        for p in range(first, last):
            if bits[p] > 0:
                low, high = min(low, np.int64(bits[p])), max(high, np.int64(bits[p]))
                n += 1
        taken = min(k, n)
        shift = np.int64(0)
        while (high - low) >> shift >= _BUCKETS:
            shift += 1
        ends[:] = 0
        for p in range(first, last):
            if bits[p] > 0:
                ends[((high - bits[p]) >> shift) + 1] += 1
        # The buckets from which the best come: all up to the one that holds the k-th.
        deepest = 0
        for bucket in range(1, _BUCKETS + 1):
            ends[bucket] += ends[bucket - 1]
            if ends[bucket - 1] < taken:
                deepest = bucket - 1
        for p in range(first, last):
            bucket = (high - bits[p]) >> shift
            if bits[p] > 0 and bucket <= deepest:
                at = ends[bucket]
                ends[bucket] += 1
                # One integer sorts by falling score, then by rising row.
                keys[at] = ((high - bits[p]) << np.int64(32)) | np.int64(items[p])
                own[at] = p
        _sort_buckets(keys, own, ends, deepest)
        places[total : total + taken] = own[:taken]
        counts[query] = taken
        total += taken
    return total


@kernel
def _sort_buckets(
    keys: npt.NDArray[np.int64], own: npt.NDArray[np.int64], ends: npt.NDArray[np.int64], deepest: int
) -> None:  # pragma: no cover - compiled
    """Sort ``keys`` with what stands beside them; those of one bucket stand together, before those of the next."""
    start = 0
    for bucket in range(deepest + 1):
        stop = ends[bucket]
        if stop - start > _LARGE:
            order = np.argsort(keys[start:stop])
            keys[start:stop] = keys[start:stop][order]
            own[start:stop] = own[start:stop][order]
        start = stop
    # Everything is near its place by now.
    for p in range(1, start):
        key, place = keys[p], own[p]
        at = p
        while at > 0 and keys[at - 1] > key:
            keys[at], own[at] = keys[at - 1], own[at - 1]
            at -= 1
        keys[at], own[at] = key, place
