from __future__ import annotations

from datetime import UTC, datetime, timedelta
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


WEIGHTS = {
    '"4.5"': 4.5,
    "4": 4,
    "4.5": 4.5,
    "4.5e1": 45,
    '" 7 "': 7,
    '"+7"^^xsd:short': 7,
    '".5"^^xsd:decimal': 0.5,
    "-1": -1,
    '"4"^^<http://schema.org/Integer>': 4,
    '"1e-50"^^xsd:double': 0,
    '"4.5"@en': 4.5,
}
NO_WEIGHTS = [
    ":five",
    "true",
    '"INF"^^xsd:double',
    '"1e39"',
    '"4.5"^^xsd:integer',
    '"1e2"^^xsd:decimal',
    '"2020"^^xsd:gYear',
    '""',
    '"PT1H"^^xsd:duration',
    '"4"^^:stars',
    '"4,5"',
    '"0x10"',
    '"1_000"',
    '"\u0664"',
    '"2020-01-01"^^xsd:date',
    "[ :p 1 ]",
]


@pytest.mark.parametrize("literal", WEIGHTS)
def test_weights_by_their_datatype(tmp_path: Path, literal: str) -> None:
    kg = graph(tmp_path, f":e gr:user :a ; gr:item :b ; gr:weight {literal} .")
    assert interactions_from_rdf(kg)["weight"].to_list() == pytest.approx([WEIGHTS[literal]])


@pytest.mark.parametrize("literal", NO_WEIGHTS)
def test_what_is_no_weight_names_its_node(tmp_path: Path, literal: str) -> None:
    kg = graph(tmp_path, f":e gr:user :a ; gr:item :b ; gr:weight {literal} .")
    with pytest.raises(DataError, match=r"http://e/e has the weight .*; it must be a literal that is a finite"):
        interactions_from_rdf(kg)


MOMENTS = {
    '"2020"^^xsd:gYear': "2020-01-01T00:00:00+00:00",
    '"2020-05"^^xsd:gYearMonth': "2020-05-01T00:00:00+00:00",
    '"2020Z"^^xsd:gYear': "2020-01-01T00:00:00+00:00",
    '"2020-05+14:00"^^xsd:gYearMonth': "2020-04-30T10:00:00+00:00",
    '"2020-05-06+02:00"^^xsd:date': "2020-05-05T22:00:00+00:00",
    '"2020-05-06-05:30"^^xsd:date': "2020-05-06T05:30:00+00:00",
    '"2020-05-06Z"': "2020-05-06T00:00:00+00:00",
    '"2020-02-29T24:00:00"^^xsd:dateTime': "2020-03-01T00:00:00+00:00",
    '"1969-12-31T23:59:59.75Z"^^xsd:dateTime': "1969-12-31T23:59:59+00:00",
    '"2020-05-06T07:08:09.123456789-00:30"^^xsd:dateTimeStamp': "2020-05-06T07:38:09+00:00",
    '"2020-05-06T07:08:09"^^<https://schema.org/DateTime>': "2020-05-06T07:08:09+00:00",
    '"2020"^^xsd:integer': "1970-01-01T00:33:40+00:00",
    '"2020"': "1970-01-01T00:33:40+00:00",
    "1.5e9": "2017-07-14T02:40:00+00:00",
    "-0.5": "1969-12-31T23:59:59+00:00",
    '"0001-01-01"^^xsd:date': "0001-01-01T00:00:00+00:00",
}
NO_MOMENTS = [
    ":now",
    "true",
    '"2020-05-06"^^xsd:dateTime',
    '"2020-05-06T07:08:09"^^xsd:date',
    '"2020-05"^^xsd:gYear',
    '"--05"^^xsd:gMonth',
    '"2021-02-29"^^xsd:date',
    '"2020-13"^^xsd:gYearMonth',
    '"2020-05-06T25:00:00"^^xsd:dateTime',
    '"12:00:00"^^xsd:time',
    '"2020-05-06T07:60:00Z"^^xsd:dateTime',
    '"2020-05-06+15:00"^^xsd:date',
    '"12020-01-01"^^xsd:date',
    '"-0044-03-15"^^xsd:date',
    '"1714564800000000"^^xsd:integer',
    '"NaN"^^xsd:double',
    '"P1Y"^^xsd:duration',
    '"2020-05"',
    '"2020-05-06"^^:day',
    '"yesterday"',
]


@pytest.mark.parametrize("literal", MOMENTS)
def test_times_by_their_datatype(tmp_path: Path, literal: str) -> None:
    kg = graph(tmp_path, f":e gr:user :a ; gr:item :b ; gr:time {literal} .")
    seconds = interactions_from_rdf(kg)["timestamp"][0]
    assert (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)).isoformat() == MOMENTS[literal]


@pytest.mark.parametrize("literal", NO_MOMENTS)
def test_what_is_no_time_names_its_node(tmp_path: Path, literal: str) -> None:
    kg = graph(tmp_path, f":e gr:user :a ; gr:item :b ; gr:time {literal} .")
    with pytest.raises(DataError, match=r"interaction http://e/e has the timestamp .*; it must be an xsd:dateTime"):
        interactions_from_rdf(kg)


@pytest.mark.parametrize(
    ("role", "equal", "different"),
    [
        ("weight", '4 , 4.0 , "4" , "4.00"^^xsd:decimal', "4 , 5"),
        ("time", '"2020"^^xsd:gYear , "2020-01-01"^^xsd:date , 1577836800', '"2020"^^xsd:gYear , "2021"^^xsd:gYear'),
    ],
)
def test_several_values_of_a_node_must_agree(tmp_path: Path, role: str, equal: str, different: str) -> None:
    text = ":d gr:user :a ; gr:item :b ; gr:{role} {first} . :e gr:user :a ; gr:item :b ; gr:{role} {second} ."
    kg = graph(tmp_path, text.format(role=role, first=equal, second=equal))
    assert interactions_from_rdf(kg).height == 2
    kg = graph(tmp_path, text.format(role=role, first=equal, second=different))
    with pytest.raises(DataError, match=r"interaction http://e/e has more than one \w+: '.* and '.*; give each event"):
        interactions_from_rdf(kg)


def test_values_of_nodes_that_are_no_events_do_not_matter(tmp_path: Path) -> None:
    text = ':e gr:user :a ; gr:item :b ; :mass 2 . :stone :mass "heavy" , :much .'
    table = interactions_from_rdf(graph(tmp_path, text), InteractionMapping(weight="http://e/mass"))
    assert table["weight"].to_list() == [2.0]


def test_two_users_never_become_one(tmp_path: Path) -> None:
    users = ("a%2Fb", "a%2fb", "%61%2Fb", "a%252Fb", "%FF", "%ff", "c%20d", "plain", "http://e/a%2Fb")
    text = " ".join(f"<http://u/{user}> :rated :i ." for user in users) + " <http://v/x> :rated :i ."
    mapping = InteractionMapping(direct=("http://e/rated",), user_template="http://u/{id}")
    kg = graph(tmp_path, text)
    names = interactions_from_rdf(kg, mapping)["user_id"].to_list()
    assert len(set(names)) == len(users) + 1
    assert {"a/b", "c d", "plain", "%FF", "%ff", "http://v/x"} <= set(names)
    assert sorted(encoded_interactions(kg, mapping)[0]) == sorted(names)
    clash = graph(tmp_path, "<http://u/http%3A//v> :rated :i . <http://v> :rated :i .")
    with pytest.raises(DataError, match=r"http://u/http%3A//v and http://v would both have the id 'http://v'"):
        interactions_from_rdf(clash, mapping)


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


def test_encoded_events_of_iris_and_none(tmp_path: Path) -> None:
    kg = graph(tmp_path, EVENTS)
    users, items, events = encoded_interactions(kg)
    table = interactions_from_rdf(kg)
    assert users.take(events.users) == table["user_id"].to_list()
    assert items.take(events.items) == table["item_id"].to_list()
    with pytest.raises(DataError, match="the graph holds no interaction: none of its 1 predicates is"):
        encoded_interactions(graph(tmp_path, ":a :b :c ."))
