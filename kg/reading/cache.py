"""Graphs that were read, kept in a folder under a hash of all that they depend on, and opened mapped.

An entry is one file: a header (``MAGIC``, digest), and an Arrow file of one row whose columns are the arrays of the
graph. It is written whole or not at all, and its digest is checked whenever it is opened; an entry that is damaged, or
of another version, is removed and read anew. Nothing in it is ever executed.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyoxigraph as ox

from graphrec.data.scratch import written_whole
from graphrec.data.vocabulary import Vocabulary
from graphrec.errors import DataError

from ..knowledge_graph import KnowledgeGraph, ReadReport
from ..literals import Literals
from .formats import RdfFile

MAGIC = b"graphrec-kg 1\n"
SUFFIX = ".graphrec-kg"
MOST_BYTES = 16 << 30
"""What a folder may hold: entries that were used least recently make room."""
_DIGEST_BYTES = 32
_PADDED = 64  # Arrow wants its arrays to begin at multiples of eight
_BLOCK = 1 << 22
_ROWS = ("triples", "statements")


def cache_key(files: Sequence[RdfFile], settings: Mapping[str, Any]) -> str | None:
    """Return a hash of the bytes of ``files``, of syntaxes, ``settings`` and versions; None where one is a pipe."""
    digest = blake2b(MAGIC + ox.__version__.encode(), digest_size=_DIGEST_BYTES)
    digest.update(json.dumps([[file.format for file in files], settings], sort_keys=True, default=str).encode())
    for file in files:
        if not file.path.is_file():
            return None
        content = blake2b(digest_size=_DIGEST_BYTES)
        try:
            with file.path.open("rb") as stream:
                while block := stream.read(_BLOCK):
                    content.update(block)
        except OSError as error:
            raise DataError(f"{file.path} cannot be read: {error.strerror or error}") from error
        digest.update(content.digest())
    return digest.hexdigest()


def states(files: Sequence[RdfFile]) -> list[tuple[int, ...]]:
    """Return what changes where a file is written to or replaced."""
    found = [file.path.stat() for file in files]
    return [(status.st_ino, status.st_size, status.st_mtime_ns) for status in found]


def cached(folder: Path, key: str, files: Sequence[RdfFile]) -> KnowledgeGraph | None:
    """Return the graph kept under ``key``, mapped; None where there is none that is whole."""
    path = folder / f"{key}{SUFFIX}"
    try:
        with pa.memory_map(str(path)) as source:
            whole = source.read_buffer()
    except OSError:
        return None
    payload = whole[_PADDED:]
    if whole[:_PADDED] == pa.py_buffer(header(payload)):
        with suppress(pa.ArrowException, DataError, LookupError, AttributeError, TypeError, ValueError):
            graph = _graph(payload, files)
            with suppress(OSError):
                os.utime(path)  # used most recently
            return graph
    with suppress(OSError):
        path.unlink()
    return None


def keep(folder: Path, key: str, graph: KnowledgeGraph, *, most_bytes: int = MOST_BYTES) -> None:
    """Write ``graph`` into ``folder``, and remove what was used least recently beyond ``most_bytes``.

    A graph of which a line was rejected is not kept: whoever reads it again is to see what is wrong.

    Raises
    ------
    DataError
        If the folder cannot be written.
    """
    if graph.report.n_rejected:
        return
    sink = pa.BufferOutputStream()
    table = _table(graph)
    with pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    payload = sink.getvalue()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with written_whole(folder / f"{key}{SUFFIX}") as part, part.open("wb") as stream:
            stream.write(header(payload))
            stream.write(payload)
        _make_room(folder, most_bytes)
    except OSError as error:
        raise DataError(f"the cache {folder} cannot be written: {error.strerror or error}") from error


def _make_room(folder: Path, most_bytes: int) -> None:
    entries = sorted(((path.stat(), path) for path in folder.glob(f"*{SUFFIX}")), key=lambda entry: entry[0].st_mtime)
    total = sum(status.st_size for status, _ in entries)
    for status, path in entries[:-1]:  # never what was written now
        if total <= most_bytes:
            return
        path.unlink(missing_ok=True)
        total -= status.st_size


def header(payload: pa.Buffer) -> bytes:
    """Return the bytes before ``payload``: the version, and its digest."""
    return (MAGIC + blake2b(payload, digest_size=_DIGEST_BYTES).digest()).ljust(_PADDED, b"\0")


def _table(graph: KnowledgeGraph) -> pa.Table:
    """Return one row whose columns are the arrays, each a list."""
    literals = graph.literals
    columns = {
        "triples": pa.array(graph.triples.ravel()),
        "entities": graph.entities.ids,
        "relations": graph.relations.ids,
        "labels": graph.labels,
        "statements": pa.array(literals.statements.ravel()),
        "texts": literals.texts,
        "languages": literals.languages,
        "datatypes": literals.datatypes,
        "report": pa.array([json.dumps(graph.report.to_dict())], pa.large_string()),
    }
    return pa.table({name: pa.LargeListArray.from_arrays([0, len(column)], column) for name, column in columns.items()})


def _graph(payload: pa.Buffer, files: Sequence[RdfFile]) -> KnowledgeGraph:
    table = pa.ipc.open_file(pa.BufferReader(payload)).read_all()
    columns = {name: table[name].chunk(0).values for name in table.column_names}
    for column in columns.values():
        column.validate(full=True)
    counts = json.loads(columns["report"][0].as_py())
    report = replace(ReadReport(**counts), files=tuple(str(file.path) for file in files))
    rows = {name: columns[name].to_numpy().reshape(-1, 3).astype(np.int32, copy=False) for name in _ROWS}
    literals = Literals(rows["statements"], columns["texts"], columns["languages"], columns["datatypes"])
    vocabularies = (Vocabulary(columns["entities"]), Vocabulary(columns["relations"]))
    return KnowledgeGraph(rows["triples"], *vocabularies, columns["labels"], literals, report)
