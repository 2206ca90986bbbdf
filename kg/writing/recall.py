"""Recall results and their reasons as RDF."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pyoxigraph as ox

from graphrec.checks import typed

from ..iri_templates import check_template
from ..terms import GRAPHREC, LABELS, TYPE, XSD
from .statements import write_statements

ITEM_TEMPLATE, USER_TEMPLATE = "urn:graphrec:item:{id}", "urn:graphrec:user:{id}"
RECOMMENDATION = GRAPHREC + "Recommendation"


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
        has its title as ``rdfs:label``.

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


def _values(
    entry: Mapping[str, Any], rank: int, person: ox.NamedNode, item: ox.NamedNode
) -> Iterator[tuple[str, ox.NamedNode | ox.Literal]]:
    yield "recommendedTo", person
    yield "recommendedItem", item
    yield "rank", ox.Literal(str(rank), datatype=ox.NamedNode(XSD + "integer"))
    yield "score", ox.Literal(repr(float(entry["score"])), datatype=ox.NamedNode(XSD + "double"))
    for channel in sorted(entry["channels"]):
        yield "channel", ox.Literal(channel)
    if entry.get("explanation"):
        yield "explanation", ox.Literal(entry["explanation"])


def _node(template: str, name: str) -> ox.NamedNode:
    return ox.NamedNode(template.replace("{id}", quote(name, safe="")))
