"""Compiled parts of :mod:`graphrec.sparse.topk`: selection of the best, and sparse rows pushed through a table.

A candidate is one int64, its *key*: the float32 score in the upper half, turned so that the best is smallest, and the
row in the lower half. Smaller keys stand first, ties of score go to the lower row, and no two keys are equal.

Selection first finds a bound that the k best reach and few others do, then takes what reaches it into a buffer of a few
times k keys; should that run full, it is parted at its k-th best, which becomes the bound.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from graphrec.kernels import kernel

FloatArray = npt.NDArray[np.float32]
RowArray = npt.NDArray[np.int32]
IntArray = npt.NDArray[np.int64]
Number = float | np.floating

_SIGN, _REST = np.int32(31), np.int32(0x7FFFFFFF)
_ROOM = 4  # the buffer holds this many times k
_LEAST_ROOM = 64
# Scores are dealt out to this many lanes for each of the k, and refused in blocks of this many.
_LANES = 4
_BLOCK = 128
# Up to so many keys are put in order by counting; more are dealt out to buckets, and a bucket that holds more than so
# many is sorted by itself.
_FEW = 32
_BUCKETS = 512
# The bound for a row may let k >> this many scores more through.
_SLACK = 3
# An accumulator that takes one entry or more for each so many columns is read from end to end, and no list of touched
# columns is kept.
_DENSE = 2


@kernel(inline="always")
def _ascending(score: Number) -> Any:  # pragma: no cover - compiled
    """Return an int32 that orders scores, rounded to float32, as they are. Adding 0 makes -0.0 equal to 0.0."""
    bits = np.float32(np.float32(score) + np.float32(0.0)).view(np.int32)
    return np.int32(bits ^ ((bits >> _SIGN) & _REST))


@kernel(inline="always")
def _from_ascending(number: Any) -> np.float32:  # pragma: no cover - compiled
    """Return the score that :func:`_ascending` made the number of."""
    return np.int32(number ^ ((number >> _SIGN) & _REST)).view(np.float32)


@kernel(inline="always")
def _key(score: Number, row: int) -> Any:  # pragma: no cover - compiled
    """Return the key of a score, rounded to float32, and a row."""
    return (np.int64(~_ascending(score)) << 32) | np.int64(row)


@kernel(inline="always")
def _score(key: Any) -> np.float32:  # pragma: no cover - compiled
    """Return the score in a key."""
    return _from_ascending(~np.int32(key >> 32))


@kernel
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


@kernel
def _lane_maxima(line: FloatArray, maxima: FloatArray) -> None:  # pragma: no cover - compiled
    """Write the greatest of each lane to ``maxima``: every so-manyth score, for neighbours are often alike."""
    lanes = maxima.size
    maxima[:] = line[:lanes]
    whole = lanes + (line.size - lanes) // (2 * lanes) * 2 * lanes
    for start in range(lanes, whole, 2 * lanes):  # two at a time: each maximum is loaded and stored once for them
        left, right = line[start : start + lanes], line[start + lanes : start + 2 * lanes]
        for j in range(lanes):
            better = left[j] if left[j] > right[j] else right[j]
            maxima[j] = better if better > maxima[j] else maxima[j]
    for start in range(whole, line.size, lanes):
        rest = line[start : start + lanes]
        for j in range(rest.size):
            maxima[j] = rest[j] if rest[j] > maxima[j] else maxima[j]


@kernel
def _least_of_best(scores: FloatArray, k: int) -> np.float32:  # pragma: no cover - compiled
    """Return the k-th best score, or a score a little below it that few more reach.

    Bisects the bits: counting how many stand above a middle takes no branch, and so a few cycles for eight scores.
    """
    turned = np.empty(scores.size, dtype=np.int32)
    for j in range(scores.size):
        turned[j] = _ascending(scores[j])
    low, high = np.int64(turned.min()), np.int64(turned.max())
    while low < high:
        middle = (low + high + 1) >> 1
        least, reached = np.int32(middle), np.int32(0)
        for j in range(turned.size):
            reached += np.int32(turned[j] >= least)
        if reached < k:
            high = middle - 1
            continue
        low = middle
        if reached - k <= k >> _SLACK:
            break
    return _from_ascending(np.int32(low))


@kernel
def read_keys(keys: IntArray, rows: RowArray, scores: FloatArray) -> int:  # pragma: no cover - compiled
    """Write the rows and the scores in ``keys`` (m,); return how many of the scores are above minus infinity."""
    n = 0
    for p in range(keys.size):
        rows[p] = np.int32(keys[p] & 0xFFFFFFFF)
        scores[p] = _score(keys[p])
        n += scores[p] > -np.inf
    return n


@kernel
def _best(line: FloatArray, columns: RowArray, k: int) -> IntArray:  # pragma: no cover - compiled
    """Return the keys of the k best scores of a line (n,), in any order; score p is of column ``columns[p]``, or p.

    The scores are dealt out to some lanes. At least k of them reach the k-th best of the lanes' maxima, and, dealt out
    so, hardly more: the rest are refused in blocks. Time O(n + k) on average.
    """
    buffer = np.empty(min(line.size, max(_ROOM * k, _LEAST_ROOM) + _BLOCK), dtype=np.int64)
    places = np.empty(_BLOCK + 1, dtype=np.int32)
    least = np.float32(-np.inf)
    if line.size > k:
        maxima = np.empty(min(line.size, _LANES * k), dtype=np.float32)
        _lane_maxima(line, maxima)
        least = _least_of_best(maxima, k)
    n = 0
    for start in range(0, line.size, _BLOCK):
        block, reached = line[start : start + _BLOCK], False
        for j in range(block.size):
            reached |= block[j] >= least
        if not reached:
            continue
        if n + block.size > buffer.size:
            _part(buffer, n, k)
            n, least = k, _score(buffer[k - 1])  # a tie with it may stand before it, where columns do not ascend
        n_good = 0
        for j in range(block.size):
            # Written always, kept when good enough: a branch would be guessed wrong.
            places[n_good] = j
            n_good += block[j] >= least
        for p in range(n_good):
            place = start + places[p]
            buffer[n + p] = _key(line[place], columns[place] if columns.size else place)
        n += n_good
    if n > k:
        _part(buffer, n, k)
    return buffer[: min(n, k)]


@kernel
def _write(keys: IntArray, rows: RowArray, scores: FloatArray) -> int:  # pragma: no cover - compiled
    """Write keys, best first, as rows and scores; return how many there are."""
    if keys.size > _FEW:
        read_keys(_in_order(keys), rows, scores)
        return keys.size
    for p in range(keys.size):
        # As many stand before it: counting them takes no branch that could be guessed wrong.
        place = 0
        for q in range(keys.size):
            place += keys[q] < keys[p]
        rows[place] = np.int32(keys[p] & 0xFFFFFFFF)
        scores[place] = _score(keys[p])
    return keys.size


@kernel
def _in_order(keys: IntArray) -> IntArray:  # pragma: no cover - compiled
    """Return the keys (m,), m > 0, in order: dealt out to buckets by their leading bits, then moved to their places.

    Time O(m) for scores that are spread, O(m log m) for others.
    """
    # Halves: the difference of two of them fits an int64.
    least = keys.min() >> 1
    span, shift = (keys.max() >> 1) - least, 0
    while span >> shift >= _BUCKETS:
        shift += 1
    ends = np.zeros(_BUCKETS + 1, dtype=np.int64)
    for p in range(keys.size):
        ends[(((keys[p] >> 1) - least) >> shift) + 1] += 1
    for bucket in range(1, _BUCKETS):
        ends[bucket] += ends[bucket - 1]
    ordered = np.empty(keys.size, dtype=np.int64)
    for p in range(keys.size):
        bucket = ((keys[p] >> 1) - least) >> shift
        ordered[ends[bucket]] = keys[p]
        ends[bucket] += 1
    start = 0
    for bucket in range(_BUCKETS):
        if ends[bucket] - start > _FEW:
            ordered[start : ends[bucket]].sort()
        start = ends[bucket]
    for p in range(1, keys.size):  # each is near its place by now
        key, at = ordered[p], p
        while at > 0 and ordered[at - 1] > key:
            ordered[at] = ordered[at - 1]
            at -= 1
        ordered[at] = key
    return ordered


@kernel
def select_top(
    values: npt.NDArray[np.float64], candidates: RowArray, k: int, rows: RowArray, scores: FloatArray
) -> int:  # pragma: no cover - compiled
    """Write the k best of ``candidates`` (c,), by ``values[candidate]``, to ``rows`` and ``scores``; return how many.

    Best first, ties to the lower row. Values are rounded to float32 *before* they are compared, so that the order
    agrees with the scores that come back. Candidates are distinct. Time O(c + k log k) on average, memory O(c).
    """
    if candidates.size == 0 or k <= 0:
        return 0
    line = np.empty(candidates.size, dtype=np.float32)
    for p in range(line.size):
        line[p] = values[candidates[p]]
    return _write(_best(line, candidates, k), rows, scores)


@kernel
def best_of_rows(values: FloatArray, keys: IntArray) -> None:  # pragma: no cover - compiled
    """Write the keys of the k best columns of each row of ``values`` (q, n), k <= n, to ``keys`` (q, k), unordered."""
    for i in range(values.shape[0]):
        keys[i] = _best(values[i], np.empty(0, dtype=np.int32), keys.shape[1])


@kernel
def _n_entries(
    sources: RowArray, weights: npt.NDArray[np.float64], table_indptr: IntArray
) -> int:  # pragma: no cover - compiled
    """Return how many entries the rows of positive weight have."""
    n = 0
    for p in range(sources.size):
        if weights[p] > 0.0:
            n += table_indptr[sources[p] + 1] - table_indptr[sources[p]]
    return n


@kernel
def _add_rows(
    sources: RowArray,
    weights: npt.NDArray[np.float64],
    table_indptr: IntArray,
    table_columns: RowArray,
    table_scores: FloatArray,
    accumulator: npt.NDArray[np.float64],
) -> None:  # pragma: no cover - compiled
    """Add the weighted rows of the table to the accumulator; only products > 0 count."""
    for p in range(sources.size):
        weight, source = weights[p], sources[p]
        if weight > 0.0:
            for q in range(table_indptr[source], table_indptr[source + 1]):
                accumulator[table_columns[q]] += max(weight * table_scores[q], 0.0)


@kernel
def _add_and_list_rows(
    sources: RowArray,
    weights: npt.NDArray[np.float64],
    table_indptr: IntArray,
    table_columns: RowArray,
    table_scores: FloatArray,
    accumulator: npt.NDArray[np.float64],
    touched: RowArray,
) -> int:  # pragma: no cover - compiled
    """Do as :func:`_add_rows`, list the columns touched, and return how many; 0 means untouched."""
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


@kernel(inline="always")
def _collect(
    candidates: Any,
    accumulator: npt.NDArray[np.float64],
    allowed: npt.NDArray[np.bool_],
    background: FloatArray,
    mass: float,
    columns: RowArray,
    line: FloatArray,
) -> int:  # pragma: no cover - compiled
    """Move those of ``candidates`` that are allowed and above the background to ``columns`` and ``line``.

    Returns how many these are, and leaves zeros. ``candidates`` may be the head of ``columns`` itself: what is written
    is never ahead of what is read next.
    """
    checked, n = allowed.size > 0, 0
    for column in candidates:
        value = accumulator[column]
        accumulator[column] = 0.0
        kept = value > 0.0
        if background.size:
            value -= mass * background[column]
            kept &= value > 0.0
        if checked:
            kept &= allowed[column]
        # Written always, kept where it counts: a branch would be guessed wrong.
        columns[n], line[n] = column, value
        n += kept
    return n


@kernel(inline="always")
def _mark(columns: RowArray, accumulator: npt.NDArray[np.float64], value: float) -> None:  # pragma: no cover - compiled
    """Set the columns that exist to ``value``."""
    for column in columns:
        if 0 <= column < accumulator.size:
            accumulator[column] = value


@kernel
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
    k: int,
) -> tuple[IntArray, RowArray, FloatArray]:  # pragma: no cover - compiled
    """Return the k best columns of each weighted list pushed through the table, as bounds, rows and scores.

    ``accumulator`` (n_columns,) arrives and leaves as zeros. Of ``skip_indptr``, ``allowed`` and ``background``, those
    without an entry do nothing.
    """
    n, n_columns = indptr.size - 1, accumulator.size
    # Pages are given when they are first touched: a wide table costs a narrow query nothing.
    rows, scores = np.empty(n * k, dtype=np.int32), np.empty(n * k, dtype=np.float32)
    line, touched = np.empty(n_columns, dtype=np.float32), np.empty(n_columns + 1, dtype=np.int32)
    bounds = np.zeros(n + 1, dtype=np.int64)
    for i in range(n):
        first, last, total = indptr[i], indptr[i + 1], bounds[i]
        left_out = skip[skip_indptr[i] : skip_indptr[i + 1]] if skip_indptr.size else skip[:0]
        _mark(left_out, accumulator, -np.inf)  # whatever is added, such a column is neither new nor above 0
        rows_of, weights_of = sources[first:last], weights[first:last]
        mass = 0.0
        if background.size:
            for weight in weights_of:
                mass += max(weight, 0.0)
        if _n_entries(rows_of, weights_of, table_indptr) * _DENSE > n_columns:
            _add_rows(rows_of, weights_of, table_indptr, table_columns, table_scores, accumulator)
            m = _collect(range(n_columns), accumulator, allowed, background, mass, touched, line)
        else:
            m = _add_and_list_rows(rows_of, weights_of, table_indptr, table_columns, table_scores, accumulator, touched)
            m = _collect(touched[:m], accumulator, allowed, background, mass, touched, line)
        _mark(left_out, accumulator, 0.0)
        bounds[i + 1] = total + _write(_best(line[:m], touched, k), rows[total:], scores[total:])
    return bounds, rows[: bounds[n]], scores[: bounds[n]]
