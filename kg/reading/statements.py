"""RDF files -> chunks of canonical N-Quads bytes, parsed and written by oxigraph.

The line formats are cut into blocks of whole lines, so that one bad line costs that line alone; in the other syntaxes
a fault ends the document.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from typing import IO, cast

import pyoxigraph as ox

from graphrec.errors import DataError

from .bad_lines import BadLines
from .formats import FORMATS, LINE_FORMATS, GuardedBytes, RdfFile

BLOCK_BYTES = 1 << 23
_LONGEST_LINE = 1 << 28
CHUNK_TRIPLES = 1 << 16
_PLACE = re.compile(
    r"^Parser error (?:at line \d+ (?:column \d+|between columns \d+ and \d+)"
    r"|between line \d+ column \d+ and line \d+ column \d+): ?"
)
_TAIL = re.compile(r" \(line \d+\)$")


def statements(file: RdfFile, bad_lines: BadLines, *, base: str | None = None) -> Iterator[bytes]:
    """Yield canonical N-Quads, some tens of thousands of lines at a time; blank lines and comments are gone.

    Raises
    ------
    DataError
        With file, line and what is legal: on a syntax error that cannot be skipped, a stream that is damaged, or more
        bad lines than ``bad_lines`` allows.
    """
    bad_lines.begin_file()
    with GuardedBytes(file) as source:
        if file.format in LINE_FORMATS:
            yield from _line_chunks(file, source, bad_lines)
        else:
            yield from _document_chunks(file, source, base)


def quads(file: RdfFile, *, base: str | None = None) -> Iterator[ox.Quad]:
    """Yield the quads of ``file`` as objects; the first fault raises DataError."""
    with GuardedBytes(file) as source:
        try:
            yield from ox.parse(cast("IO[bytes]", source), FORMATS[file.format], base_iri=base)
        except (SyntaxError, ValueError, OSError) as error:
            raise _translated(file, error) from error


def _document_chunks(file: RdfFile, source: GuardedBytes, base: str | None) -> Iterator[bytes]:
    try:
        parsed = ox.parse(cast("IO[bytes]", source), FORMATS[file.format], base_iri=base)
        while chunk := ox.serialize(itertools.islice(parsed, CHUNK_TRIPLES), format=ox.RdfFormat.N_QUADS):
            yield chunk
    except (SyntaxError, ValueError, OSError) as error:
        raise _translated(file, error) from error


def _translated(file: RdfFile, error: Exception) -> DataError:
    """Return the fault of a document as one sentence with its place."""
    if isinstance(error, DataError):
        return error
    reason = _reason(error)
    if "LoadDocumentCallback" in reason:
        return DataError(
            f"{file.path} names a remote JSON-LD @context or @import, which is never fetched; "
            "write the context out inside the document"
        )
    line, column = getattr(error, "lineno", None), getattr(error, "offset", None)
    place = f", line {line}, column {column}" if line else ""
    return DataError(f"{file.path}{place}: {reason}; it is not legal {file.format} ({_remedy(reason)})")


def _reason(error: Exception) -> str:
    return _TAIL.sub("", _PLACE.sub("", str(error))).replace("\n", " ").rstrip(". ")


def _remedy(reason: str) -> str:
    lower = reason.lower()
    if "utf-8" in lower:
        return "RDF is read as UTF-8: convert the file first"
    if "scheme" in lower:
        return "every IRI must be absolute: add @base, or pass base="
    if "end of file" in lower:
        return "the file is truncated"
    return "correct that place, or name the syntax with format="


def _line_chunks(file: RdfFile, source: GuardedBytes, bad_lines: BadLines) -> Iterator[bytes]:
    line, rest = 1, b""
    while True:
        block = source.read(BLOCK_BYTES)
        data = rest + block
        # A lone carriage return ends a line too, but one at the very end may be half of a pair.
        cut = max(data.rfind(b"\n"), data.rfind(b"\r", 0, len(data) - 1)) + 1 if block else len(data)
        whole, rest = data[:cut], data[cut:]
        yield from _canonical(file, whole, line, bad_lines)
        line += _n_lines(whole)
        if len(rest) > _LONGEST_LINE:
            raise DataError(f"{file.path}, line {line}: the line is longer than {_LONGEST_LINE >> 20} MB; is it text?")
        bad_lines.check(file.path, line, at_end=False)
        if not block:
            break
    bad_lines.check(file.path, line - 1, at_end=True)


def _n_lines(data: bytes) -> int:
    ends = data.count(b"\n")
    if b"\r" in data:
        ends += data.count(b"\r") - data.count(b"\r\n")
    return ends + (not data.endswith((b"\n", b"\r")) if data else 0)


def _canonical(file: RdfFile, block: bytes, line: int, bad_lines: BadLines) -> Iterator[bytes]:
    """Yield the good lines of ``block``, whose first line is number ``line``; halve it where it holds a bad one."""
    try:
        parsed = ox.parse(block, FORMATS[file.format])
        chunks = []
        while chunk := ox.serialize(itertools.islice(parsed, CHUNK_TRIPLES), format=ox.RdfFormat.N_QUADS):
            chunks.append(chunk)
    except (SyntaxError, ValueError) as error:
        lines = block.splitlines(keepends=True)
        if len(lines) == 1:
            bad_lines.add(file.path, line, _line_reason(error), block.rstrip(b"\r\n"))
            return
        middle = len(lines) // 2
        yield from _canonical(file, b"".join(lines[:middle]), line, bad_lines)
        yield from _canonical(file, b"".join(lines[middle:]), line + middle, bad_lines)
        return
    yield from chunks


def _line_reason(error: Exception) -> str:
    column = getattr(error, "offset", None)
    reason = _reason(error)
    return f"column {column}: {reason}" if column else reason
