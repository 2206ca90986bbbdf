"""CONSTRUCT rules over a graph: what they make, and what they may not."""

from __future__ import annotations

from pathlib import Path

import pytest

from graphrec.errors import DataError
from graphrec.kg.knowledge_graph import KnowledgeGraph
from graphrec.kg.reading.rdf import read_rdf
from graphrec.kg.sparql.rules import with_rules
from tests.kg.sparql.test_endpoint import same

PREFIX = "PREFIX : <http://e.org/>\n"
SERIES = PREFIX + "CONSTRUCT { ?a :sameSeries ?b } WHERE { ?a :series ?s . ?b :series ?s FILTER(?a != ?b) }"


@pytest.fixture
def kg(tmp_path: Path) -> KnowledgeGraph:
    path = tmp_path / "graph.ttl"
    rows = [
        f':b{n} :series :s{n // 3} ; <https://schema.org/name> "Book {n}"@en ; :note [ :says "x{n}" ] .'
        for n in range(9)
    ]
    path.write_text("@prefix : <http://e.org/> .\n" + "\n".join(rows), encoding="utf-8")
    return read_rdf(path)


def test_a_rule_adds_what_it_makes_and_nothing_else(kg: KnowledgeGraph) -> None:
    joined = with_rules(kg, [SERIES])
    named = {
        tuple(joined.entities[i] if c != 1 else joined.relations[i] for c, i in enumerate(row))
        for row in joined.triples.tolist()
    }
    before = {
        tuple(kg.entities[i] if c != 1 else kg.relations[i] for c, i in enumerate(row)) for row in kg.triples.tolist()
    }
    pairs = {(a, b) for a in range(9) for b in range(9) if a != b and a // 3 == b // 3}
    assert named - before == {(f"http://e.org/b{a}", "http://e.org/sameSeries", f"http://e.org/b{b}") for a, b in pairs}
    assert before <= named
    assert joined.labels[joined.entities.row("http://e.org/b1")].as_py() == "Book 1"
    assert joined.report.files == kg.report.files


def test_a_rule_sees_what_those_before_it_made(kg: KnowledgeGraph) -> None:
    longer = PREFIX + "CONSTRUCT { ?a :near ?b } WHERE { ?a :sameSeries ?b }"
    joined = with_rules(kg, [SERIES, longer])
    near, same_series = (joined.relations.row(f"http://e.org/{name}") for name in ("near", "sameSeries"))
    counts = [(joined.triples[:, 1] == relation).sum() for relation in (near, same_series)]
    assert counts == [18, 18]
    with pytest.raises(DataError, match="rule 1 makes no triple"):
        with_rules(kg, [longer, SERIES])


def test_no_rules_change_nothing_and_a_known_triple_adds_nothing(kg: KnowledgeGraph) -> None:
    assert with_rules(kg, []) is kg
    assert same(with_rules(kg, [PREFIX + "CONSTRUCT { ?a :series ?s } WHERE { ?a :series ?s }"]), kg)


@pytest.mark.parametrize(
    ("rule", "sentence"),
    [
        ("SELECT * { ?s ?p ?o }", "rule 1: the query is a SELECT; only CONSTRUCT"),
        (
            "CONSTRUCT { ?s ?p ?o } WHERE { SERVICE <http://127.0.0.1:9/> { ?s ?p ?o } }",
            "rule 1: the query holds SERVICE",
        ),
        ("LOAD <http://127.0.0.1:9/>", "rule 1: the text is a SPARQL update"),
        ("CONSTRUCT { _:b <http://e.org/p> ?o } WHERE { ?s ?p ?o }", "rule 1 makes a blank node"),
        ("CONSTRUCT { ?a <http://e.org/p> ?b } WHERE { ?a ?p ?x . ?b ?q ?y }", "rule 1 makes more than 100 triples"),
        ("CONSTRUCT { ?s <http://e.org/p> ?o } WHERE { ?s <http://e.org/nothing> ?o }", "rule 1 makes no triple"),
    ],
)
def test_rules_that_are_refused(kg: KnowledgeGraph, rule: str, sentence: str) -> None:
    with pytest.raises(DataError, match=sentence):
        with_rules(kg, [rule], max_triples=100)
