"""Graphs from endpoints: a real one page by page, and servers with every fault that endpoints have."""

from __future__ import annotations

import itertools
import logging
import re
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from graphrec.errors import ConfigError, DataError, FetchError
from graphrec.kg.knowledge_graph import KnowledgeGraph
from graphrec.kg.reading.rdf import read_rdf
from graphrec.kg.sparql.endpoint import read_sparql
from tests.kg.sparql.servers import answer, oxigraph_server, server_that

ALL = "CONSTRUCT { ?s ?p ?o } WHERE { ?s ?p ?o } ORDER BY ?s ?p ?o"
# Every kind of term; no blank nodes, which are other nodes on each page.
GRAPH = "@prefix : <http://e.org/> .\n@prefix s: <https://schema.org/> .\n" + "\n".join(
    f':b{n} a s:Book ; s:name "Book \\"{n}\\" é"@en , "Buch {n}"@de ; s:author :a{n % 7} ; :year {1990 + n % 20} .'
    for n in range(40)
)


def same(one: KnowledgeGraph, other: KnowledgeGraph) -> bool:
    """Return whether two graphs hold the same statements and labels."""
    return (
        one.entities == other.entities
        and one.relations == other.relations
        and one.triples.tolist() == other.triples.tolist()
        and one.labels.equals(other.labels)
        and one.literals.statements.tolist() == other.literals.statements.tolist()
        and one.literals.texts.equals(other.literals.texts)
        and one.literals.languages.to_pylist() == other.literals.languages.to_pylist()
        and one.literals.datatypes.to_pylist() == other.literals.datatypes.to_pylist()
    )


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with oxigraph_server(GRAPH) as address:
        yield address


@pytest.fixture(scope="module")
def graph(tmp_path_factory: pytest.TempPathFactory) -> KnowledgeGraph:
    path = tmp_path_factory.mktemp("graph") / "graph.ttl"
    path.write_text(GRAPH, encoding="utf-8")
    return read_rdf(path)


@pytest.mark.parametrize("page", [1000, 37, 200, None])
def test_pages_make_the_graph_that_the_file_holds(endpoint: str, graph: KnowledgeGraph, page: int | None) -> None:
    read: list[int] = []
    kg = read_sparql(endpoint, ALL, page=page, progress=lambda _name, n: read.append(n))
    assert same(kg, graph)
    assert len(read) == (1 if page is None else -(-200 // page))
    assert read[-1] == 200
    assert kg.report.files == (endpoint,)


def test_a_query_with_a_limit_is_asked_once(endpoint: str) -> None:
    kg = read_sparql(endpoint, "CONSTRUCT WHERE { ?s <https://schema.org/author> ?o } LIMIT 5 # {", page=2)
    assert len(kg.triples) == 5
    limited = (
        "CONSTRUCT { ?s <http://e.org/by> ?o } WHERE { { SELECT * { ?s <https://schema.org/author> ?o } LIMIT 9 } }"
    )
    assert len(read_sparql(endpoint, limited, page=4).triples) == 9


def test_pages_without_an_order_are_remarked(endpoint: str, caplog: pytest.LogCaptureFixture) -> None:
    unordered = "CONSTRUCT { ?s ?p ?o } WHERE { ?s ?p ?o }"
    with caplog.at_level(logging.WARNING):
        read_sparql(endpoint, unordered, page=1000)
        assert not caplog.records
        read_sparql(endpoint, unordered, page=90)
    assert len([record for record in caplog.records if "without ORDER BY" in record.getMessage()]) == 1


def test_nothing_is_an_error(endpoint: str) -> None:
    with pytest.raises(DataError, match="made no triple of the query; look at its patterns"):
        read_sparql(endpoint, "CONSTRUCT WHERE { ?s <http://e.org/nothing> ?o }")


def test_more_than_the_cap_is_refused(endpoint: str) -> None:
    with pytest.raises(DataError, match="gave more than 100 triples; narrow the query, or raise max_triples"):
        read_sparql(endpoint, ALL, page=30, max_triples=100)


def test_what_the_endpoint_refuses_is_said(endpoint: str) -> None:
    with pytest.raises(DataError, match=r"refused the query: 40\d"):
        read_sparql(endpoint.replace("/query", "/nothing"), ALL)


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("SELECT * { ?s ?p ?o }", "the query is a SELECT; only CONSTRUCT is answered here"),
        ("CONSTRUCT { ?s ?p ?o } FROM <http://e.org/x> WHERE { ?s ?p ?o }", "FROM or FROM NAMED"),
        ("CONSTRUCT { ?s ?p ?o } WHERE { SERVICE <http://e.org/x> { ?s ?p ?o } }", "holds SERVICE"),
        ("CONSTRUCT { ?s ?p ?o } WHERE { { SELECT * { SeRvIcE ?x { ?s ?p ?o } } } }", "holds SERVICE"),
        ("CONSTRUCT { ?s ?p ?o } WHERE { \\u0053ERVICE ?x { ?s ?p ?o } }", "SERVICE|no SPARQL"),
        ("LOAD <http://e.org/x>", "is a SPARQL update"),
        ("CONSTRUCT {", "no SPARQL that can be read"),
        ("CONSTRUCT WHERE " + "{" * 5000 + "}" * 5000, "nests 5000 brackets; at most 32"),
        ("CONSTRUCT WHERE { ?s ?p ?o }" + " " * 300_000, "300,028 characters"),
        ("CONSTRUCT WHERE { ?s ?p ?o } VALUES ?s { <http://e.org/a> }", "put VALUES inside WHERE"),
    ],
)
def test_queries_that_are_refused_before_anything_is_asked(query: str, sentence: str) -> None:
    with pytest.raises(DataError, match=sentence):
        read_sparql("http://127.0.0.1:9/none", query)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"endpoint": "file:///etc/passwd"}, "must be an address such as"),
        ({"endpoint": "e.org/sparql"}, "must be an address such as"),
        ({"page": 0}, "page is 0"),
        ({"max_triples": 0}, "max_triples is 0"),
        ({"timeout_s": -1.0}, "timeout_s is -1.0"),
        ({"timeout_s": float("nan")}, "timeout_s is nan"),
        ({"retries": -1}, "retries is -1"),
    ],
)
def test_illegal_settings(settings: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        read_sparql(**{"endpoint": "http://127.0.0.1:9/none", "query": ALL, **settings})


LINES = [f"<http://e.org/s{n:02}> <http://e.org/p> <http://e.org/o{n % 5}> .\n".encode() for n in range(20)]


def page_lines(query: str) -> bytes:
    """Return what an endpoint without a fault answers."""
    limit, offset = re.search(r"LIMIT (\d+) OFFSET (\d+)", query).groups()  # type: ignore[union-attr]
    return b"".join(LINES[int(offset) : int(offset) + int(limit)])


def read(address: str, **settings: Any) -> KnowledgeGraph:
    return read_sparql(address, ALL, **{"page": 8, "backoff_s": 0.01, "timeout_s": 20.0, "retries": 2, **settings})


def test_an_endpoint_that_is_busy_is_asked_again() -> None:
    turns = itertools.count()

    def busy(handler: BaseHTTPRequestHandler, query: str) -> None:
        if next(turns) < 2:
            answer(handler, b"later", "text/plain", status=503, Retry_After="0")
        else:
            answer(handler, page_lines(query))

    with server_that(busy) as address:
        assert len(read(address).triples) == 20
    turns = itertools.count(-100)
    with (
        server_that(busy) as address,
        pytest.raises(FetchError, match=r"answered 503 \(Service Unavailable\) \(tried 3 times\)"),
    ):
        read(address)


def test_an_answer_that_is_cut_is_asked_for_again() -> None:
    turns = itertools.count()

    def cuts(handler: BaseHTTPRequestHandler, query: str) -> None:
        content = page_lines(query)
        answer(handler, content, length=len(content) + 10 if next(turns) == 0 else None)

    with server_that(cuts) as address:
        assert len(read(address).triples) == 20

    def always(handler: BaseHTTPRequestHandler, query: str) -> None:
        answer(handler, page_lines(query), length=10_000)

    with server_that(always) as address, pytest.raises(FetchError, match="cut its answer"):
        read(address)


def test_an_endpoint_that_is_silent_or_drips_is_given_up() -> None:
    def silent(_handler: BaseHTTPRequestHandler, _query: str) -> None:
        time.sleep(1.5)

    with server_that(silent) as address, pytest.raises(FetchError, match=r"did not answer within 0.3 s \(tried once\)"):
        read(address, timeout_s=0.3, retries=0)

    def drips(handler: BaseHTTPRequestHandler, _query: str) -> None:
        answer(handler, b"", length=1000)
        for _ in range(20):
            handler.wfile.write(b"#")
            time.sleep(0.1)

    with server_that(drips) as address, pytest.raises(FetchError, match=r"did not answer within 0.5 s"):
        read(address, timeout_s=0.5, retries=0)


def test_nobody_there() -> None:
    with pytest.raises(FetchError, match=r"cannot be asked: .*refused.* \(tried 3 times\)"):
        read("http://127.0.0.1:9/sparql")


@pytest.mark.parametrize(
    ("content", "headers", "sentence"),
    [
        (b"<html><title>Log\nin</title></html>", {"kind": "text/html"}, r"a web page \('Log in'\), not with RDF"),
        (b" <!DOCTYPE html><p>Hello", {"kind": "text/plain"}, "answered with a web page, not with RDF"),
        (b"{}", {"kind": "application/sparql-results+json"}, "sparql-results.json, which is no RDF; legal: "),
        (LINES[0][:40], {}, "its answer is no whole n-triples document"),
        (b"<http://e.org/a> <http://e.org/b> <http", {"kind": "text/turtle"}, "its answer is no whole turtle document"),
        (b"\xff\xfe", {"kind": "text/turtle"}, "its answer is no whole turtle document"),
        (b"no rights", {"kind": "text/plain", "status": 401}, r"refused the query: 401 \(Unauthorized\): no rights"),
        (LINES[0], {"X_SQL_State": "S1TAT"}, "says that its answer is partial"),
        (b"", {"status": 302, "Location": "file:///etc/passwd"}, "redirects to 'file:///etc/passwd'|refused the query"),
    ],
)
def test_answers_that_are_no_graph(content: bytes, headers: dict[str, Any], sentence: str) -> None:
    with (
        server_that(lambda handler, _query: answer(handler, content, **headers)) as address,
        pytest.raises(DataError, match=sentence) as refused,
    ):
        read(address)
    assert "\n" not in str(refused.value)


def test_an_endpoint_that_does_not_page() -> None:
    with (
        server_that(lambda handler, _query: answer(handler, LINES[0])) as address,
        pytest.raises(DataError, match="answers OFFSET 8 like OFFSET 0: it does not page"),
    ):
        read(address)


def test_an_endpoint_that_gives_fewer_than_it_is_asked_for() -> None:
    def capped(handler: BaseHTTPRequestHandler, query: str) -> None:
        answer(handler, b"".join(page_lines(query).splitlines(keepends=True)[:5]))

    with server_that(capped) as address, pytest.raises(DataError, match="the first page of 8 solutions lacks its last"):
        read(address)

    def says_so(handler: BaseHTTPRequestHandler, query: str) -> None:
        answer(handler, b"".join(page_lines(query).splitlines(keepends=True)[:5]), X_SPARQL_MaxRows="5")

    with server_that(says_so) as address:
        assert len(read(address).triples) == 20


def test_an_endpoint_whose_order_changes() -> None:
    turns = itertools.count()

    def shuffles(handler: BaseHTTPRequestHandler, query: str) -> None:
        turn = next(turns)
        lines = [LINES[(n * 7 + turn * 9) % 20] for n in range(20)]
        limit, offset = map(int, re.search(r"LIMIT (\d+) OFFSET (\d+)", query).groups())  # type: ignore[union-attr]
        answer(handler, b"".join(lines[offset : offset + limit]))

    with server_that(shuffles) as address, pytest.raises(DataError, match=r"another order each time.*ORDER BY"):
        read(address)


def test_the_request_is_that_of_the_protocol() -> None:
    seen: list[Any] = []

    def notes(handler: BaseHTTPRequestHandler, query: str) -> None:
        seen.append((handler.command, dict(handler.headers), query))
        answer(handler, page_lines(query))

    with server_that(notes) as address:
        read(address, headers={"Authorization": "Basic eDp5"}, page=100)
    command, headers, query = seen[0]
    assert command == "POST"
    assert headers["Authorization"] == "Basic eDp5"
    assert headers["User-Agent"].startswith("graphrec/")
    assert query == f"{ALL}\nLIMIT 100 OFFSET 0"


def test_blank_nodes_of_two_pages_do_not_meet(tmp_path: Path) -> None:
    def blanks(handler: BaseHTTPRequestHandler, query: str) -> None:
        n = int(query.rpartition(" ")[2]) // 8
        lines = [f"_:b0 <http://e.org/p> <http://e.org/o{n}> .\n_:b0 <http://e.org/q> <http://e.org/r> .\n"]
        answer(handler, "".join(lines).encode() if n < 2 and "LIMIT 8" in query else b"")

    with server_that(blanks) as address:
        kg = read(address)
    assert len(kg.triples) == 4
    assert len({head for head, _, _ in kg.triples.tolist()}) == 2
