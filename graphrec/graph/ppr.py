r"""Personalised PageRank: where a walk that now and then goes back to its seed spends its time.

.. math:: \pi_s = \alpha \sum_{t \ge 0} (1 - \alpha)^t \, e_s P^t

with the restart probability :math:`\alpha` and steps P by edge weight; a node without out-edges leads back to the seed.
Two ways compute it, and both give no node more than its true part, so that what is missing in all is known:

- :func:`personalised_pagerank` sums the series for many seeds at a time until what is left is below a tolerance. It
  touches the whole graph, whatever the seed.
- :func:`push_pagerank` moves the probability of one node after another to its neighbours [1]_ and touches what is near
  the seed alone: for large graphs, and for many seeds.

References
----------
.. [1] R. Andersen, F. Chung, K. Lang, "Local graph partitioning using PageRank vectors", FOCS 2006, section 3. Differs:
   walks are not lazy, edges may have weights, and dead ends lead back to the seed.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil, log
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from graphrec.checks import as_array, check_count, check_rows, typed
from graphrec.data.lists import indptr_of
from graphrec.data.neighbours import NeighbourTable
from graphrec.errors import ConfigError
from graphrec.graph.adjacency import Adjacency
from graphrec.graph.importance import check_restart, check_targets
from graphrec.graph.transitions import FloatArray, IntArray, RowArray, Transitions, transitions_of
from graphrec.kernels import kernel
from graphrec.memory import check_memory
from graphrec.sparse.topk import Pushed, join, select_top, top_columns
from graphrec.threads import map_chunks

if TYPE_CHECKING:  # slow to load
    import scipy.sparse as sp

Doubles = npt.NDArray[np.float64]
# Bytes of the vectors of the seeds that are summed at a time, and seeds that one call of the push kernel takes.
_BLOCK_BYTES = 1 << 26
_CHUNK = 64
_EMPTY: Pushed = (np.zeros(1, np.int64), np.empty(0, np.int32), np.empty(0, np.float32))


class Pagerank(NamedTuple):
    """Ranked nodes of each seed, and how much of each seed's probability they and the rest lack.

    Parameters
    ----------
    table : NeighbourTable
        n rows over the targets: column ``j`` is node ``start + j``; probabilities, best first, ties by row.
    missing : ndarray
        (n,) float64: true less computed probabilities, summed over all nodes of the graph. No node has more than its
        true part, so each lacks at most this.
    """

    table: NeighbourTable
    missing: Doubles


@typed
def personalised_pagerank(
    adjacency: Adjacency,
    seeds: npt.ArrayLike,
    *,
    top: int = 100,
    restart: float = 0.15,
    tolerance: float = 1e-6,
    drop_self: bool = False,
    targets: tuple[int, int] | None = None,
    relation_weights: Mapping[str, float] | None = None,
    threads: int | None = None,
) -> Pagerank:
    """Return the nodes of highest personalised PageRank for each seed, by power iteration.

    Parameters
    ----------
    adjacency : Adjacency
        The graph; steps go by its edge weights, where it has any.
    seeds : ndarray
        (n,) int32 rows.
    top : int, default 100
        Nodes kept a seed.
    restart : float, default 0.15
        Probability of going back to the seed before a step, from 1e-3 up to but not including 1.
    tolerance : float, default 1e-6
        What may be missing of a seed's probability in all, above 0 and below 1.
    drop_self : bool, default False
        Leave the seed out of its own list.
    targets : (int, int) or None
        ``(start, stop)``: only these rows are listed. None lists all.
    relation_weights : mapping of str to float, or None
        Share of steps along each relation: see :func:`graphrec.graph.walks.generate_walks`.
    threads : int or None
        The result does not depend on it. None takes every processor.

    Returns
    -------
    Pagerank
        ``missing`` is the same for every seed, and at most ``tolerance`` but for rounding.

    Raises
    ------
    ConfigError
        On a restart, tolerance, ``top`` or targets out of range, or an illegal weight of a relation.
    DataError
        On seeds out of range or a relation that the graph does not have.

    Notes
    -----
    Time O(n * m * log(tolerance) / log(1 - restart)) for m edges; memory O(m + n * top) and 64 MB a thread.
    """
    rows, (start, stop) = _checked(adjacency, seeds, top, restart, targets)
    if not 0 < tolerance < 1:
        raise ConfigError(f"tolerance is {tolerance}; it must be above 0 and below 1")
    rounds = ceil(log(tolerance) / log(1 - restart))
    matrix, dead = _transposed(transitions_of(adjacency, relation_weights), restart)

    def work(first: int, last: int) -> tuple[Pushed, Doubles]:
        own, columns = rows[first:last], np.arange(last - first)
        term = np.zeros((adjacency.n_nodes, last - first))
        term[own, columns] = 1.0
        total = restart * term
        for _ in range(rounds):
            stuck = (1 - restart) * term[dead].sum(axis=0)
            term = matrix @ term
            term[own, columns] += stuck
            total += restart * term
        # What is left of each seed's walk takes another step, or ends: it has this much probability.
        missing = (1 - restart) * term.sum(axis=0)
        values = np.where(total > 0, total, -np.inf).astype(np.float32)
        if drop_self:
            values[own, columns] = -np.inf
        return top_columns(np.ascontiguousarray(values[start:stop].T), top), missing

    chunk = max(1, min(256, _BLOCK_BYTES // (32 * max(1, adjacency.n_nodes))))
    parts = list(map_chunks(work, len(rows), chunk=chunk, threads=threads))
    return _joined(parts, stop - start)


@typed
def push_pagerank(
    adjacency: Adjacency,
    seeds: npt.ArrayLike,
    *,
    top: int = 100,
    restart: float = 0.15,
    epsilon: float = 1e-5,
    drop_self: bool = False,
    targets: tuple[int, int] | None = None,
    relation_weights: Mapping[str, float] | None = None,
    threads: int | None = None,
) -> Pagerank:
    r"""Return the nodes of highest personalised PageRank for each seed, by forward push around it.

    Nodes hold a residual: probability that arrived and was not moved on. A node whose residual is above
    :math:`\epsilon d_v`, with :math:`d_v` its number of edges and at least 1, keeps the part :math:`\alpha` of it and
    hands the rest to its neighbours, until there is no such node. Where edges weigh the same and each has its reverse,
    no node then lacks more than :math:`\epsilon d_v`; on any graph no node lacks more than ``missing``. Of what it
    still holds a node gets the part :math:`\alpha` too: that much stays with it whatever follows.

    Parameters
    ----------
    adjacency, seeds, top, restart, drop_self, targets, relation_weights, threads
        As :func:`personalised_pagerank`.
    epsilon : float, default 1e-5
        From 1e-12 up to but not including 1. Smaller reaches farther: at most ``1 / (restart * epsilon)`` edges are
        looked at.

    Returns
    -------
    Pagerank
        Nodes that no push handed anything are not listed, so a row may have fewer than ``top``.

    Raises
    ------
    ConfigError
        On a restart, epsilon, ``top`` or targets out of range, or an illegal weight of a relation.
    DataError
        On seeds out of range or a relation that the graph does not have.

    Notes
    -----
    Time O(n / (restart * epsilon)); memory O(n * top) and 21 bytes a node and thread.
    """
    rows, (start, stop) = _checked(adjacency, seeds, top, restart, targets)
    if not 1e-12 <= epsilon < 1:
        raise ConfigError(f"epsilon is {epsilon}; it must be at least 1e-12 and below 1")
    steps = transitions_of(adjacency, relation_weights)
    strengths = _strengths(steps)
    bounds = epsilon * np.maximum(np.diff(steps.indptr), 1)
    bound = min(top, stop - start)

    def work(first: int, last: int) -> tuple[Pushed, Doubles]:
        counts, missing = np.empty(last - first, np.int64), np.empty(last - first)
        nodes, scores = np.empty((last - first) * bound, np.int32), np.empty((last - first) * bound, np.float32)
        settings = rows[first:last], restart, start, stop, drop_self
        total = push_seeds(
            steps.indptr, steps.indices, steps.weights, strengths, bounds, *settings, counts, missing, nodes, scores
        )
        return (indptr_of(counts), nodes[:total], scores[:total]), missing

    return _joined(list(map_chunks(work, len(rows), chunk=_CHUNK, threads=threads)), stop - start)


@typed
def ranks_between(table: NeighbourTable, first: int, last: int) -> NeighbourTable:
    """Return the table with the entries alone that have ranks ``first..last-1`` of their row; the best has rank 0.

    Hard negatives are taken from such a band: near enough to be hard, and too far to be liked.

    Raises
    ------
    ConfigError
        Unless ``0 <= first < last``.
    """
    check_count("first", first, 0)
    check_count("last", last, first + 1)
    lengths = np.diff(table.indptr)
    ranks = np.arange(len(table.neighbours)) - np.repeat(table.indptr[:-1], lengths)
    kept = (ranks >= first) & (ranks < last)
    indptr = indptr_of(np.clip(lengths, first, last) - first)
    return NeighbourTable(indptr, table.neighbours[kept], table.scores[kept], n_columns=table.n_columns)


def _checked(
    adjacency: Adjacency, seeds: npt.ArrayLike, top: int, restart: float, targets: tuple[int, int] | None
) -> tuple[RowArray, tuple[int, int]]:
    """Return the rows of the seeds and the range of the targets, every setting that both ways share checked."""
    check_count("top", top, 1)
    check_restart(restart, least=1e-3)
    rows = as_array(seeds, np.int32, name="seeds")
    check_rows(rows, adjacency.n_nodes, name="seeds")
    start, stop = check_targets(targets, adjacency.n_nodes)
    bound = min(top, stop - start)
    check_memory(
        8 * bound * len(rows), f"up to {bound:,} nodes of {len(rows):,} seeds", "lower top, or pass fewer seeds"
    )
    return rows, (start, stop)


def _joined(parts: list[tuple[Pushed, Doubles]], n_columns: int) -> Pagerank:
    indptr, nodes, scores = join([part for part, _ in parts] or [_EMPTY])
    missing = np.concatenate([np.empty(0), *(left for _, left in parts)])
    return Pagerank(NeighbourTable(indptr, nodes, scores, n_columns=n_columns), missing)


def _strengths(steps: Transitions) -> Doubles:
    """Return (n_nodes,) float64: the sum of the weights of each node's edges."""
    degrees = np.diff(steps.indptr)
    if len(steps.weights) == 0:
        return degrees.astype(np.float64)
    # A sum over an empty run would be the next run's first entry.
    sums: Doubles = np.zeros(len(degrees))
    filled = degrees > 0
    sums[filled] = np.add.reduceat(steps.weights, steps.indptr[:-1][filled], dtype=np.float64)
    return sums


def _transposed(steps: Transitions, restart: float) -> tuple[sp.csr_array, IntArray]:
    """Return the steps that do not restart, as a matrix from the node before (column) to the node after; dead ends."""
    import scipy.sparse as sp

    n, strengths = len(steps.indptr) - 1, _strengths(steps)
    degrees = np.diff(steps.indptr)
    weights = np.ones(len(steps.indices)) if len(steps.weights) == 0 else steps.weights.astype(np.float64)
    shares = weights / np.repeat(strengths, degrees) * (1 - restart)
    forward = sp.csr_array((shares, steps.indices, steps.indptr), shape=(n, n))
    return forward.T.tocsr(), np.flatnonzero(degrees == 0)


@kernel
def _push(
    indptr: IntArray,
    indices: RowArray,
    weights: FloatArray,
    strengths: Doubles,
    bounds: Doubles,
    seed: np.int64,
    restart: float,
    kept: Doubles,
    residuals: Doubles,
    queued: npt.NDArray[np.bool_],
    queue: RowArray,
    touched: RowArray,
) -> int:  # pragma: no cover - compiled
    """Push from ``seed`` until no residual is above its bound; list the nodes touched, and return how many."""
    n = queue.size
    residuals[seed], touched[0], n_touched = 1.0, seed, 1
    queue[0], queued[seed] = seed, True
    head, waiting = 0, 1
    while waiting > 0:
        node = np.int64(queue[head])
        head = head + 1 if head + 1 < n else 0
        waiting -= 1
        queued[node] = False
        moved = residuals[node]
        kept[node] += restart * moved
        residuals[node] = 0.0
        start, stop = indptr[node], indptr[node + 1]
        for edge in range(start, max(stop, start + 1)):
            # A dead end has one step, back to the seed.
            other = np.int64(indices[edge]) if stop > start else seed
            share = 1.0 if stop == start else (weights[edge] if weights.size else 1.0) / strengths[node]
            if residuals[other] == 0.0 and kept[other] == 0.0:
                touched[n_touched] = other
                n_touched += 1
            residuals[other] += (1.0 - restart) * moved * share
            if residuals[other] > bounds[other] and not queued[other]:
                queue[(head + waiting) % n] = other
                waiting += 1
                queued[other] = True
    return n_touched


@kernel
def push_seeds(
    indptr: IntArray,
    indices: RowArray,
    weights: FloatArray,
    strengths: Doubles,
    bounds: Doubles,
    seeds: RowArray,
    restart: float,
    first: int,
    last: int,
    drop_self: bool,
    counts: IntArray,
    missing: Doubles,
    rows: RowArray,
    scores: FloatArray,
) -> int:  # pragma: no cover - compiled
    """Write the best targets ``first..last-1`` of each seed and their probabilities; return how many there are.

    ``counts`` and ``missing`` (n,) get each seed's number of nodes, at most the size of ``rows`` / n, and what is left.
    """
    n, top = indptr.size - 1, rows.size // max(seeds.size, 1)
    kept, residuals = np.zeros(n), np.zeros(n)
    queued, queue, touched = np.zeros(n, np.bool_), np.empty(n, np.int32), np.empty(n, np.int32)
    place = 0
    for i in range(seeds.size):
        seed = np.int64(seeds[i])
        n_touched = _push(
            indptr, indices, weights, strengths, bounds, seed, restart, kept, residuals, queued, queue, touched
        )
        missing[i] = 0.0
        for j in range(n_touched):
            # A walk that stands at a node ends there with the probability of a restart, whatever follows.
            kept[touched[j]] += restart * residuals[touched[j]]
            missing[i] += (1.0 - restart) * residuals[touched[j]]
            residuals[touched[j]] = 0.0
        candidates = np.empty(n_touched, np.int32)
        n_candidates = 0
        for j in range(n_touched):
            node = touched[j]
            if first <= node < last and kept[node] > 0.0 and not (drop_self and node == seed):
                candidates[n_candidates] = node
                n_candidates += 1
        counts[i] = select_top(kept, candidates[:n_candidates], top, rows[place:], scores[place:])
        for j in range(place, place + counts[i]):
            rows[j] -= first
        for j in range(n_touched):
            kept[touched[j]] = 0.0
        place += counts[i]
    return place
