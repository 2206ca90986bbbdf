"""Recommendations and their paths as RDF, read again by another library."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import rdflib

from graphrec.pipelines.jobs.rdf_export import export_recall
from graphrec.serve.engine import Engine
from tests.graphrec.bundle.make import fit, write
from tests.worlds import library

GR = rdflib.Namespace("https://graphrec.org/ns#")
BOOK = "http://books.example/book/{id}"
Step = tuple[str, str, str]


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    data = library()
    return write(tmp_path_factory.mktemp("recall") / "bundle", data, fit(data))


def paths_of(graph: Any) -> dict[tuple[str, int], list[tuple[list[Step], str, float]]]:
    """Return, by item and rank, the steps as they are walked, the text and the share of each reason."""

    def steps(why: Any) -> list[Step]:
        in_order = sorted(graph.objects(why, GR.step), key=lambda step: int(graph.value(step, GR.position)))
        return [
            (str(graph.value(step, GR["from"])), str(graph.value(step, GR.to)), relation_of(graph, step))
            for step in in_order
        ]

    return {
        (str(graph.value(recommendation, GR.recommendedItem)), int(graph.value(recommendation, GR["rank"]))): [
            (steps(why), str(graph.value(why, GR.explanation)), float(graph.value(why, GR.share)))
            for why in sorted(graph.objects(recommendation, GR.reason))
        ]
        for recommendation in graph.subjects(rdflib.RDF.type, GR.Recommendation)
    }


def relation_of(graph: Any, step: Any) -> str:
    """Return the relation of a step, with ^ where it is walked against its direction."""
    forward = graph.value(step, rdflib.RDF.subject) == graph.value(step, GR["from"])
    ends = {graph.value(step, term) for term in (rdflib.RDF.subject, rdflib.RDF.object)}
    assert ends == {graph.value(step, GR["from"]), graph.value(step, GR.to)}
    name = str(graph.value(step, rdflib.RDF.predicate)).removeprefix("urn:graphrec:relation:")
    return name if forward else f"rev_{name}"


@pytest.mark.filterwarnings("ignore:ConjunctiveGraph is deprecated:DeprecationWarning")  # rdflib's own JSON-LD reader
@pytest.mark.parametrize(("name", "syntax"), [("r.ttl", "turtle"), ("r.nt", "nt"), ("r.jsonld", "json-ld")])
def test_paths_come_back_as_the_engine_gave_them(bundle: Path, tmp_path: Path, name: str, syntax: str) -> None:
    engine, users = Engine.open(bundle), ["r0", "r6"]
    export_recall(bundle, tmp_path / name, users=users, k=5, item_template=BOOK, n_reasons=3)
    graph = rdflib.Graph().parse(tmp_path / name, format=syntax)
    paths = paths_of(graph)
    n_paths = 0
    for user in users:
        for rank, entry in enumerate(engine.recall(user, k=5).items, 1):
            reasons = engine.explain(entry.item, user=user, k=3, channels=["kg-neighbours"]).reasons
            read = paths[BOOK.replace("{id}", entry.item), rank]
            if len(read) != len(reasons):  # another user's list has the item at the same rank
                continue
            for (steps, text, share), reason in zip(read, reasons, strict=True):
                ids = [BOOK.replace("{id}", node.id) if node.kind == "item" else node.id for node in reason.path]
                expected = list(zip(ids, ids[1:], [node.relation for node in reason.path[1:]], strict=False))
                assert (steps, text) == (expected, reason.text)
                assert share == pytest.approx(reason.share)
                n_paths += 1
    assert n_paths > 5
    author = rdflib.URIRef("http://example.org/person/0")
    assert str(graph.value(author, rdflib.RDFS.label)) == "Frank Herbert"


def test_without_reasons_there_are_words_alone(bundle: Path, tmp_path: Path) -> None:
    export_recall(bundle, tmp_path / "r.nt", users=["r0"], k=3, n_reasons=0)
    graph = rdflib.Graph().parse(tmp_path / "r.nt", format="nt")
    assert not list(graph.objects(None, GR.reason))
    assert len(list(graph.objects(None, GR.explanation))) == 3
