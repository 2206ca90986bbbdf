"""What is written is what was there: every syntax read back, terms of every kind, the same bytes each time."""

from __future__ import annotations

import random
from pathlib import Path

import polars as pl
import pytest
import rdflib

from graphrec.data.vocabulary import Vocabulary
from graphrec.errors import ConfigError, DataError
from graphrec.kg.knowledge_graph import KnowledgeGraph
from graphrec.kg.linking import link_by_literal, link_by_template
from graphrec.kg.reading.rdf import read_rdf
from graphrec.kg.writing.graph import graph_to_networkx, write_links, write_rdf, write_triples
from tests.kg.sparql.test_endpoint import same

TURTLE = r"""@prefix : <http://e.org/> .
@prefix s: <https://schema.org/> .
:a a s:Book ; s:name "q\" b\\ n\n r\r t\t nul-less \u0001 \u202E \U0001F600 é"@en , "x"@de-CH , "x" ; :p :b , :c , _:n .
_:n :q [ :r "1"^^<http://www.w3.org/2001/XMLSchema#integer> , 2.5 , true , ""^^:own ] .
<urn:isbn:1> :p <http://e.org/%C5%A1> , <http://e.org/š> .
<http://e.org/x#y> :p ( :a "b" ) .
"""
EXTENSIONS = [".ttl", ".nt", ".nq", ".trig", ".rdf", ".jsonld", ".ttl.gz", ".nt.gz"]


@pytest.fixture
def kg(tmp_path: Path) -> KnowledgeGraph:
    (tmp_path / "graph.ttl").write_text(TURTLE.replace(r"\u0001 ", ""), encoding="utf-8")
    return read_rdf(tmp_path / "graph.ttl")


@pytest.mark.parametrize("extension", EXTENSIONS)
def test_every_syntax_is_read_back_as_the_same_graph(kg: KnowledgeGraph, tmp_path: Path, extension: str) -> None:
    path = write_rdf(kg, tmp_path / f"out{extension}")
    assert same(read_rdf(path), kg)
    first = path.read_bytes()
    assert write_rdf(kg, path).read_bytes() == first


@pytest.mark.parametrize("name", ["turtle", "ntriples", "jsonld", "rdf-xml"])
def test_the_format_goes_before_the_extension(kg: KnowledgeGraph, tmp_path: Path, name: str) -> None:
    path = write_rdf(kg, tmp_path / "out.txt", format=name)
    read_as = {"ntriples": "n-triples", "jsonld": "json-ld"}.get(name, name)
    assert same(read_rdf(path, format=read_as), kg)


def test_controls_go_through_what_can_hold_them(tmp_path: Path) -> None:
    (tmp_path / "graph.ttl").write_text(TURTLE, encoding="utf-8")
    kg = read_rdf(tmp_path / "graph.ttl")
    for extension in (".ttl", ".nt", ".jsonld"):
        assert same(read_rdf(write_rdf(kg, tmp_path / f"out{extension}")), kg)
    with pytest.raises(DataError, match=r"a value of <https://schema.org/name> holds U\+0001, which XML cannot"):
        write_rdf(kg, tmp_path / "out.rdf")


def test_another_program_reads_the_same(kg: KnowledgeGraph, tmp_path: Path) -> None:
    theirs = rdflib.Graph().parse(write_rdf(kg, tmp_path / "out.ttl"))
    plain = rdflib.Graph().parse(write_rdf(kg, tmp_path / "out.nt"), format="nt")
    assert len(theirs) == len(kg.triples) + len(kg.literals)
    assert set(theirs) == set(plain)


def test_the_order_of_the_source_leaves_no_trace(tmp_path: Path) -> None:
    values = [f"<http://e.org/o{n}>" if n % 2 else f'"v{n}"' for n in range(60)]
    lines = [f"<http://e.org/s{n % 7}> <http://e.org/p{n % 3}> {value} ." for n, value in enumerate(values)]
    written = []
    for seed in range(3):
        random.Random(seed).shuffle(lines)
        (tmp_path / "in.nt").write_text("\n".join(lines) + "\n", encoding="utf-8")
        written.append(write_rdf(read_rdf(tmp_path / "in.nt"), tmp_path / f"{seed}.ttl").read_bytes())
    assert written[0] == written[1] == written[2]


def test_a_table_of_triples_holds_every_statement(kg: KnowledgeGraph, tmp_path: Path) -> None:
    table = pl.read_parquet(write_triples(kg, tmp_path / "new" / "triples.parquet"))
    assert table.columns == ["head", "relation", "tail", "datatype", "language"]
    edges = [(kg.entities[h], kg.relations[r], kg.entities[t], None, None) for h, r, t in kg.triples.tolist()]
    texts, datatypes, languages = (
        column.to_pylist() for column in (kg.literals.texts, kg.literals.datatypes, kg.literals.languages)
    )
    facts = [
        (kg.entities[h], kg.relations[r], texts[v], datatypes[v], languages[v])
        for h, r, v in kg.literals.statements.tolist()
    ]
    assert sorted(table.rows(), key=str) == sorted([*edges, *facts], key=str)
    assert [row[:2] for row in table.rows()] == sorted(row[:2] for row in table.rows())
    assert table.height == len(kg.triples) + len(kg.literals)


def test_networkx_has_the_edges(kg: KnowledgeGraph) -> None:
    graph = graph_to_networkx(kg)
    edges = {(kg.entities[h], kg.entities[t], kg.relations[r]) for h, r, t in kg.triples.tolist()}
    assert set(graph.edges(keys=True)) == edges
    assert graph.nodes["http://e.org/a"]["label"].startswith('q" b')
    with pytest.raises(DataError, match="raise max_edges"):
        graph_to_networkx(kg, max_edges=3)


def test_links_are_read_back(tmp_path: Path) -> None:
    rows = [f"<http://e.org/b/{n}> <http://e.org/p> <http://e.org/c> ." for n in range(5)]
    (tmp_path / "in.nt").write_text("\n".join(rows) + "\n", encoding="utf-8")
    kg = read_rdf(tmp_path / "in.nt")
    items = Vocabulary(["4", "none", "0", "2"])
    linking = link_by_template(items, kg, "http://e.org/b/{id}")
    links = write_links(linking, items, kg, tmp_path / "links.nt")
    both = read_rdf([tmp_path / "in.nt", links])
    again = link_by_literal(items, both, "identifier", list(items))
    assert [both.entities[e] if e >= 0 else None for e in again.entities.tolist()] == [
        kg.entities[e] if e >= 0 else None for e in linking.entities.tolist()
    ]
    with pytest.raises(DataError, match="the linking is of 4 items"):
        write_links(linking, Vocabulary(["1"]), kg, tmp_path / "links.nt")


def test_what_cannot_be_written_leaves_what_was_there(tmp_path: Path) -> None:
    (tmp_path / "in.nt").write_text("<http://e.org/a> <http://e.org/1> <http://e.org/b> .\n", encoding="utf-8")
    kg = read_rdf(tmp_path / "in.nt")
    target = tmp_path / "out.rdf"
    target.write_text("before", encoding="utf-8")
    with pytest.raises(DataError, match=r"the predicate <http://e.org/1> does not end in a name of XML"):
        write_rdf(kg, target)
    assert target.read_text(encoding="utf-8") == "before"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.nt", "out.rdf"]


@pytest.mark.parametrize(
    ("name", "format_", "sentence"),
    [
        ("out.xyz", None, "unknown extension '.xyz'; legal: .ttl"),
        ("out.ttl", "turtel", "'turtel' is unknown; legal: turtle"),
    ],
)
def test_unknown_formats(kg: KnowledgeGraph, tmp_path: Path, name: str, format_: str | None, sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        write_rdf(kg, tmp_path / name, format=format_)
