"""CONSTRUCT rules: what they make of a graph is added to it."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pyoxigraph as ox

from graphrec.checks import typed
from graphrec.errors import ConfigError, DataError, first_line

from ..knowledge_graph import KnowledgeGraph
from ..rdflib_bridge import quads_of
from ..reading.formats import RdfFile
from ..reading.rdf import Encoder
from ..reading.statements import CHUNK_TRIPLES
from .construct import check_construct


@typed
def with_rules(
    kg: KnowledgeGraph, rules: Sequence[str], *, max_triples: int = 10_000_000, languages: Sequence[str] = ("en",)
) -> KnowledgeGraph:
    """Return ``kg`` with the triples that each of ``rules`` makes, in their order: a rule sees what those before made.

    Parameters
    ----------
    rules : sequence of str
        CONSTRUCT queries, such as ``CONSTRUCT { ?a ex:sameSeries ?b } WHERE { ?a ex:series ?s . ?b ex:series ?s }``.
    max_triples : int, default 10,000,000
        Statements that one rule may make, repeated ones included: a join through a hub grows with the square of its
        degree.
    languages : sequence of str, default ("en",)
        Languages of labels, the preferred one first; those of the reading of ``kg``.

    Returns
    -------
    KnowledgeGraph
        Its report is that of ``kg``, with ``n_statements`` of both.

    Raises
    ------
    DataError
        If a rule is no CONSTRUCT, holds SERVICE or FROM, fails, makes no triple or too many, or makes blank nodes,
        which would have other ids each time. The rule is named by its position, from 1.
    """
    if max_triples < 1:
        raise ConfigError(f"max_triples is {max_triples}; it must be 1 or more")
    for position, rule in enumerate(rules, 1):
        try:
            check_construct(rule)
        except DataError as error:
            raise DataError(f"rule {position}: {error}") from error
    if not rules:
        return kg
    store = ox.Store()
    store.bulk_extend(quads_of(kg))
    for position, rule in enumerate(rules, 1):
        # All of a rule's triples before any is added: it does not see its own.
        store.bulk_extend(list(_made(store, rule, position, max_triples)))
    encoder = Encoder()
    encoder.add(RdfFile(Path("the graph and its rules"), "n-quads"), _serialised(store))
    joined = encoder.finish(languages=languages, files=kg.report.files)
    report = replace(kg.report, n_statements=joined.report.n_statements)
    return KnowledgeGraph(joined.triples, joined.entities, joined.relations, joined.labels, joined.literals, report)


def _made(store: ox.Store, rule: str, position: int, max_triples: int) -> Iterator[ox.Quad]:
    """Yield the triples that a rule makes."""
    n = 0
    try:
        for triple in store.query(rule):  # type: ignore[union-attr]
            n += 1
            if n > max_triples:
                raise DataError(
                    f"rule {position} makes more than {max_triples:,} triples; narrow its pattern, or leave hubs out"
                )
            if any(isinstance(term, ox.BlankNode | ox.Triple) for term in (triple.subject, triple.object)):
                raise DataError(
                    f"rule {position} makes a blank node or a triple term ({triple}); "
                    "give it an IRI, with BIND(IRI(…) AS ?x)"
                )
            yield ox.Quad(triple.subject, triple.predicate, triple.object)
    except DataError:
        raise
    except (OSError, ValueError, SyntaxError, RuntimeError) as error:
        raise DataError(f"rule {position} fails: {first_line(error)}") from error
    if not n:
        raise DataError(f"rule {position} makes no triple; look at its patterns, and at the prefixes of its IRIs")


def _serialised(store: ox.Store) -> Iterator[bytes]:
    quads = iter(store)
    while part := list(itertools.islice(quads, CHUNK_TRIPLES)):
        yield ox.serialize(part, format=ox.RdfFormat.N_QUADS) or b""
