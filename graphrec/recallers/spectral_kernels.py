"""Compiled parts of :mod:`graphrec.recallers.spectral`: histories on the eigenvectors, products, and two hops."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from graphrec.kernels import kernel

FloatArray = npt.NDArray[np.float32]
RowArray = npt.NDArray[np.int32]
Bounds = npt.NDArray[np.int64]
Weights = npt.NDArray[np.float64]

# Queries that share one pass over the targets: their projections stay in a near cache.
_TILE = 32


@kernel
def project(
    indptr: Bounds, items: RowArray, weights: Weights, sources: FloatArray, low: FloatArray
) -> None:  # pragma: no cover - compiled
    """Add each history's weighted rows of ``sources`` to its row of ``low``."""
    for i in range(indptr.size - 1):
        for p in range(indptr[i], indptr[i + 1]):
            weight = np.float32(weights[p])
            if weight > 0.0:
                for d in range(sources.shape[1]):
                    low[i, d] += weight * sources[items[p], d]


@kernel(fastmath={"reassoc", "contract"})
def products(low: FloatArray, targets: FloatArray, scores: FloatArray) -> None:  # pragma: no cover - compiled
    """Write ``low @ targets.T`` (n, n_items) to ``scores``.

    Not by BLAS: its sums depend on how many rows it is given, and items that are alike would not tie in every batch.
    """
    n, last = low.shape[0], targets.shape[0] - 1
    for start in range(0, n, _TILE):
        for j in range(0, last + 1, 4):
            # Four targets at once read each number of a query once; behind the end the last target is done again.
            j1, j2, j3 = min(j + 1, last), min(j + 2, last), min(j + 3, last)
            for i in range(start, min(start + _TILE, n)):
                s0, s1, s2, s3 = np.float32(0), np.float32(0), np.float32(0), np.float32(0)
                for d in range(low.shape[1]):
                    x = low[i, d]
                    s0 += x * targets[j, d]
                    s1 += x * targets[j1, d]
                    s2 += x * targets[j2, d]
                    s3 += x * targets[j3, d]
                scores[i, j], scores[i, j1], scores[i, j2], scores[i, j3] = s0, s1, s2, s3


@kernel
def two_hops(
    indptr: Bounds,
    items: RowArray,
    weights: Weights,
    user_indptr: Bounds,
    users: RowArray,
    user_scores: FloatArray,
    item_indptr: Bounds,
    ends: RowArray,
    end_scores: FloatArray,
    mass: Weights,
    touched: RowArray,
    scores: FloatArray,
) -> None:  # pragma: no cover - compiled
    """Add what each history reaches over its items' users to ``scores``; ``mass`` arrives and leaves as zeros."""
    for i in range(indptr.size - 1):
        n_touched = 0
        for p in range(indptr[i], indptr[i + 1]):
            if weights[p] <= 0.0:
                continue
            for q in range(user_indptr[items[p]], user_indptr[items[p] + 1]):
                added = weights[p] * user_scores[q]
                if added > 0.0:
                    if mass[users[q]] == 0.0:
                        touched[n_touched] = users[q]
                        n_touched += 1
                    mass[users[q]] += added
        for t in range(n_touched):
            user = touched[t]
            amount = np.float32(mass[user])
            mass[user] = 0.0
            for q in range(item_indptr[user], item_indptr[user + 1]):
                scores[i, ends[q]] += amount * end_scores[q]
