from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
import rdflib
import rdflib.plugins.sparql
from rdflib.compare import isomorphic

from graphrec.errors import DataError
from graphrec.kg.rdflib_bridge import check_query, from_rdflib, select, to_rdflib
from graphrec.kg.reading.no_network import no_network
from graphrec.kg.reading.rdf import read_rdf
from tests.kg.reading.documents import JSONLD, TURTLE, XML, same_graph, write


class Listener:
    """A web server on loopback that counts who calls."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        calls = self.calls

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                calls.append(self.path)
                self.send_response(200)
                self.end_headers()
                self.wfile.write(b'{"@context": {"name": "http://schema.org/name"}}')

            do_POST = do_GET  # noqa: N815

            def log_message(self, *_: object) -> None:
                return

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/x"


# rdflib 7.6 warns of its own use of an old class when it reads JSON-LD.
rdflib_warns = pytest.mark.filterwarnings("ignore:ConjunctiveGraph:DeprecationWarning")


@pytest.fixture
def listener() -> Iterator[Listener]:
    one = Listener()
    thread = threading.Thread(target=one.server.serve_forever, daemon=True)
    thread.start()
    yield one
    one.server.shutdown()
    thread.join()
    one.server.server_close()


@pytest.fixture
def graph(tmp_path: Path) -> rdflib.Graph:
    return to_rdflib(write(tmp_path / "a.ttl", TURTLE))


def test_to_rdflib_holds_the_document(graph: rdflib.Graph) -> None:
    oracle = rdflib.Graph().parse(data=TURTLE, format="turtle")
    assert len(graph) == len(oracle)
    copy = rdflib.Graph()
    for s, p, o in graph:
        # xsd:string and no datatype are one thing in RDF 1.1, but not in rdflib.
        plain = isinstance(o, rdflib.Literal) and str(o.datatype).endswith("#string")
        copy.add((s, p, rdflib.Literal(str(o)) if plain else o))
    assert isomorphic(copy, oracle)


def test_round_trip_of_a_knowledge_graph(tmp_path: Path) -> None:
    for name, text in (("a.ttl", TURTLE), ("b.rdf", XML), ("c.jsonld", JSONLD)):
        kg = read_rdf(write(tmp_path / name, text))
        assert same_graph(from_rdflib(to_rdflib(kg)), kg)


def test_from_a_plain_rdflib_graph() -> None:
    kg = from_rdflib(rdflib.Graph().parse(data=TURTLE, format="turtle"))
    assert len(kg.triples) == 7
    assert len(kg.literals) == 7


def test_from_rdflib_refuses_what_is_no_rdf() -> None:
    bad = rdflib.Graph()
    bad.add((rdflib.URIRef("http://a b"), rdflib.URIRef("http://p"), rdflib.Literal(1)))
    with pytest.raises(DataError, match=r"http://a b.*no RDF"):
        from_rdflib(bad)
    with pytest.raises(DataError, match="holds no triples"):
        from_rdflib(rdflib.Graph())


@pytest.mark.parametrize("engine", ["oxigraph", "rdflib"])
def test_select(graph: rdflib.Graph, engine: str) -> None:
    asked = graph if engine == "oxigraph" else rdflib.Graph().parse(data=TURTLE, format="turtle")
    query = """PREFIX : <http://example.org/> SELECT ?book ?year ?cover { ?book a :Book ; :year ?year
               OPTIONAL { ?book :nothing ?cover } } ORDER BY ?year"""
    table = select(asked, query)
    assert table.columns == ["book", "year", "cover"]
    assert table.rows() == [("http://example.org/hobbit", "1937", None), ("http://example.org/dune", "1965", None)]
    assert select(asked, "ASK { ?s <http://example.org/author> ?o }").item() is True
    assert select(asked, 'SELECT ("service <x> # no" AS ?t) {}').item() == "service <x> # no"


REFUSED = {
    "service": ("SELECT * { SERVICE <URL> { ?s ?p ?o } }", "SERVICE"),
    "silent": ("SELECT * { ?s ?p ?o OPTIONAL { SERVICE SILENT <URL> { ?s ?p ?o } } }", "SERVICE"),
    "subquery": ("SELECT * { { SELECT ?s { { ?s ?p ?o } UNION { SERVICE <URL> { ?s ?p ?o } } } } }", "SERVICE"),
    "filter": ("SELECT * { ?s ?p ?o FILTER NOT EXISTS { SERVICE <URL> { ?s ?p ?o } } }", "SERVICE"),
    "expression": ("SELECT (EXISTS { SERVICE <URL> { ?s ?p ?o } } AS ?x) { ?a ?b ?c }", "SERVICE"),
    "minus": ("ASK { ?s ?p ?o MINUS { GRAPH ?g { SERVICE ?o { ?s ?p ?o } } } }", "SERVICE"),
    "escaped": ("SELECT * { \\u0053ERVICE <URL> { ?s ?p ?o } }", "SERVICE"),
    "having": ("SELECT ?s { ?s ?p ?o } GROUP BY ?s HAVING (EXISTS { SERVICE <URL> { ?s ?p ?o } })", "SERVICE"),
    "from": ("SELECT * FROM <URL> { ?s ?p ?o }", "FROM"),
    "from file": ("SELECT * FROM <file:///etc/passwd> { ?s ?p ?o }", "FROM"),
    "from named": ("SELECT * FROM NAMED <URL> { GRAPH ?g { ?s ?p ?o } }", "FROM"),
    "ask from": ("ASK FROM <URL> { ?s ?p ?o }", "FROM"),
    "load": ("LOAD <URL>", "update"),
    "load silent": ("LOAD SILENT <file:///etc/passwd> INTO GRAPH <http://g>", "update"),
    "insert": ("INSERT DATA { <http://a> <http://b> <http://c> }", "update"),
    "delete": ("DELETE WHERE { ?s ?p ?o }", "update"),
    "clear": ("CLEAR ALL", "update"),
    "two": ("INSERT DATA { <http://a> <http://b> <http://c> } ; LOAD <URL>", "update"),
    "construct": ("CONSTRUCT { ?s ?p ?o } WHERE { SERVICE <URL> { ?s ?p ?o } }", "CONSTRUCT"),
    "describe": ("DESCRIBE <URL>", "DESCRIBE"),
    "nonsense": ("SELECT everything", "no SPARQL"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_select_never_leaves_the_graph(graph: rdflib.Graph, listener: Listener, case: str) -> None:
    query, sentence = REFUSED[case]
    n = len(graph)
    for asked in (graph, rdflib.Graph().parse(data=TURTLE, format="turtle")):
        with pytest.raises(DataError, match=sentence) as caught:
            select(asked, query.replace("URL", listener.url))
        assert "\n" not in str(caught.value)
    assert listener.calls == []
    assert len(graph) == n


@rdflib_warns
def test_the_listener_would_have_heard(listener: Listener) -> None:
    """Unguarded rdflib does call: the other tests would notice."""
    text = f'{{"@context": "{listener.url}", "@id": "http://a", "name": "x"}}'
    assert len(rdflib.Graph().parse(data=text, format="json-ld")) == 1
    assert listener.calls


@pytest.mark.parametrize("address", ["URL", "file:///etc/hostname"])
@pytest.mark.parametrize("form", ['"{}"', '["{}"]', '{{"@import": "{}"}}'])
def test_remote_contexts_are_never_fetched(tmp_path: Path, listener: Listener, address: str, form: str) -> None:
    context = form.format(address.replace("URL", listener.url))
    path = write(tmp_path / "a.jsonld", f'{{"@context": {context}, "@id": "http://a", "name": "x"}}')
    for read in (read_rdf, to_rdflib):
        with pytest.raises(DataError, match=r"a\.jsonld names a remote JSON-LD @context"):
            read(path)
    assert listener.calls == []


def test_external_entities_are_never_fetched(tmp_path: Path, listener: Listener) -> None:
    path = write(tmp_path / "a.rdf", XML.replace("?>\n", f'?>\n<!DOCTYPE r SYSTEM "{listener.url}">', 1))
    for read in (read_rdf, to_rdflib):
        with pytest.raises(DataError, match="DOCTYPE"):
            read(path)
    assert listener.calls == []


@rdflib_warns
def test_guard_denies_network_and_files(tmp_path: Path, listener: Listener) -> None:
    secret = write(tmp_path / "secret.ttl", TURTLE)
    text = f'{{"@context": "{listener.url}", "@id": "http://a", "name": "x"}}'
    with no_network():
        with pytest.raises(DataError, match="nothing is ever fetched"):
            rdflib.Graph().parse(data=text, format="json-ld")
        with pytest.raises(DataError, match=r"tried to open the file .*secret\.ttl"):
            rdflib.Graph().parse(secret)
        with pytest.raises(DataError, match=r"tried to open the file|tried to reach"):
            rdflib.Graph().parse(secret.as_uri(), format="turtle")
        with pytest.raises(DataError, match="tried to reach"):
            socket.create_connection(("127.0.0.1", listener.server.server_port))
    assert listener.calls == []
    # Outside of it, and in other threads, nothing changes.
    assert len(rdflib.Graph().parse(secret)) > 0
    seen: list[int] = []
    with no_network():
        other = threading.Thread(target=lambda: seen.append(len(secret.read_text(encoding="utf-8"))))
        other.start()
        other.join()
    assert seen


def test_sparql_loading_is_switched_off() -> None:
    assert rdflib.plugins.sparql.SPARQL_LOAD_GRAPHS is False


def test_check_query_accepts_names_that_look_alike() -> None:
    check_query("PREFIX service: <http://e/service#> SELECT ?service { ?service service:from service:service }")


def test_empty_document(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"a\.ttl holds no triples"):
        to_rdflib(write(tmp_path / "a.ttl", "# nothing"))
