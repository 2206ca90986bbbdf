"""Edges named by ids, joined to a catalogue graph: nodes, types and edges as sets say."""

from __future__ import annotations

import numpy as np
import pytest

from graphrec.data.vocabulary import Vocabulary
from graphrec.errors import DataError
from graphrec.graph.catalogue import CatalogueGraph, items_only
from graphrec.graph.named_edges import NamedEdges, concatenated, with_edges

ITEMS = Vocabulary(["i2", "i0", "i1"])


def named(
    triples: list[tuple[str, str, str]], types: dict[str, str], labels: dict[str, str] | None = None
) -> NamedEdges:
    nodes = Vocabulary(list(dict.fromkeys(end for head, _, tail in triples for end in (head, tail))))
    names = list(dict.fromkeys(relation for _, relation, _ in triples))
    return NamedEdges(
        nodes,
        [types.get(node) for node in nodes],
        [(labels or {}).get(node) for node in nodes],
        nodes.rows([head for head, _, _ in triples]),
        np.array([names.index(relation) for _, relation, _ in triples], dtype=np.int32),
        nodes.rows([tail for _, _, tail in triples]),
        names,
    )


def edges_of(graph: CatalogueGraph) -> set[tuple[str, str, str]]:
    """Return the edges of a graph by ids, and check that each stands there once."""
    a = graph.adjacency
    sources = np.repeat(np.arange(a.n_nodes), a.degrees)
    edges = [
        (graph.node_id(s), a.relation_names[r], graph.node_id(d))
        for s, r, d in zip(sources.tolist(), a.relations.tolist(), a.indices.tolist(), strict=True)
    ]
    assert len(edges) == len(set(edges))
    return set(edges)


def types_of(graph: CatalogueGraph) -> dict[str, str]:
    offsets = graph.adjacency.type_offsets
    return {
        graph.node_id(node): kind
        for kind, start, stop in zip(graph.adjacency.node_types, offsets[:-1], offsets[1:], strict=True)
        for node in range(start, stop)
    }


def both_ways(triples: list[tuple[str, str, str]]) -> set[tuple[str, str, str]]:
    return set(triples) | {(tail, f"rev_{relation}", head) for head, relation, tail in triples}


def test_a_graph_from_nothing_but_edges() -> None:
    triples = [("i0", "brand", "b#x"), ("i1", "brand", "b#x"), ("i1", "genre", "g#y"), ("g#y", "broader", "g#z")]
    graph = with_edges(
        items_only(ITEMS), named(triples, {"b#x": "brand", "g#y": "genre", "g#z": "genre"}, {"b#x": "X"})
    )
    assert edges_of(graph) == both_ways(triples)
    assert graph.adjacency.node_types == ("item", "brand", "genre")
    assert list(graph.items) == list(ITEMS)
    assert [graph.label(node) for node in range(graph.adjacency.n_nodes)] == ["i2", "i0", "i1", "X", "y", "z"]


def test_further_edges_join_those_of_a_graph_and_repeat_none() -> None:
    first = [("i0", "brand", "b#x"), ("i2", "brand", "b#w"), ("b#x", "in", "http://p")]
    types = {"b#x": "brand", "b#w": "brand", "http://p": "place"}
    graph = with_edges(items_only(ITEMS), named(first, types))
    second = [("i1", "brand", "b#x"), ("i0", "brand", "b#x"), ("i2", "made", "http://p"), ("i0", "near", "i1")]
    joined = with_edges(graph, named(second, {"b#x": "brand", "i0": "item"}))
    assert edges_of(joined) == both_ways([*first, *second])
    assert types_of(joined) == {
        "i2": "item",
        "i0": "item",
        "i1": "item",
        "b#w": "brand",
        "b#x": "brand",
        "http://p": "place",
    }
    at_once = with_edges(items_only(ITEMS), concatenated([named(first, types), named(second, {"i0": "item"})]))
    assert edges_of(at_once) == edges_of(joined)
    assert types_of(at_once) == types_of(joined)


def test_nodes_without_a_type_have_that_of_the_relation_that_leads_to_them_most() -> None:
    triples = [
        ("i0", "director", "p"),
        ("i1", "starring", "p"),
        ("i2", "starring", "p"),
        ("i0", "director", "q"),
        ("r", "knows", "q"),
    ]
    types = types_of(with_edges(items_only(ITEMS), named(triples, {})))
    assert (types["p"], types["q"], types["r"]) == ("starring", "director", "entity")


def test_what_no_item_is_joined_to_is_left_out() -> None:
    triples = [("i0", "in", "a"), ("b", "in", "a"), ("c", "in", "d")]
    graph = with_edges(items_only(ITEMS), named(triples, {}))
    assert set(graph.entities) == {"a", "b"}
    assert edges_of(graph) == both_ways(triples[:2])
    none = with_edges(items_only(ITEMS), named([("c", "in", "d")], {}))
    assert (none.adjacency.n_edges, none.adjacency.node_types) == (0, ("item",))


def test_an_item_by_type_alone_and_one_that_is_none() -> None:
    graph = with_edges(items_only(ITEMS), named([("i0", "kind", "i1")], {"i1": "kind"}))
    assert types_of(graph)["i1"] == "kind" or set(graph.entities) == {"i1"}
    with pytest.raises(DataError, match=r"'i9' is not among the 3 items"):
        with_edges(items_only(ITEMS), named([("i9", "in", "a")], {"i9": "item"}))
    with pytest.raises(DataError, match="tails"):
        NamedEdges(ITEMS, [None] * 3, [None] * 3, np.array([0]), np.array([0]), np.array([3]), ["r"])
