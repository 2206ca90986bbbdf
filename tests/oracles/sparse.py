"""Slow, obvious versions: dense matrices of taste, and the best entries of a row."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from graphrec.contracts.recall_data import RecallData

Dense = npt.NDArray[np.float64]
Floats = npt.NDArray[np.floating]


def dense_taste(data: RecallData, exponent: float = 0.0) -> Dense:
    """Return R (n_users, n_items): summed weights to the power ``exponent`` where the sum is > 0."""
    total = np.zeros((len(data.users), len(data.items)))
    events = data.interactions
    for user, item, weight in zip(events.users, events.items, events.weights, strict=True):
        total[user, item] += weight
    return np.where(total > 0, np.where(total > 0, total, 1.0) ** exponent, 0.0)


def takers(data: RecallData) -> Dense:
    """Return (n_items,): distinct users of each item."""
    pairs = {(int(u), int(i)) for u, i in zip(data.interactions.users, data.interactions.items, strict=True)}
    counts = np.zeros(len(data.items))
    for _, item in pairs:
        counts[item] += 1
    return counts


def expected_takers(counts: Dense, cold_popularity: float) -> Dense:
    """Return the counts, those of 0 replaced by a part of the mean of the others."""
    others = [count for count in counts.tolist() if count > 0]
    average = sum(others) / len(others) if others else 0.0
    return np.array([count or cold_popularity * average for count in counts.tolist()])


def latest_times(data: RecallData) -> Dense:
    """Return (n_users, n_items): the time of each pair's last event."""
    events = data.interactions
    assert events.times is not None
    latest = np.zeros((len(data.users), len(data.items)))
    for user, item, time in zip(events.users, events.items, events.times, strict=True):
        latest[user, item] = max(latest[user, item], time)
    return latest


def newest_last(data: RecallData, user: int, taste: Dense) -> list[int]:
    """Return the items that a user likes, by the time of the last event, then by its row."""
    events = data.interactions
    times = np.zeros(len(events)) if events.times is None else events.times
    last: dict[int, tuple[float, int]] = {}
    for row in np.flatnonzero(events.users == user):
        item = int(events.items[row])
        if taste[user, item] > 0:
            last[item] = max(last.get(item, (0.0, -1)), (float(times[row]), int(row)))
    return sorted(last, key=lambda item: last[item])


def inverse_power(counts: Dense, exponent: float) -> Dense:
    return np.array([count**-exponent if count > 0 else 0.0 for count in counts])


def top(scores: Dense, k: int) -> list[int]:
    """Return the rows of the k highest float32 scores above 0, best first, ties by row."""
    ranked = sorted((-float(np.float32(score)), row) for row, score in enumerate(scores) if score > 0)
    return [row for _, row in ranked[:k]]


def keep_top(matrix: Dense, k: int) -> Dense:
    """Return the matrix with all but the k best entries of each row set to 0; k = 0 keeps all."""
    kept = np.zeros_like(matrix)
    for row, scores in enumerate(matrix):
        for column in top(scores, k or len(scores)):
            kept[row, column] = scores[column]
    return kept


def shares(matrix: Dense, normalise: bool) -> Dense:
    """Return the matrix with rows that sum to 1, where that is wanted and there is anything to sum."""
    sums = matrix.sum(axis=1, keepdims=True)
    return matrix / np.where(sums > 0, sums, 1.0) if normalise else matrix
