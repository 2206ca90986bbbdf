"""Vectors in the formats of other programs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from graphrec.data.files import write_array
from graphrec.data.id_files import text_of_ids
from graphrec.errors import DataError

FloatArray = npt.NDArray[np.float32]


def write_vectors(path: Path, table: pa.Table, matrix: FloatArray) -> None:
    """Write vectors in the format that the extension of ``path`` names.

    Parameters
    ----------
    path : Path
        With one of the extensions of ``FORMATS``.
    table : Arrow table
        The columns ``id`` and ``vector``, n rows.
    matrix : ndarray
        (n, dim) float32: the column of vectors.

    Raises
    ------
    DataError
        If the extension is unknown, the file cannot be written, or its format cannot hold an id.
    """
    write = FORMATS.get(path.suffix.lower())
    if write is None:
        raise DataError(f"{path} has the extension {path.suffix!r}; legal are {', '.join(FORMATS)}")
    try:
        write(path, table, matrix)
    except OSError as error:
        raise DataError(f"{path} cannot be written: {error.strerror or error}") from error


def _parquet(path: Path, table: pa.Table, _matrix: FloatArray) -> None:
    pq.write_table(table, path)


def _arrow(path: Path, table: pa.Table, _matrix: FloatArray) -> None:
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
        writer.write_table(table)


def _npy(path: Path, table: pa.Table, matrix: FloatArray) -> None:
    write_array(path, matrix)
    path.with_suffix(".ids").write_text(text_of_ids(table["id"].to_pylist()), encoding="utf-8")


def _word2vec(path: Path, table: pa.Table, matrix: FloatArray) -> None:
    """Write a line with n and dim, then a line an id; the shortest text that float32 reads back as the same number."""
    ids = table["id"].to_pylist()
    for external in ids:
        if not external or external.split() != [external]:
            raise DataError(
                f"{path}: the id {external!r} cannot stand in word2vec text, where white space ends an id; write "
                ".parquet or .npy"
            )
    with path.open("w", encoding="utf-8") as file:
        file.write(f"{len(ids)} {matrix.shape[1]}\n")
        for external, vector in zip(ids, matrix, strict=True):
            file.write(f"{external} {' '.join(map(str, vector))}\n")


FORMATS: Mapping[str, Callable[[Path, pa.Table, FloatArray], None]] = {
    ".parquet": _parquet,
    ".arrow": _arrow,
    ".npy": _npy,
    ".txt": _word2vec,
    ".vec": _word2vec,
}
