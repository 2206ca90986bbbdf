"""Triples to a file in any syntax of RDF, whole or not at all."""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, cast

import pyoxigraph as ox

from graphrec.checks import as_path
from graphrec.data.scratch import written_whole
from graphrec.errors import ConfigError, DataError, nearest_names

from ..reading.formats import EXTENSIONS, FORMATS
from ..terms import DCT, FOAF, GRAPHREC, OWL, RDFS, SKOS, XSD

# The IRIs that Turtle, TriG, RDF/XML and JSON-LD write short.
PREFIXES: Mapping[str, str] = {
    "dct": DCT,
    "foaf": FOAF,
    "gr": GRAPHREC,
    "owl": OWL,
    "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
    "rdfs": RDFS,
    "schema": "https://schema.org/",
    "skos": SKOS,
    "xsd": XSD,
}
# The end of a predicate that can be an element, and characters that no XML holds.
_NAME = re.compile(r"[^\W\d][\w.-]*\Z")
_NO_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
# Other names of formats, as the command takes them.
ALIASES = {"ntriples": "n-triples", "nquads": "n-quads", "jsonld": "json-ld", "rdfxml": "rdf-xml", "ttl": "turtle"}


def rdf_format(path: Path, format: str | None) -> str:  # noqa: A002
    """Return the syntax to write, a key of ``FORMATS``: ``format``, else that of the extension.

    Raises
    ------
    ConfigError
        If there is no such syntax, or the extension says none.
    """
    if format is not None:
        name = ALIASES.get(format, format)
        if name not in FORMATS:
            raise ConfigError(
                f"RDF format {format!r} is unknown; legal: {', '.join(FORMATS)}{nearest_names(format, FORMATS)}"
            )
        return name
    suffix = Path(path.stem).suffix if path.suffix.lower() == ".gz" else path.suffix
    if suffix.lower() not in EXTENSIONS:
        raise ConfigError(
            f"{path} has the unknown extension {suffix!r}; legal: {', '.join(EXTENSIONS)}, each also with .gz"
        )
    return EXTENSIONS[suffix.lower()]


def write_statements(
    statements: Iterable[ox.Triple] | Iterable[ox.Quad],
    path: str | Path,
    *,
    format: str | None = None,  # noqa: A002
) -> Path:
    """Write statements in the order in which they come; the same ones give the same bytes.

    Raises
    ------
    ConfigError
        If the syntax is unknown.
    DataError
        If a statement cannot be written in it.
    OSError
        If the file cannot be written; what stood there before is untouched then.
    """
    target = as_path(path, name="path")
    syntax = FORMATS[rdf_format(target, format)]
    target.parent.mkdir(parents=True, exist_ok=True)
    short = {} if syntax in (ox.RdfFormat.N_TRIPLES, ox.RdfFormat.N_QUADS) else dict(PREFIXES)
    if syntax == ox.RdfFormat.RDF_XML:
        statements = _fit_for_xml(statements, target)
    with written_whole(target) as part, _opened(part, packed=target.suffix.lower() == ".gz") as file:
        try:
            ox.serialize(statements, output=file, format=syntax, prefixes=short)
        except DataError:
            raise
        except ValueError as error:
            raise DataError(f"{target}: {error}") from error
    return target


def _fit_for_xml(statements: Iterable[Any], target: Path) -> Iterator[Any]:
    """Yield statements; raise DataError at the first that XML has no form for, of which oxigraph makes no XML."""
    for statement in statements:
        if not _NAME.search(statement.predicate.value):
            raise DataError(
                f"{target}: the predicate {statement.predicate} does not end in a name of XML; write another syntax"
            )
        if isinstance(statement.object, ox.Literal) and (bad := _NO_XML.search(statement.object.value)):
            raise DataError(
                f"{target}: a value of {statement.predicate} holds U+{ord(bad[0]):04X}, which XML cannot; "
                "write another syntax"
            )
        yield statement


@contextmanager
def _opened(path: Path, *, packed: bool) -> Iterator[IO[bytes]]:
    with path.open("wb") as plain:
        if packed:
            # Without a name and a time, the same statements are the same bytes.
            with gzip.GzipFile(filename="", mode="wb", fileobj=plain, mtime=0) as file:
                yield cast("IO[bytes]", file)
        else:
            yield plain
