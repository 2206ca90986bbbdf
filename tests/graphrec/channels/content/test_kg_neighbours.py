"""KG neighbours beside the sum over shared entities."""

from __future__ import annotations

import pytest

from graphrec.channels.content.kg_neighbours import KgNeighbours
from graphrec.contracts.queries import Queries
from graphrec.data.lists import item_lists
from graphrec.errors import ConfigError
from tests.graphrec.channels.compare import (
    WORLDS,
    World,
    assert_table,
    settings_of,
)
from tests.oracles.content import kg_table
from tests.worlds import LIBRARY, library


@WORLDS
@pytest.mark.parametrize(
    "recipe",
    [
        KgNeighbours(),
        KgNeighbours(
            k=100, degree_exponent=0.5, hub_cap=12, popularity_exponent=0.0, link_exponent=0.0, normalise=False
        ),
        KgNeighbours(k=100, degree_exponent=2.0, hub_cap=0, popularity_exponent=1.0, link_exponent=1.0),
    ],
)
def test_kg_neighbours_is_the_sum_over_entities(world: World, recipe: KgNeighbours) -> None:
    data = world()
    assert_table(recipe.fit(data).neighbours, kg_table(data, **settings_of(recipe, "weight_exponent")))


def test_kg_neighbours_walks_the_relations_named() -> None:
    data = library()
    recipe = KgNeighbours(relations={"author": 2.0, "series": 0.5}, popularity_exponent=0.0, link_exponent=0.0)
    recaller = recipe.fit(data)
    assert_table(recaller.neighbours, kg_table(data, **settings_of(recipe, "weight_exponent")))
    neighbours, _ = recaller.neighbours.tables[0][0]
    # Dune: two more of its series and author, then the other book of its author; nothing of its genre.
    assert [LIBRARY[row][0] for row in neighbours] == ["Dune Messiah", "Children of Dune", "The Dosadi Experiment"]
    only_edges = KgNeighbours(relations={"followed_by": 1.0}).fit(data)
    assert only_edges.neighbours.tables[0][0][0].tolist() == [1]
    assert only_edges.neighbours.tables[0][2][0].tolist() == []


def test_kg_neighbours_reaches_books_that_nobody_read() -> None:
    data = library()
    items, _ = KgNeighbours().fit(data).recall(Queries([-1], item_lists([[0]])), 12)[0]
    assert 2 in items  # Children of Dune
    items, _ = KgNeighbours().fit(data).recall(Queries([-1], item_lists([[2]])), 12)[0]
    assert {0, 1} <= set(items.tolist())  # and may be all that is known of somebody


def test_an_entity_of_just_the_cap_is_walked_through() -> None:
    # Science fiction holds seven of the library's books.
    for cap, reached in ((6, 0), (7, 6)):
        recaller = KgNeighbours(relations={"genre": 1.0}, hub_cap=cap).fit(library())
        assert len(recaller.neighbours.tables[0][0][0]) == reached


def test_weights_of_relations_are_checked() -> None:
    with pytest.raises(
        ConfigError,
        match=r"relations is \{'author': -1\}; it must be a table of names of relations and weights of 0 or more",
    ):
        KgNeighbours(relations={"author": -1})
