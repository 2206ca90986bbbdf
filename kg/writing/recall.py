"""Recall results and their reasons as RDF."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pyoxigraph as ox

from graphrec.checks import typed
from graphrec.graph.catalogue import ITEM
from graphrec.graph.relations import REVERSE, is_reverse

from ..iri_templates import check_template
from ..terms import GRAPHREC, LABELS, RDF, TYPE, XSD
from .statements import write_statements

ITEM_TEMPLATE, USER_TEMPLATE = "urn:graphrec:item:{id}", "urn:graphrec:user:{id}"
RECOMMENDATION, REASON, STEP = GRAPHREC + "Recommendation", GRAPHREC + "Reason", GRAPHREC + "Step"
# IRIs of relations and entities that have none of their own: those of tables.
_RELATION, _ENTITY = "urn:graphrec:relation:{id}", "urn:graphrec:entity:{id}"


@typed
def write_recall(
    answers: Iterable[tuple[str, Mapping[str, Any]]],
    path: str | Path,
    *,
    format: str | None = None,  # noqa: A002
    item_template: str = ITEM_TEMPLATE,
    user_template: str = USER_TEMPLATE,
) -> Path:
    """Write what users were recommended, and why.

    Parameters
    ----------
    answers : iterable of (user id, answer)
        Answers as ``Answer.to_dict()`` gives them; each is written as it comes.
    path, format : path, str
        As of :func:`graphrec.kg.writing.graph.write_rdf`.
    item_template, user_template : str
        Their IRIs, ``{id}`` in place of the percent-encoded id: those of the knowledge graph, so that both join.

    Returns
    -------
    Path
        Each candidate is a ``gr:Recommendation`` with ``gr:recommendedTo``, ``gr:recommendedItem``, ``gr:rank``,
        ``gr:score``, a ``gr:channel`` for each that returned it, and ``gr:explanation`` where there is one; the item
        has its title as ``rdfs:label``. Where an entry has ``reasons``, as ``Explanation.to_dict()`` gives them, those
        with a path follow as data: a ``gr:reason`` each, of type ``gr:Reason``, with ``gr:channel``,
        ``gr:explanation``, ``gr:share``, ``gr:contribution``, ``gr:fromItem`` and a ``gr:step`` for each edge of the
        path. A ``gr:Step`` has its ``gr:position``, counted from 1, ``gr:from`` and ``gr:to`` as it is walked, and the
        edge as the graph has it: ``rdf:subject``, ``rdf:predicate``, ``rdf:object``.

    Raises
    ------
    ConfigError
        If a template does not hold ``{id}`` once, or the syntax is unknown.
    """
    check_template(item_template)
    check_template(user_template)
    return write_statements(_all(answers, item_template, user_template), path, format=format)


def _all(
    answers: Iterable[tuple[str, Mapping[str, Any]]], item_template: str, user_template: str
) -> Iterator[ox.Triple]:
    titled: set[str] = set()
    labelled: set[str] = set()
    for user, answer in answers:
        person = _node(user_template, user)
        for rank, entry in enumerate(answer["items"], 1):
            item = _node(item_template, entry["item"])
            node = ox.NamedNode(f"urn:graphrec:recommendation:{quote(user, safe='')}:{rank}")
            yield ox.Triple(node, ox.NamedNode(TYPE), ox.NamedNode(RECOMMENDATION))
            for name, value in _values(entry, rank, person, item):
                yield ox.Triple(node, ox.NamedNode(GRAPHREC + name), value)
            if entry["title"] and entry["item"] not in titled:
                titled.add(entry["item"])
                yield ox.Triple(item, ox.NamedNode(LABELS[0]), ox.Literal(entry["title"]))
            with_path = (reason for reason in entry.get("reasons", ()) if reason["path"])
            for number, reason in enumerate(with_path, 1):
                why = ox.NamedNode(f"{node.value}:reason:{number}")
                yield ox.Triple(node, ox.NamedNode(GRAPHREC + "reason"), why)
                yield from _reason(reason, why, item_template, labelled)


def _reason(
    reason: Mapping[str, Any], why: ox.NamedNode, item_template: str, labelled: set[str]
) -> Iterator[ox.Triple]:
    """Yield a reason and its path; ``labelled`` are nodes whose names are written, and grows."""
    path = reason["path"]
    nodes = [_on_path(node, item_template) for node in path]
    yield ox.Triple(why, ox.NamedNode(TYPE), ox.NamedNode(REASON))
    yield ox.Triple(why, ox.NamedNode(GRAPHREC + "channel"), ox.Literal(reason["channel"]))
    yield ox.Triple(why, ox.NamedNode(GRAPHREC + "explanation"), ox.Literal(reason["text"]))
    yield ox.Triple(why, ox.NamedNode(GRAPHREC + "fromItem"), nodes[0])
    for name in ("share", "contribution"):
        if reason[name] is not None:
            yield ox.Triple(why, ox.NamedNode(GRAPHREC + name), _double(reason[name]))
    for node, term in zip(path, nodes, strict=True):
        if node["label"] and term.value not in labelled:
            labelled.add(term.value)
            yield ox.Triple(term, ox.NamedNode(LABELS[0]), ox.Literal(node["label"]))
    for position, (start, stop, node) in enumerate(zip(nodes, nodes[1:], path[1:], strict=False), 1):
        step = ox.NamedNode(f"{why.value}:step:{position}")
        yield ox.Triple(why, ox.NamedNode(GRAPHREC + "step"), step)
        yield ox.Triple(step, ox.NamedNode(TYPE), ox.NamedNode(STEP))
        for predicate, value in _edge(start, stop, node["relation"], position):
            yield ox.Triple(step, ox.NamedNode(predicate), value)


def _edge(
    start: ox.NamedNode, stop: ox.NamedNode, relation: str, position: int
) -> Iterator[tuple[str, ox.NamedNode | ox.Literal]]:
    """Yield a step as it is walked, and the edge in its own direction."""
    yield GRAPHREC + "position", ox.Literal(str(position), datatype=ox.NamedNode(XSD + "integer"))
    yield GRAPHREC + "from", start
    yield GRAPHREC + "to", stop
    head, tail = (stop, start) if is_reverse(relation) else (start, stop)
    yield RDF + "subject", head
    yield RDF + "predicate", _named(relation.removeprefix(REVERSE), _RELATION)
    yield RDF + "object", tail


def _on_path(node: Mapping[str, Any], item_template: str) -> ox.NamedNode:
    return _node(item_template, node["id"]) if node["kind"] == ITEM else _named(node["id"], _ENTITY)


def _named(name: str, template: str) -> ox.NamedNode:
    """Return a name that is an absolute IRI as it is, and any other by ``template``."""
    try:
        return ox.NamedNode(name)
    except ValueError:
        return _node(template, name)


def _double(value: float) -> ox.Literal:
    return ox.Literal(repr(float(value)), datatype=ox.NamedNode(XSD + "double"))


def _values(
    entry: Mapping[str, Any], rank: int, person: ox.NamedNode, item: ox.NamedNode
) -> Iterator[tuple[str, ox.NamedNode | ox.Literal]]:
    yield "recommendedTo", person
    yield "recommendedItem", item
    yield "rank", ox.Literal(str(rank), datatype=ox.NamedNode(XSD + "integer"))
    yield "score", _double(entry["score"])
    for channel in sorted(entry["channels"]):
        yield "channel", ox.Literal(channel)
    if entry.get("explanation"):
        yield "explanation", ox.Literal(entry["explanation"])


def _node(template: str, name: str) -> ox.NamedNode:
    return ox.NamedNode(template.replace("{id}", quote(name, safe="")))
