"""Frames of polars, pandas and Arrow as tables: only the columns that are needed are ever computed or copied."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date
from decimal import Decimal
from numbers import Integral, Real
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa

from graphrec.errors import DataError, brief, first_line

from .batches import Batch, Table

_BATCH_ROWS = 1 << 20
_FAULTS = (pl.exceptions.PolarsError, pa.ArrowException, OSError, MemoryError, ValueError, TypeError, OverflowError)


def frame_table(frame: Any, name: str) -> Table:
    """Return a frame as a :class:`Table`.

    Raises
    ------
    DataError
        If a lazy frame has no columns that can be computed; once it is read also if a column holds what no table holds.
    """
    if isinstance(frame, pl.DataFrame | pl.LazyFrame):
        return _polars(frame.lazy(), name)
    if isinstance(frame, pa.Table | pa.RecordBatch):
        return _arrow(frame, name)
    return _pandas(frame, name)


def numbered(batches: Iterator[pa.RecordBatch] | list[pa.RecordBatch]) -> Iterator[Batch]:
    """Yield batches with their rows numbered from 1."""
    start = 1
    for rows in batches:
        yield Batch(rows, np.arange(start, start + rows.num_rows, dtype=np.int64))
        start += rows.num_rows


def _polars(frame: pl.LazyFrame, name: str) -> Table:
    try:
        schema = frame.collect_schema()
    except _FAULTS as error:
        raise DataError(f"{name} cannot be computed ({first_line(error)})") from error

    def read(wanted: Sequence[str]) -> Iterator[Batch]:
        for column in wanted:
            if schema[column] == pl.Object:
                raise DataError(f"{name}: column {brief(column)} holds Python objects; cast it to text or numbers")
        try:
            chosen = frame.select(wanted).collect(engine="streaming").to_arrow()
        except _FAULTS as error:
            raise DataError(f"{name} cannot be computed ({first_line(error)})") from error
        yield from numbered(chosen.to_batches(max_chunksize=_BATCH_ROWS))

    return Table(name, tuple(schema.names()), "row", read)


def _arrow(frame: pa.Table | pa.RecordBatch, name: str) -> Table:
    def read(wanted: Sequence[str]) -> Iterator[Batch]:
        chosen = pa.table({column: frame.column(column) for column in wanted})
        try:
            chosen.validate(full=True)
        except pa.ArrowException as error:
            raise DataError(f"{name} is not sound ({first_line(error)})") from error
        yield from numbered(chosen.to_batches(max_chunksize=_BATCH_ROWS))

    return Table(name, tuple(frame.schema.names), "row", read)


def _pandas(frame: Any, name: str) -> Table:
    names = [str(column) for column in frame.columns]

    def read(wanted: Sequence[str]) -> Iterator[Batch]:
        chosen = pa.table({column: _column(frame.iloc[:, names.index(column)], column, name) for column in wanted})
        yield from numbered(chosen.to_batches(max_chunksize=_BATCH_ROWS))

    return Table(name, tuple(names), "row", read)


def _column(series: Any, name: str, where: str) -> pa.Array | pa.ChunkedArray:
    """Return a column of pandas; one of mixed objects becomes text."""
    try:
        return pa.Array.from_pandas(series)
    except _FAULTS:
        cells = [None if missing else cell for cell, missing in zip(series, series.isna(), strict=True)]
    texts = []
    for row, cell in enumerate(cells, 1):
        text = _text(cell)
        if text is None and cell is not None:
            kind = type(cell).__name__
            raise DataError(f"{where}: column {brief(name)} holds a {kind} in row {row}; legal are text and numbers")
        texts.append(text)
    try:
        return pa.array(texts, pa.large_string())
    except _FAULTS as error:  # lone surrogates
        raise DataError(f"{where}: column {brief(name)} holds text that is no Unicode") from error


def _text(cell: object) -> str | None:
    """Return a cell as text, as the readers of text read it back; None where it has none."""
    if isinstance(cell, str) or cell is None or isinstance(cell, bool | np.bool_):
        return cell if isinstance(cell, str) else None
    if isinstance(cell, date):
        return cell.isoformat()
    if isinstance(cell, Real) and not isinstance(cell, Integral):
        return str(int(float(cell))) if float(cell).is_integer() else repr(float(cell))
    return str(cell) if isinstance(cell, Integral | Decimal) else None
