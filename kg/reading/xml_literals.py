"""XML literals of RDF/XML in canonical form, as the standard asks of whoever reads them.

Oxigraph declares every namespace in scope on a literal's outermost elements, used there or not, so that one value has
as many spellings as there are documents.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

# Nothing but the inside of an element is parsed here, where no document type may stand.
from xml.etree.ElementTree import C14NWriterTarget, ParseError, XMLParser  # nosec B405

import pyoxigraph as ox

from ..terms import RDF
from .triple_terms import Term

# Elements in RDF/XML may be limits.depth (128) deep; a literal written with a datatype may hold any text.
_MOST_LEVELS = 512
_TYPE = ox.NamedNode(RDF + "XMLLiteral")
_MARK = f"^^<{_TYPE.value}>".encode()
_CANDIDATE = re.compile(rb"^.*?" + re.escape(_MARK) + rb".*\n", re.MULTILINE)


def with_canonical_xml(chunk: bytes) -> bytes:
    """Return canonical N-Quads ``chunk`` with its XML literals in exclusive canonical form, comments kept.

    A literal that is no well-formed XML, or whose prefixes are not declared in it, stays as it is. The order of lines
    changes. O(len(chunk)).
    """
    if _MARK not in chunk:
        return chunk
    quads = ox.parse(b"".join(_CANDIDATE.findall(chunk)), ox.RdfFormat.N_QUADS)
    mended = (ox.Quad(q.subject, q.predicate, _canonical(q.object), q.graph_name) for q in quads)
    return _CANDIDATE.sub(b"", chunk) + (ox.serialize(mended, format=ox.RdfFormat.N_QUADS) or b"")


def _canonical(term: Term) -> Term:
    if isinstance(term, ox.Triple):
        return ox.Triple(term.subject, term.predicate, _canonical(term.object))
    if isinstance(term, ox.Literal) and term.datatype == _TYPE:
        return ox.Literal(canonical_xml(term.value), datatype=_TYPE)
    return term


class _Writer(C14NWriterTarget):
    """Writes canonical XML as it is parsed; the time that each element takes grows with its depth, which is bounded."""

    def __init__(self, write: Callable[[str], object]) -> None:
        super().__init__(write, with_comments=True)
        self._depth = 0

    def start(self, tag: str, attrs: Any) -> None:
        self._depth += 1
        if self._depth > _MOST_LEVELS:
            raise ParseError("too deep")
        super().start(tag, attrs)

    def end(self, tag: str) -> None:
        self._depth -= 1
        super().end(tag)


def canonical_xml(text: str) -> str:
    """Return a piece of XML in exclusive canonical form; unchanged where it is no XML, or hundreds of levels deep.

    >>> canonical_xml('<br xmlns:a="http://a" b="2" a="1"/>')
    '<br a="1" b="2"></br>'
    """
    parts: list[str] = []
    parser = XMLParser(target=_Writer(parts.append))  # noqa: S314  # nosec B314
    try:
        parser.feed(f"<x>{text}</x>")
        parser.close()
    except (ParseError, ValueError):  # ValueError: a character that XML lacks
        return text
    return "".join(parts).removeprefix("<x>").removesuffix("</x>")
