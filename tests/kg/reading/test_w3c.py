"""Every case of the W3C's suites through the reader; what is wrong, and how much, is what the page says."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pyoxigraph as ox
import pytest

from graphrec.data.limits import Limits
from graphrec.errors import DataError
from graphrec.kg.knowledge_graph import KnowledgeGraph
from graphrec.kg.reading.bad_lines import BadLines
from graphrec.kg.reading.formats import RdfFile
from graphrec.kg.reading.rdf import read_rdf
from graphrec.kg.reading.statements import statements
from graphrec.kg.terms import GENID, RDF
from tests.kg.reading.w3c import Case, all_cases, unpacked

PAGE = Path(__file__).parents[3] / "docs" / "knowledge-graphs.md"
RESULTS = {".nt": ox.RdfFormat.N_TRIPLES, ".nq": ox.RdfFormat.N_QUADS}
# A case of two lines may be bad by half; by the standard JSON-LD drops what is no triple.
ALL = 1.0


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory, test_data: Path) -> list[Case]:
    archive = test_data / "rdf" / "w3c-rdf-tests.tar.xz"
    if not archive.is_file():
        pytest.skip(f"GRAPHREC_DATA holds no {archive.relative_to(test_data)}")
    return all_cases(unpacked(archive, tmp_path_factory.mktemp("w3c")))


def canonical(quads: Iterable[ox.Quad]) -> ox.Dataset:
    """Return the quads with blank nodes named by what is said of them."""
    dataset = ox.Dataset(quads)
    dataset.canonicalize(ox.CanonicalizationAlgorithm.UNSTABLE)
    return dataset


def streamed(case: Case) -> bytes:
    """Return the canonical N-Quads that the reader makes of the document."""
    bad_lines = BadLines("reject" if case.format == "json-ld" else "raise", None, ALL)
    return b"".join(statements(RdfFile(case.action, case.format), bad_lines, base=case.base, limits=Limits()))


def is_right(case: Case) -> bool:
    """Return whether the document is refused where it must be, and else says what it must."""
    try:
        text = streamed(case)
    except DataError:
        return not case.is_legal
    if not case.is_legal or case.result is None:
        return case.is_legal
    expected = case.result.read_bytes()
    if case.canonical:
        return text == expected
    try:
        oracle = canonical(ox.parse(expected, RESULTS[case.result.suffix]))
    except SyntaxError:
        return False  # generalised RDF: a blank node for a predicate
    return canonical(ox.parse(text, ox.RdfFormat.N_QUADS)) == oracle and reads_as(case, expected)


def reads_as(case: Case, expected: bytes) -> bool:
    """Return whether ``read_rdf`` makes of the document the graph that ``expected`` says, its named graphs merged."""
    quads = list(ox.parse(expected, ox.RdfFormat.N_QUADS))
    try:
        graph = read_rdf(case.action, format=case.format, base=case.base, triple_terms="reify", max_reject_share=ALL)
    except DataError as error:
        return not quads and "holds no triples" in str(error)
    oracle = [ox.Quad(*triple) for quad in quads for triple in in_rdf_1_1(quad.triple)]
    return canonical(quads_of(graph)) == canonical(oracle)


def in_rdf_1_1(triple: ox.Triple) -> list[tuple[Any, Any, Any]]:
    """Return the triples that say ``triple`` where there are no triple terms and no directions (slow, obvious)."""
    term: Any = triple.object
    if isinstance(term, ox.Literal) and term.language:
        term = ox.Literal(term.value, language=term.language.lower())
    if not isinstance(term, ox.Triple):
        return [(triple.subject, triple.predicate, term)]
    inner = in_rdf_1_1(term)
    node = ox.BlankNode("x" + re.sub(r"[^0-9A-Za-z]", lambda letter: f"_{ord(letter[0]):x}", str(term)))
    names = ("subject", "predicate", "object")
    told = [(node, ox.NamedNode(RDF + name), part) for name, part in zip(names, inner[-1], strict=True)]
    kind = (node, ox.NamedNode(RDF + "type"), ox.NamedNode(RDF + "Statement"))
    return [*inner[:-1], *told, kind, (triple.subject, triple.predicate, node)]


def quads_of(graph: KnowledgeGraph) -> list[ox.Quad]:
    """Return what the graph says, blank nodes again in the place of their IRIs."""

    def node(row: int) -> ox.NamedNode | ox.BlankNode:
        iri = graph.entities[row]
        return ox.BlankNode(iri.removeprefix(GENID)) if iri.startswith(GENID) else ox.NamedNode(iri)

    texts, tags = graph.literals.texts.to_pylist(), graph.literals.languages.to_pylist()
    types = graph.literals.datatypes.to_pylist()

    def value(row: int) -> ox.Literal:
        if tags[row] is not None:
            return ox.Literal(texts[row], language=tags[row])
        return ox.Literal(texts[row], datatype=ox.NamedNode(types[row]))

    relations = [ox.NamedNode(iri) for iri in graph.relations.ids.to_pylist()]
    edges = [ox.Quad(node(h), relations[r], node(t)) for h, r, t in graph.triples.tolist()]
    return edges + [ox.Quad(node(h), relations[r], value(v)) for h, r, v in graph.literals.statements.tolist()]


def page_counts() -> dict[str, tuple[int, int]]:
    """Return (right, all) by suite, as the page has them."""
    rows = re.findall(r"^\| ((?:RDF 1|JSON-LD)[^|]*) \| ([\d,]+) \| ([\d,]+) \|$", PAGE.read_text(), re.MULTILINE)
    return {suite: (int(right.replace(",", "")), int(n.replace(",", ""))) for suite, right, n in rows}


def page_wrong() -> set[tuple[str, str]]:
    """Return (suite, case) of each case that the page lists as wrong."""
    rows = re.findall(r"^\| ((?:RDF 1|JSON-LD)[^|]*) \| ((?:`[^|]*`)) \| [^|]+ \|$", PAGE.read_text(), re.MULTILINE)
    return {(suite, name) for suite, names in rows for name in re.findall(r"`([^`]+)`", names)}


def test_each_case_is_right_or_listed_with_its_reason(cases: list[Case]) -> None:
    right = {(case.suite, case.name, case.action): is_right(case) for case in cases}
    assert len(right) == len(cases) > 1_600
    wrong = {key[:2] for key, good in right.items() if not good}
    assert wrong - page_wrong() == set(), "wrong, and not listed"
    assert page_wrong() - wrong == set(), "listed as wrong, and right: take it from the list"
    n, n_right = Counter(case.suite for case in cases), Counter(key[0] for key, good in right.items() if good)
    assert {suite: (n_right[suite], n[suite]) for suite in n} == page_counts()
