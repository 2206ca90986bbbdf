r"""Importance neighbourhoods: the nodes that walks with restart from a node visit most often.

Each step of a walk from s first goes back to s with probability :math:`\alpha`, and surely from a node without
out-edges; then it takes an edge by weight. With :math:`x_0 = e_s`, a walk of L steps is expected to visit v

.. math:: \sum_{t=1}^{L} x_t(v), \qquad x_t = \big((1 - \alpha) x_{t-1} + \alpha e_s\big) P

times (where there are no dead ends): a truncated personalised PageRank [1]_, [2]_. The neighbourhood is the T nodes
that were visited most, the start left out, weighted by their share of these visits.

References
----------
.. [1] R. Ying et al., "Graph convolutional neural networks for web-scale recommender systems", KDD 2018, section 3.1.
.. [2] C. Eksombatchai et al., "Pixie: a system for recommending 3+ billion items to 200+ million users", WWW 2018.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from graphrec.checks import as_array, check_count, check_rows, typed
from graphrec.data.lists import indptr_of
from graphrec.data.neighbours import NeighbourTable
from graphrec.errors import ConfigError
from graphrec.graph.adjacency import Adjacency
from graphrec.graph.counter_random import GAMMA, LOW, S32, below, key_of, mix, stream
from graphrec.graph.transitions import FloatArray, IntArray, RowArray, transitions_of
from graphrec.kernels import kernel
from graphrec.memory import check_memory
from graphrec.sparse.topk import join, select_top
from graphrec.threads import map_chunks

# Nodes whose neighbourhoods one call of the kernel counts, and walks of a node that it takes abreast: while a walk
# waits for memory, the others go on.
_CHUNK = 512
_ABREAST = 64


@typed
def importance_neighbours(
    adjacency: Adjacency,
    nodes: npt.ArrayLike | None = None,
    *,
    top: int = 50,
    walks: int = 200,
    length: int = 10,
    restart: float = 0.5,
    seed: int,
    targets: tuple[int, int] | None = None,
    relation_weights: Mapping[str, float] | None = None,
    threads: int | None = None,
) -> NeighbourTable:
    """Return each node's neighbours by importance: the rows that walks with restart visit most.

    Parameters
    ----------
    adjacency : Adjacency
        The graph; steps go by its edge weights, where it has any.
    nodes : ndarray or None
        (n,) int32 rows whose neighbourhoods are wanted. None takes every target.
    top : int, default 50
        Neighbours kept a node, T.
    walks, length : int
        Walks from each node, and steps in each.
    restart : float, default 0.5
        Probability of going back to the start before a step, from 0 up to but not including 1. Larger stays nearer.
    seed : int
        A node's neighbourhood is a function of the graph, the settings, this and the node: neither the other nodes
        nor the number of threads play a part.
    targets : (int, int) or None
        ``(start, stop)``: only these rows count, such as those of the items. None counts all.
    relation_weights : mapping of str to float, or None
        Share of steps along each relation: see :func:`graphrec.graph.walks.generate_walks`.
    threads : int or None
        None takes every processor.

    Returns
    -------
    NeighbourTable
        n rows over ``stop - start`` columns: column ``j`` is node ``start + j``. Most visited first, ties by row; the
        node itself is left out; scores are > 0 and sum to 1 in each row. Rows whose walks reached no target are empty.

    Raises
    ------
    ConfigError
        On counts below 1, a restart or targets out of range, an illegal weight of a relation, or a result that memory
        may not hold.
    DataError
        On nodes out of range or a relation that the graph does not have.

    Notes
    -----
    Time O(n * walks * length); memory O(n * top) and one counter of ``stop - start`` numbers a thread.

    Examples
    --------
    >>> graph = adjacency_from_edges([0, 0, 1, 2], [1, 2, 0, 0], [0] * 4, type_offsets=[0, 3], node_types=["n"],
    ...                              relation_names=["to"])
    >>> importance_neighbours(graph, [1], top=1, walks=50, length=1, seed=0)[0][0].tolist()
    [0]
    """
    start, stop = check_targets(targets, adjacency.n_nodes)
    for name, count in (("top", top), ("walks", walks), ("length", length)):
        check_count(name, count, 1)
    check_restart(restart)
    rows = as_array(np.arange(start, stop, dtype=np.int32) if nodes is None else nodes, np.int32, name="nodes")
    check_rows(rows, adjacency.n_nodes, name="nodes")
    steps = transitions_of(adjacency, relation_weights)
    bound, key = min(top, stop - start, walks * length), key_of(seed)
    check_memory(
        8 * bound * len(rows), f"up to {bound:,} neighbours of {len(rows):,} nodes", "lower top, or pass fewer nodes"
    )
    back = np.uint64(restart * 2.0**32)

    def work(first: int, last: int) -> tuple[IntArray, RowArray, FloatArray]:
        counts = np.empty(last - first, np.int64)
        found = np.empty((last - first) * bound, np.int32), np.empty((last - first) * bound, np.float32)
        visits = np.zeros(stop - start, np.float64)
        total = count_visits(*steps.arrays, rows[first:last], walks, length, back, key, start, visits, counts, *found)
        return indptr_of(counts), found[0][:total], found[1][:total]

    parts = list(map_chunks(work, len(rows), chunk=_CHUNK, threads=threads))
    empty = (np.zeros(1, np.int64), np.empty(0, np.int32), np.empty(0, np.float32))
    indptr, neighbours, shares = join(parts or [empty])
    return NeighbourTable(indptr, neighbours, shares, n_columns=stop - start)


def check_targets(targets: tuple[int, int] | None, n_nodes: int) -> tuple[int, int]:
    """Return ``targets``, or all rows for None; raise ConfigError unless it is a range of the graph's rows."""
    if targets is None:
        return 0, n_nodes
    whole = len(targets) == 2 and all(isinstance(row, int | np.integer) for row in targets)
    if not whole or not 0 <= targets[0] <= targets[1] <= n_nodes:
        raise ConfigError(f"targets is {targets!r}; it must be (start, stop) with 0 <= start <= stop <= {n_nodes}")
    return int(targets[0]), int(targets[1])


def check_restart(restart: float, *, least: float = 0.0) -> None:
    """Raise ConfigError unless ``restart`` is a probability from ``least`` up to but not including 1."""
    if not least <= restart < 1:
        legal = "0 or more" if least == 0 else f"at least {least:g}"
        raise ConfigError(f"restart is {restart}; it must be {legal} and below 1")


@kernel
def count_visits(
    indptr: IntArray,
    indices: RowArray,
    thresholds: npt.NDArray[np.uint32],
    aliases: RowArray,
    nodes: RowArray,
    walks: int,
    length: int,
    back: np.uint64,
    key: np.uint64,
    first: int,
    visits: npt.NDArray[np.float64],
    counts: IntArray,
    rows: RowArray,
    shares: FloatArray,
) -> int:  # pragma: no cover - compiled
    """Write the most visited targets of each node and their shares; return how many there are in all.

    ``visits`` (targets,) is zero before and after; ``counts`` (n,) gets each node's number of neighbours, which is at
    most the size of ``rows`` / n. ``back`` is the probability of restarting in 2^-32.
    """
    n_targets, top = visits.size, rows.size // max(nodes.size, 1)
    touched = np.empty(min(n_targets, walks * length), np.int32)
    abreast = min(_ABREAST, walks)
    states, here, edges = np.empty(abreast, np.uint64), np.empty(abreast, np.int64), np.empty(abreast, np.int64)
    place = 0
    for i in range(nodes.size):
        node = np.int64(nodes[i])
        own = stream(key, np.uint64(node))
        n_touched = 0
        for group in range(0, walks if indptr[node + 1] > indptr[node] else 0, abreast):
            active = min(abreast, walks - group)
            for a in range(active):
                states[a], here[a] = stream(own, np.uint64(group + a)), node
            for _ in range(length):
                for a in range(active):  # draw an edge for each walk
                    states[a] += GAMMA
                    z = mix(states[a])
                    if (z & LOW) < back or indptr[here[a]] == indptr[here[a] + 1]:
                        here[a] = node
                    begin = indptr[here[a]]
                    edges[a] = begin + below(z, indptr[here[a] + 1] - begin)
                if thresholds.size > 0:
                    for a in range(active):
                        states[a] += GAMMA
                        if (mix(states[a]) >> S32) > np.uint64(thresholds[edges[a]]):
                            edges[a] = indptr[here[a]] + np.int64(aliases[edges[a]])
                for a in range(active):  # take it, and count where it leads
                    here[a] = indices[edges[a]]
                    target = here[a] - first
                    if 0 <= target < n_targets and here[a] != node:
                        if visits[target] == 0.0:
                            touched[n_touched] = target
                            n_touched += 1
                        visits[target] += 1.0
        kept = select_top(visits, touched[:n_touched], top, rows[place:], shares[place:])
        for j in range(n_touched):
            visits[touched[j]] = 0.0
        total = 0.0
        for j in range(place, place + kept):
            total += shares[j]
        for j in range(place, place + kept):
            shares[j] = np.float32(shares[j] / total)
        counts[i] = kept
        place += kept
    return place
