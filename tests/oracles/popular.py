"""Slow, obvious versions: scores of channels that rank by popularity."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from graphrec.contracts.recall_data import RecallData
from tests.oracles.sparse import Dense


def hot_scores(data: RecallData, half_life_days: float) -> Dense:
    """Return (n_items,): each user's last event with the item, halved with every half-life that has passed."""
    events = data.interactions
    latest: dict[tuple[int, int], int] = {}
    assert events.times is not None
    for user, item, time in zip(events.users, events.items, events.times, strict=True):
        latest[int(user), int(item)] = max(int(time), latest.get((int(user), int(item)), 0))
    scores, now = np.zeros(len(data.items)), max(latest.values())
    for (_, item), time in latest.items():
        scores[item] += 0.5 ** ((now - time) / 86_400 / half_life_days)
    return scores


def decayed_sums(data: RecallData, half_life_days: float, users: Sequence[int]) -> Dense:
    """Sum over ``users`` and items of 2^(-age of the pair's last event / half-life)."""
    events = data.interactions
    times = np.zeros(len(events)) if events.times is None else events.times
    newest: dict[tuple[int, int], float] = {}
    for u, i, t in zip(events.users, events.items, times, strict=True):
        newest[int(u), int(i)] = max(float(t), newest.get((int(u), int(i)), -np.inf))
    sums = np.zeros(len(data.items))
    for (u, i), t in newest.items():
        if u in users:
            sums[i] += 2.0 ** (-(float(max(times)) - t) / 86_400 / half_life_days)
    return sums


def hot_of_segment(data: RecallData, half_life_days: float, prior: float, members: Sequence[int]) -> Dense:
    """Shares of a segment's decayed events, shrunk towards those of everybody."""
    everyone = decayed_sums(data, half_life_days, range(len(data.users)))
    own = decayed_sums(data, half_life_days, members)
    shares: Dense = (own + prior * everyone / everyone.sum()) / (own.sum() + prior)
    return shares


def counts_of_exposures(data: RecallData, users: Sequence[int] | None = None) -> tuple[Dense, Dense, Dense]:
    """Exposures, conversions and converted value by item, of some users or of all (those not known among them)."""
    shown, converted, brought = np.zeros((3, len(data.items)))
    table = data.exposures
    assert table is not None
    assert table.values is not None
    for u, i, yes, value in zip(table.users, table.items, table.converted, table.values, strict=True):
        if users is None or int(u) in users:
            shown[i] += 1
            converted[i] += yes
            brought[i] += value if yes else 0
    return shown, converted, brought
