"""Greedy quotas by what channels' prefixes cover, with a bound: see :mod:`graphrec.fusion.coverage`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt

from graphrec.checks import check_length
from graphrec.data.lists import ItemLists
from graphrec.errors import DataError
from graphrec.evaluation.metrics import hit_mask, truth_sizes
from graphrec.fusion.stacked import n_queries

Objective = Literal["hits", "recall"]
# Gains and densities are sums of shares: differences below this are rounding.
NOISE = 1e-12


@dataclass(frozen=True, slots=True, eq=False)
class PrefixHits:
    """Hits of all channels: ``channel``, ``rank`` (from 1) and ``pair`` (h,); what each pair counts; (C,) depths."""

    channel: npt.NDArray[np.int64]
    rank: npt.NDArray[np.int64]
    pair: npt.NDArray[np.int64]
    values: npt.NDArray[np.float64]
    depths: npt.NDArray[np.int64]
    held_out: float

    def gains(self) -> npt.NDArray[np.float64]:
        """Return (C, D + 1): what each channel's first p entries cover of these hits."""
        width = int(self.depths.max(initial=0)) + 1
        place = self.channel * width + self.rank
        added = np.bincount(place, weights=self.values[self.pair], minlength=len(self.depths) * width)
        gains: npt.NDArray[np.float64] = added.reshape(len(self.depths), width).cumsum(axis=1)
        return gains

    def beyond(self, quotas: npt.NDArray[np.int64]) -> PrefixHits:
        """Return the hits on pairs that the quotas do not cover."""
        covered = np.zeros(len(self.values), dtype=np.bool_)
        covered[self.pair[self.rank <= quotas[self.channel]]] = True
        fresh = ~covered[self.pair]
        return replace(self, channel=self.channel[fresh], rank=self.rank[fresh], pair=self.pair[fresh])


def prefix_hits(
    lists: Mapping[str, ItemLists], truth: ItemLists, reach: npt.NDArray[np.float64], objective: Objective
) -> PrefixHits:
    """Find every hit that the budget can reach; ``reach`` (C,) are the places that it pays for."""
    check_length(truth.lengths, n_queries(lists), name="truth")
    sizes = truth_sizes(truth)
    if not sizes.any():
        raise DataError("no user has a held-out item, so quotas cannot be chosen; hold out more events")
    longest = np.array([int(part.lengths.max(initial=0)) for part in lists.values()], dtype=np.int64)
    # A budget such as 0.3 at 0.1 a place pays for 3 places, whatever the binary digits say.
    depths = np.minimum(longest, np.floor(reach + 1e-9).astype(np.int64))
    channels, ranks, keys = [], [], []
    for column, part in enumerate(lists.values()):
        entries = np.flatnonzero(hit_mask(part, truth))
        owners = np.searchsorted(part.indptr, entries, side="right") - 1
        rank = entries - part.indptr[owners] + 1
        near = rank <= depths[column]
        channels.append(np.full(int(near.sum()), column, dtype=np.int64))
        ranks.append(rank[near])
        keys.append((owners[near] << np.int64(32)) | part.items[entries[near]])
    pairs, places = np.unique(np.concatenate(keys), return_inverse=True)
    values = 1.0 / sizes[pairs >> np.int64(32)] if objective == "recall" else np.ones(len(pairs))
    held_out = float((sizes > 0).sum() if objective == "recall" else sizes.sum())
    joined = (np.concatenate(channels), np.concatenate(ranks), places.astype(np.int64))
    return PrefixHits(*joined, values, depths, held_out)


@dataclass(frozen=True, slots=True, eq=False)
class PrefixEnd:
    """Where the ascent ended."""

    quotas: npt.NDArray[np.int64]
    covered: float
    bound: float
    whole_steps: bool


def ascend_prefixes(hits: PrefixHits, cost: npt.NDArray[np.float64], budget: float) -> PrefixEnd:
    """Take the densest step that fits until nothing gains; keep the best end and the lowest bound."""
    quotas = np.zeros(len(cost), dtype=np.int64)
    best, reached, bound, whole = quotas, 0.0, np.inf, True
    covered = 0.0
    while True:
        gains, left = hits.gains(), budget - float(cost @ quotas)
        bound = min(bound, covered + _bound(gains, hits.depths, cost, budget))
        room = np.minimum(hits.depths, quotas + np.floor(left / cost + 1e-9).astype(np.int64))
        ends = covered + gains[np.arange(len(cost)), room]
        last = int(np.argmax(ends))
        if ends[last] > reached + NOISE:
            best, reached = quotas.copy(), float(ends[last])
            # No longer than it takes to gain that much.
            best[last] = max(quotas[last], int(np.searchsorted(gains[last], gains[last, room[last]] - NOISE)))
        channel, length, density = densest_step(gains, quotas, room, cost)
        # A denser step that the budget no longer pays for ends the guarantee of 1 - 1/e.
        whole &= densest_step(gains, quotas, hits.depths, cost)[2] <= density * (1 + 1e-9) + NOISE
        if density <= NOISE:
            return PrefixEnd(best, reached, max(bound, reached), whole)
        covered += float(gains[channel, length])
        quotas[channel] = length
        hits = hits.beyond(quotas)


def _bound(
    gains: npt.NDArray[np.float64],
    depths: npt.NDArray[np.int64],
    cost: npt.NDArray[np.float64],
    budget: float,
) -> float:
    """Return what no quotas within the whole budget can gain: the fractional knapsack over concave hulls."""
    prices, added = [], []
    for channel, price in enumerate(cost):
        ends = _hull(gains[channel, : depths[channel] + 1])
        prices.append(np.diff(ends) * price)
        added.append(np.diff(gains[channel, ends]))
    spent, gained = np.concatenate(prices), np.concatenate(added)
    order = np.argsort(-gained / spent, kind="stable")
    share = np.clip((budget - np.concatenate([[0.0], np.cumsum(spent[order])[:-1]])) / spent[order], 0.0, 1.0)
    return float(share @ gained[order])


def _hull(values: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """Return the rising positions of the corners of the least concave function above (p,) rising values."""
    corners: list[int] = []
    # Only the places where something is gained can be corners.
    for p in [0, *(np.flatnonzero(np.diff(values) > 0) + 1)]:
        while len(corners) > 1:
            a, b = corners[-2], corners[-1]
            if (values[b] - values[a]) * (p - b) > (values[p] - values[b]) * (b - a):
                break
            corners.pop()
        corners.append(int(p))
    return np.array(corners, dtype=np.int64)


def densest_step(
    gains: npt.NDArray[np.float64],
    quotas: npt.NDArray[np.int64],
    room: npt.NDArray[np.int64],
    cost: npt.NDArray[np.float64],
) -> tuple[int, int, float]:
    """Return (channel, new length, gain a unit of price) of the best step to at most ``room`` (C,)."""
    lengths = np.arange(gains.shape[1])
    steps = (lengths - quotas[:, None]) * cost[:, None]  # (C, D + 1)
    legal = (steps > 0) & (lengths <= room[:, None])
    density = np.where(legal, gains / np.where(legal, steps, 1.0), 0.0)
    channel, length = np.unravel_index(int(np.argmax(density)), density.shape)
    return int(channel), int(length), float(density[channel, length])
