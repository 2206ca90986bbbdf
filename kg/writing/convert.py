"""RDF files from one syntax to another, streamed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pyoxigraph as ox

from graphrec.checks import as_path, typed
from graphrec.data.limits import Limits
from graphrec.errors import ConfigError, DataError

from ..reading.formats import RdfFile, rdf_file
from ..reading.statements import quads
from .statements import rdf_format, write_statements

_WITH_GRAPHS = ("n-quads", "trig", "json-ld")


@typed
def convert(
    paths: str | Path | Sequence[str | Path],
    out: str | Path,
    *,
    read_format: str | None = None,
    format: str | None = None,  # noqa: A002
    base: str | None = None,
    limits: Limits | None = None,
) -> int:
    """Write RDF files in another syntax, and return how many statements there were; statements keep their order.

    Parameters
    ----------
    paths : path or sequence of paths
        Files to read, guarded as :func:`graphrec.kg.reading.rdf.read_rdf` guards them.
    out : path
        The file to write; its extension names the syntax, with ``.gz`` behind it where it is to be packed.
    read_format, format : str, optional
        Syntaxes of what is read and what is written, where the extensions do not tell.
    base : str, optional
        Absolute IRI that relative ones are resolved against.
    limits : Limits, optional
        What a file may cost.

    Raises
    ------
    DataError
        On the first fault of a file, on a statement of a named graph where the syntax to write has none (Turtle,
        N-Triples, RDF/XML), or if ``out`` is one of the files that are read. ``out`` is untouched then.
    ConfigError
        If a syntax is unknown.

    Notes
    -----
    Streamed in bounded memory. Blank nodes stay blank, named apart by file.
    """
    target = as_path(out, name="out")
    files = [rdf_file(path, read_format) for path in ([paths] if isinstance(paths, str | Path) else paths)]
    if not files:
        raise ConfigError("no RDF file was given; name at least one")
    for file in files:
        if target.exists() and file.path.samefile(target):
            raise DataError(f"{target} would be read and written at once; choose another file to write")
    count = _Count()
    with_graphs = rdf_format(target, format) in _WITH_GRAPHS
    write_statements(_quads(files, base, limits, count, with_graphs=with_graphs), target, format=format)
    return count.n


class _Count:
    n = 0


def _quads(
    files: Sequence[RdfFile], base: str | None, limits: Limits | None, count: _Count, *, with_graphs: bool
) -> Iterator[ox.Quad]:
    for number, file in enumerate(files):
        for quad in quads(file, base=base, limits=limits):
            if not with_graphs and quad.graph_name != ox.DefaultGraph():
                raise DataError(
                    f"{file.path} holds the named graph {quad.graph_name}, which the syntax to write has no place for; "
                    f"legal: {', '.join(_WITH_GRAPHS)}"
                )
            count.n += 1
            yield quad if len(files) == 1 else _apart(quad, number)


def _apart(quad: ox.Quad, number: int) -> ox.Quad:
    """Return a quad whose blank nodes are of one file alone."""

    def renamed(term: object) -> object:
        return ox.BlankNode(f"f{number}x{term.value}") if isinstance(term, ox.BlankNode) else term

    return ox.Quad(renamed(quad.subject), quad.predicate, renamed(quad.object), renamed(quad.graph_name))  # type: ignore[arg-type]
