"""Exposures from files and frames: what was shown, whether it converted, every cell checked."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from graphrec.checks import typed
from graphrec.data.exposures import Exposures
from graphrec.data.vocabulary import Vocabulary
from graphrec.errors import DataError

from .batches import Batch
from .cells import Cells, flag_cells, id_cells, propensity_cells, value_cells
from .rows import Reading, Rows, counts, read_rows
from .table_source import ExposuresSource


class _Part(NamedTuple):
    """Rows that can be used: (n,) users and items int32, converted bool, values float32, times int64, propensities."""

    users: npt.NDArray[np.int32]
    items: npt.NDArray[np.int32]
    converted: npt.NDArray[np.bool_]
    values: npt.NDArray[np.float32]
    times: npt.NDArray[np.int64]
    propensities: npt.NDArray[np.float32]


@typed
def read_exposures(
    source: object, *, users: Vocabulary, items: Vocabulary, rejects: str | Path | None = None, **settings: Any
) -> tuple[Exposures, dict[str, Any]]:
    """Return what was shown, and a report of what was read.

    Parameters
    ----------
    source : path, frame or ExposuresSource
        What to read; in batches.
    users, items : Vocabulary
        They do not grow. Rows of other items are left out and counted as unknown; rows of other users, or of none, stay
        as exposures of nobody known.
    rejects : Path or None
        Where rows that cannot be used are written: line, reason, row.
    **settings
        Fields of :class:`graphrec.pipelines.readers.table_source.ExposuresSource`. Unknown items do not count towards
        ``max_reject_share``.

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
        If a setting is unknown or has an illegal value.
    """
    table = ExposuresSource.of(source, settings)
    batch_reader = partial(_read_batch, users=Rows(users), known=Rows(items))
    parts, reading = read_rows(table, batch_reader, rejects=rejects)
    names, bad = reading.names, reading.bad
    if not sum(len(part.items) for part in parts):
        raise DataError(
            f"{bad.name}: none of its {reading.counted.rows:,} rows can be used as an exposure of a known item"
        )
    joined = _Part(*map(np.concatenate, zip(*parts, strict=True)))
    exposures = Exposures(
        joined.users,
        joined.items,
        joined.converted,
        joined.values if "value" in names else None,
        joined.times if "timestamp" in names else None,
        n_users=len(users),
        n_items=len(items),
        propensities=joined.propensities if "propensity" in names else None,
    )
    report = counts(bad, reading.counted, len(exposures), exposures.times)
    anonymous, converted = int((exposures.users < 0).sum()), int(exposures.converted.sum())
    return exposures, {**report, "anonymous": anonymous, "converted": converted}


def _read_batch(batch: Batch, reading: Reading, *, users: Rows, known: Rows) -> _Part:
    """Return the good rows of a batch."""
    items, converted = reading.cells(batch, "item_id", id_cells), reading.cells(batch, "converted", flag_cells)
    values = Cells(np.zeros(batch.rows.num_rows, dtype=np.float32), ())
    if "value" in reading.names:
        values = reading.cells(batch, "value", value_cells)
    propensities = Cells(np.ones(batch.rows.num_rows, dtype=np.float32), ())
    if "propensity" in reading.names:
        propensities = reading.cells(batch, "propensity", propensity_cells)
    times = reading.times(batch)
    kept, rows = reading.known_rows(batch, (items, converted, values, times, propensities), items, known)
    who = np.full(len(kept), -1, dtype=np.int32)
    if "user_id" in reading.names:
        who = users.of(reading.cells(batch, "user_id", id_cells).values.take(pa.array(kept)))
    return _Part(who, rows, converted.values[kept], values.values[kept], times.values[kept], propensities.values[kept])
