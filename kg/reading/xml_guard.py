"""RDF/XML without document types, and whole to its end."""

from __future__ import annotations

import re
from pathlib import Path

from graphrec.data.line_ends import count_byte
from graphrec.errors import DataError

_KEPT_BYTES = 4096


class XmlGuard:
    """Watches the bytes of an XML document for a document type declaration and for its proper end.

    The declaration is refused wherever the letters ``<!DOCTYPE`` or ``<!ENTITY`` stand, in any case, a comment
    included: text may only hold ``<`` as ``&lt;``, so honest RDF/XML never holds them, and no way of hiding is left.
    """

    _FORBIDDEN = re.compile(rb"<!\s*(doctype|entity)", re.IGNORECASE)
    _PROLOG = re.compile(rb"(?:\s|<\?.*?\?>|<!--.*?-->)*", re.DOTALL)
    _ROOT = re.compile(rb"<([^\s/>!?]+)(?:[^>\"']|\"[^\"]*\"|'[^']*')*?(/?)>")

    def __init__(self, path: Path) -> None:
        self._path = path
        self._line = 1
        self._kept = b""  # last bytes, for what spans two reads
        self._head = b""
        self._closed = False

    def feed(self, data: bytes) -> None:
        """Look at the next bytes; raise DataError on a declaration."""
        window = self._kept[-64:] + data
        # An exclamation mark is rare, and looked for the fastest.
        declaration = self._FORBIDDEN.search(window) if b"!" in window and b"<!" in window else None
        if declaration:
            line = self._line + window.count(b"\n", 0, declaration.start()) - self._kept[-64:].count(b"\n")
            raise DataError(
                f"{self._path}, line {line}: the document has a document type declaration (DOCTYPE), which is refused "
                "since its entities can expand without limit; remove it and write entities out"
            )
        self._line += count_byte(data, "\n")
        self._kept = (self._kept + data[-_KEPT_BYTES:])[-_KEPT_BYTES:]
        if len(self._head) < 1 << 20:
            self._head += data

    def finish(self) -> None:
        """Raise DataError unless the root element that was opened has been closed."""
        if self._closed:
            return
        self._closed = True
        start = self._PROLOG.match(self._head)
        root = self._ROOT.match(self._head, start.end() if start else 0)
        if root is None or root.group(2):
            return  # no element at all is the parser's to report; <root/> is whole
        tail = _without_trailer(self._kept)
        if tail and not re.search(rb"</" + re.escape(root.group(1)) + rb"\s*>\Z", tail):
            name = root.group(1).decode("utf-8", "replace")
            raise DataError(f"{self._path}, line {self._line}: the file ends before </{name}>; it is truncated")


def _without_trailer(tail: bytes) -> bytes:
    """Return ``tail`` without the comments and instructions at its end; empty where one began before it."""
    ends = {b"-->": b"<!--", b"?>": b"<?"}
    while closing := next((end for end in ends if tail.rstrip().endswith(end)), b""):
        tail = tail[: max(tail.rfind(ends[closing]), 0)]
    return tail.rstrip()
