"""Compiled parts of :mod:`graphrec.walks`: random numbers, alias tables, the walker and the writer of text.

Random numbers are a function of (seed, walk): a walk comes out the same on any thread, in any chunk. Everything that
touches them stays uint64, since numba turns uint64 mixed with int64 into float64.
"""

from __future__ import annotations

import numba as nb
import numpy as np
import numpy.typing as npt

# Candidates refused in a row before a step is drawn exactly; bounds the time of extreme p and q.
_PATIENCE = 64

IntArray = npt.NDArray[np.int64]
RowArray = npt.NDArray[np.int32]
FloatArray = npt.NDArray[np.float32]

_GAMMA = np.uint64(0x9E3779B97F4A7C15)
_M1, _M2 = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_S27, _S30, _S31, _S32 = np.uint64(27), np.uint64(30), np.uint64(31), np.uint64(32)
_LOW = np.uint64(0xFFFFFFFF)
_TO_UNIT = 2.0**-53
_S11 = np.uint64(11)


@nb.njit(nogil=True, cache=True, inline="always")
def _mix(z: np.uint64) -> np.uint64:  # pragma: no cover - compiled
    """Return the splitmix64 output function of ``z``."""
    z = (z ^ (z >> _S30)) * _M1
    z = (z ^ (z >> _S27)) * _M2
    return z ^ (z >> _S31)


@nb.njit(nogil=True, cache=True, inline="always")
def _contains(indices: RowArray, low: int, high: int, row: int) -> bool:  # pragma: no cover - compiled
    """Tell whether ``row`` stands in the ascending ``indices[low:high]``."""
    stop = high
    while low < high:
        middle = (low + high) >> 1
        if indices[middle] < row:
            low = middle + 1
        else:
            high = middle
    return low < stop and indices[low] == row


@nb.njit(nogil=True, cache=True)
def build_alias(
    indptr: IntArray, weights: FloatArray, thresholds: npt.NDArray[np.uint32], aliases: RowArray
) -> None:  # pragma: no cover - compiled
    """Fill each node's alias table (Vose 1991): slot j gives j with probability thresholds[j] / 2^32, or its alias."""
    widest = 0
    for node in range(indptr.size - 1):
        widest = max(widest, indptr[node + 1] - indptr[node])
    small, large = np.empty(widest, np.int64), np.empty(widest, np.int64)
    scaled = np.empty(widest, np.float64)
    for node in range(indptr.size - 1):
        start, size = indptr[node], indptr[node + 1] - indptr[node]
        total = 0.0
        for j in range(size):
            total += weights[start + j]
        n_small, n_large = 0, 0
        for j in range(size):
            scaled[j] = weights[start + j] * size / total
            aliases[start + j] = j
            thresholds[start + j] = np.uint32(0xFFFFFFFF)
            if scaled[j] < 1.0:
                small[n_small] = j
                n_small += 1
            else:
                large[n_large] = j
                n_large += 1
        while n_small > 0 and n_large > 0:
            n_small -= 1
            less, more = small[n_small], large[n_large - 1]
            thresholds[start + less] = np.uint32(scaled[less] * 4294967295.0)
            aliases[start + less] = more
            scaled[more] -= 1.0 - scaled[less]
            if scaled[more] < 1.0:
                n_large -= 1
                small[n_small] = more
                n_small += 1


@nb.njit(nogil=True, cache=True)
def _exact_step(
    indptr: IntArray,
    indices: RowArray,
    weights: FloatArray,
    before: int,
    here: int,
    biases: npt.NDArray[np.float64],
    unit: float,
) -> int:  # pragma: no cover - compiled
    """Return the position of the next edge, drawn from the distribution written out; O(deg log deg)."""
    start, stop = indptr[here], indptr[here + 1]
    total, chosen = 0.0, start
    for turn in range(2):  # first the sum, then the place
        wanted, running = unit * total, 0.0
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
                    return chosen
        total = running
    return chosen


@nb.njit(nogil=True, cache=True)
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
    walks: RowArray,
    lengths: RowArray,
) -> None:  # pragma: no cover - compiled
    """Fill ``walks`` (n, length) and ``lengths`` (n,) with the walks ``first..first+n-1``.

    ``biases`` are the weights of going back, to a node that the last one is joined to, and to any other.
    ``weights``, ``thresholds`` and ``aliases`` are empty where every edge weighs the same.
    """
    length = walks.shape[1]
    weighted = thresholds.size > 0
    # One draw gives 32 bits for the slot and 32 for the verdict; 2^32 accepts always.
    largest = max(biases[0], max(biases[1], biases[2]))
    accept_back = np.uint64(biases[0] / largest * 4294967296.0)
    accept_near = np.uint64(biases[1] / largest * 4294967296.0)
    accept_far = np.uint64(biases[2] / largest * 4294967296.0)
    surely, possibly = min(accept_near, accept_far), max(accept_near, accept_far)
    near_is_likelier = accept_near > accept_far
    for w in range(walks.shape[0]):
        state = _mix(key ^ _mix(np.uint64(first + w) + _GAMMA))
        before, here = -1, np.int64(starts[(first + w) % starts.size])
        walks[w, 0] = here
        done = 1
        while done < length:
            start = indptr[here]
            degree = indptr[here + 1] - start
            if degree == 0:
                break
            edge = start
            refused = 0
            while True:
                state += _GAMMA
                z = _mix(state)
                edge = start + np.int64(((z >> _S32) * np.uint64(degree)) >> _S32)
                verdict = z & _LOW
                if weighted:
                    if verdict > np.uint64(thresholds[edge]):
                        edge = start + np.int64(aliases[edge])
                    state += _GAMMA
                    verdict = _mix(state) >> _S32
                if before < 0:
                    break
                row = np.int64(indices[edge])
                if row == before:
                    if verdict < accept_back:
                        break
                elif verdict < surely:
                    break
                elif verdict < possibly:
                    joined = _contains(indices, indptr[before], indptr[before + 1], row)
                    if joined == near_is_likelier:
                        break
                refused += 1
                if refused == _PATIENCE:
                    state += _GAMMA
                    unit = np.float64(_mix(state) >> _S11) * _TO_UNIT
                    edge = _exact_step(indptr, indices, weights, before, here, biases, unit)
                    break
            before, here = here, np.int64(indices[edge])
            walks[w, done] = here
            done += 1
        lengths[w] = done
        walks[w, done:] = -1


@nb.njit(nogil=True, cache=True)
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
