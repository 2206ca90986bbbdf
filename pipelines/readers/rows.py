"""Tables to rows, batch by batch: ids to row numbers, faulty rows to the rejects, counts for the report."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from graphrec.data.vocabulary import Vocabulary

from .batches import Batch, Table
from .cells import Cells, time_cells
from .rejects import Rejects
from .table_source import TableSource
from .tables import named_columns, open_table

UNKNOWN_USER, UNKNOWN_ITEM = "user is not among the given ones", "item is not among the given ones"

Part = TypeVar("Part")


class Rows:
    """External ids to rows, in the order of first appearance; a given vocabulary does not grow."""

    def __init__(self, given: Vocabulary | None) -> None:
        self.given = given
        self._rows: dict[str, int] = {} if given is None else {name: row for row, name in enumerate(given)}

    def of(self, ids: pa.Array) -> npt.NDArray[np.int32]:
        """Return (n,) rows of the ids; -1 where a given vocabulary does not hold one."""
        coded = ids.dictionary_encode()
        names = coded.dictionary.to_pylist()
        if self.given is None:
            table = [self._rows.setdefault(name, len(self._rows)) for name in names]
        else:
            table = [self._rows.get(name, -1) for name in names]
        rows: npt.NDArray[np.int32] = np.asarray(table, dtype=np.int32)[coded.indices.to_numpy()]
        return rows

    def vocabulary(self) -> Vocabulary:
        """Return the vocabulary that the rows stand for."""
        return self.given if self.given is not None else Vocabulary(list(self._rows))


@dataclass(frozen=True, slots=True)
class Reading:
    """A table that is being read: graphrec's column names -> its own, the unit of numeric times, the rejects."""

    table: Table
    names: Mapping[str, str]
    time_unit: str
    bad: Rejects

    def cells(self, batch: Batch, name: str, read: Callable[[pa.Array, str, str], Cells]) -> Cells:
        """Return what ``read`` (one of :mod:`graphrec.pipelines.readers.cells`) makes of a column that is there."""
        column_name = self.names[name]
        return read(batch.rows.column(column_name), column_name, self.table.name)

    def times(self, batch: Batch) -> Cells:
        """Return the (n,) int64 times; zeros where the table has none."""
        if "timestamp" not in self.names:
            return Cells(np.zeros(batch.rows.num_rows, dtype=np.int64), ())
        column_name = self.names["timestamp"]
        column, table = batch.rows.column(column_name), self.table
        return time_cells(column, column_name, self.time_unit, table.name, table.place, batch.places)

    def sound_rows(self, batch: Batch, checked: Iterable[Cells]) -> tuple[int, npt.NDArray[np.int64]]:
        """Return how many rows a batch has without blank lines, and where those without a fault stand.

        A row with faults is counted among the rejects, under its first.
        """
        blank = _blank_lines(batch) if self.table.place == "line" else np.zeros(batch.rows.num_rows, dtype=np.bool_)
        good = ~blank
        for cells in checked:
            for reason, mask in cells.faults:
                self.reject(batch, np.flatnonzero(mask & good), reason)
                good &= ~mask
        return len(blank) - int(blank.sum()), np.flatnonzero(good)

    def known_rows(
        self, batch: Batch, checked: Iterable[Cells], items: Cells, known: Rows
    ) -> tuple[int, npt.NDArray[np.int64], npt.NDArray[np.int32]]:
        """Return the same as :meth:`sound_rows` of the rows whose item is known, and the rows of these items."""
        n, good = self.sound_rows(batch, checked)
        rows = known.of(items.values.take(pa.array(good)))
        self.reject(batch, good[rows < 0], UNKNOWN_ITEM)
        return n, good[rows >= 0], rows[rows >= 0]

    def reject(self, batch: Batch, positions: npt.NDArray[np.int64], reason: str) -> None:
        """Count the rows of a batch at ``positions`` among the rejects."""
        for at in positions.tolist():
            row = ",".join("" if (cell := column[at].as_py()) is None else str(cell) for column in batch.rows.columns)
            self.bad.add(reason, int(batch.places[at]), (row,), value=row)


def read_rows(
    source: TableSource, read: Callable[[Batch, Reading], tuple[int, Part]], *, rejects: str | Path | None
) -> tuple[list[Part], int, Reading]:
    """Return what ``read`` makes of each batch of a table, how many rows there are in all, and what was read.

    Parameters
    ----------
    source : TableSource
        Read once.
    read : callable
        From a batch to its number of rows, blank lines left out, and the ones that can be used.
    rejects : Path or None
        Where rows that cannot be used are written. Rows of unknown users and items are among them, but do not count
        towards ``max_reject_share``.

    Raises
    ------
    DataError
        If the table is broken or too many of its rows cannot be used.
    """
    table = open_table(source)
    names = named_columns(table, source)
    parts, n_rows = [], 0
    with Rejects(rejects, name=table.name, place=table.place) as bad:
        reading = Reading(table, names, source.time_unit, bad)
        for batch in table.read(list(dict.fromkeys(names.values()))):
            n, part = read(batch, reading)
            n_rows += n
            parts.append(part)
        n_rows += reject_ragged(table, bad)
    bad.check(n_rows, source.max_reject_share, forgiven=(UNKNOWN_USER, UNKNOWN_ITEM))
    return parts, n_rows, reading


def counts(bad: Rejects, n_rows: int, n_kept: int, times: npt.NDArray[np.int64] | None) -> dict[str, Any]:
    """Return what every report of a table says: its rows, those kept, rejected and unknown, and the span of times."""
    unknown = sum(bad.reasons[name].count for name in (UNKNOWN_USER, UNKNOWN_ITEM) if name in bad.reasons)
    return {
        "name": bad.name,
        "rows": n_rows,
        "kept": n_kept,
        "rejected": bad.n - unknown,
        "unknown": unknown,
        "rejects": {reason: case.count for reason, case in bad.reasons.items()},
        "time_range": [int(times.min()), int(times.max())] if times is not None and len(times) else None,
    }


def reject_ragged(table: Table, bad: Rejects) -> int:
    """Count the lines with another number of fields, once the table is read, and return how many there are."""
    for line in table.ragged:
        fault = "too many fields" if line.n_fields > line.n_expected else "too few fields"
        bad.add(fault, line.line, (line.text,), value=line.text)
    return len(table.ragged)


def _blank_lines(batch: Batch) -> npt.NDArray[np.bool_]:
    """Return which rows are blank lines: every cell empty."""
    blank = np.ones(batch.rows.num_rows, dtype=np.bool_)
    for column in batch.rows.columns:
        blank &= (pl.Series(values=column) == "").to_numpy()
    return blank
