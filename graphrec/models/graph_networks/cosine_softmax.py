"""A softmax over cosines of propagated vectors, for all pairs of a batch of users at once, and its gradient."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp
from threadpoolctl import threadpool_limits

from graphrec.kernels import kernel
from graphrec.models.graph_networks.propagation import Bipartite, Pair, map_rows, propagate, spread
from graphrec.models.training.processes import SINGLE, Processes
from graphrec.sparse.taste import Scale
from graphrec.sparse.topk import FloatArray

Rows = npt.NDArray[np.integer]

# Score of what is left out: finite, for a user may have all that is drawn.
_NEVER = np.float32(-1e4)


def cosine_softmax(
    graph: Bipartite,
    users: FloatArray,
    items: FloatArray,
    batch: Rows,
    negatives: Rows,
    *,
    layers: int,
    temperature: float,
    processes: Processes = SINGLE,
) -> tuple[float, Pair]:
    r"""Return a loss of vectors, and its gradient by both.

    .. math:: -\sum_{u \in B, i \in I_u} w_{ui} \log \frac{e^{\cos(e_u, e_i) / \tau}}
              {e^{\cos(e_u, e_i) / \tau} + \frac{n}{|N|} \sum_{j \in N \setminus I_u} e^{\cos(e_u, e_j) / \tau}}

    An item that the user has is no negative of his, and each pair's own stands in its sum.

    Parameters
    ----------
    graph : Bipartite
        The items I_u of each user, and the weights w of these pairs.
    users, items : ndarray
        (n_users, dim) and (n, dim) float32: what is propagated ``layers`` steps to become e.
    batch : ndarray
        (b,) distinct users: B.
    negatives : ndarray
        (k,) distinct items: N.
    temperature : float
        tau, > 0.
    processes : Processes
        Each sums up the softmax of its part of the batch; all return the whole.

    Notes
    -----
    Time O(layers * m * dim + b * k * dim) for m pairs, of which processes divide the second term. The same bits
    whatever the number of threads, and in all processes; another number of these changes the rounding.
    """
    scale = np.float32(1 / temperature)
    whole = propagate(graph, users, items, layers)
    lengths = [lengths_of(vectors) for vectors in whole]
    mine, theirs = (vectors / length for vectors, length in zip(whole, lengths, strict=True))
    taste, own = sp.csr_array(graph.taste[batch]), mine[batch]
    loss, pulls, by_own, by_negatives = _push(taste, own, theirs, negatives, scale, processes)
    by_users, by_items = np.zeros_like(mine), np.zeros_like(theirs)
    by_items[negatives] = by_negatives
    together = sp.csr_array((-pulls, taste.indices, taste.indptr), shape=taste.shape)
    by_users[batch] = spread(together, theirs, by_own)
    by_items = spread(sp.csr_array(together.T.tocsr()), own, by_items)
    by_users, by_items = _off_the_sphere(by_users, mine, lengths[0]), _off_the_sphere(by_items, theirs, lengths[1])
    return loss, propagate(graph, by_users, by_items, layers)


def _push(
    taste: sp.csr_array,
    users: FloatArray,
    items: FloatArray,
    negatives: Rows,
    scale: np.float32,
    processes: Processes,
) -> tuple[float, FloatArray, FloatArray, FloatArray]:
    """Return the loss, how strongly each pair's two sides draw together, and the gradient by what negatives do.

    The second has an entry, >= 0, for each of ``taste``; the gradient is by users (b, dim) and negatives (k, dim).
    """
    drawn = items[negatives]
    by_users, by_drawn = np.zeros_like(users), np.zeros_like(drawn)
    loss, pulls = np.zeros(1), np.zeros(taste.nnz, dtype=np.float32)
    places = np.full(len(items), -1)
    places[negatives] = np.arange(len(negatives))
    unseen = math.log(len(items) / len(negatives))
    first, last = processes.rows(len(users))

    def work(start: int, stop: int) -> tuple[float, FloatArray]:
        start, stop = first + start, first + stop
        own = users[start:stop]
        near: FloatArray = np.multiply(own, scale, dtype=np.float32) @ drawn.T
        _leave_out(taste.indptr, taste.indices, places, start, near)
        highest = near.max(axis=1, keepdims=True)
        near -= highest
        np.exp(near, out=near)
        totals = near.sum(axis=1)
        levels = np.log(totals) + highest[:, 0] + unseen
        mass = np.zeros(len(own))
        lost = _weigh(taste.indptr, taste.indices, taste.data, own, items, scale, levels, start, pulls, mass)
        near *= (mass / totals).astype(np.float32)[:, None]
        np.matmul(near, drawn, out=by_users[start:stop])
        part: FloatArray = near.T @ own
        return lost, part

    # The bits of a product depend on the threads that BLAS takes, so it takes one.
    with threadpool_limits(limits=1, user_api="blas"):
        for share, part in map_rows(work, last - first):
            loss += share
            by_drawn += part
    processes.add_up(loss, pulls, by_users, by_drawn)
    return float(loss[0]), pulls, by_users, by_drawn


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


@kernel
def _leave_out(
    indptr: npt.NDArray[np.integer],
    columns: npt.NDArray[np.integer],
    places: npt.NDArray[np.integer],
    first: int,
    near: FloatArray,
) -> None:  # pragma: no cover - compiled
    """Write to ``near``, of the users from ``first`` on, that the negatives which they have are out of reach."""
    for row in range(near.shape[0]):
        for p in range(indptr[first + row], indptr[first + row + 1]):
            place = places[columns[p]]
            if place >= 0:
                near[row, place] = _NEVER


@kernel(fastmath={"reassoc", "contract"})
def _weigh(
    indptr: npt.NDArray[np.integer],
    columns: npt.NDArray[np.integer],
    weights: FloatArray,
    users: FloatArray,
    items: FloatArray,
    scale: np.float32,
    levels: Scale,
    first: int,
    pulls: FloatArray,
    mass: Scale,
) -> float:  # pragma: no cover - compiled
    """Return the loss of the pairs of ``users`` (n, dim), which are those from ``first`` on.

    ``levels`` (n,) are the logarithms of the sums over their negatives. A pair's pull is written, and added to ``mass``
    (n,).
    """
    loss = 0.0
    for row in range(len(users)):
        for p in range(indptr[first + row], indptr[first + row + 1]):
            product = np.float32(0)
            for d in range(users.shape[1]):
                product += users[row, d] * items[columns[p], d]
            above = levels[row] - product * scale
            loss += weights[p] * (max(above, 0.0) + np.log1p(np.exp(-abs(above))))
            pulls[p] = weights[p] * scale / (1.0 + np.exp(-above))
            mass[row] += pulls[p]
    return loss
