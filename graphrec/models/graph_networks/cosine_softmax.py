"""A softmax over cosines of propagated vectors, for all pairs of who took what at once, and its gradient."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp
from threadpoolctl import threadpool_limits

from graphrec.kernels import kernel
from graphrec.models.graph_networks.propagation import Bipartite, Pair, in_rows, map_rows, propagate
from graphrec.models.training.processes import SINGLE, Processes
from graphrec.sparse.taste import Scale
from graphrec.sparse.topk import FloatArray


def cosine_softmax(
    graph: Bipartite,
    users: FloatArray,
    items: FloatArray,
    negatives: npt.NDArray[np.integer],
    *,
    layers: int,
    temperature: float,
    processes: Processes = SINGLE,
) -> tuple[float, Pair]:
    r"""Return a loss of vectors, and its gradient by both.

    .. math:: \sum_{(u, i) \in S} w_{ui} \Big(\log \sum_{j \in N} \exp(\cos(e_u, e_j) / \tau)
              - \cos(e_u, e_i) / \tau\Big)

    Parameters
    ----------
    graph : Bipartite
        S: n_users, n_items, and the weights w of their pairs.
    users, items : ndarray
        (n_users, dim) and (n_items, dim) float32: what is propagated ``layers`` steps to become e.
    negatives : ndarray
        (n,) distinct items: N.
    temperature : float
        tau, > 0.
    processes : Processes
        Each sums up the softmax of its part of the users; all return the whole.

    Notes
    -----
    Time O(layers * m * dim + n_users * n * dim) for m pairs, of which processes divide the second term. The same bits
    whatever the number of threads, and in all processes; another number of these changes the rounding.
    """
    scale = np.float32(1 / temperature)
    whole = propagate(graph, users, items, layers)
    lengths = [lengths_of(vectors) for vectors in whole]
    mine, theirs = (vectors / length for vectors, length in zip(whole, lengths, strict=True))
    uniformity, by_users, by_negatives = _push(mine, theirs[negatives], graph.user_degrees, scale, processes)
    by_items = np.zeros_like(theirs)
    by_items[negatives] = by_negatives
    alignment = _pull(graph.taste, mine, theirs, by_users, scale)
    _pull(graph.turned, theirs, mine, by_items, scale)
    by_users, by_items = _off_the_sphere(by_users, mine, lengths[0]), _off_the_sphere(by_items, theirs, lengths[1])
    return uniformity - alignment, propagate(graph, by_users, by_items, layers)


def _push(
    users: FloatArray, negatives: FloatArray, mass: Scale, scale: np.float32, processes: Processes
) -> tuple[float, FloatArray, FloatArray]:
    """Return sum_u mass_u log sum_j exp(u . j / tau), and its gradient by the users and by the negatives."""
    by_users, by_negatives = np.zeros_like(users), np.zeros_like(negatives)
    first, last = processes.rows(len(users))

    def work(start: int, stop: int) -> tuple[float, FloatArray]:
        start, stop = first + start, first + stop
        own, weights = users[start:stop], mass[start:stop]
        near: FloatArray = np.multiply(own, scale, dtype=np.float32) @ negatives.T
        highest = near.max(axis=1, keepdims=True)
        near -= highest
        np.exp(near, out=near)
        totals = near.sum(axis=1)
        near *= (weights * scale / totals).astype(np.float32)[:, None]
        np.matmul(near, negatives, out=by_users[start:stop])
        part: FloatArray = near.T @ own
        return float(weights @ (np.log(totals) + highest[:, 0])), part

    loss = np.zeros(1)
    # The bits of a product depend on the threads that BLAS takes, so it takes one.
    with threadpool_limits(limits=1, user_api="blas"):
        for share, part in map_rows(work, last - first):
            loss += share
            by_negatives += part
    processes.add_up(loss, by_users, by_negatives)
    return float(loss[0]), by_users, by_negatives


def _pull(taste: sp.csr_array, own: FloatArray, others: FloatArray, gradient: FloatArray, scale: np.float32) -> float:
    """Return the sum of w (own . other) / tau over the pairs in ``taste``; take its gradient from ``gradient``."""
    near = np.zeros(len(own))
    in_rows(
        lambda start, stop: _take_neighbours(
            taste.indptr, taste.indices, taste.data, own, others, scale, gradient, near, start, stop
        ),
        len(own),
    )
    return float(near.sum())


def lengths_of(vectors: FloatArray) -> FloatArray:
    """Return (n, 1) float32: the vectors' lengths; 1 for a vector of zeros."""
    lengths: FloatArray = np.sqrt(np.einsum("nd,nd->n", vectors, vectors, dtype=np.float32))[:, None]
    lengths[lengths == 0] = 1
    return lengths


def with_lengths(vectors: FloatArray, exponent: float) -> FloatArray:
    """Return vectors (n, dim) whose lengths are what they were to the power ``exponent``; zero stays zero."""
    scaled_vectors: FloatArray = vectors * lengths_of(vectors) ** np.float32(exponent - 1)
    return scaled_vectors


def _off_the_sphere(gradient: FloatArray, unit: FloatArray, lengths: FloatArray) -> FloatArray:
    """Turn the gradient by ``unit`` vectors into that by the vectors themselves, in place."""
    gradient -= np.einsum("nd,nd->n", gradient, unit)[:, None] * unit
    gradient /= lengths
    return gradient


@kernel(fastmath={"reassoc", "contract"})
def _take_neighbours(
    indptr: npt.NDArray[np.integer],
    columns: npt.NDArray[np.integer],
    weights: FloatArray,
    own: FloatArray,
    others: FloatArray,
    scale: np.float32,
    gradient: FloatArray,
    near: npt.NDArray[np.float64],
    start: int,
    stop: int,
) -> None:  # pragma: no cover - compiled
    """Add each row's weighted, scaled products to ``near``, and take the weighted, scaled others from ``gradient``."""
    for row in range(start, stop):
        mine, line = own[row], gradient[row]
        for p in range(indptr[row], indptr[row + 1]):
            other, weight, product = others[columns[p]], weights[p] * scale, np.float32(0)
            for d in range(mine.size):
                product += mine[d] * other[d]
                line[d] -= weight * other[d]
            near[row] += weight * product
