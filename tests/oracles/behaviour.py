"""Slow, obvious versions: item and user neighbourhoods, EASE and implicit ALS."""

from __future__ import annotations

from collections.abc import Mapping
from math import log1p

import numpy as np

from graphrec.contracts.recall_data import RecallData
from tests.oracles.sparse import (
    Dense,
    Floats,
    dense_taste,
    inverse_power,
    keep_top,
    latest_times,
    newest_last,
    shares,
    top,
)


def item_cf_table(
    data: RecallData,
    *,
    k: int,
    user_exponent: float,
    item_exponent: float,
    normalise: bool,
    shrinkage: float,
    weight_exponent: float,
    similarity: str = "cosine",
    weighting: str = "none",
    bm25_k1: float = 1.2,
    bm25_b: float = 0.75,
    pair_half_life_days: float = 0.0,
    max_items_per_user: int = 0,
) -> Dense:
    """Return (n_items, n_items): the k best similarities a row, pair by pair over shared users."""
    taste = dense_taste(data, weight_exponent)
    latest = latest_times(data) if pair_half_life_days else np.zeros(taste.shape)
    n_users, n_items = taste.shape
    if max_items_per_user:
        for user in range(n_users):
            taste[user, newest_last(data, user, taste)[:-max_items_per_user]] = 0.0
    activity, lengths = (taste > 0).sum(axis=1), taste.sum(axis=0)
    if weighting != "none":
        for user, item in zip(*np.nonzero(taste), strict=True):
            value = taste[user, item]
            if weighting == "bm25":
                relative = lengths[item] / lengths[lengths > 0].mean()
                value *= (bm25_k1 + 1) / (value + bm25_k1 * (1 - bm25_b + bm25_b * relative))
            taste[user, item] = value * log1p(n_items / activity[user])

    def overlap(i: int, j: int) -> float:
        total = 0.0
        for u in range(n_users):
            if taste[u, i] > 0 and taste[u, j] > 0:
                share = taste[u, i] * taste[u, j] / activity[u] ** user_exponent
                if pair_half_life_days:
                    share *= 0.5 ** (abs(latest[u, i] - latest[u, j]) / 86_400 / pair_half_life_days)
                total += share
        return total

    squares = (taste**2).sum(axis=0)
    table = np.zeros((n_items, n_items))
    for i in range(n_items):
        for j in range(n_items):
            found = overlap(i, j)
            if i == j or not found or not data.pool[j]:
                continue
            divisor = {
                "cosine": ((squares[i] + shrinkage) * (squares[j] + shrinkage)) ** item_exponent,
                "jaccard": overlap(i, i) + overlap(j, j) - found + shrinkage,
                "dice": (overlap(i, i) + overlap(j, j) + shrinkage) / 2,
            }
            table[i, j] = found / divisor[similarity]
    return shares(keep_top(table, k), normalise)


def rp3beta_table(
    data: RecallData,
    *,
    k: int,
    alpha: float,
    beta: float,
    normalise: bool,
    weight_exponent: float,
    max_items_per_user: int = 0,
) -> Dense:
    """Return (n_items, n_items): the k best walk scores a row, summed over every walk item -> user -> item."""
    taste = dense_taste(data, weight_exponent)
    if max_items_per_user:
        for user in range(len(taste)):
            taste[user, newest_last(data, user, taste)[:-max_items_per_user]] = 0.0
    counts, activity = (taste > 0).sum(axis=0), (taste > 0).sum(axis=1)
    table = np.zeros((taste.shape[1], taste.shape[1]))
    for user, row in enumerate(taste):
        for i in np.flatnonzero(row):
            for j in np.flatnonzero(row):
                if i != j and data.pool[j]:
                    step = (row[i] / counts[i]) ** alpha * (row[j] / activity[user]) ** alpha
                    table[i, j] += step / counts[j] ** beta
    return shares(keep_top(table, k), normalise)


def swing_table(
    data: RecallData,
    *,
    k: int,
    alpha: float,
    user_shift: float,
    beta: float,
    item_exponent: float,
    max_users_per_item: int,
    min_common_users: int,
    normalise: bool,
    max_items_per_user: int = 0,
) -> Dense:
    """Return (n_items, n_items): the k best swing scores a row, pair of users by pair of users."""
    taste = dense_taste(data)
    taken = [set(newest_last(data, user, taste)[-max_items_per_user:]) for user in range(len(taste))]
    weight = [(len(items) + user_shift) ** -beta if items else 0.0 for items in taken]
    n = len(data.items)
    table = np.zeros((n, n))
    for i in range(n):
        users = [u for u, items in enumerate(taken) if i in items and len(items) > 1]
        if len(users) > max_users_per_item:
            users = [users[p * len(users) // max_users_per_item] for p in range(max_users_per_item)]
        for j in range(n):
            common = [u for u in users if j in taken[u]]
            if i == j or not data.pool[j] or len(common) < min_common_users:
                continue
            for u in common:
                for v in common:
                    if u < v:
                        table[i, j] += weight[u] * weight[v] / (alpha + len(taken[u] & taken[v]))
            table[i, j] /= sum(j in items for items in taken) ** item_exponent
    return shares(keep_top(table, k), normalise)


def ease_weights(data: RecallData, *, regularisation: float, weight_exponent: float) -> Dense:
    """Return B (n_items, n_items), negative entries and all."""
    taste = dense_taste(data, weight_exponent)
    inverse = np.linalg.inv(taste.T @ taste + regularisation * np.eye(taste.shape[1]))
    weights = np.eye(taste.shape[1]) - inverse @ np.diag(1.0 / np.diag(inverse))
    np.fill_diagonal(weights, 0.0)
    return weights


def user_cf_scores(
    data: RecallData,
    history: Mapping[int, float],
    *,
    user: int,
    neighbours: int,
    user_exponent: float,
    item_exponent: float,
    target_exponent: float,
    weight_exponent: float,
    max_users_per_item: int = 0,
    max_items_per_user: int = 0,
) -> Dense:
    """Return (n_items,): the votes of the nearest users for one history (item -> profile weight)."""
    taste = dense_taste(data, weight_exponent)
    if max_items_per_user:
        for other in range(len(taste)):
            taste[other, newest_last(data, other, taste)[:-max_items_per_user]] = 0.0
    counts = (taste > 0).sum(axis=0).astype(float)
    named = {item: np.flatnonzero(taste[:, item]).tolist() for item in history}
    for item, users in named.items():
        if max_users_per_item and len(users) > max_users_per_item:
            named[item] = [users[p * len(users) // max_users_per_item] for p in range(max_users_per_item)]
    likeness = np.zeros(len(data.users))
    for other in range(len(data.users)):
        activity = (taste[other] > 0).sum()
        if other != user and activity:
            shared = [i for i in history if other in named[i]]
            likeness[other] = sum(history[i] * taste[other, i] / counts[i] ** item_exponent for i in shared)
            likeness[other] /= activity**user_exponent
    scores = np.zeros(len(data.items))
    for other in top(likeness, neighbours):
        scores += likeness[other] * taste[other] * inverse_power(counts, target_exponent)
    return scores * data.pool


def als_half_step(
    taste: Dense, others: Dense, *, unobserved_weight: float, regularisation: float, frequency_exponent: float
) -> Dense:
    """Return the vectors of ``taste``'s rows (n, dim) by the normal equations of each."""
    active = int((others != 0).any(axis=1).sum())
    found = np.zeros((len(taste), others.shape[1]))
    for row, weights in enumerate(taste):
        if not weights.any():
            continue
        mass = weights.sum() + unobserved_weight * active
        matrix = unobserved_weight * others.T @ others + others.T @ (weights[:, None] * others)
        matrix += regularisation * mass**frequency_exponent * np.eye(others.shape[1])
        found[row] = np.linalg.solve(matrix, others.T @ weights)
    return found


def als_objective(
    taste: Dense,
    users: Floats,
    items: Floats,
    *,
    unobserved_weight: float,
    regularisation: float,
    frequency_exponent: float,
) -> float:
    """Return the loss of iALS: the pairs taken, all pairs, and both sides' frequency-scaled norms."""
    predicted = users @ items.T
    loss = (taste * (predicted - 1) ** 2).sum() + unobserved_weight * (predicted**2).sum()
    for vectors, masses, n_others in (
        (users, taste.sum(axis=1), len(items)),
        (items, taste.sum(axis=0), len(users)),
    ):
        scale = (masses + unobserved_weight * n_others) ** frequency_exponent
        loss += regularisation * (scale * (vectors**2).sum(axis=1)).sum()
    return float(loss)
