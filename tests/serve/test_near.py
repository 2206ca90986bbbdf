"""Neighbours of items, entities and users: along a relation, along a path, and by all."""

from __future__ import annotations

import json
from collections import defaultdict

import pytest

from graphrec.data.interactions import histories
from graphrec.errors import ConfigError, DataError, UnknownIdError
from graphrec.serve.engine import Engine
from graphrec.serve.near import NeighbourSearch
from tests.worlds import library, without_knowledge

HERBERT = "http://example.org/person/0"


@pytest.fixture(scope="module")
def search() -> NeighbourSearch:
    return NeighbourSearch.of(library())


def test_a_path_of_an_item_is_scored_by_its_walks_and_told_in_words(engine: Engine) -> None:
    near = engine.neighbours("b0", path="author/^author")
    alike = engine.neighbours("b0", "author")
    assert near.ids == alike.ids
    assert near.path == "author/^author"
    first = near.items[0]
    assert first.path == ("b0", "author", HERBERT, "rev_author", first.item)
    assert first.explanation == "same author, Frank Herbert"
    assert first.score == pytest.approx(1 / 4)
    assert first.kind == "item"
    assert near.version == engine.version


def test_a_path_may_end_at_entities_and_be_of_one_step(engine: Engine) -> None:
    near = engine.neighbours("b0", path="author")
    assert [(entry.item, entry.title, entry.kind) for entry in near.items] == [(HERBERT, "Frank Herbert", "person")]
    assert near.items[0].explanation == "Dune → author → Frank Herbert"
    long = engine.neighbours("b1", path="^followedBy/author/^author/genre")
    assert {entry.kind for entry in long.items} == {"genre"}
    assert sum(entry.score for entry in long.items) == pytest.approx(1)
    assert long.items[0].path[0] == "b1"
    assert long.items[0].path[1] == "rev_followed_by"


def test_an_entity_has_what_is_joined_to_it(engine: Engine, search: NeighbourSearch) -> None:
    whole, along = engine.neighbours(entity=HERBERT), engine.neighbours(entity=HERBERT, relation="author")
    assert whole.ids == along.ids == ["b0", "b1", "b2", "b3"]
    assert (whole.kind, whole.title) == ("entity", "Frank Herbert")
    assert whole.items[0].explanation == "Dune → author → Frank Herbert"
    assert engine.neighbours(entity=HERBERT, relation="series").ids == []
    assert search.find(entity=HERBERT, path="^author/series").ids == ["http://example.org/series/0"]


def test_a_user_has_what_is_near_to_what_he_took(search: NeighbourSearch) -> None:
    data = library()
    taken = histories(data.interactions)[1][0].tolist()
    expected: dict[str, float] = defaultdict(float)
    most: dict[str, tuple[float, str]] = {}
    for row in taken:
        for entry in search.find(data.items[row], k=12).items:
            expected[entry.item] += entry.score / len(taken)
            most[entry.item] = max(most.get(entry.item, (0.0, "")), (entry.score, data.items[row]), key=lambda x: x[0])
    for row in taken:
        expected.pop(data.items[row], None)
    near = search.find(user="r1", k=12)
    assert {entry.item: entry.score for entry in near.items} == pytest.approx(dict(expected))
    assert [entry.score for entry in near.items] == sorted((entry.score for entry in near.items), reverse=True)
    assert {entry.item: entry.source for entry in near.items} == {item: most[item][1] for item in expected}
    assert all(entry.shared for entry in near.items)
    along = search.find(user="r1", path="interacts/author/^author", k=12)
    assert along.ids == search.find(user="r1", path="author/^author", k=12).ids
    assert not {data.items[row] for row in taken}.intersection(along.ids)
    assert {entry.source for entry in along.items} <= {data.items[row] for row in taken}
    assert search.find(user="r7").ids == []
    assert search.find(user="r7", path="author").ids == []


def test_offline_and_from_the_bundle_are_the_same(engine: Engine, search: NeighbourSearch) -> None:
    for query in ({"item": "b4"}, {"entity": HERBERT}, {"user": "r2"}, {"user": "r2", "path": "genre/^genre"}):
        ours, theirs = engine.neighbours(**query), search.find(**query)  # type: ignore[arg-type]
        assert ours.items == theirs.items
        assert json.loads(json.dumps(ours.to_dict()))["kind"] == ours.kind


def test_what_is_taken_down_is_no_answer(library_bundle: object) -> None:
    own = Engine.open(library_bundle)  # type: ignore[arg-type]
    own.take_down(["b2"])
    for query in ({"item": "b0"}, {"item": "b0", "path": "series/^series"}, {"entity": HERBERT}, {"user": "r0"}):
        assert "b2" not in own.neighbours(**query).ids  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("query", "kind", "problem"),
    [
        ({"entity": HERBERT[:-1]}, UnknownIdError, r"entity .* is not among the \d+ known entities; nearest: "),
        ({"user": "r77"}, UnknownIdError, "user 'r77' is not among the 8 known users; nearest: 'r7'"),
        ({}, ConfigError, "none of item, entity and user is given"),
        ({"item": "b0", "user": "r0"}, ConfigError, "item, user are all given"),
        ({"item": "b0", "relation": "author", "path": "author"}, ConfigError, "both relation and path are given"),
        ({"item": "b0", "path": "author/^autor"}, DataError,
         r"relation 'rev_autor' is not among those of the graph \(step 2 of the path 'author/\^autor'\); nearest: "),
        ({"item": "b0", "path": "author//genre"}, DataError, "path is 'author//genre'; write relations with / between"),
        ({"item": "b0", "path": ""}, DataError, "path is ''"),
        ({"item": "b0", "path": "author/genre"}, DataError,
         "step 2 of the path 'author/genre' does not join: no person has the relation 'genre'"),
        ({"item": "b0", "path": 3}, ConfigError, "path is 3"),
        ({"user": 3}, ConfigError, "user is 3"),
    ],
)  # fmt: skip
def test_what_cannot_be_meant_is_named(
    engine: Engine, query: dict[str, str], kind: type[Exception], problem: str
) -> None:
    with pytest.raises(kind, match=problem):
        engine.neighbours(**query)  # type: ignore[arg-type]


def test_an_item_with_no_such_edge_has_no_neighbours_along_it(engine: Engine) -> None:
    assert engine.neighbours("b11", path="series/^series").ids == []


def test_an_item_of_very_many_edges_has_the_same_words(
    monkeypatch: pytest.MonkeyPatch, search: NeighbourSearch
) -> None:
    plain = search.find("b0", k=12).items
    monkeypatch.setattr("graphrec.serve.near._MANY", 0)
    assert search.find("b0", k=12).items == plain


def test_without_a_graph_there_is_nothing_near() -> None:
    search = NeighbourSearch.of(without_knowledge(library()))
    assert search.find("b0").ids == search.find(user="r0").ids == []
    with pytest.raises(DataError, match="legal: none"):
        search.find("b0", path="author")
