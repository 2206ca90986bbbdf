"""Triple terms of RDF 1.2 as nodes with edges: what a graph of int32 rows has no place for, written in RDF 1.1."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b
from typing import Literal

import pyoxigraph as ox

from ..terms import RDF, TYPE

TripleTerms = Literal["count", "reify"]
Term = ox.NamedNode | ox.BlankNode | ox.Literal | ox.Triple

_CANDIDATE = re.compile(rb"^.*? <<\(.*\n", re.MULTILINE)
_TYPE = ox.NamedNode(TYPE)
_STATEMENT = ox.NamedNode(RDF + "Statement")
_SUBJECT, _PREDICATE, _OBJECT = (ox.NamedNode(RDF + name) for name in ("subject", "predicate", "object"))


@dataclass(frozen=True, slots=True)
class Reified:
    """A chunk of canonical N-Quads without triple terms: its ``statements``, and those ``added`` to say the terms."""

    statements: bytes
    added: bytes


def reified(chunk: bytes) -> Reified:
    """Return ``chunk`` with each triple term replaced by a blank node that four statements describe.

    The node of ``<<( s p o )>>`` is an ``rdf:Statement`` with ``rdf:subject``, ``rdf:predicate`` and ``rdf:object``.
    Its label is a hash of the three, so that one term is one node within a file wherever it stands. What is added goes
    to the graph of the statement that holds the term. O(len(chunk)), times the depth of the terms.
    """
    lines = _CANDIDATE.findall(chunk) if b" <<(" in chunk else []
    if not lines:
        return Reified(chunk, b"")
    quads = list(ox.parse(b"".join(lines), ox.RdfFormat.N_QUADS))
    added: dict[ox.Quad, None] = {}
    for position, quad in enumerate(quads):
        if isinstance(quad.object, ox.Triple):
            node, description = _described(quad.object)
            added.update((ox.Quad(*triple, quad.graph_name), None) for triple in description)
            quads[position] = ox.Quad(quad.subject, quad.predicate, node, quad.graph_name)
    return Reified(_CANDIDATE.sub(b"", chunk) + _written(quads), _written(added))


def _described(term: ox.Triple) -> tuple[ox.BlankNode, list[tuple[ox.BlankNode, ox.NamedNode, Term]]]:
    """Return the node that stands for ``term``, and what is said of it and of the terms inside it."""
    chain = [term]
    while isinstance(inner := chain[-1].object, ox.Triple):  # a loop: terms may nest deeper than Python recurses
        chain.append(inner)
    description: list[tuple[ox.BlankNode, ox.NamedNode, Term]] = []
    value: Term = chain[-1].object
    for triple in reversed(chain):
        key = f"{triple.subject} {triple.predicate} {value}".encode()
        node = ox.BlankNode("t" + blake2b(key, digest_size=16).hexdigest())
        parts = ((_TYPE, _STATEMENT), (_SUBJECT, triple.subject), (_PREDICATE, triple.predicate), (_OBJECT, value))
        description += [(node, predicate, part) for predicate, part in parts]
        value = node
    return node, description


def _written(quads: Iterator[ox.Quad] | list[ox.Quad] | dict[ox.Quad, None]) -> bytes:
    return ox.serialize(iter(quads), format=ox.RdfFormat.N_QUADS) or b""
