from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch

from graphrec.channels.content.vectors import VectorChannel
from graphrec.contracts.recall_data import RecallData
from graphrec.data.features import Features, Labels
from graphrec.data.interactions import Interactions, take
from graphrec.data.item_tags import ItemTags
from graphrec.data.neighbours import NeighbourTable
from graphrec.data.vocabulary import Vocabulary
from graphrec.errors import ConfigError, DataError
from graphrec.graph.adjacency import adjacency_from_edges
from graphrec.graph.catalogue import CatalogueGraph, items_only, with_users
from graphrec.index.embeddings import EmbeddingTable
from graphrec.models.hetero import adjacency_from_hetero, to_hetero
from graphrec.models.hetero_features import text_vectors
from graphrec.models.loaders.neighbour_loaders import NeighborLoader
from graphrec.recallers.by_id import recall


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


KIND, BACK = ("user", "interacts", "item"), ("item", "rev_interacts", "user")


def test_ids_times_and_masks_go_with_nodes_and_edges(graph: CatalogueGraph) -> None:
    whole = Interactions([2, 0, 2, 1, 2], [3, 1, 0, 3, 3], n_users=3, n_items=4, times=[5, 6, 7, 8, 9])
    parts = {"train": take(whole, np.array([0, 1, 4])), "test": take(whole, np.array([2, 3]))}
    data = to_hetero(graph, whole, users=Vocabulary(["u", "v", "w"]), masks=parts)
    assert data.validate(raise_on_error=True)
    assert [list(data[kind].ids) for kind in data.node_types] == [
        ["u", "v", "w"], ["a", "b", "c", "d"], ["e:x", "e:y"], ["e:g"]
    ]  # fmt: skip
    for key, rows in ((KIND, [0, 1]), (BACK, [1, 0])):
        store = data[key]
        users, items = store.edge_index[rows[0]].tolist(), store.edge_index[rows[1]].tolist()
        columns = (store.time.tolist(), store.train_mask.tolist(), store.test_mask.tolist())
        assert set(zip(users, items, *columns, strict=True)) == {
            (0, 1, 6, True, False), (1, 3, 8, False, True), (2, 0, 7, False, True), (2, 3, 9, True, False)
        }  # fmt: skip
    seen = data.edge_subgraph({key: data[key].train_mask for key in (KIND, BACK)})
    assert seen[KIND].num_edges == seen[BACK].num_edges == 2
    assert seen["item"].num_nodes == 4


def features() -> Features:
    return Features(
        4,
        numbers={"year": np.array([1965, np.nan, 1969, 1967.0])},
        labels={"language": Labels(Vocabulary(["en", "fr"]), [1, -1, 0, 0])},
        tags={"shelf": item_tags_of([["new"], [], ["new", "old"], []])},
        texts={"title": pa.array(["Dune", None, "Dune Messiah", "Emma"], pa.large_string())},
        vectors={"cover": np.array([[3, 4], [np.nan, np.nan], [1e30, 0], [0, 1e-30]], np.float32)},
    )


def item_tags_of(tags: list[list[str]]) -> ItemTags:
    names = Vocabulary(sorted({tag for row in tags for tag in row}))
    columns = np.concatenate([names.rows(row) for row in tags if row])
    indptr = np.cumsum([0, *map(len, tags)])
    return ItemTags(names, NeighbourTable(indptr, columns, np.ones(len(columns)), n_columns=len(names)))


def test_features_become_attributes_and_one_matrix(graph: CatalogueGraph) -> None:
    item = (data := to_hetero(graph, item_features=features(), text_dim=8))["item"]
    assert data.validate(raise_on_error=True)
    assert item.year.tolist()[::2] == [1965, 1969]
    assert torch.isnan(item.year[1])
    assert item.language.tolist() == [2, 0, 1, 1]
    assert item.language_names[1] == "fr"
    assert item.title.shape == (4, 8)
    assert item.title[1].abs().sum() == 0
    assert 0.1 < float(item.title[0] @ item.title[2]) < 0.99
    assert float(item.title[0] @ item.title[3]) == pytest.approx(0, abs=1e-6)
    assert item.x.shape == (4, 1 + 8 + 2)
    assert bool(torch.isfinite(item.x).all())
    assert item.x[:, 0].tolist() == pytest.approx([-1.2247, 0, 1.2247, 0], abs=1e-3)
    assert item.x[:, -2:].flatten().tolist() == pytest.approx([0.6, 0.8, 0, 0, 1, 0, 0, 1])
    edges = data["item", "shelf", "shelf"].edge_index.t().tolist()
    assert [(row, data["shelf"].ids[tag]) for row, tag in edges] == [(0, "new"), (2, "new"), (2, "old")]
    assert data["shelf", "rev_shelf", "item"].edge_index.flip(0).t().tolist() == edges


def test_more_words_than_the_width_are_reduced() -> None:
    texts = pa.array([f"book {i} of the {i % 3} series" for i in range(30)] + [None], pa.large_string())
    vectors = text_vectors(texts, 5, seed=1)
    assert vectors.shape == (31, 5)
    assert np.linalg.norm(vectors[:30], axis=1) == pytest.approx(1, abs=1e-5)
    assert not text_vectors(pa.array([None, "a"], pa.large_string()), 4).any()


def test_a_graph_made_by_hand_has_what_the_loaders_slice(graph: CatalogueGraph, events: Interactions) -> None:
    data = to_hetero(graph, events, weighted=True, item_features=features(), text_dim=4)
    batch = next(iter(NeighborLoader(data, [-1, -1], input_nodes="item", batch_size=2)))
    assert torch.equal(batch["item"].x, data["item"].x[batch["item"].n_id])
    assert batch["item"].ids.take(batch["item"].n_id.numpy())[0] == "a"


def test_vectors_come_back_by_id_and_are_served(graph: CatalogueGraph, events: Interactions) -> None:
    data = to_hetero(graph, events)
    items = EmbeddingTable(data["item"].ids, torch.eye(4)[[0, 0, 2, 2]].numpy())
    assert items.nearest("c", k=1)[0].id == "d"
    learnt = RecallData(users=Vocabulary(["u", "v", "w"]), items=graph.items, interactions=events, catalogue=graph)
    channel = VectorChannel.from_table(items).fit(learnt)
    assert recall(channel, learnt, users=["u"], k=1)["item"].to_pylist() == ["a"]  # "b", its item, is like "a"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"users": Vocabulary(["u"])}, "there are ids of 1 users; the interactions have 3"),
        ({"masks": {"test": Interactions([0], [0], n_users=3, n_items=4)}}, "'test' holds 1 pairs that are not among"),
        ({"masks": {"test": Interactions([0], [0], n_users=1, n_items=4)}}, "'test' is of 1 users and 4 items"),
        ({"masks": {"test": 5}}, "the mask 'test' is a int; it must be Interactions"),
        ({"item_features": Features(2)}, "the features of 'item' have 2 rows; there are 4 nodes"),
        ({"item_features": Features(4, numbers={"x": np.zeros(4)})}, "called 'x', which stands for something else"),
        ({"user_features": Features(3, numbers={"ids": np.zeros(3)})}, "of 'user' is called 'ids'"),
        ({"interactions": None, "users": Vocabulary(["u"])}, "belong to interactions, and there are none"),
        ({"text_dim": 0}, "text_dim is 0"),
    ],
)
def test_what_does_not_fit_gets_one_sentence(
    graph: CatalogueGraph, events: Interactions, arguments: dict[str, Any], sentence: str
) -> None:
    with pytest.raises((ConfigError, DataError), match=sentence):
        to_hetero(**{"catalogue": graph, "interactions": events, **arguments})


def test_hetero_errors(graph: CatalogueGraph) -> None:
    with pytest.raises(DataError, match="the interactions have 9 items"):
        to_hetero(graph, Interactions([0], [0], n_users=1, n_items=9))
    with pytest.raises(DataError, match="attribute 'x' has 1 entries"):
        to_hetero(graph, attributes={"x": np.zeros(1)})
    data = to_hetero(graph)
    data["item"].num_nodes = 1
    with pytest.raises(DataError, match="outside 0 to 0 of node type 'item'"):
        adjacency_from_hetero(data)
