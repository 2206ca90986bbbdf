"""CSV and its kin: records to Arrow batches, the line of every row known, records that do not fit set aside."""

from __future__ import annotations

import csv
import io
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.csv as pa_csv

from graphrec.data.limits import Limits, beyond_limit
from graphrec.errors import DataError, first_line

from .batches import Batch, Table, Unfit
from .lines import PIECE_BYTES, Piece, TextForm, pieces

OPEN_QUOTE = "a quote is neither closed nor doubled"
TOO_MANY, TOO_FEW = "too many fields", "too few fields"
_REMEDY = ", or name its encoding, such as encoding = 'latin-1'"

_BLOCK_BYTES = PIECE_BYTES
# Columns of divide's records.
_START, _END, _LINE, _LINES, _CELLS = range(5)


def text_table(path: Path, form: TextForm, limits: Limits, *, header: Sequence[str]) -> Table:
    """Open a text file as a :class:`Table`; ``header`` names the columns of a file without a header line.

    Raises
    ------
    DataError
        If the file holds no text, is in another encoding, is broken, or is beyond the limits.
    ConfigError
        If the encoding is unknown.
    """
    stream = pieces(path, form, limits, remedy=_REMEDY, size=_BLOCK_BYTES)
    columns = tuple(header)
    if not header:
        first = _first_with_records(path, stream)
        columns = _header(path, first, form, limits)
        stream = itertools.chain([replace(first, records=first.records[1:])], stream)

    def read(wanted: Sequence[str]) -> Iterator[Batch]:
        return (_batch(path, piece, columns, wanted, form) for piece in stream)

    return Table(str(path), columns, "line", read)


def _first_with_records(path: Path, stream: Iterator[Piece]) -> Piece:
    """Return the next piece with records; the blank lines of those before are counted in it."""
    n_blank = 0
    for piece in stream:
        n_blank += piece.n_blank
        if len(piece.records):
            return replace(piece, n_blank=n_blank)
    raise DataError(f"{path} holds no rows; it needs a header line and rows")


def _header(path: Path, first: Piece, form: TextForm, limits: Limits) -> tuple[str, ...]:
    """Return the cells of the first record, once it is known that they are not too many."""
    start, end, line, _, n_cells = first.records[0].tolist()
    if n_cells == 0:
        raise DataError(f"{path}, line {line}: {OPEN_QUOTE}, and the line names the columns; correct it")
    if n_cells > limits.columns:
        raise beyond_limit(f"{path}, line {line}", f"there are {n_cells:,} columns", limits, "columns")
    text = io.StringIO(first.text[start:end].decode(), newline="")
    try:
        separator = form.byte.decode()
        if form.quote:
            return tuple(next(csv.reader(text, delimiter=separator)))
        return tuple(next(csv.reader(text, delimiter=separator, quoting=csv.QUOTE_NONE)))
    except (csv.Error, StopIteration) as error:
        raise DataError(f"{path}, line {line}: cannot be read as names of columns ({first_line(error)})") from error


def _batch(
    path: Path,
    piece: Piece,
    columns: Sequence[str],
    wanted: Sequence[str],
    form: TextForm,
) -> Batch:
    """Return the rows of a piece: its records with as many cells as there are columns."""
    records = piece.records
    fits = records[:, _CELLS] == len(columns)
    whole = bool(fits.all())
    good = records if whole else records[fits]
    rows = _parsed(path, _text_of(piece, good, whole=whole), columns, wanted, form)
    if rows.num_rows != len(good):
        raise DataError(f"{path}: {len(good):,} lines near line {good[0, _LINE]} give {rows.num_rows:,} rows")
    unfit = [
        Unfit(
            int(record[_LINE]),
            int(record[_LINES]),
            _fault(int(record[_CELLS]), len(columns)),
            piece.text[record[_START] : record[_END]]
            .decode(errors="replace")
            .strip("\r\n")
            .replace(form.byte.decode(), form.separator),
        )
        for record in records[~fits]
    ]
    return Batch(rows, good[:, _LINE], good[:, _LINES], unfit, piece.n_blank)


def _fault(n_cells: int, n_columns: int) -> str:
    if n_cells == 0:
        return OPEN_QUOTE
    return TOO_MANY if n_cells > n_columns else TOO_FEW


def _text_of(piece: Piece, records: npt.NDArray[np.int64], *, whole: bool) -> bytes | memoryview:
    """Return the text of some records of a piece, in its order."""
    if not len(records):
        return b""
    start, end = records[:, _START], records[:, _END]
    if whole and not piece.n_blank:
        return memoryview(piece.text)[start[0] : end[-1]]
    # Records that follow each other are copied together.
    breaks = np.flatnonzero(start[1:] != end[:-1]) + 1
    starts, ends = start[np.append(0, breaks)], end[np.append(breaks - 1, len(end) - 1)]
    return b"".join(piece.text[a:b] for a, b in zip(starts.tolist(), ends.tolist(), strict=True))


def _parsed(
    path: Path, text: bytes | memoryview, columns: Sequence[str], wanted: Sequence[str], form: TextForm
) -> pa.RecordBatch:
    """Return the ``wanted`` columns of whole records, as text."""
    schema = pa.schema([(name, pa.large_string()) for name in wanted])
    if not text:
        return pa.RecordBatch.from_pylist([], schema=schema)
    try:
        table = pa_csv.read_csv(
            pa.BufferReader(text),
            read_options=pa_csv.ReadOptions(
                use_threads=False, block_size=len(text) + 1, column_names=[str(at) for at in range(len(columns))]
            ),
            parse_options=pa_csv.ParseOptions(
                delimiter=form.byte.decode(), quote_char=form.quote or False, newlines_in_values=True,
                ignore_empty_lines=False,
            ),
            convert_options=pa_csv.ConvertOptions(
                column_types={str(columns.index(name)): pa.large_string() for name in wanted},
                include_columns=[str(columns.index(name)) for name in wanted],
                strings_can_be_null=False, check_utf8=False,
            ),
        )  # fmt: skip
    except (pa.ArrowException, OSError, MemoryError, OverflowError) as error:
        raise DataError(f"{path} cannot be read as a table ({first_line(error)})") from error
    return table.rename_columns(list(wanted)).combine_chunks().to_batches()[0]
