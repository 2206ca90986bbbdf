"""Greedy quotas by what lists find as they are merged: see :mod:`graphrec.fusion.coverage`."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from graphrec.data.lists import ItemLists
from graphrec.evaluation.metrics import hit_mask, truth_sizes
from graphrec.fusion.candidates import number_candidates
from graphrec.fusion.coverage_prefixes import NOISE, Objective, densest_step
from graphrec.fusion.stacked import stack
from graphrec.kernels import kernel


def ascend_places(
    lists: Mapping[str, ItemLists],
    truth: ItemLists,
    cost: npt.NDArray[np.float64],
    budget: float,
    objective: Objective,
) -> npt.NDArray[np.int64]:
    """Take the densest step of items that have no place yet until nothing gains or the budget is spent."""
    stacked = stack(lists)
    candidates = number_candidates(stacked)
    numbers, values = candidates.numbers, np.zeros(len(candidates.items))
    hit = np.concatenate([hit_mask(part, truth) for part in lists.values()]) & (numbers >= 0)
    shares = 1.0 / np.maximum(truth_sizes(truth), 1) if objective == "recall" else np.ones(len(truth))
    values[numbers[hit]] = np.concatenate([np.repeat(shares, part.lengths) for part in lists.values()])[hit]
    placed, starts = np.zeros(len(values), dtype=np.bool_), stacked.starts.copy()
    longest = np.array([int(part.lengths.max(initial=0)) for part in lists.values()], dtype=np.int64)
    quotas = np.zeros(len(cost), dtype=np.int64)
    while True:
        room = np.minimum(longest, np.floor((budget - float(cost @ quotas)) / cost + 1e-9).astype(np.int64))
        gains = np.zeros((len(cost), int(room.max(initial=0)) + 1))
        _add_gains(starts, stacked.stops, numbers, values, placed, room, gains)
        channel, step, density = densest_step(gains.cumsum(axis=1), np.zeros_like(quotas), room, cost)
        if density <= NOISE:
            return quotas
        _place(starts, stacked.stops, numbers, placed, channel, step)
        quotas[channel] += step


@kernel
def _add_gains(
    starts: npt.NDArray[np.int64],
    stops: npt.NDArray[np.int64],
    numbers: npt.NDArray[np.int32],
    values: npt.NDArray[np.float64],
    placed: npt.NDArray[np.bool_],
    room: npt.NDArray[np.int64],
    gains: npt.NDArray[np.float64],
) -> None:  # pragma: no cover - compiled
    """Add to ``gains[channel, j]`` what the channel's j-th next entry without a place counts, over all queries."""
    for channel in range(starts.shape[0]):
        for query in range(starts.shape[1]):
            fresh = 0
            for p in range(starts[channel, query], stops[channel, query]):
                if fresh == room[channel]:
                    break
                if numbers[p] >= 0 and not placed[numbers[p]]:
                    fresh += 1
                    gains[channel, fresh] += values[numbers[p]]


@kernel
def _place(
    starts: npt.NDArray[np.int64],
    stops: npt.NDArray[np.int64],
    numbers: npt.NDArray[np.int32],
    placed: npt.NDArray[np.bool_],
    channel: int,
    step: int,
) -> None:  # pragma: no cover - compiled
    """Place the channel's next ``step`` entries without a place for every query, and move its start behind them."""
    for query in range(starts.shape[1]):
        p = starts[channel, query]
        fresh = 0
        while fresh < step and p < stops[channel, query]:
            if numbers[p] >= 0 and not placed[numbers[p]]:
                placed[numbers[p]] = True
                fresh += 1
            p += 1
        starts[channel, query] = p
