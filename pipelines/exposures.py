"""Exposures from files and frames: what was shown, whether it converted, every cell checked."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from graphrec.errors import DataError
from graphrec.exposures import Exposures
from graphrec.vocabulary import Vocabulary
from pipelines.batches import Batch, Table
from pipelines.cells import Cells, flag_cells, id_cells, time_cells, value_cells
from pipelines.events import UNKNOWN_ITEM, Rows, add_row, blank_lines, reject_faults, reject_ragged
from pipelines.rejects import Rejects
from pipelines.sources import TimeUnit
from pipelines.tables import named_columns, open_table

OURS = ("user_id", "item_id", "converted", "value", "timestamp")
_NEEDED = ("item_id", "converted")


class _Part(NamedTuple):
    """Rows that can be used: (n,) users and items int32, converted bool, values float32, times int64."""

    users: npt.NDArray[np.int32]
    items: npt.NDArray[np.int32]
    converted: npt.NDArray[np.bool_]
    values: npt.NDArray[np.float32]
    times: npt.NDArray[np.int64]


def read_exposures(
    source: object, *, users: Vocabulary, items: Vocabulary, columns: Mapping[str, str] | None = None,
    rejects: Path | None = None, max_reject_share: float = 0.05, time_unit: TimeUnit = "s",
) -> tuple[Exposures, dict[str, Any]]:  # fmt: skip
    """Return what was shown, and a report of what was read.

    Parameters
    ----------
    source : path or frame
        As for :func:`pipelines.sources.read_interactions`; read in batches.
    users, items : Vocabulary
        They do not grow. Rows of other items are left out and counted as unknown; rows of other users, or of none, stay
        as exposures of nobody known.
    columns : mapping
        Our names (user_id, item_id, converted, value, timestamp) to the file's; item_id and converted must be there.
        ``converted`` is 1 or 0, true or false; an empty ``value`` is 0.
    rejects : Path or None
        Where rows that cannot be used are written: line, reason, row.
    max_reject_share : float
        The run stops when a larger share of the rows cannot be used; unknown items do not count.
    time_unit : {"s", "ms", "us", "ns"}
        Unit of numeric times.

    Returns
    -------
    exposures : Exposures
        In the order of the file.
    report : dict
        ``rows``, ``kept``, ``rejected``, ``rejects`` (reason -> count), ``unknown`` (rows of unknown items),
        ``anonymous`` (rows of nobody known), ``converted``, ``time_range``.

    Raises
    ------
    DataError
        If the file or a column is missing, empty or broken, too many rows are bad, or none can be used.
    ConfigError
        If ``columns`` names something unknown.
    """
    table = open_table(source)
    names = named_columns(table, columns or {}, ours=OURS, needed=_NEEDED)
    rows_of = (Rows(users), Rows(items))
    parts: list[_Part] = []
    n_rows = 0
    with Rejects(rejects, name=table.name, place=table.place) as bad:
        for batch in table.read(list(names.values())):
            n, part = _read_batch(batch, table, names, time_unit, rows_of, bad)
            n_rows += n
            parts.append(part)
        n_rows += reject_ragged(table, bad)
    bad.check(n_rows, max_reject_share, forgiven=(UNKNOWN_ITEM,))
    if not sum(len(part.items) for part in parts):
        raise DataError(f"{table.name}: none of its {n_rows:,} rows can be used as an exposure of a known item")
    joined = _Part(*(np.concatenate(column) for column in zip(*parts, strict=True)))
    exposures = Exposures(
        joined.users,
        joined.items,
        joined.converted,
        joined.values if "value" in names else None,
        joined.times if "timestamp" in names else None,
        n_users=len(users),
        n_items=len(items),
    )
    return exposures, _report(exposures, n_rows, bad)


def _read_batch(
    batch: Batch,
    table: Table,
    names: Mapping[str, str],
    time_unit: TimeUnit,
    rows_of: tuple[Rows, Rows],
    bad: Rejects,
) -> tuple[int, _Part]:
    """Return how many rows a batch has (blank lines left out), and the good ones."""
    column = {ours: batch.rows.column(theirs) for ours, theirs in names.items()}
    n = batch.rows.num_rows
    items = id_cells(column["item_id"], names["item_id"], table.name)
    converted = flag_cells(column["converted"], names["converted"], table.name)
    values: Cells = Cells(np.zeros(n, dtype=np.float32), ())
    times: Cells = Cells(np.zeros(n, dtype=np.int64), ())
    if "value" in column:
        values = value_cells(column["value"], names["value"], table.name)
    if "timestamp" in column:
        times = time_cells(column["timestamp"], names["timestamp"], time_unit, table.name, table.place, batch.places)
    blank = blank_lines(batch) if table.place == "line" else np.zeros(n, dtype=np.bool_)
    good = np.flatnonzero(reject_faults((items, converted, values, times), batch, blank, bad))
    rows = rows_of[1].of(items.values.take(pa.array(good)))
    for at in good[rows < 0]:
        add_row(bad, UNKNOWN_ITEM, batch, int(at))
    kept = good[rows >= 0]
    return n - int(blank.sum()), _Part(
        _users(column.get("user_id"), names, table, rows_of[0], kept),
        rows[rows >= 0],
        converted.values[kept],
        values.values[kept],
        times.values[kept],
    )


def _users(
    column: pa.Array | None, names: Mapping[str, str], table: Table, rows: Rows, kept: npt.NDArray[np.int64]
) -> npt.NDArray[np.int32]:
    """Return the (n,) users of the kept rows; -1 where there is none, or one that is not known."""
    if column is None:
        return np.full(len(kept), -1, dtype=np.int32)
    return rows.of(id_cells(column, names["user_id"], table.name).values.take(pa.array(kept)))


def _report(exposures: Exposures, n_rows: int, bad: Rejects) -> dict[str, Any]:
    unknown = bad.reasons[UNKNOWN_ITEM].count if UNKNOWN_ITEM in bad.reasons else 0
    times = exposures.times
    return {
        "name": bad.name,
        "rows": n_rows,
        "kept": len(exposures),
        "rejected": bad.n - unknown,
        "unknown": unknown,
        "anonymous": int((exposures.users < 0).sum()),
        "rejects": {reason: case.count for reason, case in bad.reasons.items()},
        "converted": int(exposures.converted.sum()),
        "time_range": [int(times.min()), int(times.max())] if times is not None else None,
    }
