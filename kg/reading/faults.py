"""What oxigraph refuses, as one sentence of ours with its place."""

from __future__ import annotations

import re

from graphrec.errors import DataError

from .formats import RdfFile

_PLACE = re.compile(
    r"^Parser error (?:at line \d+ (?:column \d+|between columns \d+ and \d+)"
    r"|between line \d+ column \d+ and line \d+ column \d+): ?"
)
_TAIL = re.compile(r" \(line \d+\)$")
_SHOWN = 200

PARSER_FAULTS = (SyntaxError, ValueError, OSError, MemoryError)
"""What a parse raises; a MemoryError says that one value is longer than the parser's buffer."""


def translated(file: RdfFile, error: BaseException) -> DataError:
    """Return the fault of a document as one sentence with its place."""
    if isinstance(error, DataError):
        return error
    reason = reason_of(error)
    if "LoadDocumentCallback" in reason:
        return DataError(
            f"{file.path} names a remote JSON-LD @context or @import, which is never fetched; "
            "write the context out inside the document"
        )
    line, column = getattr(error, "lineno", None), getattr(error, "offset", None)
    place = f", line {line}, column {column}" if line else ""
    return DataError(f"{file.path}{place}: {reason}; it is not legal {file.format} ({_remedy(reason)})")


def reason_of(error: BaseException) -> str:
    """Return what is wrong, without the place, on one line."""
    if isinstance(error, MemoryError):
        return "one value, name or comment is longer than 16 MiB, the buffer of the parser"
    return _TAIL.sub("", _PLACE.sub("", str(error))).replace("\n", " ").rstrip(". ")[:_SHOWN]


def line_reason(error: BaseException) -> str:
    """Return what is wrong with one line, and where in it."""
    column = getattr(error, "offset", None)
    reason = reason_of(error)
    return f"column {column}: {reason}" if column else reason


def _remedy(reason: str) -> str:
    lower = reason.lower()
    if "utf-8" in lower:
        return "RDF is read as UTF-8: convert the file first"
    if "scheme" in lower:
        return "every IRI must be absolute: add @base, or pass base="
    if "end of file" in lower:
        return "the file is truncated"
    return "correct that place, or name the syntax with format="
