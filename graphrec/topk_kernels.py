"""Compiled parts of :mod:`graphrec.topk`: selection of the best, and sparse rows pushed through a table.

A candidate is one int64, its *key*: the float32 score in the upper half, turned so that the best is smallest, and the
row in the lower half. Smaller keys stand first, ties of score go to the lower row, and no two keys are equal.

Selection keeps a buffer of a few times k keys and the k-th best of those seen so far, the *cut*. What is behind the cut
is refused by one comparison; a full buffer is parted at its k-th best, which becomes the cut.
"""

from __future__ import annotations

from typing import Any

import numba as nb
import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]
RowArray = npt.NDArray[np.int32]
IntArray = npt.NDArray[np.int64]
Number = float | np.floating

_LAST = np.int64(0x7FFFFFFFFFFFFFFF)  # behind every key
_SIGN, _REST = np.int32(31), np.int32(0x7FFFFFFF)
_ROOM = 4  # the buffer holds this many times k
_LEAST_ROOM = 64
# A dense row is compared with the cut in blocks of this many scores.
_BLOCK = 32
# An accumulator with one column in this many touched is read from end to end; one with fewer, by its touched columns.
_DENSE = 4


@nb.njit(nogil=True, cache=True, inline="always")
def _key(score: Number, row: int) -> Any:  # pragma: no cover - compiled
    """Return the key of a score, rounded to float32, and a row. Adding 0 makes -0.0 equal to 0.0."""
    bits = np.float32(score + 0.0).view(np.int32)
    ascending = bits ^ ((bits >> _SIGN) & _REST)
    return (np.int64(~ascending) << 32) | np.int64(row)


@nb.njit(nogil=True, cache=True, inline="always")
def _score(key: Any) -> np.float32:  # pragma: no cover - compiled
    """Return the score in a key."""
    ascending = ~np.int32(key >> 32)
    return np.int32(ascending ^ ((ascending >> _SIGN) & _REST)).view(np.float32)


@nb.njit(nogil=True, cache=True)
def _part(keys: IntArray, n: int, k: int) -> None:  # pragma: no cover - compiled
    """Bring the k smallest of the first n keys to the front, the k-th of them to place k - 1 (quickselect)."""
    low, high, place = 0, n - 1, k - 1
    while low < high:
        a, b, c = keys[low], keys[(low + high) >> 1], keys[high]
        pivot = max(min(a, b), min(max(a, b), c))  # the median
        i, j = low, high
        while i <= j:
            while keys[i] < pivot:
                i += 1
            while keys[j] > pivot:
                j -= 1
            if i <= j:
                keys[i], keys[j] = keys[j], keys[i]
                i += 1
                j -= 1
        if place <= j:
            high = j
        elif place >= i:
            low = i
        else:
            return


@nb.njit(nogil=True, cache=True, inline="always")
def _room(n_candidates: int, k: int) -> int:  # pragma: no cover - compiled
    """Return how many keys a buffer must hold."""
    return min(n_candidates, max(_ROOM * k, _LEAST_ROOM))


@nb.njit(nogil=True, cache=True, inline="always")
def _offer(keys: IntArray, n: int, cut: Any, k: int, key: Any) -> tuple[int, Any]:  # pragma: no cover - compiled
    """Take a key that is before the cut into the buffer of n keys; return the new n and cut."""
    if n == keys.size:
        _part(keys, n, k)
        n, cut = k, keys[k - 1]
    if key < cut:
        keys[n] = key
        n += 1
    return n, cut


@nb.njit(nogil=True, cache=True)
def _settle(keys: IntArray, n: int, k: int, rows: RowArray, scores: FloatArray) -> int:  # pragma: no cover - compiled
    """Write the k best of the n keys in order, as rows and scores; return how many there are."""
    if n > k:
        _part(keys, n, k)
        n = k
    keys[:n].sort()
    for p in range(n):
        rows[p] = np.int32(keys[p] & 0xFFFFFFFF)
        scores[p] = _score(keys[p])
    return n


@nb.njit(nogil=True, cache=True)
def select_top(
    values: npt.NDArray[np.float64], candidates: RowArray, k: int, rows: RowArray, scores: FloatArray
) -> int:  # pragma: no cover - compiled
    """Write the k best of ``candidates`` (c,), by ``values[candidate]``, to ``rows`` and ``scores``; return how many.

    Best first, ties to the lower row. Values are rounded to float32 *before* they are compared, so that the order
    agrees with the scores that come back. Candidates are distinct. Time O(c + k log k) on average, memory O(k).
    """
    if candidates.size == 0 or k <= 0:
        return 0
    keys = np.empty(_room(candidates.size, k), dtype=np.int64)
    n, cut = 0, _LAST
    for row in candidates:
        key = _key(values[row], row)
        if key < cut:
            n, cut = _offer(keys, n, cut, k, key)
    return _settle(keys, n, k, rows, scores)


@nb.njit(nogil=True, cache=True)
def top_of_rows(values: FloatArray, k: int, rows: RowArray, scores: FloatArray) -> None:  # pragma: no cover - compiled
    """Write the k best columns of each row of ``values`` (q, n) to ``rows`` and ``scores`` (q, min(k, n)).

    Best first, ties to the lower column; time O(n + k log k) a row on average.
    """
    n_columns = values.shape[1]
    keys = np.empty(min(n_columns, _room(n_columns, k) + _BLOCK), dtype=np.int64)
    for i in range(values.shape[0]):
        n, least, full = 0, np.float32(-np.inf), False
        for start in range(0, n_columns, _BLOCK):
            stop = min(start + _BLOCK, n_columns)
            if n + stop - start > keys.size:
                _part(keys, n, k)
                n, least, full = k, _score(keys[k - 1]), True
            better = 0
            for j in range(start, stop):
                better += values[i, j] > least
            # Until the first cut nothing is refused, minus infinity included.
            if full and better == 0:
                continue
            for j in range(start, stop):
                # Written always, kept when better: a branch would be guessed wrong. A tie with the cut is behind it.
                keys[n] = _key(values[i, j], j)
                n += not full or values[i, j] > least
        _settle(keys, n, k, rows[i], scores[i])


@nb.njit(nogil=True, cache=True)
def _add_rows(
    sources: RowArray,
    weights: npt.NDArray[np.float64],
    table_indptr: IntArray,
    table_columns: RowArray,
    table_scores: FloatArray,
    accumulator: npt.NDArray[np.float64],
    touched: RowArray,
) -> int:  # pragma: no cover - compiled
    """Add the weighted rows of the table to the accumulator; list the columns touched, and return how many.

    Only products > 0 are added, so that 0 means untouched.
    """
    n = 0
    for p in range(sources.size):
        weight, source = weights[p], sources[p]
        if weight > 0.0:
            for q in range(table_indptr[source], table_indptr[source + 1]):
                added = weight * table_scores[q]
                if added > 0.0:
                    column = table_columns[q]
                    before = accumulator[column]
                    # Written always, counted when new: a branch here would be guessed wrong half the time.
                    touched[n] = column
                    n += before == 0.0
                    accumulator[column] = before + added
    return n


@nb.njit(nogil=True, cache=True, inline="always")
def _mark(columns: RowArray, accumulator: npt.NDArray[np.float64], value: float) -> None:  # pragma: no cover - compiled
    """Set the columns that exist to ``value``."""
    for column in columns:
        if 0 <= column < accumulator.size:
            accumulator[column] = value


@nb.njit(nogil=True, cache=True)
def push_rows(
    indptr: IntArray,
    sources: RowArray,
    weights: npt.NDArray[np.float64],
    table_indptr: IntArray,
    table_columns: RowArray,
    table_scores: FloatArray,
    skip_indptr: IntArray,
    skip: RowArray,
    allowed: npt.NDArray[np.bool_],
    background: FloatArray,
    accumulator: npt.NDArray[np.float64],
    touched: RowArray,
    k: int,
    counts: IntArray,
    rows: RowArray,
    scores: FloatArray,
) -> int:  # pragma: no cover - compiled
    """Push each weighted list through the table and write its k best columns; return how many entries there are.

    ``accumulator`` (n_columns,) arrives and leaves as zeros; ``touched`` has one place more than it.
    """
    n_columns = accumulator.size
    keys = np.empty(_room(n_columns, k), dtype=np.int64)
    total = 0
    for i in range(indptr.size - 1):
        first, last = indptr[i], indptr[i + 1]
        left_out = skip[skip_indptr[i] : skip_indptr[i + 1]]
        _mark(left_out, accumulator, -np.inf)  # whatever is added, such a column is neither new nor above 0
        n_touched = _add_rows(
            sources[first:last], weights[first:last], table_indptr, table_columns, table_scores, accumulator, touched
        )
        mass = 0.0
        if background.size:
            for p in range(first, last):
                mass += max(weights[p], 0.0)
        n, cut = 0, _LAST
        dense = n_touched * _DENSE > n_columns
        for p in range(n_columns if dense else n_touched):
            column = p if dense else touched[p]
            value = accumulator[column]
            if value == 0.0:
                continue
            accumulator[column] = 0.0
            if background.size:
                value -= mass * background[column]
            if value > 0.0 and (allowed.size == 0 or allowed[column]):
                key = _key(value, column)
                if key < cut:
                    n, cut = _offer(keys, n, cut, k, key)
        _mark(left_out, accumulator, 0.0)
        counts[i] = _settle(keys, n, k, rows[total:], scores[total:])
        total += counts[i]
    return total
