"""Adjacency, CatalogueGraph and the join with users."""

from __future__ import annotations

import pyarrow as pa
import pytest

from graphrec.data.interactions import Interactions
from graphrec.data.vocabulary import Vocabulary
from graphrec.errors import DataError
from graphrec.graph.adjacency import Adjacency, adjacency_from_edges, relation_number
from graphrec.graph.catalogue import CatalogueGraph, items_only, with_titles, with_users

LAYOUT = {"type_offsets": [0, 2, 3], "node_types": ["item", "author"], "relation_names": ["author", "rev_author"]}


def star() -> Adjacency:
    """Two items by one author."""
    return adjacency_from_edges([0, 1, 2, 2], [2, 2, 1, 0], [0, 0, 1, 1], **LAYOUT)  # type: ignore[arg-type]


def test_edges_are_sorted_whatever_their_order() -> None:
    graph = star()
    assert graph.indptr.tolist() == [0, 1, 2, 4]
    assert graph.indices.tolist() == [2, 2, 0, 1]
    assert graph.relations.tolist() == [0, 0, 1, 1]
    assert (graph.n_nodes, graph.n_edges) == (3, 4)
    assert graph.degrees.tolist() == [1, 1, 2]
    assert relation_number(graph, "rev_author") == 1


def test_unknown_names_get_the_nearest() -> None:
    with pytest.raises(DataError, match="relation 'auther' is not among author, rev_author; nearest: 'author'"):
        relation_number(star(), "auther")


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"indices": [2, 2, 1, 0]}, "indices fall at edge 3; they must ascend within a node"),
        ({"indices": [2, 3, 0, 1]}, r"indices\[1\] is 3; legal rows are 0 to 2"),
        ({"relations": [0, 0, 1, 2]}, r"relations\[3\] is 2; legal rows are 0 to 1"),
        ({"weights": [1, 1, 1, 0]}, r"weights\[3\] is 0.0; weights must be > 0"),
        ({"weights": [1, -1e30, -2, 1]}, r"weights\[1\] is -1.*e\+30; weights must be > 0"),
        ({"weights": [1, float("nan"), 2, 1]}, r"weights\[1\] is nan; every value must be finite"),
        ({"weights": [1, 2, float("-inf"), 1]}, r"weights\[2\] is -inf; every value must be finite"),
        ({"weights": [1, 2, 1e-60, 1]}, r"weights\[2\] is 0.0; weights must be > 0"),
        ({"weights": [1, 2, 1e60, 1]}, r"weights holds 1e\+60; float32 holds up to 3.4e\+38"),
        ({"weights": [1, 2]}, "weights has 2 entries; it must have 4"),
        ({"type_offsets": [0, 2, 4]}, "type_offsets ends at 4"),
        ({"node_types": ["item"]}, "type_offsets has 3 entries; it must have 2"),
    ],
)
def test_illegal_graphs(change: dict[str, object], sentence: str) -> None:
    legal: dict[str, object] = {"indptr": [0, 1, 2, 4], "indices": [2, 2, 0, 1], "relations": [0, 0, 1, 1], **LAYOUT}
    with pytest.raises(DataError, match=sentence):
        Adjacency(**(legal | change))  # type: ignore[arg-type]


def test_labels_fall_back_to_the_id() -> None:
    graph = CatalogueGraph(
        star(), Vocabulary(["b1", "b2"]), Vocabulary(["http://example.org/author/Herbert"]), ["Dune", None, None]
    )
    assert [graph.label(node) for node in range(3)] == ["Dune", "b2", "Herbert"]
    assert graph.n_items == 2


def test_catalogue_graph_starts_with_items() -> None:
    graph = adjacency_from_edges([], [], [], type_offsets=[0, 1], node_types=["author"], relation_names=[])
    with pytest.raises(DataError, match="a catalogue graph starts with 'item'"):
        CatalogueGraph(graph, Vocabulary([]), Vocabulary(["x"]))
    with pytest.raises(DataError, match="the graph has 2 items, their vocabulary 1 ids"):
        CatalogueGraph(star(), Vocabulary(["x"]), Vocabulary(["y"]))
    with pytest.raises(DataError, match="the graph has 1 entities, their vocabulary 2 ids"):
        CatalogueGraph(star(), Vocabulary(["x", "y"]), Vocabulary(["a", "b"]))


@pytest.mark.parametrize("items", [["a", "b"], ["item:a", "a"], ["http://e/x", "item:http://e/x"], ["", "item:"]])
@pytest.mark.parametrize("entity", ["http://e/x", "item:a", "a", "b"])
def test_ids_of_items_and_entities_do_not_meet(items: list[str], entity: str) -> None:
    graph = CatalogueGraph(star(), Vocabulary(items), Vocabulary([entity]))
    assert [graph.node_id(node) for node in range(3)] == [*items, entity]
    assert [graph.label(node) for node in range(2)] == items


def test_titles_go_before_labels() -> None:
    graph = CatalogueGraph(star(), Vocabulary(["a", "b"]), Vocabulary(["e"]), ["A", "B", "E"])
    titled = with_titles(graph, pa.array(["Alpha", None]))
    assert [titled.label(node) for node in range(3)] == ["Alpha", "B", "E"]
    assert titled.adjacency is graph.adjacency
    with pytest.raises(DataError, match="there are 3 titles for 2 items"):
        with_titles(graph, pa.array(["x", "y", "z"]))


def test_users_come_first_and_pairs_are_one_edge_either_way() -> None:
    graph = CatalogueGraph(star(), Vocabulary(["a", "b"]), Vocabulary(["e"]))
    interactions = Interactions([0, 0, 1, 0], [0, 1, 1, 0], [1.0, 2.0, 3.0, 4.0], n_users=2, n_items=2)
    joined = with_users(graph, interactions)
    assert joined.node_types == ("user", "item", "author")
    assert joined.type_offsets.tolist() == [0, 2, 4, 5]
    neighbours = [joined.indices[joined.indptr[n] : joined.indptr[n + 1]].tolist() for n in range(5)]
    assert neighbours == [[2, 3], [3], [0, 4], [0, 1, 4], [2, 3]]
    assert joined.weights is None
    weighted = with_users(graph, interactions, weighted=True)
    assert weighted.weights is not None
    assert weighted.weights[:3].tolist() == [5.0, 2.0, 3.0]
    assert sorted(weighted.weights.tolist()) == [1, 1, 1, 1, 2, 2, 3, 3, 5, 5]


def test_join_refuses_another_number_of_items() -> None:
    with pytest.raises(DataError, match="the interactions have 3 items, the catalogue has 2"):
        with_users(items_only(Vocabulary(["a", "b"])), Interactions([], [], n_users=1, n_items=3))
