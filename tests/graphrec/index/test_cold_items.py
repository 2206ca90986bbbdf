"""Vectors of items that training never saw: weighted means over the graph, as slow loops give them."""

from __future__ import annotations

import numpy as np
import pytest

from graphrec.data.vocabulary import Vocabulary
from graphrec.errors import ConfigError, DataError
from graphrec.graph.catalogue import CatalogueGraph, items_only
from graphrec.graph.named_edges import NamedEdges, with_edges
from graphrec.index.cold_items import cold_item_vectors
from graphrec.index.embeddings import EmbeddingTable

EDGES = [("a", "x"), ("b", "x"), ("b", "y"), ("cold", "x"), ("cold", "y"), ("cold", "z"), ("far", "z"), ("alone", "w")]
WARM = EmbeddingTable(["b", "a", "gone"], [[0.0, 2.0, 0.0], [1.0, 0.0, 0.0], [9.0, 9.0, 9.0]])
LEARNT = EmbeddingTable(["y", "other"], [[0.0, 0.0, 4.0], [7.0, 7.0, 7.0]])


@pytest.fixture(scope="module")
def graph() -> CatalogueGraph:
    nodes = Vocabulary(list(dict.fromkeys(end for edge in EDGES for end in edge)))
    heads, tails = (nodes.rows([edge[side] for edge in EDGES]) for side in (0, 1))
    nothing: list[str | None] = [None] * len(nodes)
    edges = NamedEdges(nodes, nothing, nothing, heads, np.zeros(len(EDGES), np.int32), tails, ["in"])
    return with_edges(items_only(Vocabulary(["far", "cold", "a", "b", "alone", "bare"])), edges)


@pytest.mark.parametrize("exponent", [0.0, 0.5, 2.0])
def test_a_vector_is_the_mean_over_what_the_item_is_joined_to(graph: CatalogueGraph, exponent: float) -> None:
    given = cold_item_vectors(graph, WARM, LEARNT, degree_exponent=exponent)
    # x has no vector of its own: the mean of a and b; z has none either, and no warm item; y's was learnt.
    x, y = np.array([0.5, 1.0, 0.0]), np.array([0.0, 0.0, 4.0])
    weights = np.array([3.0, 2.0]) ** -exponent
    assert given.ids == ["cold"]
    assert given["cold"] == pytest.approx((weights[0] * x + weights[1] * y) / weights.sum())


def test_entities_need_no_vectors(graph: CatalogueGraph) -> None:
    given = cold_item_vectors(graph, WARM, degree_exponent=0.0)
    assert given["cold"] == pytest.approx((np.array([0.5, 1.0, 0.0]) + np.array([0.0, 2.0, 0.0])) / 2)
    assert given.dim == WARM.dim


def test_what_cannot_be_given_is_said(graph: CatalogueGraph) -> None:
    with pytest.raises(DataError, match="4 dimensions, those of items 3"):
        cold_item_vectors(graph, WARM, EmbeddingTable(["y"], [[1.0, 2.0, 3.0, 4.0]]))
    with pytest.raises(DataError, match="none of the 1 vectors is of one of the 6 items"):
        cold_item_vectors(graph, EmbeddingTable(["q"], [[1.0]]))
    with pytest.raises(DataError, match="there is nothing to give"):
        cold_item_vectors(items_only(Vocabulary(["a", "b", "c"])), WARM)
    with pytest.raises(ConfigError, match="degree_exponent"):
        cold_item_vectors(graph, WARM, degree_exponent=-1.0)
