"""The guarded byte stream that every parser of ours reads from."""

from __future__ import annotations

from graphrec.data.limits import Limits
from graphrec.errors import DataError

from .archives import UnpackedBytes, check_unpacked
from .formats import LINE_FORMATS, RdfFile
from .nesting import NestingGuard
from .xml_guard import XmlGuard

# Parsers ask for a kilobyte at a time; guards look at so many bytes at once.
_BLOCK = 1 << 16


class GuardedBytes:
    """The decompressed bytes of one RDF file, checked as they pass. A context manager with ``read``.

    Refused, each with one sentence: a damaged or truncated archive, more than ``limits`` allow, UTF-16/32, and in
    RDF/XML any document type declaration (before a parser could expand its entities) or a document that ends before
    its root element does. In the line formats depth and length are left to whoever reads them line by line.
    A UTF-8 byte order mark is taken off.

    Parameters
    ----------
    file : RdfFile
        Plain or compressed, a file or a pipe; it is opened once.
    limits : Limits
        What the file may cost.
    """

    def __init__(self, file: RdfFile, limits: Limits) -> None:
        self.file, self.limits = file, limits
        self.n_bytes = 0
        self._source = UnpackedBytes(file.path, limits)
        self._nesting = None if file.format in LINE_FORMATS else NestingGuard(file, limits)
        self._xml = XmlGuard(file.path) if file.format == "rdf-xml" else None
        self._block, self._position = b"", 0

    def __enter__(self) -> GuardedBytes:
        return self

    def __exit__(self, *_: object) -> None:
        self._source.close()

    def read(self, size: int = -1) -> bytes:
        """Return up to ``size`` bytes; empty at the end."""
        if size < 0:
            return b"".join(iter(lambda: self.read(1 << 20), b""))
        if self._position >= len(self._block):
            self._block, self._position = self._next(max(size, _BLOCK)), 0
        data = self._block[self._position : self._position + size]
        self._position += len(data)
        return data

    def _next(self, size: int) -> bytes:
        """Return the next block, guarded."""
        data = self._source.read(size)
        if not self.n_bytes:
            data = self._without_mark(data)
        self.n_bytes += len(data)
        if self._nesting is not None:
            self._nesting.feed(data)
        if self._xml is not None:
            self._xml.feed(data)
            if not data:
                self._xml.finish()
        return data

    def _without_mark(self, head: bytes) -> bytes:
        path = self.file.path
        check_unpacked(path, head)
        if head.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" in head[:4]:
            raise DataError(f"{path} is in UTF-16 or UTF-32 (line 1); RDF is read as UTF-8: convert it first")
        return head.removeprefix(b"\xef\xbb\xbf")
