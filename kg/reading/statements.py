"""RDF files -> chunks of canonical N-Quads bytes, parsed and written by oxigraph unless they are that already.

The line formats are read line by line (``lines``), so that one bad line costs that line alone; in the other syntaxes a
fault of syntax ends the document. JSON-LD is the exception: its standard lets a processor drop what has no absolute
IRI, and oxigraph does. So it is parsed leniently, which drops nothing, and each statement is judged by itself.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Generator, Iterator
from functools import partial
from typing import IO, cast

import pyoxigraph as ox

from graphrec.data.limits import FREE_BYTES, Limits
from graphrec.errors import DataError

from .bad_lines import BadLines
from .canonical import parted
from .deep_stack import on_deep_stack
from .faults import PARSER_FAULTS, reason_of, translated
from .formats import FORMATS, LINE_FORMATS, RdfFile
from .guarded_bytes import GuardedBytes
from .lines import Take, line_chunks
from .xml_literals import with_canonical_xml

CHUNK_TRIPLES = 1 << 16
# The predicate of a statement that JSON-LD makes of a key for which no context has an IRI.
_UNMAPPED = re.compile(rb"^(?:<[^>]*>|_:\S+) <(?![A-Za-z][A-Za-z0-9+.-]*:)[^>]*> ")


def statements(
    file: RdfFile,
    bad_lines: BadLines,
    *,
    base: str | None = None,
    limits: Limits | None = None,
    take: Take | None = None,
    ahead: int = 0,
) -> Iterator[bytes]:
    """Yield canonical N-Quads, some tens of thousands of lines at a time; blank lines and comments are gone.

    Lines of N-Triples and N-Quads that ``take`` takes are left out; it is given blocks of lines, ``ahead`` of them
    before what it leaves is needed.

    Raises
    ------
    DataError
        With file, line and what is legal: on a syntax error that cannot be skipped, a stream that is damaged, more
        than ``limits`` allow, or more bad lines than ``bad_lines`` allows.
    """
    limits = limits or Limits()
    yield from on_deep_stack(
        _chunks(file, bad_lines, base, limits, partial(line_chunks, take=take, ahead=ahead) if take else line_chunks),
        limits,
    )


def _chunks(
    file: RdfFile,
    bad_lines: BadLines,
    base: str | None,
    limits: Limits,
    lines: Callable[[GuardedBytes, BadLines], Iterator[bytes]],
) -> Generator[bytes, None, None]:
    """Yield what :func:`statements` does, on whatever thread it is asked."""
    bad_lines.begin_file()
    with GuardedBytes(file, limits) as source:
        if file.format in LINE_FORMATS:
            yield from lines(source, bad_lines)
        elif file.format == "json-ld":
            yield from _judged_chunks(source, base, bad_lines)
        else:
            mended = with_canonical_xml if file.format == "rdf-xml" else bytes
            yield from map(mended, _document_chunks(source, base))


def quads(file: RdfFile, *, base: str | None = None, limits: Limits | None = None) -> Iterator[ox.Quad]:
    """Yield the quads of ``file`` as objects; the first fault raises DataError."""
    for chunk in statements(file, BadLines("raise"), base=base, limits=limits):
        yield from ox.parse(chunk, ox.RdfFormat.N_QUADS)


class _Output:
    """Takes what the serialiser writes; stops where a small file becomes much by prefixes or a base."""

    def __init__(self, source: GuardedBytes) -> None:
        self._source = source
        self._parts: list[bytes] = []
        self._n_bytes = 0

    def write(self, data: bytes) -> int:
        """Take some bytes."""
        self._parts.append(bytes(data))
        self._n_bytes += len(data)
        limits = self._source.limits
        if self._n_bytes > max(FREE_BYTES, limits.expansion * self._source.n_bytes):
            raise DataError(
                f"{self._source.file.path} says more than {self._n_bytes:,} bytes in {self._source.n_bytes:,}, by "
                f"prefixes or a base; {limits.expansion:,} for each are legal: if that is meant, raise limits.expansion"
            )
        return len(data)

    def flush(self) -> None:
        """Do nothing: all is taken already."""

    def taken(self) -> bytes:
        """Return what was written since the last call."""
        data = b"".join(self._parts)
        self._parts.clear()
        return data


def _document_chunks(source: GuardedBytes, base: str | None) -> Iterator[bytes]:
    output = _Output(source)
    try:
        parsed = ox.parse(cast("IO[bytes]", source), FORMATS[source.file.format], base_iri=base)
        while chunk := _serialised(itertools.islice(parsed, CHUNK_TRIPLES), output):
            yield chunk
    except PARSER_FAULTS as error:
        raise translated(source.file, error) from error


def _serialised(part: Iterator[ox.Quad], output: _Output) -> bytes:
    ox.serialize(part, output=cast("IO[bytes]", output), format=ox.RdfFormat.N_QUADS)
    return output.taken()


def _judged_chunks(source: GuardedBytes, base: str | None, bad_lines: BadLines) -> Iterator[bytes]:
    """Yield the good statements of a JSON-LD document; count those without an absolute IRI as bad lines."""
    output, n = _Output(source), 0
    try:
        parsed = ox.parse(cast("IO[bytes]", source), FORMATS["json-ld"], base_iri=base, lenient=True)
        while part := list(itertools.islice(parsed, CHUNK_TRIPLES)):
            text = _serialised(iter(part), output)
            if b"--" in text:
                part = [_undirected(quad) for quad in part]
                text = _serialised(iter(part), output)
            yield text if _is_legal(text, len(part)) else _judged(part, n, source.file, bad_lines)
            n += len(part)
            bad_lines.check(source.file.path, n, at_end=False)
    except PARSER_FAULTS as error:
        raise translated(source.file, error) from error
    bad_lines.check(source.file.path, n, at_end=True)


def _undirected(quad: ox.Quad) -> ox.Quad:
    """Return ``quad`` without the direction of its text: by JSON-LD 1.1 it is dropped unless a form is asked for."""
    text = quad.object
    if not isinstance(text, ox.Literal) or text.direction is None:
        return quad
    try:
        plain = ox.Literal(text.value, language=text.language)
    except ValueError:
        return quad  # no legal language: judged like any other statement
    return ox.Quad(quad.subject, quad.predicate, plain, quad.graph_name)


def _is_legal(text: bytes, n: int) -> bool:
    """Return whether ``text`` is ``n`` statements of N-Quads as the standard has them."""
    parts = parted(text, graphs=True)
    if parts.n != n:
        return False
    try:
        return sum(1 for _ in ox.parse(parts.others, ox.RdfFormat.N_QUADS)) == len(parts.numbers)
    except PARSER_FAULTS:
        return False


def _judged(part: list[ox.Quad], n: int, file: RdfFile, bad_lines: BadLines) -> bytes:
    """Return the legal statements among ``part``, which follow ``n`` others."""
    good = []
    for position, quad in enumerate(part, n + 1):
        line = ox.serialize([quad], format=ox.RdfFormat.N_QUADS) or b""
        try:
            legal = len(list(ox.parse(line, ox.RdfFormat.N_QUADS))) == 1 == line.count(b"\n")
            reason = "it is more than one statement"
        except PARSER_FAULTS as error:
            legal, reason = False, reason_of(error)
        if legal:
            good.append(line)
        elif _UNMAPPED.match(line):
            bad_lines.n_unmapped += 1
        else:
            remedy = "; give the document a @base, or pass base=" if "scheme" in reason else ""
            bad_lines.add(file.path, position, f"{reason}{remedy}", line.rstrip(b"\n"), unit="statement")
    return b"".join(good)
