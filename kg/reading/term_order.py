"""Terms in the order of their bytes, sorted where they lie: no copy is made before."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from graphrec.kernels import kernel

from .words import prefetch, sort_key

_MORE = np.uint64(8)
_FEW = 12
_AHEAD = 16
_STEP = 7  # bytes of a text that a key holds


@kernel
def _load(arena, starts, stops, items, keys, low, high, depth):  # type: ignore[no-untyped-def]
    for i in range(low, high):
        if i + _AHEAD < high:
            prefetch(starts, items[i + _AHEAD])
            prefetch(stops, items[i + _AHEAD])
        if i + _AHEAD // 2 < high:
            prefetch(arena, starts[items[i + _AHEAD // 2]] + depth)
        start = starts[items[i]] + depth
        keys[i] = sort_key(arena, start, stops[items[i]] - start)


@kernel
def _insert(keys, items, low, high):  # type: ignore[no-untyped-def]
    for i in range(low + 1, high):
        key, item, place = keys[i], items[i], i
        while place > low and keys[place - 1] > key:
            keys[place], items[place] = keys[place - 1], items[place - 1]
            place -= 1
        keys[place], items[place] = key, item


@kernel
def _part(keys, items, low, high, pivot):  # type: ignore[no-untyped-def]
    """Part a range in three, and return where the keys equal to ``pivot`` begin and end."""
    below, at, above = low, low, high
    while at < above:
        key = keys[at]
        if key < pivot:
            keys[at], keys[below] = keys[below], key
            items[at], items[below] = items[below], items[at]
            below += 1
            at += 1
        elif key > pivot:
            above -= 1
            keys[at], keys[above] = keys[above], key
            items[at], items[above] = items[above], items[at]
        else:
            at += 1
    return below, above


@kernel
def _sort(arena, starts, stops, items, keys):  # type: ignore[no-untyped-def]
    """Sort ``items``: quicksort by keys of seven bytes, then those of one key by the next seven."""
    waiting = np.empty((512, 4), dtype=np.int64)  # low, high, depth, whether keys are to be loaded
    waiting[0] = (0, len(items), 0, 1)
    n, drawn = 1, np.uint64(88172645463325252)
    ranges = np.empty((3, 4), dtype=np.int64)
    while n > 0:
        n -= 1
        low, high, depth, load = waiting[n]
        if load:
            _load(arena, starts, stops, items, keys, low, high, depth)
        if high - low <= _FEW:
            _insert(keys, items, low, high)
            begin = low
            for i in range(low + 1, high + 1):
                if i < high and keys[i] == keys[begin]:
                    continue
                if i - begin > 1 and keys[begin] & np.uint64(0xFF) == _MORE:
                    waiting[n] = (begin, i, depth + _STEP, 1)
                    n += 1
                begin = i
            continue
        drawn ^= drawn << np.uint64(13)  # Marsaglia's xorshift: no input is slow by design
        drawn ^= drawn >> np.uint64(7)
        drawn ^= drawn << np.uint64(17)
        pivot = keys[low + np.int64(drawn % np.uint64(high - low))]
        below, above = _part(keys, items, low, high, pivot)
        ranges[0] = (low, below, depth, 0)
        ranges[1] = (below, above, depth + _STEP, 1)
        ranges[2] = (above, high, depth, 0)
        if pivot & np.uint64(0xFF) != _MORE:
            ranges[1, 1] = below  # texts that end here are all the same
        # The largest waits the longest, so that few ever wait.
        for i, j in ((0, 1), (1, 2), (0, 1)):
            if ranges[i, 1] - ranges[i, 0] < ranges[j, 1] - ranges[j, 0]:
                for column in range(4):
                    ranges[i, column], ranges[j, column] = ranges[j, column], ranges[i, column]
        for i in range(3):
            if ranges[i, 1] - ranges[i, 0] > 1:
                waiting[n] = ranges[i]
                n += 1


def sorted_order(
    arena: npt.NDArray[np.uint8], starts: npt.NDArray[np.int64], stops: npt.NDArray[np.int64]
) -> npt.NDArray[np.int64]:
    """Return the (n,) int64 order of the texts ``arena[starts[i]:stops[i]]`` by their bytes.

    Eight bytes may be read behind a text. Equal texts stand together, in any order. O(n log n) and one pass over the
    bytes that tell texts apart.
    """
    items = np.arange(len(starts), dtype=np.int64)
    if len(items):
        _sort(arena, starts, stops, items, np.empty(len(items), dtype=np.uint64))
    return items


@kernel
def _is_repeated(arena, starts, stops, order, repeated):  # type: ignore[no-untyped-def]
    for i in range(1, len(order)):
        first, second = order[i - 1], order[i]
        length = stops[first] - starts[first]
        if stops[second] - starts[second] != length:
            continue
        at = 0
        while at < length and arena[starts[first] + at] == arena[starts[second] + at]:
            at += 1
        repeated[i] = at == length


def repeats(
    arena: npt.NDArray[np.uint8],
    starts: npt.NDArray[np.int64],
    stops: npt.NDArray[np.int64],
    order: npt.NDArray[np.int64],
) -> npt.NDArray[np.bool_]:
    """Return (n,) whether a text in ``order`` is the same as the text before it."""
    repeated = np.zeros(len(order), dtype=np.bool_)
    _is_repeated(arena, starts, stops, order, repeated)
    return repeated
