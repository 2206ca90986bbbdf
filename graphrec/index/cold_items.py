"""Vectors for items that training never saw, out of what the catalogue graph joins them to."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from graphrec.checks import check_at_least, typed
from graphrec.errors import DataError
from graphrec.graph.catalogue import CatalogueGraph
from graphrec.index.embeddings import EmbeddingTable

Float = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]


@typed
def cold_item_vectors(
    catalogue: CatalogueGraph,
    items: EmbeddingTable,
    entities: EmbeddingTable | None = None,
    *,
    degree_exponent: float = 0.5,
) -> EmbeddingTable:
    r"""Return a vector for each item of the catalogue that has none: the mean over what it is joined to.

    .. math:: v_i = \frac{\sum_{e \in N(i)} d_e^{-x} v_e}{\sum_{e \in N(i)} d_e^{-x}}

    over neighbours that have vectors, :math:`d_e` being their edges: "fiction" says less than an author. An entity that
    training gave no vector has the mean of its items', so vectors of behaviour alone (ALS, EASE's factors) serve, too.
    Nothing is trained.

    Parameters
    ----------
    catalogue : CatalogueGraph
        It may have grown since training: items and entities are found by id.
    items : EmbeddingTable
        Vectors of items that were learnt, by item id.
    entities : EmbeddingTable or None
        Vectors of entities, by IRI, such as ``NodeVectors.table("entities")``.
    degree_exponent : float, default 0.5
        x >= 0; 0 is the plain mean.

    Returns
    -------
    EmbeddingTable
        The items without a vector that are joined to something with a vector, in the order of the catalogue. Their
        vectors lie in the space of ``items``.

    Raises
    ------
    ConfigError
        If ``degree_exponent`` is below 0.
    DataError
        If the two tables have other widths, ``items`` knows no item of the catalogue, or no item can be given a vector.

    Notes
    -----
    Time O(E · dim), memory O(n_nodes · dim).
    """
    check_at_least("degree_exponent", degree_exponent, 0.0)
    vectors, known = _placed(catalogue, items, entities)
    graph, n_items = catalogue.adjacency, catalogue.n_items
    ones = np.ones(graph.n_edges, dtype=np.float32)
    edges = sp.csr_array((ones, graph.indices, graph.indptr), shape=(graph.n_nodes, graph.n_nodes))
    without = np.flatnonzero(~known)
    nameless = without[without >= n_items]
    _fill(edges, nameless, vectors, known, np.ones(graph.n_nodes, dtype=np.float32))
    weights = np.maximum(graph.degrees, 1).astype(np.float32) ** np.float32(-degree_exponent)
    given = _fill(edges, without[without < n_items], vectors, known, weights)
    if not len(given):
        raise DataError("no item without a vector is joined to anything that has one; there is nothing to give")
    return EmbeddingTable(catalogue.items.take(given), vectors[given])


def _placed(catalogue: CatalogueGraph, items: EmbeddingTable, entities: EmbeddingTable | None) -> tuple[Float, Mask]:
    """Return (n_nodes, dim) vectors of the nodes of a catalogue, and (n_nodes,) which of them are known."""
    n = catalogue.adjacency.n_nodes
    vectors, known = np.zeros((n, items.dim), dtype=np.float32), np.zeros(n, dtype=np.bool_)
    parts = [(items, catalogue.items, 0)]
    if entities is not None:
        parts.append((entities, catalogue.entities, catalogue.n_items))
    for table, ids, start in parts:
        if table.dim != items.dim:
            raise DataError(f"the vectors of entities have {table.dim} dimensions, those of items {items.dim}")
        rows = table.vocabulary.rows(ids.ids, missing="mark")
        here = np.flatnonzero(rows >= 0)
        vectors[start + here] = table.matrix[rows[here]]
        known[start + here] = True
    if not known[: catalogue.n_items].any():
        raise DataError(
            f"none of the {len(items):,} vectors is of one of the {catalogue.n_items:,} items of the catalogue"
        )
    return vectors, known


def _fill(
    edges: sp.csr_array, rows: npt.NDArray[np.int64], vectors: Float, known: Mask, weights: Float
) -> npt.NDArray[np.int64]:
    """Set the vectors of ``rows`` to the weighted mean over known neighbours, in place; return those that have any."""
    own = sp.csr_array(edges[rows].multiply((weights * known)[None, :]))
    totals = np.asarray(own.sum(axis=1)).ravel()
    has = totals > 0
    means = (own @ vectors)[has] / totals[has, None]
    vectors[rows[has]], known[rows[has]] = means, True
    return rows[has]
