from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from graphrec.errors import ConfigError, DataError
from graphrec.kg.interactions import (
    InteractionMapping,
    encoded_interactions,
    interaction_candidates,
    interactions_from_rdf,
)
from graphrec.kg.knowledge_graph import KnowledgeGraph
from graphrec.kg.reading.rdf import read_rdf
from tests.kg.reading.documents import write

PREFIXES = """@prefix gr: <https://graphrec.org/ns#> . @prefix : <http://e/> .
@prefix xsd: <http://www.w3.org/2001/XMLSchema#> .
"""
EVENTS = """
:ann gr:interacted :dune , :dune , :emma .
:e1 a gr:Interaction ; gr:user :bob ; gr:item :dune ; gr:weight 4.5 ; gr:time "2024-05-01T12:00:00Z"^^xsd:dateTime ;
    gr:event "read" .
:e2 gr:user :bob ; gr:item :emma ; gr:time "2024-05-01T12:00:00+02:00" ; gr:event :bought .
:e3 gr:user :cy ; gr:item :dune ; gr:time 1000 . :e4 gr:user :cy ; gr:item :emma ; gr:time "1970-01-02"^^xsd:date .
:e5 gr:user :cy ; gr:item :dune ; gr:time "1970-01-01T00:00:30.5"^^xsd:dateTime . :e6 gr:user :dan ; gr:item :dune .
"""


def graph(tmp_path: Path, text: str) -> KnowledgeGraph:
    return read_rdf(write(tmp_path / "events.ttl", PREFIXES + text))


def test_own_vocabulary(tmp_path: Path) -> None:
    mapping = InteractionMapping(user_template="http://e/{id}", item_template="http://e/{id}")
    table = interactions_from_rdf(graph(tmp_path, EVENTS), mapping)
    assert table.rows() == [
        ("cy", "dune", 1.0, 30, None),
        ("cy", "dune", 1.0, 1000, None),
        ("cy", "emma", 1.0, 86_400, None),
        ("bob", "emma", 1.0, 1_714_557_600, "bought"),
        ("bob", "dune", 4.5, 1_714_564_800, "read"),
        ("dan", "dune", 1.0, None, None),
        ("ann", "dune", 1.0, None, "interacted"),
        ("ann", "emma", 1.0, None, "interacted"),
    ]
    assert table.schema == {
        "user_id": pl.String,
        "item_id": pl.String,
        "weight": pl.Float32,
        "timestamp": pl.Int64,
        "event": pl.String,
    }


def test_foreign_predicates_and_ids(tmp_path: Path) -> None:
    text = "<http://u/a%20b> :rated <urn:isbn:1> . <http://u/c> :saw <urn:isbn:2> ."
    kg = graph(tmp_path, text)
    mapping = InteractionMapping(direct=("rated", "http://e/saw"), user_template="http://u/{id}")
    table = interactions_from_rdf(kg, mapping)
    assert table.select("user_id", "item_id", "event").rows() == [
        ("a b", "urn:isbn:1", "rated"),
        ("c", "urn:isbn:2", "saw"),
    ]


BROKEN = {
    "none": (":a :b :c .", "no interaction"),
    "no item": (":e gr:user :a .", r"http://e/e has no https://graphrec\.org/ns#item"),
    "no user": (":e gr:item :a .", r"http://e/e has no https://graphrec\.org/ns#user"),
    "weight": (':e gr:user :a ; gr:item :b ; gr:weight "NaN" .', "http://e/e has the weight 'NaN'.*finite number"),
    "time": (
        ':e gr:user :a ; gr:item :b ; gr:time "yesterday" .',
        "http://e/e has the timestamp 'yesterday'.*dateTime",
    ),
}


@pytest.mark.parametrize("case", BROKEN)
def test_broken_interactions_name_the_node(tmp_path: Path, case: str) -> None:
    text, sentence = BROKEN[case]
    with pytest.raises(DataError, match=sentence):
        interactions_from_rdf(graph(tmp_path, text))


def test_unknown_predicate_and_template(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"relation 'rates' is not among .*nearest: 'rated'"):
        interactions_from_rdf(graph(tmp_path, ":a :rated :b ."), InteractionMapping(direct=("rates",)))
    with pytest.raises(ConfigError, match="exactly once"):
        InteractionMapping(user_template="http://e/")


@pytest.mark.parametrize("iri", ["http://e/buy", "http://e/a#buy", "http://e/buy/", "urn:kind:buy", "http://e/b%75y"])
def test_an_event_is_the_last_part_of_its_iri(tmp_path: Path, iri: str) -> None:
    text = f":e gr:user :a ; gr:item :b ; gr:event <{iri}> . :a <{iri}> :c ."
    table = interactions_from_rdf(graph(tmp_path, text), InteractionMapping(direct=(iri,)))
    assert table["event"].to_list() == ["buy", "buy"]


def test_one_predicate_is_not_a_list_of_letters() -> None:
    with pytest.raises(ConfigError, match=r"direct is 'rated'; it must be a list of predicates: \['rated'\]"):
        InteractionMapping(direct="rated")  # type: ignore[arg-type]


def test_candidates_put_the_dense_relation_first(tmp_path: Path) -> None:
    rated = " ".join(f":u{u} :rated :i{i} ." for u in range(6) for i in range(8) if (u + i) % 2)
    others = " ".join(f":i{i} :author :a{i} ; :country :x ; :language :y ." for i in range(8))
    table = interaction_candidates(graph(tmp_path, rated + others), n=2)
    assert table.height == 2
    assert table.row(0) == ("http://e/rated", 24, 6, 8)


def test_encoded_events_are_those_of_the_table(tmp_path: Path) -> None:
    kg = graph(tmp_path, EVENTS)
    mapping = InteractionMapping(user_template="http://e/{id}", item_template="http://e/{id}")
    users, items, events = encoded_interactions(kg, mapping)
    table = interactions_from_rdf(kg, mapping)
    assert users.take(events.users) == table["user_id"].to_list()
    assert items.take(events.items) == table["item_id"].to_list()
    assert events.weights.tolist() == table["weight"].to_list()
    assert events.times is None
    timed = graph(tmp_path, ":e gr:user :bob ; gr:item :dune ; gr:time 7 .")
    assert encoded_interactions(timed)[2].times is not None
