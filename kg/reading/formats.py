"""RDF syntaxes by file name."""

from __future__ import annotations

import stat
from dataclasses import dataclass
from pathlib import Path

import pyoxigraph as ox

from graphrec.errors import ConfigError, DataError, first_line, nearest_names

from .archives import COMPRESSIONS

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
LINE_FORMATS = ("n-triples", "n-quads")


@dataclass(frozen=True, slots=True)
class RdfFile:
    """One file to read: where it is, and its syntax (a key of ``FORMATS``)."""

    path: Path
    format: str


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
    try:
        kind = where.stat().st_mode
    except (OSError, ValueError) as error:
        missing = isinstance(error, FileNotFoundError)
        why = "does not exist" if missing else f"cannot be looked at ({first_line(error)})"
        raise DataError(f"{where} {why}; give the path of an RDF file") from error
    if stat.S_ISDIR(kind):
        raise DataError(f"{where} is a directory; name RDF files ({', '.join(EXTENSIONS)})")
    suffix = where.suffix.lower()
    extension = Path(where.stem).suffix.lower() if suffix in COMPRESSIONS else suffix
    syntax = format or EXTENSIONS.get(extension)
    if syntax is None:
        raise DataError(
            f"{where} has the unknown extension {extension!r}; legal: {', '.join(EXTENSIONS)}, "
            f"each plain or with {', '.join(COMPRESSIONS)}; or pass format="
        )
    return RdfFile(where, syntax)
