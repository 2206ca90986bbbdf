from __future__ import annotations

from pathlib import Path

import pyoxigraph as ox
import pytest

from graphrec.graph.iris import local_name
from graphrec.kg.knowledge_graph import KnowledgeGraph
from graphrec.kg.reading.rdf import read_rdf
from graphrec.kg.reading.triple_terms import reified
from graphrec.kg.terms import GENID
from tests.kg.reading.documents import write

PLAIN = "<http://a> <http://b> <http://c> .\n"
NESTED = "<<( <http://x> <http://p> <<( <http://a> <http://b> <http://c> )>> )>>"
LINES = (
    PLAIN
    + "_:r <http://says> <<( <http://a> <http://b> <http://c> )>> .\n"
    + '<http://m> <http://says> "an <<( in a text" .\n'
)


def edges(kg: KnowledgeGraph) -> set[tuple[str, str, str]]:
    """Return the edges by last parts of IRIs, each blank node as its label's first letter."""

    def name(row: int) -> str:
        iri = kg.entities[row]
        return "_" + iri.rsplit("-", 1)[1][0] if iri.startswith(GENID) else local_name(iri).removeprefix("http://")

    return {(name(h), local_name(kg.relations[r]), name(t)) for h, r, t in kg.triples.tolist()}


def test_a_term_is_a_node_with_its_three_parts(tmp_path: Path) -> None:
    kg = read_rdf(write(tmp_path / "a.nt", LINES), triple_terms="reify", on_error="raise")
    kinds = {(h, r.removeprefix("http://"), t) for h, r, t in edges(kg)}
    assert kinds == {
        ("a", "b", "c"),
        ("_r", "says", "_t"),
        ("_t", "type", "Statement"),
        ("_t", "subject", "a"),
        ("_t", "predicate", "b"),
        ("_t", "object", "c"),
    }
    report = kg.report
    assert (report.n_lines, report.n_statements, report.n_triple_terms, report.n_reified) == (3, 3, 0, 4)
    assert kg.literals.texts.to_pylist() == ["an <<( in a text"]


@pytest.mark.parametrize("extension", [".nt", ".ttl"])
def test_a_term_inside_a_term_is_the_node_of_that_term(tmp_path: Path, extension: str) -> None:
    text = f"<http://r> <http://says> {NESTED} .\n<http://q> <http://says> <<( <http://a> <http://b> <http://c> )>> .\n"
    kg = read_rdf(write(tmp_path / f"a{extension}", text), triple_terms="reify")
    terms = {row for row, iri in enumerate(kg.entities.ids.to_pylist()) if iri.startswith(GENID)}
    assert len(terms) == 2
    outside = [t for _, r, t in kg.triples.tolist() if local_name(kg.relations[r]) in ("says", "http://says")]
    inside = [t for _, r, t in kg.triples.tolist() if kg.relations[r].endswith("#object") and t in terms]
    assert set(outside) == terms
    assert set(inside) < terms


def test_terms_nest_deeper_than_python_recurses() -> None:
    depth = 1_100
    term = "<http://a> <http://b> <<( " * depth + "<http://a> <http://b> <http://c>" + " )>>" * depth
    try:
        parts = reified(f"{term} .\n".encode())
    except SyntaxError:
        pytest.skip("the parser allows less depth")
    assert parts.added.count(b"#Statement> .") == depth


def test_what_is_added_goes_to_the_graph_of_the_statement(tmp_path: Path) -> None:
    term = "<http://r> <http://says> <<( <http://a> <http://b> <http://c> )>>"
    path = write(tmp_path / "a.nq", f"{term} <http://g> .\n{term} <http://h> .\n{PLAIN}")
    report = read_rdf(path, triple_terms="reify", graphs=["http://g"]).report
    assert (report.n_statements, report.n_reified, report.n_other_graphs, report.n_lines) == (1, 4, 2, 3)


def test_a_chunk_without_terms_is_left_as_it_is() -> None:
    chunk = (PLAIN * 2).encode()
    assert reified(chunk).statements is chunk
    kept = reified(LINES.encode())
    assert len(list(ox.parse(kept.statements + kept.added, ox.RdfFormat.N_QUADS))) == 3 + 4
