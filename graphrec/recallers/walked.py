"""What two items share in the catalogue graph, and what each shared entity gives: the formula and its paths."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from graphrec.contracts.recaller import Paths
from graphrec.data.lists import indptr_of
from graphrec.graph.adjacency import Adjacency, relation_number
from graphrec.graph.relations import reverse_numbers
from graphrec.kernels import kernel
from graphrec.sparse.taste import Scale, degrees, inverse_power

Rows = npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class WalkWeights:
    r"""What a walk from item i over item -r-> entity e <-r- item j, or over item -r-> item j, gives.

    .. math:: \frac{w_r}{d_{re}^{x}} \qquad\text{and}\qquad w_r

    with :math:`d_{re}` the items that relation r joins to entity e.

    Parameters
    ----------
    relations : mapping of str to float
        Weight w of each relation that may be walked, by its name where it leaves an item. Empty walks all, weight 1.
    degree_exponent : float
        x.
    hub_cap : int
        Entities with more items than this are not walked through; 0 walks through all.
    """

    relations: Mapping[str, float] = field(default_factory=dict)
    degree_exponent: float = 1.0
    hub_cap: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Walks:
    """The edges of n items that may be walked, with what they give.

    ``shared`` is (n, pairs of relation and entity), each entry the weight of its relation; ``discount`` (pairs,)
    float64 is what a pair's weight is multiplied by, 0 above the hub cap; ``direct`` is (n, n). ``terms`` (edges of
    items,) float64 is what a walk that begins with this edge of the adjacency gives; 0 where it is not walked.
    """

    shared: sp.csr_array
    discount: Scale
    direct: sp.csr_array
    terms: npt.NDArray[np.float64]


def walks_of(graph: Adjacency, n_items: int, weights: WalkWeights) -> Walks:
    """Return what may be walked; parallel edges count together. Time O(m log m) for the m edges of items.

    Raises
    ------
    DataError
        If the graph lacks a relation that ``weights`` names.
    """
    stop = int(graph.indptr[n_items])
    sources = np.repeat(np.arange(n_items), graph.degrees[:n_items])
    ends, relations = graph.indices[:stop].astype(np.int64), graph.relations[:stop].astype(np.int64)
    given = _relation_weights(graph, weights.relations)[relations]
    direct = np.flatnonzero((given > 0) & (ends < n_items))
    shared = np.flatnonzero((given > 0) & (ends >= n_items))
    pairs, place = np.unique((relations * graph.n_nodes + ends)[shared], return_inverse=True)
    by_pair = _matrix(sources[shared], place, given[shared], (n_items, len(pairs)))
    counts = degrees(by_pair, 0)
    discount: Scale = inverse_power(counts, weights.degree_exponent)
    if weights.hub_cap:
        discount = np.where(counts > weights.hub_cap, 0.0, discount)
    terms = np.zeros(stop)
    terms[direct] = given[direct]
    terms[shared] = given[shared] * discount[place]
    return Walks(by_pair, discount, _matrix(sources[direct], ends[direct], given[direct], (n_items, n_items)), terms)


def best_paths(
    graph: Adjacency, n_items: int, terms: npt.NDArray[np.float64], sources: Rows, items: Rows
) -> tuple[Paths, npt.NDArray[np.float64]]:
    """Return, for each pair of source and item, the walk between them that gives most, and its share of all they have.

    Parameters
    ----------
    terms : ndarray
        What each edge of an item gives; see :class:`Walks`.
    sources, items : ndarray
        (m,) int32 item rows; a source of -1 has no path.

    Returns
    -------
    paths : Paths
        m paths of three nodes (source, shared entity, item) or two (joined directly); empty where there is no walk.
        Of walks that give alike the one through the lower row is taken, so direct edges come first.
    shares : ndarray
        (m,) float64: what the walk gave of the sum over all walks between the two; 0 where there is none.

    Notes
    -----
    Time O(edges of the source + edges of the item) a pair: both lists of neighbours ascend and are read side by side.
    """
    m = len(sources)
    edges, shares = np.full(m, -1, dtype=np.int64), np.zeros(m)
    _best_edges(graph.indptr, graph.indices, graph.relations, terms, n_items, sources, items, edges, shares)
    paths = Paths(*_laid_out(graph.indices, graph.relations, reverse_numbers(graph), sources, items, edges))
    return paths, shares


def all_paths(
    graph: Adjacency, n_items: int, terms: npt.NDArray[np.float64], source: int, item: int
) -> tuple[Paths, npt.NDArray[np.float64]]:
    """Return every walk from ``source`` to ``item``, and its share of all of them, the greatest first.

    ``terms`` are what each edge of an item gives (see :class:`Walks`); the (m,) shares add up to 1, parallel edges of
    one relation being one walk. The lower node and relation comes first of equal ones. Time O(d log d) for the d edges
    of the two.
    """
    here, there = (slice(int(graph.indptr[node]), int(graph.indptr[node + 1])) for node in (source, item))
    ends, relations, given = graph.indices[here], graph.relations[here], terms[here]
    n_relations = len(graph.relation_names)
    keys = ends.astype(np.int64) * n_relations + relations
    other = graph.indices[there].astype(np.int64) * n_relations + graph.relations[there]
    walked = (given > 0) & ((ends == item) | ((ends >= n_items) & np.isin(keys, other)))
    walks, place = np.unique(keys[walked], return_inverse=True)
    amounts = np.bincount(place, weights=given[walked], minlength=len(walks))
    order = np.argsort(-amounts, kind="stable")
    nodes, numbers = np.divmod(walks[order], n_relations)
    direct = nodes == item
    indptr = indptr_of(np.where(direct, 2, 3))
    through = np.full(int(indptr[-1]), source, dtype=np.int32)
    by = np.full(int(indptr[-1]), -1, dtype=np.int16)
    through[indptr[:-1] + 1], by[indptr[:-1] + 1] = nodes, numbers
    last = indptr[1:][~direct] - 1
    through[last], by[last] = item, reverse_numbers(graph)[numbers[~direct]]
    return Paths(indptr, through, by), amounts[order] / max(float(amounts.sum()), np.finfo(np.float64).tiny)


def _relation_weights(graph: Adjacency, relations: Mapping[str, float]) -> npt.NDArray[np.float64]:
    """Return (n_relations,) float64, 0 where a relation is not walked."""
    if not relations:
        return np.ones(len(graph.relation_names))
    weights = np.zeros(len(graph.relation_names))
    for name, weight in relations.items():
        weights[relation_number(graph, name)] = weight
    return weights


def _matrix(
    rows: npt.NDArray[np.integer], columns: npt.NDArray[np.integer], weights: Scale, shape: tuple[int, int]
) -> sp.csr_array:
    """Return a float32 CSR matrix in which repeated entries are summed."""
    matrix = sp.coo_array((weights.astype(np.float32), (rows.astype(np.int32), columns.astype(np.int32))), shape=shape)
    return sp.csr_array(matrix.tocsr())


@kernel
def _best_edges(
    indptr: npt.NDArray[np.int64],
    indices: Rows,
    relations: npt.NDArray[np.int16],
    terms: npt.NDArray[np.float64],
    n_items: int,
    sources: Rows,
    items: Rows,
    edges: npt.NDArray[np.int64],
    shares: npt.NDArray[np.float64],
) -> None:  # pragma: no cover - compiled
    """Write the first edge of the best walk of each pair, and its share of the sum over all walks."""
    for i in range(sources.size):
        if sources[i] < 0:
            continue
        start, stop = indptr[sources[i]], indptr[sources[i] + 1]
        q, last = indptr[items[i]], indptr[items[i] + 1]
        total, best, run = 0.0, 0.0, start
        for p in range(start, stop):
            node = indices[p]
            if node != indices[run]:
                run = p
            if terms[p] <= 0.0:
                continue
            if node != items[i]:
                if node < n_items:
                    continue
                while q < last and indices[q] < node:
                    q += 1
                at = q
                while at < last and indices[at] == node and relations[at] != relations[p]:
                    at += 1
                if at == last or indices[at] != node:
                    continue
            # Parallel edges of one relation are one walk.
            amount = 0.0
            for other in range(run, p + 1):
                if relations[other] == relations[p]:
                    amount += terms[other]
            total += terms[p]
            if amount > best:
                best, edges[i] = amount, p
        if total > 0.0:
            shares[i] = best / total


@kernel
def _laid_out(
    indices: Rows,
    relations: npt.NDArray[np.int16],
    reverses: npt.NDArray[np.int16],
    sources: Rows,
    items: Rows,
    edges: npt.NDArray[np.int64],
) -> tuple[npt.NDArray[np.int64], Rows, npt.NDArray[np.int16]]:  # pragma: no cover - compiled
    """Return bounds, nodes and relations of the walks that begin with ``edges``: three nodes over an entity, or two."""
    indptr = np.zeros(edges.size + 1, dtype=np.int64)
    for i in range(edges.size):
        length = 0
        if edges[i] >= 0:
            length = 2 if indices[edges[i]] == items[i] else 3
        indptr[i + 1] = indptr[i] + length
    nodes, by = np.empty(indptr[-1], dtype=np.int32), np.full(indptr[-1], -1, dtype=np.int16)
    for i in range(edges.size):
        start, stop, edge = indptr[i], indptr[i + 1], edges[i]
        if stop == start:
            continue
        nodes[start], nodes[stop - 1] = sources[i], items[i]
        by[start + 1] = relations[edge]
        if stop - start == 3:
            nodes[start + 1] = indices[edge]
            by[start + 2] = reverses[relations[edge]]
    return indptr, nodes, by
