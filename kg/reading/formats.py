"""RDF syntaxes and compressions by file name, and the guarded byte stream that every parser of ours reads from."""

from __future__ import annotations

import gzip
import lzma
import re
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import pyarrow as pa
import pyoxigraph as ox

from graphrec.errors import ConfigError, DataError, nearest_names

FORMATS: dict[str, ox.RdfFormat] = {
    "turtle": ox.RdfFormat.TURTLE,
    "n-triples": ox.RdfFormat.N_TRIPLES,
    "n-quads": ox.RdfFormat.N_QUADS,
    "trig": ox.RdfFormat.TRIG,
    "rdf-xml": ox.RdfFormat.RDF_XML,
    "json-ld": ox.RdfFormat.JSON_LD,
}
EXTENSIONS: dict[str, str] = {
    ".ttl": "turtle",
    ".turtle": "turtle",
    ".nt": "n-triples",
    ".nq": "n-quads",
    ".trig": "trig",
    ".rdf": "rdf-xml",
    ".owl": "rdf-xml",
    ".xml": "rdf-xml",
    ".jsonld": "json-ld",
    ".json": "json-ld",
}
COMPRESSIONS = (".gz", ".xz", ".zst")
LINE_FORMATS = ("n-triples", "n-quads")
# What the decompressors raise on a damaged or truncated file.
_DAMAGE = (EOFError, zlib.error, lzma.LZMAError, gzip.BadGzipFile, OSError)


@dataclass(frozen=True, slots=True)
class RdfFile:
    """One file to read: where it is, its syntax (a key of ``FORMATS``) and its compression ("" where plain)."""

    path: Path
    format: str
    compression: str


def rdf_file(path: str | Path, format: str | None = None) -> RdfFile:  # noqa: A002
    """Return what ``path`` holds, from its name; ``format`` overrules the extension.

    Raises
    ------
    DataError
        If ``path`` is no path, the file is missing or a directory, or its extension is unknown.
    ConfigError
        If ``format`` is not among ``FORMATS``.
    """
    if not isinstance(path, str | Path):
        raise DataError(f"RDF cannot be read from a {type(path).__name__}; legal are a path and a list of paths")
    where = Path(path)
    if format is not None and not (isinstance(format, str) and format in FORMATS):
        raise ConfigError(
            f"RDF format {format!r} is unknown; legal: {', '.join(FORMATS)}{nearest_names(str(format), FORMATS)}"
        )
    if where.is_dir():
        raise DataError(f"{where} is a directory; name RDF files ({', '.join(EXTENSIONS)})")
    if not where.exists():
        raise DataError(f"{where} does not exist; give the path of an RDF file")
    suffix = where.suffix.lower()
    compression = suffix if suffix in COMPRESSIONS else ""
    extension = Path(where.stem).suffix.lower() if compression else suffix
    syntax = format or EXTENSIONS.get(extension)
    if syntax is None:
        raise DataError(
            f"{where} has the unknown extension {extension!r}; legal: {', '.join(EXTENSIONS)}, "
            f"each plain or with {', '.join(COMPRESSIONS)}; or pass format="
        )
    return RdfFile(where, syntax, compression)


class GuardedBytes:
    """The decompressed bytes of one RDF file, checked as they pass. A context manager with ``read``.

    Refused, each with one sentence: a damaged or truncated archive, UTF-16/32, and in RDF/XML any document type
    declaration (before a parser could expand its entities) or a document that ends before its root element does.
    A UTF-8 byte order mark is taken off.
    """

    def __init__(self, file: RdfFile) -> None:
        self.file = file
        self._stream: Any = _opened(file)
        self._guard = XmlGuard(file.path) if file.format == "rdf-xml" else None
        self._head: bytes | None = None

    def __enter__(self) -> GuardedBytes:
        return self

    def __exit__(self, *_: object) -> None:
        self._stream.close()

    def read(self, size: int = -1) -> bytes:
        """Return up to ``size`` bytes; empty at the end."""
        if self._head is None:
            self._head = self._checked_head(self._raw(65536))
        if self._head:
            data, self._head = (self._head, b"") if size < 0 else (self._head[:size], self._head[size:])
            data += self._raw(-1) if size < 0 else b""
        else:
            data = self._raw(size)
        if self._guard is not None:
            self._guard.feed(data)
            if not data and size != 0:
                self._guard.finish()
        return data

    def _raw(self, size: int) -> bytes:
        try:
            data = self._stream.read() if size < 0 else self._stream.read(size)
        except _DAMAGE as error:
            how = f"as {self.file.compression}" if self.file.compression else "from disk"
            raise DataError(
                f"{self.file.path} cannot be read {how} (truncated or damaged: {error}); fetch it again"
            ) from error
        return bytes(data)

    def _checked_head(self, head: bytes) -> bytes:
        if head.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" in head[:4]:
            raise DataError(f"{self.file.path} is in UTF-16 or UTF-32 (line 1); RDF is read as UTF-8: convert it first")
        return head.removeprefix(b"\xef\xbb\xbf")


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
        declaration = self._FORBIDDEN.search(window)
        if declaration:
            line = self._line + window.count(b"\n", 0, declaration.start()) - self._kept[-64:].count(b"\n")
            raise DataError(
                f"{self._path}, line {line}: the document has a document type declaration (DOCTYPE), which is refused "
                "since its entities can expand without limit; remove it and write entities out"
            )
        self._line += data.count(b"\n")
        self._kept = (self._kept + data)[-4096:]
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
    tail = tail.rstrip()
    for opening, closing in ((b"<!--", b"-->"), (b"<?", b"?>")):
        if tail.endswith(closing):
            start = tail.rfind(opening)
            return _without_trailer(tail[:start]) if start >= 0 else b""
    return tail


def _opened(file: RdfFile) -> IO[bytes] | pa.NativeFile:
    try:
        if file.compression == ".gz":
            return gzip.open(file.path, "rb")
        if file.compression == ".xz":
            return lzma.open(file.path, "rb")
        if file.compression == ".zst":
            return pa.CompressedInputStream(pa.OSFile(str(file.path)), "zstd")
        return file.path.open("rb")
    except OSError as error:
        raise DataError(f"{file.path} cannot be opened: {error.strerror or error}") from error
