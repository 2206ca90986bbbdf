"""The best paths that preference propagation led along: what each hop kept, and the nodes that it came from."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from graphrec.graph.adjacency import Adjacency
from graphrec.graph.propagation import Doubles, IntArray, next_front, start_front
from graphrec.kernels import kernel
from graphrec.sparse.topk import FloatArray, RowArray


class BestWalks(NamedTuple):
    """For each of m items, the walk from the history that gave it most.

    Parameters
    ----------
    sources : ndarray
        (m,) int32: where it began; -1 where no walk led to the item.
    contributions : ndarray
        (m,) float64: what it gave of the score.
    walks : list of tuple
        m pairs of nodes (p,) int32 and relations (p - 1,) int16; empty arrays where no walk stays among the nodes that
        may be named. Else the walk is the best of those that do.
    """

    sources: RowArray
    contributions: Doubles
    walks: list[tuple[RowArray, npt.NDArray[np.int16]]]


def best_walks(
    graph: Adjacency,
    steps: FloatArray,
    history: RowArray,
    amounts: FloatArray,
    wanted: RowArray,
    *,
    n_named: int,
    hops: int,
    width: int,
    decay: float,
    ends: Doubles,
) -> BestWalks:
    """Return the walk that gave most to each of ``wanted`` (m,) int32.

    Parameters
    ----------
    history, amounts : ndarray
        (h,) int32 items and float32 weights.
    n_named : int
        The first nodes of the graph, which may be named: items and entities, not users.
    graph, steps, hops, width, decay, ends :
        As :func:`graphrec.graph.propagation.propagate`, whose fronts are walked again.

    Notes
    -----
    Time that of one list; memory ``32 * hops * width`` bytes and 60 bytes a node.
    """
    size = max(len(history), min(width, graph.n_nodes), 1)
    fronts, origins = np.full((hops + 1, size), -1, np.int32), np.full((hops + 1, size), -1, np.int32)
    parents, edges = np.full((hops + 1, size), -1, np.int32), np.full((hops + 1, size), -1, np.int64)
    named, every = np.zeros((hops + 1, size)), np.zeros((hops + 1, size))
    _trace(
        graph.indptr, graph.indices, steps, history, amounts, n_named, width, fronts, named, parents, edges, every,
        origins,
    )  # fmt: skip
    factors = np.append(0.0, decay ** np.arange(hops))[:, None]
    named, every = named * factors, every * factors
    sources, contributions = np.full(len(wanted), -1, np.int32), np.zeros(len(wanted))
    walks = []
    for place, item in enumerate(wanted):
        held = fronts == item
        values = np.where(held, named, 0.0)
        shown = bool(values.max(initial=0.0) > 0)
        values = values if shown else np.where(held, every, 0.0)
        hop, at = np.unravel_index(int(np.argmax(values)), values.shape)
        walk = _walk_back(graph, fronts, parents, edges, int(hop), int(at)) if shown else _NOWHERE
        if values[hop, at] > 0:
            sources[place] = walk[0][0] if shown else origins[hop, at]
            contributions[place] = values[hop, at] * ends[item]
        walks.append(walk)
    return BestWalks(sources, contributions, walks)


_NOWHERE = np.empty(0, np.int32), np.empty(0, np.int16)


def _walk_back(
    graph: Adjacency, fronts: RowArray, parents: RowArray, edges: IntArray, hop: int, at: int
) -> tuple[RowArray, npt.NDArray[np.int16]]:
    """Return the nodes and relations of the best named walk to the node at a place of a hop."""
    nodes, relations = [fronts[hop, at]], []
    while hop > 0:
        relations.append(graph.relations[edges[hop, at]])
        hop, at = hop - 1, int(parents[hop, at])
        nodes.append(fronts[hop, at])
    return np.array(nodes[::-1], np.int32), np.array(relations[::-1], np.int16)


@kernel
def _trace(
    indptr: IntArray,
    indices: RowArray,
    steps: FloatArray,
    history: RowArray,
    amounts: FloatArray,
    n_named: int,
    width: int,
    fronts: RowArray,
    named: Doubles,
    parents: RowArray,
    edges: IntArray,
    every: Doubles,
    origins: RowArray,
) -> None:  # pragma: no cover - compiled
    """Write, for each node that a hop keeps, the best walk to it over named nodes, and over any.

    ``fronts``, ``named``, ``parents``, ``edges``, ``every`` and ``origins`` are (hops + 1, size).
    """
    n_nodes, size = indptr.size - 1, fronts.shape[1]
    sums, touched, rounded = np.zeros(n_nodes), np.empty(n_nodes, np.int32), np.empty(size, np.float32)
    places = np.full(n_nodes, -1, np.int32)
    front, mass = np.empty(size, np.int32), np.empty(size, np.float64)
    n = start_front(history, amounts, front, mass)
    fronts[0, :n], origins[0, :n] = front[:n], front[:n]
    named[0, :n], every[0, :n] = mass[:n], mass[:n]
    for hop in range(1, fronts.shape[0]):
        before = n
        n, total = next_front(indptr, indices, steps, width, front, mass, n, sums, touched, rounded)
        fronts[hop, :n] = front[:n]
        for p in range(n):
            places[front[p]] = p
        for p in range(before):
            for edge in range(indptr[fronts[hop - 1, p]], indptr[fronts[hop - 1, p] + 1]):
                at = places[indices[edge]]
                if at < 0 or steps[edge] <= 0.0:
                    continue
                part = steps[edge] / total
                if every[hop - 1, p] * part > every[hop, at]:
                    every[hop, at], origins[hop, at] = every[hop - 1, p] * part, origins[hop - 1, p]
                if indices[edge] < n_named and named[hop - 1, p] * part > named[hop, at]:
                    named[hop, at] = named[hop - 1, p] * part
                    parents[hop, at], edges[hop, at] = p, edge
        for p in range(n):
            places[front[p]] = -1
