"""A relation and its reverse name each other."""

from __future__ import annotations

from graphrec.graph.adjacency import adjacency_from_edges
from graphrec.graph.relations import reverse_number, reverse_numbers
from tests.worlds import library


def test_relations_and_their_reverses_find_each_other() -> None:
    graph = library().catalogue.adjacency
    for number, name in enumerate(graph.relation_names):
        back = reverse_number(graph, number)
        assert back is not None
        assert {name, graph.relation_names[back]} == {name.removeprefix("rev_"), f"rev_{name.removeprefix('rev_')}"}


def test_a_relation_without_a_reverse_is_its_own() -> None:
    graph = adjacency_from_edges(
        [0], [1], [1], type_offsets=[0, 2], node_types=["item"], relation_names=["rev_a", "b", "a"]
    )
    assert reverse_number(graph, 1) is None
    assert reverse_numbers(graph).tolist() == [2, 1, 0]
