"""The compiled kernels that read several channels' lists at once.

They stand in one file because numba's cache watches only the file of the kernel that is called: a change to a kernel
which another file's kernel calls would leave stale machine code behind.
"""

from __future__ import annotations

import numba as nb
import numpy as np
import numpy.typing as npt


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


@nb.njit(nogil=True, cache=True)
def merge_by_rank(
    bounds: npt.NDArray[np.int64],
    items: npt.NDArray[np.int32],
    weights: npt.NDArray[np.float64],
    c: float,
    depth: int,
    k: int,
    widest: int,
    counts: npt.NDArray[np.int64],
    out_items: npt.NDArray[np.int32],
    out_scores: npt.NDArray[np.float32],
    out_ranks: npt.NDArray[np.int32],
) -> int:  # pragma: no cover - compiled
    """Merge each query's lists into the ``out`` arrays; return how many entries were written."""
    n_channels = bounds.shape[0]
    size = table_size(widest)
    keys = np.empty(size, dtype=np.int32)
    slots = np.empty(size, dtype=np.int32)
    rows = np.empty(widest, dtype=np.int32)
    ranks = np.empty((widest, n_channels), dtype=np.int32)
    scores = np.empty(widest, dtype=np.float32)
    bits = scores.view(np.int32)
    order = np.empty(widest, dtype=np.int64)
    total = 0
    for query in range(bounds.shape[1] - 1):
        found = gather(query, depth, bounds, items, keys, slots, rows, ranks)
        n_scored = 0
        for slot in range(found):
            score = 0.0
            for channel in range(n_channels):
                if ranks[slot, channel] > 0:
                    score += weights[channel] / (c + ranks[slot, channel])
            scores[slot] = score
            if score > 0.0:
                # Positive floats sort like their bits, so one integer sorts by falling score, then by rising row.
                falling = np.int64(0x7FFFFFFF) - np.int64(bits[slot])
                order[n_scored] = (falling << np.int64(32)) | np.int64(rows[slot])
                n_scored += 1
        order[:n_scored].sort()
        taken = min(k, n_scored)
        for position in range(taken):
            row = order[position] & np.int64(0x7FFFFFFF)
            slot = slots[find(row, keys, size - 1)]
            out_items[total] = row
            out_scores[total] = scores[slot]
            out_ranks[total, :] = ranks[slot, :]
            total += 1
        counts[query] = taken
    return total


@nb.njit(nogil=True, cache=True)
def merge_by_value(
    bounds: npt.NDArray[np.int64],
    items: npt.NDArray[np.int32],
    values: npt.NDArray[np.float64],
    k: int,
    widest: int,
    counts: npt.NDArray[np.int64],
    out_items: npt.NDArray[np.int32],
    out_scores: npt.NDArray[np.float32],
    out_ranks: npt.NDArray[np.int32],
) -> int:  # pragma: no cover - compiled
    """Merge each query's lists by the sum of their entries' ``values`` (m,); return how many entries were written."""
    n_channels = bounds.shape[0]
    size = table_size(widest)
    keys = np.empty(size, dtype=np.int32)
    slots = np.empty(size, dtype=np.int32)
    rows = np.empty(widest, dtype=np.int32)
    ranks = np.empty((widest, n_channels), dtype=np.int32)
    scores = np.empty(widest, dtype=np.float32)
    bits = scores.view(np.int32)
    order = np.empty(widest, dtype=np.int64)
    total = 0
    for query in range(bounds.shape[1] - 1):
        found = gather(query, 0, bounds, items, keys, slots, rows, ranks)
        n_scored = 0
        for slot in range(found):
            score = 0.0
            for channel in range(n_channels):
                if ranks[slot, channel] > 0:
                    score += values[bounds[channel, query] + ranks[slot, channel] - 1]
            scores[slot] = score
            if scores[slot] > 0.0:
                # As in merge_by_rank: by falling score, then by rising row.
                falling = np.int64(0x7FFFFFFF) - np.int64(bits[slot])
                order[n_scored] = (falling << np.int64(32)) | np.int64(rows[slot])
                n_scored += 1
        order[:n_scored].sort()
        taken = min(k, n_scored)
        for position in range(taken):
            row = order[position] & np.int64(0x7FFFFFFF)
            slot = slots[find(row, keys, size - 1)]
            out_items[total] = row
            out_scores[total] = scores[slot]
            out_ranks[total, :] = ranks[slot, :]
            total += 1
        counts[query] = taken
    return total


@nb.njit(nogil=True, cache=True)
def _next_free(
    pointer: int,
    stop: int,
    items: npt.NDArray[np.int32],
    keys: npt.NDArray[np.int32],
    slots: npt.NDArray[np.int32],
    placed: npt.NDArray[np.bool_],
) -> int:  # pragma: no cover - compiled
    """Return the first entry from ``pointer`` on whose item has no place yet, or ``stop``."""
    while pointer < stop and placed[slots[find(items[pointer], keys, keys.size - 1)]]:
        pointer += 1
    return pointer


@nb.njit(nogil=True, cache=True)
def merge_by_turns(
    bounds: npt.NDArray[np.int64],
    items: npt.NDArray[np.int32],
    quotas: npt.NDArray[np.int64],
    order: npt.NDArray[np.int64],
    k: int,
    widest: int,
    counts: npt.NDArray[np.int64],
    out_items: npt.NDArray[np.int32],
    out_scores: npt.NDArray[np.float32],
    out_ranks: npt.NDArray[np.int32],
) -> int:  # pragma: no cover - compiled
    """Let channels take turns for each query; return how many entries were written."""
    n_channels = bounds.shape[0]
    size = table_size(widest)
    keys = np.empty(size, dtype=np.int32)
    slots = np.empty(size, dtype=np.int32)
    rows = np.empty(widest, dtype=np.int32)
    ranks = np.empty((widest, n_channels), dtype=np.int32)
    placed = np.empty(widest, dtype=np.bool_)
    pointers = np.empty(n_channels, dtype=np.int64)
    left = np.empty(n_channels, dtype=np.int64)
    total = 0
    for query in range(bounds.shape[1] - 1):
        found = gather(query, 0, bounds, items, keys, slots, rows, ranks)
        placed[:found] = False
        pointers[:] = bounds[:, query]
        taken = 0
        # First the quotas, then whatever room is left, shared evenly.
        for fill in range(2):
            if fill:
                left[:] = k
            else:
                left[:] = quotas
            turn = 0
            moved = True
            while moved and taken < k:
                moved = False
                for step in range(n_channels):
                    # Snake: whoever chose last in one round chooses first in the next.
                    channel = order[step if turn % 2 == 0 else n_channels - 1 - step]
                    if left[channel] == 0 or taken == k:
                        continue
                    stop = bounds[channel, query + 1]
                    pointer = _next_free(pointers[channel], stop, items, keys, slots, placed)
                    pointers[channel] = pointer
                    if pointer == stop:
                        continue
                    slot = slots[find(items[pointer], keys, size - 1)]
                    placed[slot] = True
                    left[channel] -= 1
                    out_items[total] = items[pointer]
                    out_scores[total] = 1.0 - taken / k
                    out_ranks[total, :] = ranks[slot, :]
                    total += 1
                    taken += 1
                    moved = True
                turn += 1
        counts[query] = taken
    return total


@nb.njit(nogil=True, cache=True)
def count_shared(
    bounds: npt.NDArray[np.int64],
    items: npt.NDArray[np.int32],
    hits: npt.NDArray[np.bool_],
    k: int,
    widest: int,
    common: npt.NDArray[np.int64],
    unique_hits: npt.NDArray[np.int64],
    union_hits: npt.NDArray[np.int64],
) -> None:  # pragma: no cover - compiled
    """Add up what channels' top-k lists have in common, hits of one channel alone, and hits of any, by query."""
    n_channels = bounds.shape[0]
    size = table_size(widest)
    keys = np.empty(size, dtype=np.int32)
    slots = np.empty(size, dtype=np.int32)
    has = np.zeros((widest, n_channels), dtype=np.bool_)
    is_hit = np.zeros(widest, dtype=np.bool_)
    for query in range(bounds.shape[1] - 1):
        keys[:] = -1
        found = 0
        for c in range(n_channels):
            for p in range(bounds[c, query], min(bounds[c, query + 1], bounds[c, query] + k)):
                place = find(items[p], keys, size - 1)
                if keys[place] == -1:
                    keys[place] = items[p]
                    slots[place] = found
                    has[found, :] = False
                    is_hit[found] = False
                    found += 1
                has[slots[place], c] = True
                is_hit[slots[place]] |= hits[p]
        for slot in range(found):
            n_having = 0
            last = -1
            for a in range(n_channels):
                if has[slot, a]:
                    n_having += 1
                    last = a
                    for b in range(n_channels):
                        common[a, b] += has[slot, b]
            if is_hit[slot]:
                union_hits[query] += 1
                if n_having == 1:
                    unique_hits[last] += 1
