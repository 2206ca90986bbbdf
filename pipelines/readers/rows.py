"""Tables to rows, batch by batch: ids to row numbers, faulty rows to the rejects, counts for the report."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from graphrec.data.vocabulary import Vocabulary

from .batches import Batch, Table
from .cells import Cells, time_cells
from .rejects import Rejects
from .table_source import TableSource
from .tables import named_columns, open_table

JOINED = "a quote joins lines"
UNKNOWN_USER, UNKNOWN_ITEM = "user is not among the given ones", "item is not among the given ones"

Part = TypeVar("Part")
Faults = list[tuple[str, npt.NDArray[np.bool_]]]
_LINE_ENDS = frozenset("\r\n")


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


@dataclass(slots=True)
class Counted:
    """How many rows a table has, the lines of rejected ones each for itself; and its blank and joined lines.

    A row over n lines, whose quotes join them, has n - 1 joined ones.
    """

    rows: int = 0
    blank: int = 0
    joined: int = 0

    def add(self, batch: Batch) -> None:
        """Count a batch; the lines of its rows beyond the first are joined."""
        self.rows += batch.rows.num_rows + sum(unfit.n_lines for unfit in batch.unfit)
        self.blank += batch.n_blank
        if batch.lines is not None:
            self.joined += int(batch.lines.sum()) - batch.rows.num_rows


@dataclass(frozen=True, slots=True)
class Reading:
    """A table that is being read: graphrec's column names -> its own, the unit of numeric times, the rejects."""

    table: Table
    names: Mapping[str, str]
    time_unit: str
    bad: Rejects
    counted: Counted

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

    def sound_rows(self, batch: Batch, checked: Iterable[Cells]) -> npt.NDArray[np.int64]:
        """Return where the rows of a batch without a fault stand.

        A row with faults is counted among the rejects, under its first.
        """
        good = np.ones(batch.rows.num_rows, dtype=np.bool_)
        faults = [fault for cells in checked for fault in cells.faults]
        for reason, mask in [*joined_cells(batch, batch.rows.columns), *faults]:
            self.reject(batch, np.flatnonzero(mask & good), reason)
            good &= ~mask
        return np.flatnonzero(good)

    def known_rows(
        self, batch: Batch, checked: Iterable[Cells], items: Cells, known: Rows
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int32]]:
        """Return the same as :meth:`sound_rows` of the rows whose item is known, and the rows of these items."""
        good = self.sound_rows(batch, checked)
        rows = known.of(items.values.take(pa.array(good)))
        self.reject(batch, good[rows < 0], UNKNOWN_ITEM)
        return good[rows >= 0], rows[rows >= 0]

    def reject(self, batch: Batch, positions: npt.NDArray[np.int64], reason: str) -> None:
        """Count the rows of a batch at ``positions`` among the rejects, each as many times as it has lines."""
        reject_rows(batch, positions, reason, self.bad, self.counted)


def read_rows(
    source: TableSource, read: Callable[[Batch, Reading], Part], *, rejects: str | Path | None
) -> tuple[list[Part], Reading]:
    """Return what ``read`` makes of each batch of a table, and what was read.

    Parameters
    ----------
    source : TableSource
        Read once.
    read : callable
        From a batch to its rows that can be used.
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
    parts, counted = [], Counted()
    with Rejects(rejects, name=table.name, place=table.place) as bad:
        reading = Reading(table, names, source.time_unit, bad, counted)
        for batch in table.read(list(dict.fromkeys(names.values()))):
            counted.add(batch)
            reject_unfit(batch, bad)
            parts.append(read(batch, reading))
    bad.check(counted.rows, source.max_reject_share, forgiven=(UNKNOWN_USER, UNKNOWN_ITEM))
    return parts, reading


def counts(bad: Rejects, counted: Counted, n_kept: int, times: npt.NDArray[np.int64] | None) -> dict[str, Any]:
    """Return what every report of a table says.

    The rows are kept, rejected or unknown; the lines of a file, but for its header, are rows, blank or joined to a row
    that is kept or unknown. With them why rows were rejected, and the span of times.
    """
    unknown = sum(bad.reasons[name].count for name in (UNKNOWN_USER, UNKNOWN_ITEM) if name in bad.reasons)
    return {
        "name": bad.name,
        "rows": counted.rows,
        "kept": n_kept,
        "rejected": bad.n - unknown,
        "unknown": unknown,
        "blank": counted.blank,
        "joined": counted.joined,
        "rejects": {reason: case.count for reason, case in bad.reasons.items()},
        "time_range": [int(times.min()), int(times.max())] if times is not None and len(times) else None,
    }


def reject_unfit(batch: Batch, bad: Rejects) -> None:
    """Count the records of a batch that are no rows among the rejects."""
    for record in batch.unfit:
        bad.add(record.reason, record.line, (record.text,), value=record.text, count=record.n_lines)


def reject_rows(batch: Batch, positions: npt.NDArray[np.int64], reason: str, bad: Rejects, counted: Counted) -> None:
    """Count the rows of a batch at ``positions`` among the rejects; those that are faulty each by its lines."""
    for at in positions.tolist():
        row = ",".join("" if (cell := column[at].as_py()) is None else str(cell) for column in batch.rows.columns)
        n = 1 if batch.lines is None or reason in (UNKNOWN_USER, UNKNOWN_ITEM) else int(batch.lines[at])
        counted.rows += n - 1
        counted.joined -= n - 1
        bad.add(reason, int(batch.places[at]), (row,), value=row, count=n)


def joined_cells(batch: Batch, columns: Iterable[pa.Array]) -> Faults:
    """Return the fault of rows in which a quote joins the lines of one of ``columns``, if there are any."""
    if batch.lines is None or not (several := np.flatnonzero(batch.lines > 1)).size:
        return []
    mask = np.zeros(batch.rows.num_rows, dtype=np.bool_)
    for column in columns:
        cells = column.take(pa.array(several)).to_pylist()
        mask[several] |= [not _LINE_ENDS.isdisjoint(cell) for cell in cells]
    return [(JOINED, mask)]
