"""What is near a node: by shared entities, and along a path of relations.

Both add up amounts per node in an array that each thread keeps, and choose the best with a heap: time is linear in the
edges that are walked, whatever the size of the graph, and no edge is handled in Python, so that hubs are quick.
"""

from __future__ import annotations

import heapq
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from graphrec.graph.adjacency import Adjacency
from graphrec.graph.relations import reverse_numbers
from graphrec.kernels import kernel

Rows = npt.NDArray[np.int32]
Scores = npt.NDArray[np.float64]

ANY = -1
"""Stands for every relation."""

_own = threading.local()


def _zeros(name: str, n: int) -> Scores:
    """Return this thread's array of n zeros called ``name``; whoever takes it leaves zeros."""
    zeros: Scores | None = getattr(_own, name, None)
    if zeros is None or len(zeros) < n:
        zeros = np.zeros(n)
        setattr(_own, name, zeros)
    return zeros


def sharers(graph: Adjacency, items: Rows, n_items: int, *, relation: int = ANY) -> tuple[Rows, Scores]:
    r"""Return the other items that share entities with ``items``, or that an edge joins to one of them.

    .. math:: s(j) = \sum_i \Big([i \to j] + \sum_{(r, e):\ i \to_r e,\ j \to_r e} \frac{1}{d_r(e)}\Big)

    with :math:`d_r(e)` the number of items that relation r joins to entity e; each edge counts.

    Parameters
    ----------
    items : ndarray
        (s,) int32.
    n_items : int
        Items are the nodes below.
    relation : int
        The number of the only relation that is walked, or :data:`ANY`.

    Returns
    -------
    items, scores : ndarray
        (m,) int32 and float64: each item j that is not among ``items`` once, in no order, and s. What most of its score
        comes from: :func:`best_sources`.

    Notes
    -----
    Time O(d log d) for the d edges of ``items``, and O(items joined to their entities), each entity once however many
    of ``items`` have it; memory O(d + m), and 8 bytes an item once for each thread.
    """
    ends, numbers, _, bounds = _shared_ends(graph, items, relation)
    back, sums = reverse_numbers(graph), _zeros("sums", n_items)
    return _sharers(
        graph.indptr, graph.indices, graph.relations, back, items, ends, numbers, np.diff(bounds), n_items, sums
    )


def best_sources(graph: Adjacency, items: Rows, rows: Rows, n_items: int, *, relation: int = ANY) -> Rows:
    """Return the place in ``items`` of that which gave each of ``rows`` most of its score, the first of equal ones.

    Parameters
    ----------
    graph, items, n_items, relation :
        As :func:`sharers`.
    rows : ndarray
        (m,) int32 rows that :func:`sharers` returned.

    Returns
    -------
    ndarray
        (m,) int32.

    Notes
    -----
    Time O(m d log(edges of an entity)) for the d edges of ``items``.
    """
    if len(items) == 1:
        return np.zeros(len(rows), np.int32)
    ends, numbers, owners, bounds = _shared_ends(graph, items, relation)
    return _best_sources(
        graph.indptr, graph.indices, graph.relations, reverse_numbers(graph), rows, ends, numbers, owners, bounds,
        n_items, np.zeros(len(items)),
    )  # fmt: skip


class _Ends(NamedTuple):
    """What edges of items lead to: each pair of node and relation once, and whose edges they are.

    ``nodes`` (p,) int32 and ``relations`` (p,) int16; the edges of pair q are of the items at the places
    ``owners[bounds[q]:bounds[q + 1]]``.
    """

    nodes: Rows
    relations: npt.NDArray[np.int16]
    owners: Rows
    bounds: npt.NDArray[np.int64]


def _shared_ends(graph: Adjacency, items: Rows, relation: int) -> _Ends:
    """Return the ends of the edges of ``items``, by one relation or all."""
    if len(items) == 1:
        edges = np.arange(graph.indptr[items[0]], graph.indptr[items[0] + 1])
        owners = np.zeros(len(edges), np.int32)
    else:
        counts = graph.degrees[items]
        owners = np.repeat(np.arange(len(items), dtype=np.int32), counts)
        starts = graph.indptr[items] - (np.cumsum(counts) - counts)
        edges = np.arange(len(owners)) + starts[owners]
    if relation != ANY:
        kept = graph.relations[edges] == relation
        edges, owners = edges[kept], owners[kept]
    keys = graph.indices[edges].astype(np.int64) * len(graph.relation_names) + graph.relations[edges]
    order = np.argsort(keys, kind="stable")
    keys = keys[order]
    bounds = (
        np.flatnonzero(np.concatenate([[True], keys[1:] != keys[:-1], [True]])) if len(keys) else np.zeros(1, np.int64)
    )
    nodes, relations = np.divmod(keys[bounds[:-1]], len(graph.relation_names))
    return _Ends(nodes.astype(np.int32), relations.astype(np.int16), owners[order], bounds)


@kernel
def _items_of(
    indptr: npt.NDArray[np.int64],
    indices: Rows,
    relations: npt.NDArray[np.int16],
    back: npt.NDArray[np.int16],
    node: int,
    number: int,
    n_items: int,
) -> tuple[int, int, int, int]:  # pragma: no cover - compiled
    """Return the first and last edge of an entity to items, their relation (-1: any), and how many are of it."""
    start = indptr[node]
    # Indices ascend within a node and items come first.
    stop = start + np.searchsorted(indices[start : indptr[node + 1]], n_items)
    only = back[number] if back[number] != number else -1
    degree = 0
    for e in range(start, stop):
        degree += only < 0 or relations[e] == only
    return start, stop, only, max(degree, 1)


@kernel
def _sharers(
    indptr: npt.NDArray[np.int64],
    indices: Rows,
    relations: npt.NDArray[np.int16],
    back: npt.NDArray[np.int16],
    items: Rows,
    ends: Rows,
    numbers: npt.NDArray[np.int16],
    counts: npt.NDArray[np.int64],
    n_items: int,
    sums: Scores,
) -> tuple[Rows, Scores]:  # pragma: no cover - compiled
    most = 0
    for q in range(ends.size):
        most += 1 if ends[q] < n_items else indptr[ends[q] + 1] - indptr[ends[q]]
    touched = np.empty(min(most, n_items), np.int32)
    n = 0
    for q in range(ends.size):
        if ends[q] < n_items:
            if sums[ends[q]] == 0:
                touched[n] = ends[q]
                n += 1
            sums[ends[q]] += counts[q]
            continue
        start, stop, only, degree = _items_of(indptr, indices, relations, back, ends[q], numbers[q], n_items)
        share = counts[q] / degree
        for e in range(start, stop):
            if only < 0 or relations[e] == only:
                row = indices[e]
                if sums[row] == 0:
                    touched[n] = row
                    n += 1
                sums[row] += share
    for item in items:
        sums[item] = 0.0
    scores = np.empty(n)
    kept = 0
    for p in range(n):
        row = touched[p]
        if sums[row] > 0:
            touched[kept], scores[kept] = row, sums[row]
            kept += 1
        sums[row] = 0.0
    return touched[:kept], scores[:kept]


@kernel
def _best_sources(
    indptr: npt.NDArray[np.int64],
    indices: Rows,
    relations: npt.NDArray[np.int16],
    back: npt.NDArray[np.int16],
    rows: Rows,
    ends: Rows,
    numbers: npt.NDArray[np.int16],
    owners: Rows,
    bounds: npt.NDArray[np.int64],
    n_items: int,
    amounts: Scores,
) -> Rows:  # pragma: no cover - compiled
    """Return the owner who gave each row most; ``amounts`` holds a zero for each owner."""
    shares, best = np.zeros(ends.size), np.zeros(rows.size, np.int32)
    for p in range(rows.size):
        for q in range(ends.size):
            if ends[q] < n_items:
                given = 1.0 if ends[q] == rows[p] else 0.0
            else:
                start, stop = indptr[ends[q]], indptr[ends[q] + 1]
                e = start + np.searchsorted(indices[start:stop], rows[p])
                only, joined = back[numbers[q]] if back[numbers[q]] != numbers[q] else -1, 0
                while e < stop and indices[e] == rows[p]:
                    joined += only < 0 or relations[e] == only
                    e += 1
                if joined > 0 and shares[q] == 0:
                    shares[q] = 1.0 / _items_of(indptr, indices, relations, back, ends[q], numbers[q], n_items)[3]
                given = joined * shares[q]
            if given > 0:
                for place in range(bounds[q], bounds[q + 1]):
                    amounts[owners[place]] += given
        best[p] = np.argmax(amounts)
        amounts[:] = 0.0
    return best


@dataclass(frozen=True, slots=True, eq=False)
class Reached:
    """The nodes at the end of a path, best first, and the best way to each.

    Parameters
    ----------
    nodes : ndarray
        (k,) int32.
    scores : ndarray
        (k,) float64: the probability that a random walk along the path ends there.
    ways : ndarray
        (k, L + 1) int32: the nodes of the walk that gave most of it, from its start.
    relations : ndarray
        (k, L) int16: the relations between them.
    """

    nodes: Rows
    scores: Scores
    ways: Rows
    relations: npt.NDArray[np.int16]


def reach(
    graph: Adjacency,
    starts: Rows,
    steps: Sequence[int],
    k: int,
    *,
    allowed: npt.NDArray[np.bool_] | None = None,
    drop: npt.NDArray[np.integer] | None = None,
) -> Reached:
    r"""Return the k nodes where a random walk along a path of relations most likely ends.

    .. math:: P_0 = 1 / s \text{ on the starts}, \qquad P_l(v) = \sum_{u \to_{r_l} v} \frac{P_{l-1}(u)}{d_{r_l}(u)}

    with :math:`d_r(u)` the edges of relation r that leave u. A walk that cannot go on is lost.

    Parameters
    ----------
    starts : ndarray
        (s,) int32 distinct nodes.
    steps : sequence of int
        Numbers of relations; :data:`ANY` takes every edge.
    k : int
        Most nodes returned, >= 1.
    allowed : ndarray or None
        (n,) bool, n <= n_nodes: nodes below n that are not allowed are left out; those from n on are all allowed.
    drop : ndarray or None
        Nodes that are left out besides, such as the starts.

    Notes
    -----
    Time O(edges walked), memory O(nodes reached), and 8 bytes a node of the graph once for each thread. Of equal
    scores the lower row comes first; of ways that gave as much, that through the node reached first.
    """
    sums = _zeros("sums", graph.n_nodes)
    nodes, scores = starts.astype(np.int32), np.full(len(starts), 1.0 / max(1, len(starts)))
    layers: list[tuple[Rows, npt.NDArray[np.int64], npt.NDArray[np.int64]]] = []
    for step in steps:
        before = nodes
        nodes, scores, places, edges = _step(graph.indptr, graph.indices, graph.relations, before, scores, step, sums)
        layers.append((before, places, edges))
    best = best_of(nodes, scores, k, allowed=allowed, drop=drop)
    ways, relations = np.empty((len(best), len(steps) + 1), np.int32), np.empty((len(best), len(steps)), np.int16)
    ways[:, -1], here = nodes[best], best
    for depth in range(len(steps) - 1, -1, -1):
        before, places, edges = layers[depth]
        relations[:, depth], here = graph.relations[edges[here]], places[here]
        ways[:, depth] = before[here]
    return Reached(nodes[best], scores[best], ways, relations)


@kernel
def _step(
    indptr: npt.NDArray[np.int64],
    indices: Rows,
    relations: npt.NDArray[np.int16],
    nodes: Rows,
    scores: Scores,
    relation: int,
    sums: Scores,
) -> tuple[Rows, Scores, npt.NDArray[np.int64], npt.NDArray[np.int64]]:  # pragma: no cover - compiled
    """Return the nodes one step on, in the order reached, their scores, and the place and edge of the best way."""
    degrees = np.zeros(nodes.size, np.int64)
    for p in range(nodes.size):
        for e in range(indptr[nodes[p]], indptr[nodes[p] + 1]):
            degrees[p] += relation < 0 or relations[e] == relation
    most = min(degrees.sum(), indptr.size - 1)
    reached = np.empty(most, np.int32)
    n = 0
    # While nodes are reached, the sums hold their places, counted from 1.
    totals, shares = np.zeros(most), np.zeros(most)
    places, edges = np.empty(most, np.int64), np.empty(most, np.int64)
    for p in range(nodes.size):
        if degrees[p] == 0:
            continue
        share = scores[p] / degrees[p]
        for e in range(indptr[nodes[p]], indptr[nodes[p] + 1]):
            if relation >= 0 and relations[e] != relation:
                continue
            node = indices[e]
            place = np.int64(sums[node]) - 1
            if place < 0:
                place = np.int64(n)
                reached[n] = node
                n += 1
                sums[node] = n
            totals[place] += share
            if share > shares[place]:
                shares[place], places[place], edges[place] = share, p, e
    for p in range(n):
        sums[reached[p]] = 0.0
    return reached[:n], totals[:n], places[:n], edges[:n]


def best_of(
    rows: Rows,
    scores: Scores,
    k: int,
    *,
    allowed: npt.NDArray[np.bool_] | None = None,
    drop: npt.NDArray[np.integer] | None = None,
) -> npt.NDArray[np.int64]:
    """Return the positions of the k rows with the greatest scores, best first, ties by row.

    ``allowed`` and ``drop`` are those of :func:`reach`. Time O(n log k); only rows that are good enough are looked up.
    """
    every, none = np.empty(0, dtype=np.bool_), np.empty(0, dtype=np.int64)
    dropped = none if drop is None else np.sort(drop).astype(np.int64)
    return _best_of(rows, scores, every if allowed is None else allowed, dropped, min(k, len(rows)))


@kernel
def _best_of(
    rows: Rows, scores: Scores, allowed: npt.NDArray[np.bool_], drop: npt.NDArray[np.int64], k: int
) -> npt.NDArray[np.int64]:  # pragma: no cover - compiled
    # The worst of those kept is at the top; of equal scores the higher row is the worse.
    heap = [(0.0, np.int64(0), np.int64(0)) for _ in range(0)]
    full, least, last = k == 0, np.inf, np.int64(-1)  # the worst, once there are k: its score and row
    for p in range(rows.size):
        score, row = scores[p], np.int64(rows[p])
        if full and (score < least or (score == least and row > last)):
            continue
        if row < allowed.size and not allowed[row]:
            continue
        place = np.searchsorted(drop, row)
        if place < drop.size and drop[place] == row:
            continue
        if len(heap) < k:
            heapq.heappush(heap, (score, -row, np.int64(p)))
        else:
            heapq.heapreplace(heap, (score, -row, np.int64(p)))
        if len(heap) == k:
            full, least, last = True, heap[0][0], -heap[0][1]
    best = np.empty(len(heap), np.int64)
    for rank in range(len(heap) - 1, -1, -1):
        best[rank] = heapq.heappop(heap)[2]
    return best
