"""Kernels of a tree over vectors: halving a set of rows again and again, and a beam that goes down the halves.

A tree over n rows is an order of them: node p of level j stands for the places from ``p * n >> j`` up to but not
including ``(p + 1) * n >> j``, its halves are the nodes 2p and 2p + 1 of level j + 1. Below the last level whose nodes
have vectors all places are scored.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from graphrec.kernels import kernel

FloatArray = npt.NDArray[np.float32]
Places = npt.NDArray[np.int64]


@kernel
def halved(vectors: FloatArray, depth: int, rounds: int) -> Places:  # pragma: no cover - compiled
    """Return (n,) int64: the rows of ``vectors`` (n, dim) in the order of a tree of ``depth`` levels.

    Each set of rows is cut into halves of equal size by 2-means of at most ``rounds`` rounds; of two halves no rows
    are exchanged but where that brings them nearer to the means. Time O(n dim depth rounds).
    """
    n = len(vectors)
    order = np.arange(n)
    for level in range(depth):
        for p in range(1 << level):
            first, middle, stop = p * n >> level, (2 * p + 1) * n >> (level + 1), (p + 1) * n >> level
            if first < middle < stop:
                order[first:stop] = _cut(vectors, order[first:stop], middle - first, rounds)
    return order


@kernel
def _cut(vectors: FloatArray, rows: Places, n_left: int, rounds: int) -> Places:  # pragma: no cover - compiled
    """Return ``rows`` (m,) so that the first ``n_left`` are one half."""
    # The direction of the farthest two, roughly: the row farthest from the mean, and the row farthest from that.
    end = _farthest(vectors, rows, _mean(vectors, rows))
    other = _farthest(vectors, rows, vectors[end].astype(np.float64))
    direction = vectors[end].astype(np.float64) - vectors[other].astype(np.float64)
    best = rows
    for _ in range(rounds):
        along = np.empty(len(rows))
        for i in range(len(rows)):
            total = 0.0
            for d in range(vectors.shape[1]):
                total += vectors[rows[i], d] * direction[d]
            along[i] = -total
        places = np.argsort(along, kind="mergesort")
        cut = rows[places]
        left, before = np.sort(cut[:n_left]), np.sort(best[:n_left])
        best = cut
        if (left == before).all():
            break
        direction = _mean(vectors, cut[:n_left]) - _mean(vectors, cut[n_left:])
    return best


@kernel
def _mean(vectors: FloatArray, rows: Places) -> npt.NDArray[np.float64]:  # pragma: no cover - compiled
    total = np.zeros(vectors.shape[1])
    for row in rows:
        for d in range(vectors.shape[1]):
            total[d] += vectors[row, d]
    return total / len(rows)


@kernel
def _farthest(vectors: FloatArray, rows: Places, point: npt.NDArray[np.float64]) -> int:  # pragma: no cover - compiled
    best, highest = int(rows[0]), -1.0
    for row in rows:
        away = 0.0
        for d in range(vectors.shape[1]):
            away += (vectors[row, d] - point[d]) ** 2
        if away > highest:
            best, highest = int(row), away
    return best


@kernel(fastmath={"reassoc", "contract"})
def _product(a: FloatArray, b: FloatArray) -> np.float32:  # pragma: no cover - compiled
    total = np.float32(0)
    for d in range(len(a)):
        total += a[d] * b[d]
    return total


@kernel
def _greatest(scores: FloatArray, n: int, width: int) -> Places:  # pragma: no cover - compiled
    """Return the places of the ``width`` greatest of the first ``n`` scores, ascending; of equal ones the first."""
    if n <= width:
        return np.arange(n)
    least = np.partition(scores[:n], n - width)[n - width]
    chosen, equal = np.empty(width, dtype=np.int64), width
    for i in range(n):
        equal -= scores[i] > least
    filled = 0
    for i in range(n):
        if scores[i] > least or (scores[i] == least and equal > 0):
            equal -= scores[i] == least
            chosen[filled] = i
            filled += 1
    return chosen


@kernel
def descend(
    queries: FloatArray,
    nodes: FloatArray,
    matrix: FloatArray,
    order: npt.NDArray[np.int32],
    first_level: int,
    depth: int,
    widths: Places,
    allowed_before: Places,
    skip_indptr: Places,
    skip_items: npt.NDArray[np.int32],
) -> tuple[Places, npt.NDArray[np.int32], FloatArray, Places]:  # pragma: no cover - compiled
    """Return what beams end in: (q + 1,) bounds, rows and scores of the leaves, and (q,) the products that it took.

    Parameters
    ----------
    queries : ndarray
        (q, dim) float32.
    nodes : ndarray
        float32 vectors of the levels ``first_level`` to ``depth - 1``, one level after the other.
    matrix : ndarray
        (n, dim) float32: the leaves' vectors, by row.
    order : ndarray
        (n,) int32: the row at each place.
    widths : ndarray
        (q,) int64: nodes that are kept of a level. A beam begins at the first level that has more.
    allowed_before : ndarray
        (n + 1,) int64: rows at the places before each that may be returned.
    skip_indptr, skip_items : ndarray
        q lists of rows that may not.
    """
    n, q = len(order), len(queries)
    most = max(-(-n >> depth), 1)  # places below a node of the level ``depth``
    widest = 0
    for width in widths:
        widest = max(widest, min(n, max(2 * width, 1 << first_level) * most))
    rows, found = np.empty(q * widest, dtype=np.int32), np.empty(q * widest, dtype=np.float32)
    bounds, products = np.zeros(q + 1, dtype=np.int64), np.zeros(q, dtype=np.int64)
    skipped = np.zeros(n, dtype=np.bool_)
    for i in range(q):
        level = first_level
        while level < depth and (1 << level) <= widths[i]:
            level += 1
        for s in range(skip_indptr[i], skip_indptr[i + 1]):
            skipped[skip_items[s]] = True
        beam = np.arange(1 << level)
        while True:
            size = len(beam) * (most if level == depth else 1)
            held, scores, n_held = np.empty(size, np.int64), np.empty(size, np.float32), 0
            for p in beam:
                start, stop = p * n >> level, (p + 1) * n >> level
                if allowed_before[stop] == allowed_before[start]:
                    continue
                if level < depth:
                    scores[n_held] = _product(queries[i], nodes[(1 << level) - (1 << first_level) + p])
                    held[n_held] = p
                    n_held += 1
                    continue
                for place in range(start, stop):
                    if allowed_before[place + 1] > allowed_before[place] and not skipped[order[place]]:
                        scores[n_held] = _product(queries[i], matrix[order[place]])
                        held[n_held] = order[place]
                        n_held += 1
            products[i] += n_held
            if level == depth:
                break
            kept = held[_greatest(scores, n_held, widths[i])]
            beam = np.empty(2 * len(kept), np.int64)
            beam[0::2], beam[1::2] = 2 * kept, 2 * kept + 1
            level += 1
        end = bounds[i] + n_held
        rows[bounds[i] : end], found[bounds[i] : end] = held[:n_held].astype(np.int32), scores[:n_held]
        bounds[i + 1] = end
        for s in range(skip_indptr[i], skip_indptr[i + 1]):
            skipped[skip_items[s]] = False
    return bounds, rows[: bounds[q]], found[: bounds[q]], products
