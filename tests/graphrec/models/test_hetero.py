from __future__ import annotations

import numpy as np
import pytest
import torch

from graphrec.data.interactions import Interactions
from graphrec.data.vocabulary import Vocabulary
from graphrec.errors import DataError
from graphrec.graph.adjacency import adjacency_from_edges
from graphrec.graph.catalogue import CatalogueGraph, items_only, with_users
from graphrec.models.hetero import adjacency_from_hetero, to_hetero


@pytest.fixture
def graph() -> CatalogueGraph:
    """Return three books and one without edges, two authors, a genre; each edge with its reverse."""
    heads = np.array([0, 2, 3, 0, 2, 4])
    tails = np.array([4, 5, 5, 6, 6, 5])
    kinds = np.array([0, 0, 0, 2, 2, 4])
    adjacency = adjacency_from_edges(
        np.concatenate([heads, tails]),
        np.concatenate([tails, heads]),
        np.concatenate([kinds, kinds + 1]),
        type_offsets=[0, 4, 6, 7],
        node_types=["item", "person", "genre"],
        relation_names=["author", "rev_author", "genre", "rev_genre", "knows", "rev_knows"],
    )
    return CatalogueGraph(adjacency, Vocabulary(["a", "b", "c", "d"]), Vocabulary(["e:x", "e:y", "e:g"]))


@pytest.fixture
def events() -> Interactions:
    return Interactions([2, 0, 2, 2], [3, 1, 0, 3], [1.0, 2.0, -1.0, 4.0], n_users=3, n_items=4)


@pytest.mark.parametrize("weighted", [False, True])
def test_hetero_round_trip(graph: CatalogueGraph, events: Interactions, weighted: bool) -> None:
    years = np.array([np.nan, np.nan, 1965, 1969], np.float32)
    data = to_hetero(graph, events, weighted=weighted, attributes={"year": years})
    assert data.validate(raise_on_error=True)
    assert data["item"].year.tolist()[2:] == [1965, 1969]
    assert data["user"].num_nodes == 3
    wanted, found = with_users(graph, events, weighted=weighted), adjacency_from_hetero(data)
    assert found.node_types == wanted.node_types
    assert found.relation_names == wanted.relation_names
    for name in ("indptr", "indices", "relations", "type_offsets"):
        np.testing.assert_array_equal(getattr(found, name), getattr(wanted, name))
    if weighted:
        assert found.weights is not None
        assert wanted.weights is not None
        np.testing.assert_array_equal(found.weights, wanted.weights)
    for key in data.edge_types:
        assert data[key].edge_index.dtype == torch.int64
        reverse = key[1].removeprefix("rev_") if key[1].startswith("rev_") else f"rev_{key[1]}"
        back = data[key[2], reverse, key[0]].edge_index.flip(0)
        assert set(map(tuple, back.T.tolist())) == set(map(tuple, data[key].edge_index.T.tolist()))


def test_hetero_without_users(graph: CatalogueGraph) -> None:
    data = to_hetero(graph)
    assert "user" not in data.node_types
    found = adjacency_from_hetero(data)
    np.testing.assert_array_equal(found.indices, graph.adjacency.indices)
    assert found.relation_names == graph.adjacency.relation_names


@pytest.mark.filterwarnings("ignore:The node types:UserWarning")  # PyG remarks on items without any edge
def test_hetero_of_bare_items() -> None:
    data = to_hetero(items_only(Vocabulary(["a", "b"])))
    assert data.validate(raise_on_error=True)
    assert adjacency_from_hetero(data).n_nodes == 2


def test_hetero_errors(graph: CatalogueGraph) -> None:
    with pytest.raises(DataError, match="the interactions have 9 items"):
        to_hetero(graph, Interactions([0], [0], n_users=1, n_items=9))
    with pytest.raises(DataError, match="attribute 'x' has 1 entries"):
        to_hetero(graph, attributes={"x": np.zeros(1)})
    data = to_hetero(graph)
    data["item"].num_nodes = 1
    with pytest.raises(DataError, match="outside 0 to 0 of node type 'item'"):
        adjacency_from_hetero(data)
