"""The path of an item is the walk that gave most of its score, beside all walks one by one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphrec.channels.content.kg_neighbours import KgNeighbours
from graphrec.contracts.queries import Queries
from graphrec.contracts.recall_data import RecallData
from graphrec.data.interactions import Interactions
from graphrec.data.lists import item_lists
from graphrec.errors import BundleError, DataError
from graphrec.graph.catalogue import CatalogueGraph, items_only
from graphrec.recallers import load_recaller
from graphrec.recallers.graph_neighbours import GraphNeighbourRecaller
from graphrec.recallers.profile import profile_weights
from graphrec.recallers.walked import WalkWeights
from tests.oracles.content import kg_walks
from tests.worlds import Relation, catalogue, library, parts_of, skewed, vocabulary

ITEMS, PEOPLE, PLACES = 8, 4, 2


def edges_to(n: int) -> st.SearchStrategy[list[tuple[int, int]]]:
    return st.lists(st.tuples(st.integers(0, ITEMS - 1), st.integers(0, n - 1)), min_size=1, max_size=14)


@st.composite
def graphs(draw: st.DrawFn) -> CatalogueGraph:
    """Two relations to the same people, one to places, one between items; an edge may stand there twice."""
    between = draw(edges_to(ITEMS))
    relations = [
        Relation("author", "person", draw(edges_to(PEOPLE))),
        Relation("editor", "person", draw(edges_to(PEOPLE))),
        Relation("place", "place", draw(edges_to(PLACES))),
        Relation("followed_by", "item", [(a, b) for a, b in between if a != b]),
    ]
    return catalogue(vocabulary("i", ITEMS), {"person": PEOPLE, "place": PLACES}, relations)


def world(graph: CatalogueGraph) -> RecallData:
    events = Interactions([0, 0, 1], [0, 1, 2], n_users=2, n_items=graph.n_items)
    return RecallData(vocabulary("u", 2), vocabulary("i", graph.n_items), events, graph)


def assert_paths_scored_the_items(recaller: GraphNeighbourRecaller, query: Queries) -> None:
    """Check path, source and contribution of each item of an answer beside all walks of the graph."""
    graph, weights = recaller.catalogue, recaller.weights
    items, _ = recaller.recall(query, graph.n_items)[0]
    evidence = recaller.evidence(query, items)
    given = dict(
        zip(
            query.history.items.tolist(),
            profile_weights(query.history, recaller.neighbours.profile).tolist(),
            strict=True,
        )
    )
    assert len(evidence.paths) == len(items)
    for position, item in enumerate(items.tolist()):
        source, contribution = int(evidence.sources[position]), float(evidence.contributions[position])
        nodes, relations = evidence.paths[position]
        assert nodes[0] == source
        assert nodes[-1] == item
        assert_walkable(graph, nodes.tolist(), relations.tolist())
        walks = kg_walks(
            graph, source, item,
            relations=weights.relations, degree_exponent=weights.degree_exponent, hub_cap=weights.hub_cap,
        )  # fmt: skip
        name = graph.adjacency.relation_names[relations[0]]
        amount = walks[name, int(nodes[1])]
        assert amount == pytest.approx(max(walks.values()))
        neighbours, scores = recaller.neighbours.tables[0][source]
        score = float(scores[neighbours.tolist().index(item)])
        assert contribution == pytest.approx(given[source] * score * amount / sum(walks.values()), rel=1e-4)


def assert_walkable(graph: CatalogueGraph, nodes: list[int], relations: list[int]) -> None:
    """Check that each step is an edge of the graph, by that relation."""
    adjacency = graph.adjacency
    assert len(nodes) == len(relations) + 1
    for here, there, relation in zip(nodes, nodes[1:], relations, strict=False):
        edges = slice(int(adjacency.indptr[here]), int(adjacency.indptr[here + 1]))
        steps = zip(adjacency.indices[edges].tolist(), adjacency.relations[edges].tolist(), strict=True)
        assert (there, relation) in set(steps)


@settings(max_examples=120, deadline=None)
@given(
    graphs(),
    st.sampled_from([{}, {"author": 2.0, "place": 0.5}, {"followed_by": 1.0, "editor": 0.1}]),
    st.sampled_from([0.0, 1.1]),
    st.sampled_from([0, 3]),
    st.lists(st.integers(0, ITEMS - 1), min_size=1, max_size=3, unique=True),
)
def test_every_path_is_a_path_of_the_graph_and_gave_what_it_says(
    graph: CatalogueGraph, relations: dict[str, float], exponent: float, cap: int, history: list[int]
) -> None:
    recipe = KgNeighbours(relations=relations, degree_exponent=exponent, hub_cap=cap)
    try:
        recaller = recipe.fit(world(graph))
    except DataError:  # no edge of these relations was drawn
        return
    assert_paths_scored_the_items(recaller, Queries([-1], item_lists([history])))


@pytest.mark.parametrize("data", [skewed(), library()])
@pytest.mark.parametrize("recipe", [KgNeighbours(), KgNeighbours(hub_cap=5, normalise=False, weight_exponent=1.0)])
def test_on_worlds(data: RecallData, recipe: KgNeighbours) -> None:
    recaller = recipe.fit(data)
    for history in ([0], [1, 4, 6], [7, 3]):
        assert_paths_scored_the_items(recaller, Queries([-1], item_lists([history], [[3.0, 1.0, 2.0][: len(history)]])))


def test_the_series_of_few_books_comes_before_the_genre_of_many() -> None:
    data = library()
    recaller = KgNeighbours(relations={"series": 1.0, "genre": 1.0, "author": 1.0}).fit(data)
    evidence = recaller.evidence(Queries([-1], item_lists([[1]])), np.array([2], dtype=np.int32))
    nodes, relations = evidence.paths[0]
    assert [data.catalogue.label(node) for node in nodes.tolist()] == [
        "Dune Messiah", "Dune Chronicles", "Children of Dune",
    ]  # fmt: skip
    names = data.catalogue.adjacency.relation_names
    assert [names[number] for number in relations.tolist()] == ["series", "rev_series"]


def test_an_item_that_nothing_of_the_history_reaches_has_no_path() -> None:
    recaller = KgNeighbours(relations={"series": 1.0}).fit(library())
    evidence = recaller.evidence(Queries([-1], item_lists([[0]])), np.array([11, 1], dtype=np.int32))
    assert evidence.sources.tolist() == [-1, 0]
    assert [len(evidence.paths[position][0]) for position in (0, 1)] == [0, 3]
    assert evidence.contributions[0] == 0.0


def test_saved_and_loaded_it_names_the_same_paths(tmp_path: Path) -> None:
    data = library()
    recaller = KgNeighbours(relations={"author": 2.0, "series": 0.5}).fit(data)
    recaller.save(tmp_path)
    loaded = load_recaller(tmp_path, parts_of(data.items, data.users, data.catalogue))
    query, items = Queries([-1], item_lists([[0, 4]])), np.arange(12, dtype=np.int32)
    left, right = recaller.evidence(query, items), loaded.evidence(query, items)
    np.testing.assert_array_equal(left.paths.nodes, right.paths.nodes)
    np.testing.assert_array_equal(left.paths.relations, right.paths.relations)
    np.testing.assert_allclose(left.contributions, right.contributions)


def test_another_graph_is_refused(tmp_path: Path) -> None:
    data = library()
    recaller = KgNeighbours(relations={"author": 1.0}).fit(data)
    recaller.save(tmp_path)
    with pytest.raises(BundleError, match=r"'author' is not among .*; train the channel again"):
        load_recaller(tmp_path, parts_of(data.items, data.users, items_only(data.items)))
    with pytest.raises(DataError, match="has 3 items, the neighbours 12"):
        GraphNeighbourRecaller(recaller.neighbours, items_only(vocabulary("i", 3)), WalkWeights())
