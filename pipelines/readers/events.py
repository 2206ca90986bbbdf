"""One batch of a table to rows of users and items, weights and times; what cannot be used goes to the rejects."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from .batches import Batch
from .cells import Cells, check_type, id_cells, weight_cells
from .rows import UNKNOWN_ITEM, UNKNOWN_USER, Reading, Rows


class Events(NamedTuple):
    """Rows that can be used: (n,) users and items int32, weights float32, times int64."""

    users: npt.NDArray[np.int32]
    items: npt.NDArray[np.int32]
    weights: npt.NDArray[np.float32]
    times: npt.NDArray[np.int64]


def encode(
    rows_of: tuple[Rows, Rows], users: pa.Array, items: pa.Array
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
    """Return (n,) user and item rows, -1 where an id is unknown; the items of unknown users are not looked at."""
    user_rows = rows_of[0].of(users)
    known = user_rows >= 0
    item_rows = np.full(len(user_rows), -1, dtype=np.int32)
    item_rows[known] = rows_of[1].of(items.filter(pa.array(known)))
    return user_rows, item_rows


def read_batch(
    batch: Batch, reading: Reading, *, rows_of: tuple[Rows, Rows], event_weights: Mapping[str, float]
) -> Events:
    """Return (users, items, weights, times) of the good rows of a batch."""
    users, items = (reading.cells(batch, name, id_cells) for name in ("user_id", "item_id"))
    checked = [users, items]
    weights = np.ones(batch.rows.num_rows, dtype=np.float32)
    if "weight" in reading.names:
        checked.append(reading.cells(batch, "weight", weight_cells))
        weights = checked[-1].values
    times = reading.times(batch)
    checked.append(times)
    if event_weights:
        checked.append(_event_cells(batch, reading, event_weights))
        weights = weights * checked[-1].values
    good = reading.sound_rows(batch, checked)
    chosen = pa.array(good)
    user_rows, item_rows = encode(rows_of, users.values.take(chosen), items.values.take(chosen))
    reading.reject(batch, good[user_rows < 0], UNKNOWN_USER)
    reading.reject(batch, good[(user_rows >= 0) & (item_rows < 0)], UNKNOWN_ITEM)
    known = (user_rows >= 0) & (item_rows >= 0)
    kept = good[known]
    return Events(user_rows[known], item_rows[known], weights[kept], times.values[kept])


def _event_cells(batch: Batch, reading: Reading, event_weights: Mapping[str, float]) -> Cells:
    """Return the (n,) float32 weights of events; an event without a weight is a fault."""
    name = reading.names["event"]
    column = batch.rows.column(name)
    check_type(column, name, reading.table.name, what="events are text")
    coded = column.cast(pa.large_string()).dictionary_encode()
    table = np.array([event_weights.get(name, np.nan) for name in coded.dictionary.to_pylist()] + [np.nan])
    weights = table[coded.indices.fill_null(len(table) - 1).to_numpy()]
    unknown = np.isnan(weights)
    reason = f"{name} has no weight in event_weights, which knows {', '.join(event_weights)}"
    return Cells(np.where(unknown, 1, weights).astype(np.float32), ((reason, unknown),))
