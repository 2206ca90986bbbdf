"""EASE where each item is predicted from its nearest items alone: one small system of equations an item."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from graphrec.data.neighbours import NeighbourTable
from graphrec.kernels import kernel
from graphrec.sparse.taste import degrees, inverse_power, scaled
from graphrec.sparse.topk import FloatArray, RowArray, top_products
from graphrec.threads import map_chunks

Bounds = npt.NDArray[np.int64]

# Targets of one chunk of work.
_CHUNK = 64


def restricted_weights(taste: sp.csr_array, n: int, regularisation: float, *, n_counts: int) -> NeighbourTable:
    r"""Return the weights that predict each item from the n items nearest to it.

    With N the n items whose users are most alike to those of j (cosine), and G the co-occurrences
    :math:`R^\top R`,

    .. math:: B_{Nj} = (G_{NN} + \lambda I)^{-1} G_{Nj}

    which is column j of EASE fitted on the items N and j.

    Parameters
    ----------
    taste : scipy.sparse.csr_array
        (n_users, n_items) float32 >= 0.
    n : int
        Items that predict an item, >= 1.
    regularisation : float
        lambda, > 0.
    n_counts : int
        Co-occurrences kept an item, its largest; those of a pair count where either item keeps them, others are 0.
        Where that leaves no positive definite system, its entries off the diagonal are halved until it is one.

    Returns
    -------
    NeighbourTable
        List ``j`` holds the items N, nearest first, with :math:`B_{Nj}`, of either sign.

    Notes
    -----
    Time O(n_items * n^3 / 6) and two sparse products; memory ``8 * n_items * (n_counts + 2 n)`` bytes and, a thread,
    ``8 * n^2``.

    References
    ----------
    .. [1] Ning, Karypis, "SLIM: Sparse Linear Methods for Top-N Recommender Systems", ICDM 2011, section on feature
       selection by nearest neighbours. Differs: ridge instead of elastic net, weights of either sign.
    """
    near = inverse_power(degrees(taste, 0), 0.5)
    by_item = sp.csr_array(taste.T.tocsr())
    sources = top_products(scaled(by_item, rows=near), scaled(taste, columns=near), n, drop_self=True)
    counts = top_products(by_item, taste, n_counts, drop_self=True)
    own = np.asarray(taste.multiply(taste).sum(axis=0), dtype=np.float64).ravel()
    widest = int(np.diff(sources.indptr).max(initial=0))

    def work(start: int, stop: int) -> FloatArray:
        weights = np.empty(sources.indptr[stop] - sources.indptr[start], dtype=np.float32)
        _solve_each(
            start, stop, sources.indptr, sources.neighbours, counts.indptr, counts.neighbours, counts.scores, own,
            float(regularisation), np.empty((widest, widest)), np.empty(widest),
            np.full(taste.shape[1], -1, dtype=np.int32), weights,
        )  # fmt: skip
        return weights

    parts = list(map_chunks(work, taste.shape[1], chunk=_CHUNK))
    weights = np.concatenate([np.empty(0, np.float32), *parts])
    return NeighbourTable(sources.indptr, sources.neighbours, weights, n_columns=taste.shape[1])


@kernel(fastmath={"reassoc", "contract"})
def _dot(a: npt.NDArray[np.float64], b: npt.NDArray[np.float64], n: int) -> float:  # pragma: no cover - compiled
    total = 0.0
    for p in range(n):
        total += a[p] * b[p]
    return total


@kernel
def _solve(
    matrix: npt.NDArray[np.float64], right: npt.NDArray[np.float64], n: int, least: float
) -> bool:  # pragma: no cover - compiled
    """Turn ``right`` into the solution by Cholesky, in the lower triangle; return False at a pivot below ``least``."""
    for i in range(n):
        for j in range(i):
            matrix[i, j] = (matrix[i, j] - _dot(matrix[i], matrix[j], j)) / matrix[j, j]
        pivot = matrix[i, i] - _dot(matrix[i], matrix[i], i)
        if pivot < least:
            return False
        matrix[i, i] = np.sqrt(pivot)
        right[i] = (right[i] - _dot(matrix[i], right, i)) / matrix[i, i]
    for i in range(n - 1, -1, -1):
        right[i] /= matrix[i, i]
        for j in range(i):
            right[j] -= matrix[i, j] * right[i]
    return True


@kernel
def _assemble(
    target: int,
    near: RowArray,
    indptr: Bounds,
    items: RowArray,
    counts: FloatArray,
    own: npt.NDArray[np.float64],
    regularisation: float,
    shrunk: float,
    place: RowArray,
    matrix: npt.NDArray[np.float64],
    right: npt.NDArray[np.float64],
) -> None:  # pragma: no cover - compiled
    """Write the lower triangle of ``G_NN + lambda I``, off its diagonal times ``shrunk``, and ``G_Nj``."""
    n = near.size
    matrix[:n, :n] = 0.0
    right[:n] = 0.0
    for p in range(n):
        matrix[p, p] = own[near[p]] + regularisation
        for e in range(indptr[near[p]], indptr[near[p] + 1]):
            q = place[items[e]]
            if q >= 0:
                matrix[max(p, q), min(p, q)] = counts[e] * shrunk
            elif items[e] == target:
                right[p] = counts[e]
    for e in range(indptr[target], indptr[target + 1]):
        if place[items[e]] >= 0:
            right[place[items[e]]] = counts[e]


@kernel
def _solve_each(
    start: int,
    stop: int,
    indptr: Bounds,
    sources: RowArray,
    counts_indptr: Bounds,
    counts_items: RowArray,
    counts: FloatArray,
    own: npt.NDArray[np.float64],
    regularisation: float,
    matrix: npt.NDArray[np.float64],
    right: npt.NDArray[np.float64],
    place: RowArray,
    weights: FloatArray,
) -> None:  # pragma: no cover - compiled
    """Write the weights of targets ``start`` to ``stop``, one after the other; ``place`` arrives and leaves as -1."""
    for target in range(start, stop):
        near = sources[indptr[target] : indptr[target + 1]]
        for p in range(near.size):
            place[near[p]] = p
        shrunk, solved = 1.0, False
        while not solved:  # ends at the latest where only the diagonal is left
            _assemble(
                target, near, counts_indptr, counts_items, counts, own, regularisation, shrunk, place, matrix, right
            )
            # Every pivot of a whole G + lambda I is at least lambda.
            solved = _solve(matrix, right, near.size, regularisation / 2)
            shrunk /= 2
        weights[indptr[target] - indptr[start] : indptr[target + 1] - indptr[start]] = right[: near.size]
        for p in range(near.size):
            place[near[p]] = -1
