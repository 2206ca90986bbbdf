r"""Preference propagation: the mass of a history spread over a graph hop by hop, the largest nodes of each hop kept.

With :math:`m_0` the weights of the history divided by their sum,

.. math:: m_h(y) \propto \sum_x m_{h-1}(x) \sum_{r:\, x \to y} \frac{w_r}{d_r(x)^a}, \qquad
          s(j) = e_j \sum_{h=1}^{H} \lambda^{h-1} m_h(j)

where :math:`d_r(x)` edges of relation r leave x. Of each hop the ``width`` largest nodes are kept, and their mass sums
to 1: they are the ripple sets of [1]_.

References
----------
.. [1] H. Wang et al., "RippleNet: propagating user preferences on the knowledge graph for recommender systems",
   CIKM 2018, definition 1. Differs: nothing is trained, hops keep the largest nodes and not drawn ones, and what a hop
   brings to an item is its score.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from graphrec.data.lists import ItemLists
from graphrec.errors import ConfigError
from graphrec.graph.adjacency import Adjacency, relation_number
from graphrec.kernels import kernel
from graphrec.sparse.topk import FloatArray, Pushed, RowArray, chunk_rows, join, select_top
from graphrec.threads import map_chunks

IntArray = npt.NDArray[np.int64]
Doubles = npt.NDArray[np.float64]


def step_weights(graph: Adjacency, relations: Mapping[str, float], *, exponent: float, hub_cap: int) -> FloatArray:
    """Return (n_edges,) float32: what an edge passes on of the mass of the node that it leaves.

    Parameters
    ----------
    graph : Adjacency
        The graph; weights of its edges are not looked at.
    relations : mapping of str to float
        Weight of each relation, of 0 or more; 1 where it is not named.
    exponent : float
        a.
    hub_cap : int
        Where more edges of a relation leave a node than this, none of them is walked; 0 walks all.

    Raises
    ------
    ConfigError
        If a weight is negative or not finite.
    DataError
        If the graph lacks a relation.
    """
    share = np.ones(len(graph.relation_names))
    for name, weight in relations.items():
        if not (weight >= 0 and np.isfinite(weight)):
            raise ConfigError(f"the weight of relation {name!r} is {weight}; it must be 0 or more, and finite")
        share[relation_number(graph, name)] = weight
    weights = np.empty(graph.n_edges, np.float32)
    _weigh(graph.indptr, graph.relations, share, float(exponent), hub_cap, weights)
    return weights


def propagate(
    graph: Adjacency,
    steps: FloatArray,
    queries: ItemLists,
    k: int,
    *,
    hops: int,
    width: int,
    decay: float,
    ends: Doubles,
) -> Pushed:
    """Return the k items of the largest score of each list: indptr, rows and scores, best first, ties by row.

    Parameters
    ----------
    graph : Adjacency
        Items are its first nodes.
    steps : ndarray
        (n_edges,) float32, see :func:`step_weights`.
    queries : ItemLists
        n lists of items and weights; items of weight 0 or less are left out.
    k : int
        Items kept a list.
    hops, width, decay : int, int, float
        H, nodes kept a hop, and lambda.
    ends : ndarray
        (n_items,) float64 e; items of 0 are not returned.

    Notes
    -----
    Time O(n * hops * edges of ``width`` nodes); memory 16 bytes a node and thread.
    """

    def work(start: int, stop: int) -> Pushed:
        n, most = stop - start, min(k, len(ends))
        counts = np.empty(n, np.int64)
        rows, scores = np.empty(n * most, np.int32), np.empty(n * most, np.float32)
        total = _walk_lists(
            graph.indptr, graph.indices, steps, queries.indptr[start : stop + 1], queries.items, queries.scores,
            hops, width, decay, ends, counts, rows, scores,
        )  # fmt: skip
        return np.append(0, counts.cumsum()), rows[:total], scores[:total]

    empty = (np.zeros(1, np.int64), np.empty(0, np.int32), np.empty(0, np.float32))
    return join(list(map_chunks(work, len(queries), chunk=min(32, chunk_rows(k)))) or [empty])


@kernel
def _weigh(
    indptr: IntArray,
    relations: npt.NDArray[np.int16],
    share: Doubles,
    exponent: float,
    hub_cap: int,
    weights: FloatArray,
) -> None:  # pragma: no cover - compiled
    counts = np.zeros(share.size, np.int64)
    for node in range(indptr.size - 1):
        for edge in range(indptr[node], indptr[node + 1]):
            counts[relations[edge]] += 1
        for edge in range(indptr[node], indptr[node + 1]):
            n = counts[relations[edge]]
            walked = hub_cap == 0 or n <= hub_cap
            weights[edge] = share[relations[edge]] / np.float64(n) ** exponent if walked else 0.0
        for edge in range(indptr[node], indptr[node + 1]):
            counts[relations[edge]] = 0


@kernel
def start_front(
    items: RowArray, amounts: FloatArray, front: RowArray, mass: Doubles
) -> int:  # pragma: no cover - compiled
    """Write the items of a history whose weight is above 0, and their share of the sum; return how many there are."""
    n, total = 0, 0.0
    for p in range(items.size):
        if amounts[p] > 0.0:
            front[n], mass[n] = items[p], amounts[p]
            total += amounts[p]
            n += 1
    for p in range(n):
        mass[p] /= total
    return n


@kernel
def next_front(
    indptr: IntArray,
    indices: RowArray,
    steps: FloatArray,
    width: int,
    front: RowArray,
    mass: Doubles,
    n: int,
    sums: Doubles,
    touched: RowArray,
    rounded: FloatArray,
) -> tuple[int, float]:  # pragma: no cover - compiled
    """Move the first ``n`` of ``front`` and ``mass`` a hop on; return how many nodes there are, and their sum before.

    ``sums`` (n_nodes,) is left with what each node got, for the ``touched`` alone; the caller clears it.
    """
    n_touched = 0
    for p in range(n):
        for edge in range(indptr[front[p]], indptr[front[p] + 1]):
            amount = mass[p] * steps[edge]
            if amount > 0.0:
                node = indices[edge]
                if sums[node] == 0.0:
                    touched[n_touched] = node
                    n_touched += 1
                sums[node] += amount
    kept = select_top(sums, touched[:n_touched], width, front, rounded)
    total = 0.0
    for p in range(kept):
        mass[p] = sums[front[p]]
        total += mass[p]
    for p in range(kept):
        mass[p] /= total
    for t in range(n_touched):
        sums[touched[t]] = 0.0
    return kept, total


@kernel
def _walk_lists(
    indptr: IntArray,
    indices: RowArray,
    steps: FloatArray,
    lists: IntArray,
    items: RowArray,
    amounts: FloatArray,
    hops: int,
    width: int,
    decay: float,
    ends: Doubles,
    counts: IntArray,
    rows: RowArray,
    scores: FloatArray,
) -> int:  # pragma: no cover - compiled
    """Write the best items of each list and their scores; return how many there are in all."""
    n_nodes, n_items, n_lists = indptr.size - 1, ends.size, lists.size - 1
    top, longest = rows.size // max(n_lists, 1), 0
    for i in range(n_lists):
        longest = max(longest, lists[i + 1] - lists[i])
    size = max(longest, min(width, n_nodes))
    sums, touched, rounded = np.zeros(n_nodes), np.empty(n_nodes, np.int32), np.empty(size, np.float32)
    front, mass = np.empty(size, np.int32), np.empty(size, np.float64)
    total, known = np.zeros(n_items), np.empty(n_items, np.int32)
    place = 0
    for i in range(n_lists):
        here = slice(lists[i], lists[i + 1])
        n, n_known, factor = start_front(items[here], amounts[here], front, mass), 0, 1.0
        for _ in range(hops):
            n, _ = next_front(indptr, indices, steps, width, front, mass, n, sums, touched, rounded)
            for p in range(n):
                node = front[p]
                if node < n_items and ends[node] > 0.0:
                    if total[node] == 0.0:
                        known[n_known] = node
                        n_known += 1
                    total[node] += factor * mass[p] * ends[node]
            factor *= decay
        counts[i] = select_top(total, known[:n_known], top, rows[place:], scores[place:])
        for t in range(n_known):
            total[known[t]] = 0.0
        place += counts[i]
    return place
