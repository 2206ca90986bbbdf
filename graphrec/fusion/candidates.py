"""The distinct items that the channels returned for a query, numbered, and which entries name them.

Everything else in this room reads these numbers: sums, turns, coverage and provenance need no look-up of their own.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from graphrec.data.lists import lists_of
from graphrec.fusion.fused import FusedLists
from graphrec.fusion.selection import Selection
from graphrec.fusion.stacked import StackedLists
from graphrec.kernels import kernel


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """The distinct items of n queries.

    Parameters
    ----------
    indptr : ndarray
        (n + 1,) int64: query i's candidates are ``items[indptr[i]:indptr[i + 1]]``, in order of appearance.
    items : ndarray
        (c,) int32 rows.
    numbers : ndarray
        (m,) int32: the candidate that each stacked entry names; -1 where its list named the item before, so that an
        item that stands twice in a list counts there once, at its better rank.
    """

    indptr: npt.NDArray[np.int64]
    items: npt.NDArray[np.int32]
    numbers: npt.NDArray[np.int32]


def number_candidates(stacked: StackedLists) -> Candidates:
    """Return the distinct items of each query. O(m) time on average and memory, for m entries."""
    m = len(stacked.items)
    indptr = np.zeros(stacked.n + 1, dtype=np.int64)
    items, numbers = np.empty(m, dtype=np.int32), np.empty(m, dtype=np.int32)
    number_entries(stacked.starts, stacked.stops, stacked.items, stacked.widest, indptr, items, numbers)
    return Candidates(indptr, items[: indptr[-1]], numbers)


def with_provenance(stacked: StackedLists, candidates: Candidates, selection: Selection) -> FusedLists:
    """Return the selected candidates as merged lists, with each channel's rank and score of them. O(m + t C)."""
    t, c = len(selection.places), len(stacked.channels)
    ranks, scores = np.zeros((t, c), dtype=np.int32), np.full((t, c), np.nan, dtype=np.float32)
    write_provenance(
        stacked.starts, stacked.stops, candidates.numbers, selection.positions(len(candidates.items)), stacked.scores,
        ranks, scores,
    )  # fmt: skip
    merged = lists_of(selection.indptr, candidates.items[selection.places], selection.scores)
    return FusedLists(merged, stacked.channels, ranks, scores)


@kernel
def number_entries(
    starts: npt.NDArray[np.int64],
    stops: npt.NDArray[np.int64],
    items: npt.NDArray[np.int32],
    widest: int,
    indptr: npt.NDArray[np.int64],
    distinct: npt.NDArray[np.int32],
    numbers: npt.NDArray[np.int32],
) -> None:  # pragma: no cover - compiled
    """Write the distinct items of each query, where each query's start, and the candidate that each entry names."""
    # An open-addressing table of candidates, two thirds full at most. One that lies before the query's first is free:
    # nothing has to be cleared between queries.
    size = 16
    while 2 * size < 3 * widest:
        size *= 2
    table = np.full(size, -1, dtype=np.int32)
    last_channel = np.empty(items.size, dtype=np.int32)
    total = 0
    for query in range(starts.shape[1]):
        first = total
        for channel in range(starts.shape[0]):
            for p in range(starts[channel, query], stops[channel, query]):
                item = items[p]
                # Fibonacci hashing: neighbouring rows are spread over the table.
                place = ((np.int64(item) * np.int64(2654435769)) >> np.int64(8)) & (size - 1)
                while table[place] >= first and distinct[table[place]] != item:
                    place = (place + 1) & (size - 1)
                number = table[place]
                if number < first:
                    number = np.int32(total)
                    table[place] = number
                    distinct[number] = item
                    total += 1
                elif last_channel[number] == channel:
                    numbers[p] = -1
                    continue
                last_channel[number] = channel
                numbers[p] = number
        indptr[query + 1] = total


@kernel
def write_provenance(
    starts: npt.NDArray[np.int64],
    stops: npt.NDArray[np.int64],
    numbers: npt.NDArray[np.int32],
    positions: npt.NDArray[np.int32],
    scores: npt.NDArray[np.float32],
    out_ranks: npt.NDArray[np.int32],
    out_scores: npt.NDArray[np.float32],
) -> None:  # pragma: no cover - compiled
    """Write every channel's rank and score of the entries whose candidate has a position among the output's rows."""
    for channel in range(starts.shape[0]):
        for query in range(starts.shape[1]):
            start = starts[channel, query]
            for p in range(start, stops[channel, query]):
                position = positions[numbers[p]]
                if position < out_ranks.shape[0]:
                    out_ranks[position, channel] = p - start + 1
                    out_scores[position, channel] = scores[p]
