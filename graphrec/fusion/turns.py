"""Merging by turns: channels place their items one after the other."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from graphrec.data.lists import indptr_of, lists_of
from graphrec.fusion.fused import FusedLists
from graphrec.fusion.stacked import StackedLists
from graphrec.kernels import kernel

# Slots of the table of placed items, for each of them.
_SPARSE = 16


def by_turns(
    stacked: StackedLists,
    quotas: npt.NDArray[np.int64],
    order: npt.NDArray[np.int64],
    k: int,
    *,
    turn_length: int = 1,
) -> FusedLists:
    """Return k items a query, placed by channels that take turns, with provenance.

    Parameters
    ----------
    stacked : StackedLists
        C channels' answers to n queries.
    quotas : ndarray
        (C,) int64 places by channel. Once all are used up, room that is left is filled in the same turns, without them.
    order : ndarray
        (C,) int64: the channels' columns in the order of turns, which is reversed every round.
    k : int
        Items wanted a query, >= 1.
    turn_length : int, default 1
        Places that one turn fills at most.

    Returns
    -------
    FusedLists
        At most k entries a query. The score is ``1 - position / k``: it says the place and nothing else.

    Notes
    -----
    Time O(E + k C) for a query with E entries over all channels; memory O(n k C). Deterministic.
    """
    widths = np.minimum(stacked.lengths.sum(axis=0), k)
    m = int(widths.sum())
    counts, items = np.empty(stacked.n, dtype=np.int64), np.empty(m, dtype=np.int32)
    ranks = np.zeros((m, len(order)), dtype=np.int32)
    scores = np.full((m, len(order)), np.nan, dtype=np.float32)
    table = np.full(_table_size(int(widths.max(initial=0))), -1, dtype=np.int32)
    _take_turns(
        stacked.starts, stacked.stops, stacked.items, stacked.scores, quotas, order, turn_length, k, table,
        counts, items, ranks, scores,
    )  # fmt: skip
    indptr = indptr_of(counts)
    total = indptr[-1]
    positions = np.arange(total) - np.repeat(indptr[:-1], counts)
    merged = lists_of(indptr, items[:total], (1.0 - positions / k).astype(np.float32))
    return FusedLists(merged, stacked.channels, ranks[:total], scores[:total])


def _table_size(k: int) -> int:
    """Return the slots of a table of k items, nearly empty: one look says of most entries that they have no place."""
    return 1 << (_SPARSE * k).bit_length()


@kernel
def _slot_of(
    table: npt.NDArray[np.int32], items: npt.NDArray[np.int32], first: int, item: int
) -> int:  # pragma: no cover - compiled
    """Return the slot of an item, or the free slot where it would stand; what lies before ``first`` is free."""
    # Fibonacci hashing: neighbouring rows are spread over the table.
    slot = ((np.int64(item) * np.int64(2654435769)) >> np.int64(8)) & (table.size - 1)
    while table[slot] >= first and items[table[slot]] != item:
        slot = (slot + 1) & (table.size - 1)
    return int(slot)


@kernel
def _take_turns(
    starts: npt.NDArray[np.int64],
    stops: npt.NDArray[np.int64],
    entries: npt.NDArray[np.int32],
    entry_scores: npt.NDArray[np.float32],
    quotas: npt.NDArray[np.int64],
    order: npt.NDArray[np.int64],
    turn_length: int,
    k: int,
    table: npt.NDArray[np.int32],
    counts: npt.NDArray[np.int64],
    items: npt.NDArray[np.int32],
    ranks: npt.NDArray[np.int32],
    scores: npt.NDArray[np.float32],
) -> None:  # pragma: no cover - compiled
    """Let channels take turns of up to ``turn_length`` places for each query; write the items and who returned them."""
    n_channels = starts.shape[0]
    pointers, left = np.empty(n_channels, dtype=np.int64), np.empty(n_channels, dtype=np.int64)
    total = 0
    for query in range(starts.shape[1]):
        pointers[:] = starts[:, query]
        first = total
        # First the quotas, then whatever room is left, for which no quota counts.
        for fill in range(2):
            if fill:
                left[:] = k
            else:
                left[:] = quotas
            turn = 0
            moved = True
            while moved and total - first < k:
                moved = False
                for step in range(n_channels):
                    # Snake: whoever chose last in one round chooses first in the next.
                    channel = order[step if turn % 2 == 0 else n_channels - 1 - step]
                    allowed = min(turn_length, left[channel])
                    while allowed > 0 and total - first < k and pointers[channel] < stops[channel, query]:
                        item = entries[pointers[channel]]
                        pointers[channel] += 1
                        slot = _slot_of(table, items, first, item)
                        if table[slot] < first:
                            table[slot] = total
                            items[total] = item
                            total += 1
                            allowed -= 1
                            left[channel] -= 1
                            moved = True
                turn += 1
        counts[query] = total - first
        for channel in range(n_channels):
            start = starts[channel, query]
            for p in range(start, stops[channel, query]):
                row = table[_slot_of(table, items, first, entries[p])]
                # An item that stands twice in a list keeps its better rank.
                if row >= first and ranks[row, channel] == 0:
                    ranks[row, channel] = p - start + 1
                    scores[row, channel] = entry_scores[p]
