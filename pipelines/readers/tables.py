"""Tables from files and frames, in batches with the place of every row, so that memory stays bounded."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from graphrec.errors import DataError, nearest_names

from .batches import Batch, Table, check_file, first_line
from .table_source import TableSource
from .text_files import text_table

CSV, TSV, PARQUET, ARROW = "csv", "tsv", "parquet", "arrow"
FORMATS: Mapping[str, str] = {
    ".csv": CSV,
    ".dat": CSV,
    ".tsv": TSV,
    ".tab": TSV,
    ".parquet": PARQUET,
    ".pq": PARQUET,
    ".arrow": ARROW,
    ".feather": ARROW,
    ".ipc": ARROW,
}
COMPRESSIONS: Mapping[str, str] = {".gz": "gzip", ".zst": "zstd"}


def kind_of(path: Path, *, legal: Sequence[str] = ()) -> tuple[str, str | None]:
    """Return (format, compression) by the extension of ``path``.

    Raises
    ------
    DataError
        If the file is missing, is a folder, is empty, or has an extension that says nothing.
    """
    check_file(path)
    suffixes = [suffix.lower() for suffix in path.suffixes]
    compression = COMPRESSIONS.get(suffixes[-1]) if suffixes else None
    ending = suffixes[-2 if compression else -1] if len(suffixes) > bool(compression) else ""
    if ending not in FORMATS:
        known = ", ".join(dict.fromkeys([*legal, *FORMATS]))
        packed = " or ".join(COMPRESSIONS)
        raise DataError(f"{path} has the extension {ending!r}; legal are {known}, the text ones also with {packed}")
    return FORMATS[ending], compression


def open_table(source: TableSource) -> Table:
    """Open a file (CSV, TSV, Parquet, Arrow) or a frame (polars, pandas, Arrow) as a :class:`Table`.

    Raises
    ------
    DataError
        If the file is missing, empty, broken, or of an unknown kind, or a column name stands twice.
    ConfigError
        If the encoding is unknown.
    """
    table = _opened_file(source) if isinstance(source.path, Path) else _frame(_as_arrow(source.path), "the frame")
    for name in table.columns:
        if table.columns.count(name) > 1:
            raise DataError(
                f"{table.name} has the column {name!r} {table.columns.count(name)} times; names must differ"
            )
    return table


def _opened_file(source: TableSource) -> Table:
    path: Path = source.path
    kind, compression = kind_of(path)
    if kind == PARQUET:
        return _parquet(path)
    if kind == ARROW:
        return _frame(_read_arrow(path), str(path))
    separator = source.separator or ("\t" if kind == TSV else ",")
    return text_table(path, compression, separator=separator, encoding=source.encoding, header=source.header)


def named_columns(table: Table, source: TableSource) -> dict[str, str]:
    """Return graphrec's names -> the table's, for the columns that are there.

    Raises
    ------
    DataError
        If a column that ``source`` names or needs is not there.
    """
    present = {}
    for name in source.COLUMNS:
        column_name = source.columns.get(name, name)
        if column_name in table.columns:
            present[name] = column_name
        elif name in source.columns or name in source.required:
            near, other = nearest_names(column_name, table.columns), _other_separator(table)
            remedy = f"perhaps it needs separator = {other!r}" if other else f'map it with columns = {{ {name} = "…" }}'
            raise DataError(
                f"{table.name} has no column {column_name!r}{near}; found: {_list(table.columns)}; {remedy}"
            )
    return present


def _list(names: Sequence[str]) -> str:
    return ", ".join(map(repr, names))


def _other_separator(table: Table) -> str | None:
    """Return what the one column of a table seems to be divided by, if anything."""
    return next((mark for mark in ";\t|" if len(table.columns) == 1 and mark in table.columns[0]), None)


def _as_arrow(frame: Any) -> pa.Table | pl.LazyFrame:
    if isinstance(frame, pl.DataFrame):
        return frame.lazy()
    if isinstance(frame, pa.RecordBatch):
        return pa.Table.from_batches([frame])
    if isinstance(frame, pa.Table | pl.LazyFrame):
        return frame
    return pa.Table.from_pandas(frame, preserve_index=False)


def _frame(data: pa.Table | pl.LazyFrame, name: str) -> Table:
    try:
        columns = data.collect_schema().names() if isinstance(data, pl.LazyFrame) else data.column_names
    except pl.exceptions.PolarsError as error:
        raise DataError(f"{name} cannot be computed ({first_line(error)})") from error

    def read(wanted: Sequence[str]) -> Iterator[Batch]:
        # Only the columns that are needed are ever computed or copied.
        if isinstance(data, pl.LazyFrame):
            try:
                chosen = data.select(wanted).collect(engine="streaming").to_arrow()
            except pl.exceptions.PolarsError as error:
                raise DataError(f"{name} cannot be computed ({first_line(error)})") from error
        else:
            chosen = data.select(list(wanted))
        yield from _numbered(chosen.to_batches(max_chunksize=1 << 20))

    return Table(name, tuple(columns), "row", read)


def _numbered(batches: Iterator[pa.RecordBatch] | list[pa.RecordBatch]) -> Iterator[Batch]:
    start = 1
    for rows in batches:
        yield Batch(rows, np.arange(start, start + rows.num_rows, dtype=np.int64))
        start += rows.num_rows


def _read_arrow(path: Path) -> pa.Table:
    try:
        with pa.memory_map(str(path)) as mapped:
            return pa.ipc.open_file(mapped).read_all()
    except (pa.ArrowInvalid, OSError) as error:
        raise DataError(f"{path} is not a sound Arrow file ({first_line(error)})") from error


def _parquet(path: Path) -> Table:
    try:
        columns = pq.read_schema(path).names
    except (pa.ArrowInvalid, OSError) as error:
        raise DataError(f"{path} is not a sound Parquet file ({first_line(error)})") from error

    def read(wanted: Sequence[str]) -> Iterator[Batch]:
        try:
            with pq.ParquetFile(path) as opened:
                yield from _numbered(opened.iter_batches(batch_size=1 << 20, columns=list(wanted)))
        except (pa.ArrowInvalid, OSError) as error:
            raise DataError(f"{path} is not a sound Parquet file ({first_line(error)})") from error

    return Table(str(path), tuple(columns), "row", read)
