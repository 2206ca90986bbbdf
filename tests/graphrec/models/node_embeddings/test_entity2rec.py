from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from graphrec.contracts.progress import FitContext
from graphrec.contracts.queries import Queries
from graphrec.contracts.recall_data import RecallData
from graphrec.data.interactions import take
from graphrec.data.lists import item_lists
from graphrec.errors import ConfigError, DataError
from graphrec.graph.paths import Steps, path_graph
from graphrec.models.node_embeddings.entity2rec import Entity2Rec, _one_property, _shared
from graphrec.models.node_embeddings.node2vec import Node2Vec
from graphrec.sparse.taste import as_matrix, liked_pairs
from tests.graphrec.channels.content.test_kg_paths import held_out
from tests.worlds import checkerboard, library, skewed, without_knowledge

SMALL = Entity2Rec(dim=8, walks_per_node=10, length=10)


def test_neighbours_by_a_property_are_the_cosines_of_its_own_node2vec() -> None:
    data = library()
    channel = replace(SMALL, properties={"author/^author": 1.0}, k=50, power=2.0).fit(data, FitContext(seed=3))
    steps = Steps(path_graph(data.catalogue, liked_pairs(data.interactions)), len(data.items))
    graph = _one_property(steps.graph, steps.metapath("author/^author"))
    learnt = Node2Vec(dim=8, walks_per_node=10, length=10).learn_graph(graph, FitContext(seed=3)).inputs
    items = learnt[: len(data.items)].astype(np.float64)
    unit = items / np.linalg.norm(items, axis=1, keepdims=True)
    expected = np.maximum(unit @ unit.T, 0) ** 2 * data.pool
    np.fill_diagonal(expected, 0)
    known = graph.degrees[: len(data.items)] > 0
    expected = np.where(known[:, None] & known, expected, 0)
    sums = expected.sum(axis=1, keepdims=True)
    expected = np.divide(expected, sums, out=np.zeros_like(expected), where=sums > 0)
    np.testing.assert_allclose(as_matrix(channel.neighbours.tables[0]).toarray(), expected, atol=1e-5)


def test_items_that_share_an_entity_are_explained_by_it() -> None:
    data = library()
    channel = replace(SMALL, properties={"author/^author": 1.0}).fit(data)
    by_item = set(zip(*_edges(data, "author"), strict=True))
    query = Queries([-1], item_lists([[0]]))
    answer = channel.recall(query, 3)
    evidence = channel.evidence(query, answer.items)
    shown = 0
    for position, item in enumerate(answer.items.tolist()):
        nodes, relations = evidence.paths[position]
        if len(nodes) == 0:
            continue
        shown += 1
        assert (nodes[0], nodes[-1]) == (0, item)
        assert {(0, int(nodes[1])), (item, int(nodes[1]))} <= by_item
        names = [data.catalogue.adjacency.relation_names[relation] for relation in relations]
        assert names == ["author", "rev_author"]
    assert shown


def _edges(data: RecallData, relation: str) -> tuple[list[int], list[int]]:
    graph = data.catalogue.adjacency
    sources = np.repeat(np.arange(graph.n_nodes), graph.degrees)
    kept = graph.relations == graph.relation_names.index(relation)
    return sources[kept].tolist(), graph.indices[kept].tolist()


def test_the_shared_node_is_the_rarest() -> None:
    data = skewed()
    steps = Steps(path_graph(data.catalogue, liked_pairs(data.interactions)), len(data.items))
    path = steps.shared_entities()[-1]
    edges = steps.matrix(path.relations[0])
    dense = edges.toarray() > 0
    left, right = (part.ravel().astype(np.int32) for part in np.indices((len(data.items),) * 2))
    shared = _shared(edges, left, right)
    for a, b, node in zip(left, right, shared, strict=True):
        both = np.flatnonzero(dense[a] & dense[b])
        assert (node == -1) == (len(both) == 0)
        if len(both):
            assert node in both
            assert dense[:, node].sum() == dense[:, both].sum(axis=0).min()


def test_weights_are_learned_and_fit_the_same_channel_again() -> None:
    data = checkerboard()
    chosen = SMALL.choose(data, held_out(data))
    assert isinstance(chosen.recipe, Entity2Rec)
    assert not chosen.recipe.chooses
    assert all(weight >= 0 for weight in chosen.recipe.properties.values())
    assert sum(chosen.recipe.properties.values()) == pytest.approx(1.0, abs=1e-3)
    again = chosen.recipe.fit(data)
    query = Queries([-1], item_lists([[0, 2]]))
    ours, theirs = again.recall(query, 5), chosen.channel.recall(query, 5)
    np.testing.assert_array_equal(ours.items, theirs.items)
    np.testing.assert_allclose(ours.scores, theirs.scores, rtol=1e-3)
    with pytest.raises(ConfigError, match="learned on held-out users, and the context has none"):
        SMALL.choose(data, FitContext())


def test_likes_alone_are_a_property() -> None:
    data = without_knowledge(checkerboard())
    channel = SMALL.fit(data)
    answer = channel.recall(Queries([-1], item_lists([[0, 2, 4]])), 5)
    assert set(answer.items % 2) == {0}
    assert len(channel.evidence(Queries([-1], item_lists([[0, 2, 4]])), answer.items).paths.nodes) == 0


@pytest.mark.parametrize("text", ["author", "author/^genre", "author/^author/genre", "author/author"])
def test_properties_are_relations_with_their_way_back(text: str) -> None:
    with pytest.raises(ConfigError, match="is no relation with its way back"):
        Entity2Rec(properties={text: 1.0})


def test_what_the_graph_does_not_hold_is_named() -> None:
    with pytest.raises(DataError, match="'autor', which is no relation of the graph; nearest: 'author'"):
        Entity2Rec(properties={"autor/^autor": 1.0}).check_data(library())
    data = without_knowledge(checkerboard())
    empty = replace(data, interactions=take(data.interactions, np.empty(0, np.int64)))
    with pytest.raises(DataError, match="there is no property to embed"):
        SMALL.fit(empty)
    with pytest.raises(ConfigError, match="every property has the weight 0"):
        Entity2Rec(properties={"author/^author": 0.0})
