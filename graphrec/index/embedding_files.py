"""Vectors in the formats of other programs: which there are, and how each is written."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from graphrec.checks import check_choice
from graphrec.data.files import write_array
from graphrec.data.id_files import text_of_ids
from graphrec.data.scratch import written_whole
from graphrec.errors import DataError, MissingExtraError
from graphrec.index.row_ids import RowIds

FloatArray = npt.NDArray[np.float32]
Format = Literal["parquet", "arrow", "npy", "word2vec", "keyedvectors", "safetensors", "projector"]

EXTENSIONS: Mapping[str, Format] = {
    ".parquet": "parquet",
    ".arrow": "arrow",
    ".npy": "npy",
    ".txt": "word2vec",
    ".vec": "word2vec",
    ".bin": "keyedvectors",
    ".safetensors": "safetensors",
    ".tsv": "projector",
}
# What Python's own serialisation is named; a file of it can run anything when it is loaded.
_PICKLES = (".kv", ".model", ".pkl", ".pickle", ".pt", ".joblib")
# The library refuses a longer header.
_MOST_METADATA = 90_000_000


def format_of(path: Path, named: Format | None) -> Format:
    """Return the format that is named, or else that of the extension.

    Raises
    ------
    DataError
        If the extension is unknown, or that of a pickle.
    ConfigError
        If the named format is unknown.
    """
    if named is not None:
        check_choice("format", named, get_args(Format))
        return named
    extension = path.suffix.lower()
    if extension in _PICKLES:
        raise DataError(
            f"{path} has the extension {extension!r}, that of a pickle, which is neither loaded nor written; "
            "KeyedVectors.save_word2vec_format(path, binary=True) of gensim writes .bin"
        )
    if extension not in EXTENSIONS:
        raise DataError(f"{path} has the extension {path.suffix!r}; legal are {', '.join(EXTENSIONS)}")
    return EXTENSIONS[extension]


def metadata_file(path: Path) -> Path:
    """Return the file of ids, kinds and labels beside a file of vectors: "v.tsv" has "v.metadata.tsv"."""
    return path.with_suffix(".metadata.tsv") if path.suffix == ".tsv" else path.with_name(f"{path.name}.metadata.tsv")


def write_vectors(path: Path, nodes: RowIds, matrix: FloatArray, named: Format | None = None) -> list[Path]:
    """Write vectors in a format, by default that of the extension of ``path``, and return the files.

    Parameters
    ----------
    path : Path
        With one of the ``EXTENSIONS`` where no format is named.
    nodes : RowIds
        n nodes.
    matrix : ndarray
        (n, dim) float32: their vectors.

    Raises
    ------
    DataError
        If the extension is unknown, a file cannot be written, or the format cannot hold an id.
    MissingExtraError
        If the format needs a library that is not installed.
    """
    write = _WRITERS[format_of(path, named)]
    try:
        return write(path, nodes, matrix)
    except OSError as error:
        raise DataError(f"{path} cannot be written: {error.strerror or error}") from error


def arrow_table(nodes: RowIds, matrix: FloatArray) -> pa.Table:
    """Return the columns ``id``, where known ``kind`` and ``label``, and ``vector``: fixed-size lists of float32."""
    flat = pa.array(np.ascontiguousarray(matrix).reshape(-1), pa.float32())  # (n * dim,)
    return pa.table({**nodes.columns(), "vector": pa.FixedSizeListArray.from_arrays(flat, matrix.shape[1])})


def _parquet(path: Path, nodes: RowIds, matrix: FloatArray) -> list[Path]:
    with written_whole(path) as file:
        pq.write_table(arrow_table(nodes, matrix), file)
    return [path]


def _arrow(path: Path, nodes: RowIds, matrix: FloatArray) -> list[Path]:
    table = arrow_table(nodes, matrix)
    with written_whole(path) as part, pa.OSFile(str(part), "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
        writer.write_table(table)
    return [path]


def _npy(path: Path, nodes: RowIds, matrix: FloatArray) -> list[Path]:
    ids = path.with_suffix(".ids")
    with written_whole(path) as part, written_whole(ids) as beside:
        write_array(part, matrix)
        beside.write_text(text_of_ids(nodes.ids.to_pylist()), encoding="utf-8")
    return [path, ids, *_metadata(path, nodes)]


def _word2vec(path: Path, nodes: RowIds, matrix: FloatArray) -> list[Path]:
    """Write a line with n and dim, then a line an id; the shortest text that float32 reads back as the same number."""
    ids = _words(path, nodes)
    with written_whole(path) as part, part.open("w", encoding="utf-8") as file:
        file.write(f"{len(ids)} {matrix.shape[1]}\n")
        for external, vector in zip(ids, matrix, strict=True):
            file.write(f"{external} {' '.join(map(str, vector))}\n")
    return [path, *_metadata(path, nodes)]


def _keyedvectors(path: Path, nodes: RowIds, matrix: FloatArray) -> list[Path]:
    """Write the same line first, then each id, a blank and dim little-endian float32."""
    ids = _words(path, nodes)
    with written_whole(path) as part, part.open("wb") as file:
        file.write(f"{len(ids)} {matrix.shape[1]}\n".encode())
        for external, vector in zip(ids, matrix.astype("<f4", copy=False), strict=True):
            file.write(external.encode() + b" " + vector.tobytes())
    return [path, *_metadata(path, nodes)]


def _words(path: Path, nodes: RowIds) -> list[str]:
    """Return the ids; raise DataError where one cannot stand in word2vec's formats, whose readers go by white space."""
    for external in nodes.vocabulary:
        if not external or external.split() != [external]:
            raise DataError(
                f"{path}: the id {external!r} cannot stand in word2vec text, where white space ends an id; write "
                ".parquet or .npy"
            )
    return list(nodes.vocabulary)


def _safetensors(path: Path, nodes: RowIds, matrix: FloatArray) -> list[Path]:
    try:
        from safetensors.numpy import save_file
    except ImportError as error:
        raise MissingExtraError("the format safetensors", extra="train") from error
    columns = {f"{name}s": json.dumps(column.to_pylist()) for name, column in nodes.columns().items()}
    if sum(map(len, columns.values())) > _MOST_METADATA:
        raise DataError(f"{path}: the ids and labels of {len(nodes):,} rows do not fit its header; write .parquet")
    with written_whole(path) as part:
        save_file({"vectors": np.ascontiguousarray(matrix)}, part, metadata={"format": "graphrec/1", **columns})
    return [path]


def _projector(path: Path, nodes: RowIds, matrix: FloatArray) -> list[Path]:
    """Write the vectors, and beside them ids, kinds and labels: a head stands over more than one column alone."""
    with written_whole(path) as part, part.open("w", encoding="utf-8") as file:
        for vector in matrix:
            file.write("\t".join(map(str, vector)) + "\n")
    return [path, *_metadata(path, nodes, always=True)]


def _metadata(path: Path, nodes: RowIds, *, always: bool = False) -> list[Path]:
    """Write ids, kinds and labels, a line a row, and return the file; none is left where only ids are known."""
    if not always and nodes.kinds is None and nodes.labels is None:
        metadata_file(path).unlink(missing_ok=True)  # of the vectors that stood here before
        return []
    columns = {name: column.to_pylist() for name, column in nodes.columns().items()}
    columns.setdefault("label", columns["id"])
    for external in columns["id"]:
        if external != _cell(external):
            raise DataError(f"{path}: the id {external!r} holds a tab or an end of line; write .parquet")
    target = metadata_file(path)
    with _text_file(target) as write:
        write("\t".join(columns) + "\n")
        for row in zip(*columns.values(), strict=True):
            write("\t".join(_cell(value) for value in row) + "\n")
    return [target]


@contextmanager
def _text_file(path: Path) -> Iterator[Callable[[str], int]]:
    with written_whole(path) as part, part.open("w", encoding="utf-8", newline="\n") as file:
        yield file.write


def _cell(value: str | None) -> str:
    """Return a text for a table whose cells end at tabs and lines: white space of these kinds becomes a blank."""
    return " ".join((value or "").replace("\t", " ").splitlines())


_WRITERS: Mapping[str, Callable[[Path, RowIds, FloatArray], list[Path]]] = {
    "parquet": _parquet,
    "arrow": _arrow,
    "npy": _npy,
    "word2vec": _word2vec,
    "keyedvectors": _keyedvectors,
    "safetensors": _safetensors,
    "projector": _projector,
}
