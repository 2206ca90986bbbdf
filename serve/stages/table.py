"""Candidates of many requests as an Arrow table: one row a candidate, whole columns at a time."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa

from graphrec.data.lists import ItemLists
from graphrec.escapes import json_text

from ..state import State
from .stage import Candidates


def schema_of(channels: tuple[str, ...]) -> pa.Schema:
    """Return the columns: user, rank, item, score, and the rank in each channel."""
    ranks = pa.struct([pa.field(name, pa.int32()) for name in channels])
    return pa.schema(
        [
            pa.field("user", pa.large_string()),
            pa.field("rank", pa.int32(), nullable=False),
            pa.field("item", pa.large_string(), nullable=False),
            pa.field("score", pa.float32(), nullable=False),
            pa.field("channels", ranks),
        ]
    )


def table_of(
    state: State, candidates: Candidates, ids: pa.Array, channels: tuple[str, ...], left_out: Mapping[str, str]
) -> pa.RecordBatch:
    """Return the candidates of n users, whose ``ids`` may be null; who answered with nothing has no row.

    ``left_out`` goes into the metadata of the schema, beside the version that answered.
    """
    merged = candidates.merged
    lists = merged.lists
    schema = schema_of(channels)
    notes = {"version": state.version, "left_out": json_text(dict(left_out))}
    return pa.record_batch(
        [
            ids.take(pa.array(np.repeat(np.arange(len(lists)), lists.lengths))),
            pa.array(_ranks(lists)),
            state.bundle.items.ids.take(pa.array(lists.items)),
            pa.array(lists.scores),
            _channel_ranks(candidates, channels),
        ],
        schema=schema.with_metadata(notes),
    )


def _ranks(lists: ItemLists) -> np.ndarray[tuple[int], np.dtype[np.int32]]:
    """Return (m,) int32: the 1-based place of each entry in its list."""
    places = np.arange(1, len(lists.items) + 1) - np.repeat(lists.indptr[:-1], lists.lengths)
    return places.astype(np.int32)


def _channel_ranks(candidates: Candidates, channels: tuple[str, ...]) -> pa.StructArray:
    """Return the 1-based rank of each candidate in each channel; null where the channel did not return it."""
    merged = candidates.merged
    columns = []
    for name in channels:
        if name in merged.channels:
            ranks = np.ascontiguousarray(merged.ranks[:, merged.channels.index(name)])
            columns.append(pa.array(ranks, mask=ranks == 0))
        else:
            columns.append(pa.nulls(len(merged.lists.items), pa.int32()))
    return pa.StructArray.from_arrays(columns, names=list(channels))
