"""One small graph in all six syntaxes, and ways to write files."""

from __future__ import annotations

import gzip
import lzma
from pathlib import Path

import numpy as np
import pyarrow as pa

from graphrec.kg.knowledge_graph import KnowledgeGraph

TURTLE = """
@prefix : <http://example.org/> .
@prefix rdfs: <http://www.w3.org/2000/01/rdf-schema#> .
@prefix xsd: <http://www.w3.org/2001/XMLSchema#> .
:dune a :Book ; rdfs:label "Dune"@en , "Der Wüstenplanet"@de ; :author :herbert ; :year 1965 ; :cover [ :width 10 ] .
:hobbit a :Book ; rdfs:label "The \\"Hobbit\\"\\nor there and back\\u00e9 \\U0001F600" ; :author :tolkien ; :year 1937 .
:herbert a :Person ; rdfs:label "Frank Herbert" .
:tolkien a :Person .
"""
NT = """
<http://example.org/dune> <http://www.w3.org/1999/02/22-rdf-syntax-ns#type> <http://example.org/Book> .
<http://example.org/dune> <http://www.w3.org/2000/01/rdf-schema#label> "Dune"@en .
<http://example.org/dune> <http://example.org/author> <http://example.org/herbert> .
# a comment, and a blank line

<http://example.org/herbert> <http://example.org/knows> _:somebody .
_:somebody <http://example.org/age> "7"^^<http://www.w3.org/2001/XMLSchema#integer> .
<http://example.org/hobbit> <http://example.org/author> <http://example.org/tolkien> .
"""
XML = """<?xml version="1.0" encoding="utf-8"?>
<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns:e="http://example.org/">
  <e:Book rdf:about="http://example.org/dune">
    <e:title xml:lang="en">Dune &amp; more</e:title>
    <e:author rdf:resource="http://example.org/herbert"/>
    <e:cover rdf:parseType="Resource"><e:width>10</e:width></e:cover>
  </e:Book>
</rdf:RDF>
"""
JSONLD = """{"@context": {"e": "http://example.org/"}, "@id": "e:dune", "@type": "e:Book",
 "e:title": {"@value": "Dune", "@language": "en"}, "e:author": {"@id": "e:herbert"}, "e:cover": {"e:width": 10}}"""
NQ = NT.replace("<http://example.org/Book> .", "<http://example.org/Book> <http://example.org/g> .")
TRIG = TURTLE.replace(":tolkien a :Person .", ":g { :tolkien a :Person ; :knows :herbert }")

DOCUMENTS = {".ttl": TURTLE, ".nt": NT, ".nq": NQ, ".trig": TRIG, ".rdf": XML, ".jsonld": JSONLD}
RDFLIB_NAMES = {
    ".ttl": "turtle",
    ".nt": "ntriples",
    ".nq": "nquads",
    ".trig": "trig",
    ".rdf": "xml",
    ".jsonld": "json-ld",
}


def write(path: Path, text: str | bytes) -> Path:
    """Write ``text`` to ``path``, compressed as its extension says."""
    data = text.encode() if isinstance(text, str) else text
    if path.suffix == ".gz":
        data = gzip.compress(data, mtime=0)
    elif path.suffix == ".xz":
        data = lzma.compress(data)
    elif path.suffix == ".zst":
        data = pa.compress(data, codec="zstd", asbytes=True)
    path.write_bytes(data)
    return path


def same_graph(left: KnowledgeGraph, right: KnowledgeGraph) -> bool:
    """Return whether two graphs have the same rows, ids, labels and literals (the reports may differ)."""
    return (
        left.entities == right.entities
        and left.relations == right.relations
        and np.array_equal(left.triples, right.triples)
        and bool(left.labels.equals(right.labels))
        and np.array_equal(left.literals.statements, right.literals.statements)
        and bool(left.literals.texts.equals(right.literals.texts))
        and left.literals.languages.to_pylist() == right.literals.languages.to_pylist()
        and left.literals.datatypes.to_pylist() == right.literals.datatypes.to_pylist()
    )
