"""One batch of a table to rows of users and items, weights and times; what cannot be used goes to the rejects."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from graphrec.vocabulary import Vocabulary
from pipelines.batches import Batch, Table
from pipelines.cells import Cells, check_type, id_cells, time_cells, weight_cells
from pipelines.rejects import Rejects

UNKNOWN_USER, UNKNOWN_ITEM = "user is not among the given ones", "item is not among the given ones"


class Events(NamedTuple):
    """Rows that can be used: (n,) users and items int32, weights float32, times int64."""

    users: npt.NDArray[np.int32]
    items: npt.NDArray[np.int32]
    weights: npt.NDArray[np.float32]
    times: npt.NDArray[np.int64]


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


def encode(
    rows_of: tuple[Rows, Rows], users: pa.Array, items: pa.Array
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
    """Return (n,) user and item rows, -1 where an id is unknown; the items of unknown users are not looked at."""
    user_rows = rows_of[0].of(users)
    known = user_rows >= 0
    item_rows = np.full(len(user_rows), -1, dtype=np.int32)
    item_rows[known] = rows_of[1].of(items.filter(pa.array(known)))
    return user_rows, item_rows


@dataclass(frozen=True, slots=True)
class Settings:
    """Our column names -> the table's, the weights of events, the unit of numeric times."""

    names: Mapping[str, str]
    event_weights: Mapping[str, float]
    time_unit: str


def read_batch(
    batch: Batch, table: Table, settings: Settings, rows_of: tuple[Rows, Rows], bad: Rejects
) -> tuple[int, Events]:
    """Return how many rows a batch has (blank lines left out), and (users, items, weights, times) of the good ones."""
    column = {ours: batch.rows.column(theirs) for ours, theirs in settings.names.items()}
    n = batch.rows.num_rows
    users = id_cells(column["user_id"], settings.names["user_id"], table.name)
    items = id_cells(column["item_id"], settings.names["item_id"], table.name)
    checked = [users, items]
    weights = np.ones(n, dtype=np.float32)
    times = np.zeros(n, dtype=np.int64)
    if "weight" in column:
        checked.append(weight_cells(column["weight"], settings.names["weight"], table.name))
        weights = checked[-1].values
    if "timestamp" in column:
        name = settings.names["timestamp"]
        checked.append(time_cells(column["timestamp"], name, settings.time_unit, table.name, table.place, batch.places))
        times = checked[-1].values
    if settings.event_weights:
        check_type(column["event"], settings.names["event"], table.name, what="events are text")
        checked.append(_event_cells(column["event"], settings))
        weights = weights * checked[-1].values
    blank = blank_lines(batch) if table.place == "line" else np.zeros(n, dtype=np.bool_)
    good = reject_faults(checked, batch, blank, bad)
    chosen = pa.array(good)
    user_rows, item_rows = encode(rows_of, users.values.filter(chosen), items.values.filter(chosen))
    known = (user_rows >= 0) & (item_rows >= 0)
    kept = np.flatnonzero(good)
    for mask, reason in ((user_rows < 0, UNKNOWN_USER), ((user_rows >= 0) & (item_rows < 0), UNKNOWN_ITEM)):
        for at in kept[mask]:
            add_row(bad, reason, batch, int(at))
    kept = kept[known]
    return n - int(blank.sum()), Events(user_rows[known], item_rows[known], weights[kept], times[kept])


def _event_cells(column: pa.Array, settings: Settings) -> Cells:
    """Return the (n,) float32 weights of events; an event without a weight is a fault."""
    coded = column.cast(pa.large_string()).dictionary_encode()
    table = np.array([settings.event_weights.get(name, np.nan) for name in coded.dictionary.to_pylist()] + [np.nan])
    found = table[coded.indices.fill_null(len(table) - 1).to_numpy()]
    unknown = np.isnan(found)
    legal = ", ".join(settings.event_weights)
    reason = f"{settings.names['event']} has no weight in event_weights, which knows {legal}"
    return Cells(np.where(unknown, 1, found).astype(np.float32), ((reason, unknown),))


def blank_lines(batch: Batch) -> npt.NDArray[np.bool_]:
    """Return which rows are blank lines: every cell empty."""
    blank = np.ones(batch.rows.num_rows, dtype=np.bool_)
    for column in batch.rows.columns:
        blank &= (pl.Series(values=column) == "").to_numpy()
    return blank


def reject_faults(
    checked: Iterable[Cells], batch: Batch, blank: npt.NDArray[np.bool_], bad: Rejects
) -> npt.NDArray[np.bool_]:
    """Count the rows with a fault (each under its first) and return the mask of the good ones."""
    good = ~blank
    for cells in checked:
        for reason, mask in cells.faults:
            for at in np.flatnonzero(mask & good):
                add_row(bad, reason, batch, int(at))
            good &= ~mask
    return good


def reject_ragged(table: Table, bad: Rejects) -> int:
    """Count the lines with another number of fields, once the table is read, and return how many there are."""
    for line in table.ragged:
        fault = "too many fields" if line.found > line.expected else "too few fields"
        bad.add(fault, line.line, (line.text,), found=line.text)
    return len(table.ragged)


def add_row(bad: Rejects, reason: str, batch: Batch, at: int) -> None:
    """Count the row at place ``at`` of a batch among the rejects."""
    row = ["" if cell is None else str(cell) for cell in (column[at].as_py() for column in batch.rows.columns)]
    bad.add(reason, int(batch.places[at]), (",".join(row),), found=",".join(row))
