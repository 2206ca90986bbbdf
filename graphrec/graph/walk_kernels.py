"""Compiled parts of :mod:`graphrec.graph.walks`: the walker and the writer of text.

Random numbers are a function of (seed, walk): see :mod:`graphrec.graph.counter_random`.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from graphrec.graph.counter_random import GAMMA, LOW, S32, below, mix, stream, unit
from graphrec.graph.transitions import FloatArray, IntArray, RowArray
from graphrec.kernels import kernel

# Candidates refused in a row before a step is drawn exactly; bounds the time of extreme p and q.
_PATIENCE = 64
# Walks that one call takes abreast.
_ABREAST = 32


@kernel(inline="always")
def _first_from(
    indices: RowArray, low: np.int64, high: np.int64, row: np.int64
) -> np.int64:  # pragma: no cover - compiled
    """Return the first place in the ascending ``indices[low:high]`` that has ``row`` or more; ``high`` if none has."""
    while low < high:
        middle = (low + high) >> 1
        if indices[middle] < row:
            low = middle + 1
        else:
            high = middle
    return low


@kernel(inline="always")
def _contains(indices: RowArray, low: np.int64, high: np.int64, row: np.int64) -> bool:  # pragma: no cover - compiled
    """Tell whether ``row`` stands in the ascending ``indices[low:high]``."""
    place = _first_from(indices, low, high, row)
    return bool(place < high and indices[place] == row)


@kernel
def edges_go_both_ways(
    indptr: IntArray, indices: RowArray, first: int, stop: int
) -> bool:  # pragma: no cover - compiled
    """Return whether every edge to the nodes ``first..stop - 1`` has exactly one reverse edge, and none is repeated.

    O(edges to these) and a look at every row, a search where these are some of its entries; 8 bytes for each of these
    nodes.
    """
    cursor = indptr[first:stop].copy()
    for node in range(indptr.size - 1):
        edge, end = indptr[node], indptr[node + 1]
        if edge < end and indices[edge] < first:
            edge = _first_from(indices, edge, end, np.int64(first))
        while edge < end and indices[edge] < stop:
            other = indices[edge]
            if edge > indptr[node] and indices[edge - 1] == other:
                return False
            # Sources come in ascending order, and so do the entries of each row.
            back = cursor[other - first]
            if back == indptr[other + 1] or indices[back] != node:
                return False
            cursor[other - first] += 1
            edge += 1
    return True


@kernel
def joined_types(
    indptr: IntArray, indices: RowArray, type_offsets: IntArray
) -> npt.NDArray[np.bool_]:  # pragma: no cover - compiled
    """Return (T, T) bool: whether any edge leads from a node of one type to a node of the other. O(m), no copies."""
    n_types = type_offsets.size - 1
    joined = np.zeros((n_types, n_types), np.bool_)
    for left in range(n_types):
        missing = n_types
        for edge in range(indptr[type_offsets[left]], indptr[type_offsets[left + 1]]):
            right = 0
            while indices[edge] >= type_offsets[right + 1]:
                right += 1
            if not joined[left, right]:
                joined[left, right] = True
                missing -= 1
                if missing == 0:
                    break
    return joined


@kernel
def _exact_step(
    indptr: IntArray,
    indices: RowArray,
    weights: FloatArray,
    before: np.int64,
    here: np.int64,
    biases: npt.NDArray[np.float64],
    draw: float,
) -> int:  # pragma: no cover - compiled
    """Return the position of the next edge, drawn from the distribution written out; O(deg log deg)."""
    start, stop = indptr[here], indptr[here + 1]
    total, chosen = 0.0, start
    for turn in range(2):  # first the sum, then the place
        wanted, running = draw * total, 0.0
        for edge in range(start, stop):
            row = indices[edge]
            bias = biases[2]
            if row == before:
                bias = biases[0]
            elif biases[1] != biases[2] and _contains(indices, indptr[before], indptr[before + 1], row):
                bias = biases[1]
            running += bias * (weights[edge] if weights.size else 1.0)
            if turn == 1 and bias > 0.0:
                chosen = edge
                if running > wanted:
                    return int(chosen)
        total = running
    return int(chosen)


@kernel
def walk(
    indptr: IntArray,
    indices: RowArray,
    weights: FloatArray,
    thresholds: npt.NDArray[np.uint32],
    aliases: RowArray,
    starts: RowArray,
    first: int,
    key: np.uint64,
    biases: npt.NDArray[np.float64],
    fold: bool,
    back: np.uint64,
    walks: RowArray,
    lengths: RowArray,
) -> None:  # pragma: no cover - compiled
    """Fill ``walks`` (n, length) and ``lengths`` (n,) with the walks ``first..first+n-1``.

    ``biases`` are the weights of going back, to a neighbour of the last node, and to any other.
    ``weights``, ``thresholds`` and ``aliases`` are empty where every edge weighs the same. With ``fold`` (edges of one
    weight, each with its twin) the part by which going back outweighs all else is drawn first, and costs no refusals.
    A step from elsewhere goes to the walk's start with probability ``back`` / 2^32, and surely where there is no edge,
    unless ``back`` is 0.
    """
    length = walks.shape[1]
    weighted = thresholds.size > 0
    # One draw gives 32 bits for the slot and 32 for the verdict; 2^32 accepts always.
    other = max(biases[1], biases[2])
    excess = max(0.0, biases[0] - other) if fold else 0.0
    largest = other if fold else max(biases[0], other)
    accept_back = np.uint64(min(biases[0] / largest, 1.0) * 4294967296.0)
    accept_near = np.uint64(biases[1] / largest * 4294967296.0)
    accept_far = np.uint64(biases[2] / largest * 4294967296.0)
    surely, possibly = min(accept_near, accept_far), max(accept_near, accept_far)
    near_is_likelier = accept_near > accept_far
    n = walks.shape[0]
    # Several walks at a time, each a step in turn: while a walk waits for memory, the others go on.
    abreast = min(_ABREAST, n)
    states, number = np.empty(abreast, np.uint64), np.empty(abreast, np.int64)
    before, here = np.empty(abreast, np.int64), np.empty(abreast, np.int64)
    begin, degree = np.empty(abreast, np.int64), np.empty(abreast, np.int64)
    edges, rows = np.empty(abreast, np.int64), np.empty(abreast, np.int64)
    done, refused = np.empty(abreast, np.int64), np.empty(abreast, np.int64)
    verdicts = np.empty(abreast, np.uint64)
    started, active = 0, 0
    while True:
        while active < abreast and started < n:
            states[active] = stream(key, np.uint64(first + started))
            number[active], before[active], done[active], refused[active] = started, -1, 1, 0
            here[active] = starts[(first + started) % starts.size]
            walks[started, 0] = here[active]
            begin[active] = indptr[here[active]]
            degree[active] = indptr[here[active] + 1] - begin[active]
            started += 1
            active += 1
        if active == 0:
            break
        for a in range(active):  # draw an edge for each
            states[a] += GAMMA
            z = mix(states[a])
            edges[a] = begin[a] + below(z, degree[a])
            verdicts[a] = z & LOW
        if weighted:
            for a in range(active):
                if degree[a] > 0 and verdicts[a] > np.uint64(thresholds[edges[a]]):
                    edges[a] = begin[a] + np.int64(aliases[edges[a]])
                states[a] += GAMMA
                verdicts[a] = mix(states[a]) >> S32
        for a in range(active):  # see where it leads
            rows[a] = indices[edges[a]] if degree[a] > 0 else -1
        if back > 0:
            for a in range(active):
                home = starts[(first + number[a]) % starts.size]
                if refused[a] > 0 or here[a] == home:
                    continue
                states[a] += GAMMA
                if (mix(states[a]) >> S32) < back or degree[a] == 0:
                    rows[a], here[a], before[a] = home, -1, -1
        if excess > 0.0:
            for a in range(active):
                if before[a] >= 0:
                    states[a] += GAMMA
                    draw = unit(mix(states[a]))
                    if draw * (largest * degree[a] + excess) < excess:
                        rows[a], verdicts[a] = before[a], np.uint64(0)
        for a in range(active):  # take it or leave it
            if degree[a] == 0 or before[a] < 0:
                continue
            accepted = False
            if rows[a] == before[a]:
                accepted = verdicts[a] < accept_back
            elif verdicts[a] < surely:
                accepted = True
            elif verdicts[a] < possibly:
                joined = _contains(indices, indptr[before[a]], indptr[before[a] + 1], rows[a])
                accepted = joined == near_is_likelier
            if not accepted:
                refused[a] += 1
                if refused[a] == _PATIENCE:
                    states[a] += GAMMA
                    draw = unit(mix(states[a]))
                    edge = _exact_step(indptr, indices, weights, before[a], here[a], biases, draw)
                    rows[a] = indices[edge]
                else:
                    rows[a] = -2
        for a in range(active):  # go
            if rows[a] >= 0 and done[a] < length:
                walks[number[a], done[a]] = rows[a]
                done[a] += 1
                refused[a] = 0
                before[a], here[a] = here[a], rows[a]
                begin[a] = indptr[here[a]]
                degree[a] = indptr[here[a] + 1] - begin[a]
        a = 0
        while a < active:  # let those at their end give their place to the last
            stuck = degree[a] == 0 and (back == 0 or before[a] < 0)
            if done[a] < length and not stuck:
                a += 1
                continue
            lengths[number[a]] = done[a]
            walks[number[a], done[a] :] = -1
            active -= 1
            states[a], number[a], before[a], here[a] = states[active], number[active], before[active], here[active]
            begin[a], degree[a], done[a] = begin[active], degree[active], done[active]
            refused[a] = refused[active]


@kernel
def write_text(
    walks: RowArray, lengths: RowArray, text: npt.NDArray[np.uint8], counts: IntArray
) -> int:  # pragma: no cover - compiled
    """Write walks as lines of decimal rows to ``text``; add to ``counts`` (n_nodes,); return the bytes written."""
    digits = np.empty(10, np.uint8)
    place = 0
    for w in range(walks.shape[0]):
        for j in range(lengths[w]):
            row = walks[w, j]
            counts[row] += 1
            n = 0
            while True:
                digits[n] = 48 + row % 10
                n += 1
                row //= 10
                if row == 0:
                    break
            for d in range(n - 1, -1, -1):
                text[place] = digits[d]
                place += 1
            text[place] = 32 if j + 1 < lengths[w] else 10
            place += 1
    return place
