"""Slow, obvious versions of what the package computes fast: dense matrices and Python loops, for small worlds only."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from math import factorial, log1p, log2
from typing import Any

import numpy as np
import numpy.typing as npt

from graphrec.contracts.recall import RecallData
from graphrec.fusion.calibrated import Curve

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


def _power(counts: Dense, exponent: float) -> Dense:
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


def passes_rule(data: RecallData, kind: str, rule: Mapping[str, Any], item: int, now: int) -> bool:
    """Return whether one item passes one rule of the pool; ``rule`` holds its settings."""
    day = 86_400
    columns = data.item_attributes
    assert columns is not None
    events = data.interactions
    assert events.times is not None
    rows = [
        (int(user), float(weight), int(time))
        for user, one, weight, time in zip(events.users, events.items, events.weights, events.times, strict=True)
        if one == item and time <= now
    ]
    if kind == "activity":
        lately = [row for row in rows if rule["days"] is None or row[2] > now - rule["days"] * day]
        liked = [row for row in lately if row[1] > 0]
        if rule["released"] is not None and 0 <= now - columns.number(rule["released"])[item] <= rule["new_days"] * day:
            return True
        enough = len(liked) >= rule["events"] and len({row[0] for row in liked}) >= rule["users"]
        return bool(enough and (rule["weight"] == 0 or sum(row[1] for row in lately) >= rule["weight"]))
    if kind == "label":
        labels = columns.label(rule["of"])
        name = None if labels.codes[item] < 0 else labels.names[int(labels.codes[item])]
        if name is None:
            return bool(rule["keep_unknown"])
        return bool(name in rule["one_of"] if rule["one_of"] else name not in rule["none_of"])
    if kind == "tag":
        assert data.item_tags is not None
        start, stop = data.item_tags.table.indptr[item : item + 2]
        tags = {data.item_tags.tags[int(row)] for row in data.item_tags.table.neighbours[start:stop]}
        if not tags:
            return bool(rule["keep_unknown"])
        return bool(tags & set(rule["one_of"])) if rule["one_of"] else not tags & set(rule["none_of"])
    if kind == "rating":
        if len(rows) < rule["events"]:
            return bool(rule["keep_unknown"])
        return bool(sum(row[1] for row in rows) / len(rows) >= rule["min"])
    if kind == "conversion":
        shown = data.exposures
        assert shown is not None
        assert shown.times is not None
        seen = [
            bool(came)
            for one, came, time in zip(shown.items, shown.converted, shown.times, strict=True)
            if one == item and time <= now
        ]
        if len(seen) < rule["exposures"]:
            return bool(rule["keep_unknown"])
        return bool(sum(seen) / len(seen) >= rule["min"])
    value = float(columns.number(rule["of"])[item])
    if np.isnan(value):
        return bool(rule["keep_unknown"])
    low, high = (rule["min"], rule["max"]) if kind == "number" else (rule["min_days"], rule["max_days"])
    value = value if kind == "number" else (now - value) / day
    return (low is None or value >= low) and (high is None or value <= high)


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
        scores += likeness[other] * taste[other] * _power(counts, target_exponent)
    return scores * data.pool


def tag_scores(
    data: RecallData,
    history: Mapping[int, float],
    *,
    tags: int,
    list_length: int,
    lift: float,
    idf_exponent: float,
    length_exponent: float,
    popularity_exponent: float,
) -> Dense:
    """Return (n_items,): what the strongest tags of one history (item -> profile weight) give."""
    assert data.item_tags is not None
    table = data.item_tags.table
    carried = np.zeros((len(data.items), table.n_columns))
    for item in range(len(data.items)):
        for tag, weight in zip(*table[item], strict=True):
            carried[item, tag] = weight
    vectors = np.zeros_like(carried)
    for item, row in enumerate(carried):
        for tag in np.flatnonzero(row):
            vectors[item, tag] = row[tag] * log1p(len(data.items) / (carried[:, tag] > 0).sum()) ** idf_exponent
        length = np.linalg.norm(vectors[item])
        vectors[item] /= length**length_exponent if length else 1.0
    taken = takers(data)
    average = taken @ vectors / taken.sum()
    profile = sum((weight * vectors[item] for item, weight in history.items()), np.zeros(table.n_columns))
    carries = sum((weight * carried[item] for item, weight in history.items()), np.zeros(table.n_columns)) > 0
    profile = np.where(carries, profile - lift * sum(history.values()) * average, 0.0)
    lists = keep_top((vectors * ((1 + taken) ** popularity_exponent * data.pool)[:, None]).T, list_length)
    scores = np.zeros(len(data.items))
    for tag in top(profile, tags or len(profile)):
        scores += profile[tag] * lists[tag]
    return scores


def kg_table(
    data: RecallData,
    *,
    k: int,
    relations: Mapping[str, float],
    degree_exponent: float,
    hub_cap: int,
    popularity_exponent: float,
    link_exponent: float,
    normalise: bool,
) -> Dense:
    """Return (n_items, n_items): the k best neighbours a row, walk by walk over the catalogue's edges."""
    graph, n = data.catalogue.adjacency, len(data.items)
    members: dict[tuple[str, int], list[int]] = defaultdict(list)
    direct: dict[tuple[int, int], float] = defaultdict(float)
    for item in range(n):
        for edge in range(int(graph.indptr[item]), int(graph.indptr[item + 1])):
            name, end = graph.relation_names[graph.relations[edge]], int(graph.indices[edge])
            weight = relations.get(name, 0.0) if relations else 1.0
            if weight > 0 and end < n:
                direct[item, end] += weight
            elif weight > 0:
                members[name, end].append(item)
    links = [sum(item in found for found in members.values()) + sum(i == item for i, _ in direct) for item in range(n)]
    table = np.zeros((n, n))
    for (name, _), found in members.items():
        if hub_cap and len(found) > hub_cap:
            continue
        for i in found:
            for j in found:
                table[i, j] += relations.get(name, 1.0) / len(found) ** degree_exponent
    for (i, j), weight in direct.items():
        table[i, j] += weight
    np.fill_diagonal(table, 0.0)
    sizes = np.maximum(links, 1) ** -float(link_exponent)
    ends = (1 + takers(data)) ** popularity_exponent * sizes * data.pool
    return shares(keep_top(table * sizes[:, None] * ends, k), normalise)


def pushed(history: Mapping[int, float], tables: Sequence[Dense], keep: Sequence[int]) -> Dense:
    """Return a history (row -> weight) pushed through dense tables, all but the ``keep`` best left out between."""
    scores = np.zeros(len(tables[0]))
    for row, weight in history.items():
        scores[row] = max(0.0, weight)
    for number, table in enumerate(tables):
        scores = scores @ np.maximum(table, 0.0)
        if number < len(keep):
            scores = keep_top(scores[None], keep[number])[0]
    return scores


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


def propagated(taste: Dense, users: Floats, items: Floats, layers: int) -> Dense:
    """Return LightGCN's vectors (n_users + n_items, dim) as the mean of dense powers of the normalised adjacency."""
    n_users = len(taste)
    whole = np.block([[np.zeros((n_users, n_users)), taste], [taste.T, np.zeros((taste.shape[1], taste.shape[1]))]])
    scale = _power(whole.sum(axis=1), 0.5)
    normal = scale[:, None] * whole * scale
    start = np.concatenate([users, items]).astype(np.float64)
    return sum((np.linalg.matrix_power(normal, step) @ start for step in range(layers + 1)), 0 * start) / (layers + 1)


def softmax_loss(
    taste: Dense, users: Floats, items: Floats, layers: int, negatives: npt.NDArray[np.integer], temperature: float
) -> float:
    """Return LightGCN's loss: each pair's -log softmax of its cosine among those of ``negatives``, weighted."""
    whole = propagated(taste, users, items, layers)
    unit = whole / np.maximum(np.linalg.norm(whole, axis=1, keepdims=True), 1e-300)
    cosines = unit[: len(taste)] @ unit[len(taste) :].T / temperature
    totals = np.log(np.exp(cosines[:, negatives]).sum(axis=1, keepdims=True))
    return float((taste * (totals - cosines)).sum())


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


def placed(items: Sequence[int], pins: Sequence[tuple[int, int]], k: int) -> list[int]:
    """Fill k places one by one: the pin of the place, else the next item that is not pinned; late pins at the end."""
    waiting = [item for item in items if item not in {row for _, row in pins}]
    due = sorted((position, row) for position, row in pins if position <= k)
    result: list[int] = []
    while (waiting or due) and len(result) < k:
        if due and (due[0][0] <= len(result) + 1 or not waiting):
            result.append(due.pop(0)[1])
        else:
            result.append(waiting.pop(0))
    return result


def user_tag_weights(
    rows: Sequence[tuple[int, int, str]], given: Mapping[tuple[int, str], float], min_users: int
) -> dict[tuple[int, str], float]:
    """Return (item, tag) -> weight of (person, item, tag) ``rows`` and of what is ``given``."""
    people: dict[tuple[int, str], set[int]] = defaultdict(set)
    for person, item, tag in rows:
        people[item, tag].add(person)
    weights = dict(given)
    for pair, who in people.items():
        if len(who) >= min_users:
            weights[pair] = weights.get(pair, 0.0) + log2(1 + len(who))
    return weights


def item_graph(data: RecallData, exponent: float = 0.0) -> tuple[Dense, Dense]:
    """Return N = D_u^-1/2 R D_i^-1/2 (n_users, n_items) and D_i's diagonal (n_items,), D being sums of R."""
    taste = dense_taste(data, exponent)
    by_item = taste.sum(axis=0)
    return _power(taste.sum(axis=1), 0.5)[:, None] * taste * _power(by_item, 0.5), by_item


def leading_vectors(normalised: Dense, rank: int) -> tuple[Dense, Dense]:
    """Return the leading eigenvalues of N^T N that are above 0, and their vectors (n_items, rank), by a full SVD.

    Vectors are defined up to a rotation among equal eigenvalues, so the cut must not fall between two of those.
    """
    _, values, vectors = np.linalg.svd(normalised)
    eigenvalues = values[values > 1e-6] ** 2
    rank = min(rank, len(eigenvalues))
    assert rank == len(eigenvalues) or eigenvalues[rank - 1] - eigenvalues[rank] > 0.005, "the cut splits equal ones"
    return eigenvalues[:rank], vectors[:rank].T


def filtered(normalised: Dense, rank: int, response: Callable[[Dense], Dense]) -> Dense:
    """Return f(N^T N): the response on the leading eigenvectors, on the others a line from 0 to the last of them."""
    leading, vectors = leading_vectors(normalised, rank)
    projector = vectors @ vectors.T
    graph = normalised.T @ normalised
    slope = max(0.0, float(response(leading)[-1]) / float(leading[-1]))
    return vectors @ np.diag(response(leading)) @ vectors.T + slope * (graph - projector @ graph)


def returnable(data: RecallData, by_item: Dense) -> Dense:
    """Return (n_items,): 1 where an item may come back from a graph filter, else 0."""
    return (data.pool & (by_item > 0)).astype(float)


def gf_cf_matrix(data: RecallData, *, rank: int, low_pass: float, weight_exponent: float) -> Dense:
    """Return (n_items, n_items), what a unit of history item i gives to j: the linear filter and the ideal low pass."""
    normalised, by_item = item_graph(data, weight_exponent)
    _, vectors = leading_vectors(normalised, rank)
    ideal = _power(by_item, 0.5)[:, None] * (vectors @ vectors.T) * by_item**0.5
    return (normalised.T @ normalised + low_pass * ideal) * returnable(data, by_item)


def plateau_values(x: Dense, order: int, flatness: float) -> Dense:
    """Return the Chebyshev interpolation of (1 - sgn(x) |x|^phi) / 2 at ``x``, by its definition on order + 1 nodes."""
    nodes = np.polynomial.chebyshev.chebpts1(order + 1)  # the middle one is 0 to the last bit
    angles = np.arccos(nodes)
    values = 0.5 - 0.5 * np.sign(nodes) * np.abs(nodes) ** flatness
    total = np.full_like(x, values.mean())
    for degree in range(1, order + 1):
        total += 2 * (values * np.cos(degree * angles)).mean() * np.cos(degree * np.arccos(np.clip(x, -1, 1)))
    return total


def cheby_cf_matrix(
    data: RecallData,
    *,
    rank: int,
    plateau: float,
    low_pass: float,
    item_exponent: float,
    order: int,
    weight_exponent: float,
) -> Dense:
    """Return (n_items, n_items), what a unit of history item i gives to j, less what every signal keeps."""
    normalised, by_item = item_graph(data, weight_exponent)
    floor = plateau_values(np.ones(1), order, plateau)[0]
    _, vectors = leading_vectors(normalised, rank)
    matrix = filtered(normalised, rank, lambda values: plateau_values(1 - 2 * values, order, plateau) - floor)
    matrix += low_pass * vectors @ vectors.T
    return _power(by_item, item_exponent)[:, None] * matrix * by_item**item_exponent * returnable(data, by_item)


def runge_kutta_matrix(graph: Dense, time: float) -> Dense:
    """Return one fourth-order step of r' = -r G over ``time``, as a matrix of powers."""
    return sum((np.linalg.matrix_power(-time * graph, j) / factorial(j) for j in range(5)), np.zeros_like(graph))


def bspm_matrix(data: RecallData, *, rank: int, low_pass: float, sharpening: float, weight_exponent: float) -> Dense:
    """Return (n_items, n_items), what a unit of history item i gives to j: blurred, then sharpened."""
    normalised, by_item = item_graph(data, weight_exponent)
    _, vectors = leading_vectors(normalised, rank)
    step = runge_kutta_matrix(normalised.T @ normalised, sharpening)
    blurred = filtered(
        normalised, rank, lambda values: values * np.diag(runge_kutta_matrix(np.diag(values), sharpening))
    )
    ideal = _power(by_item, 0.5)[:, None] * (vectors @ vectors.T) * by_item**0.5
    return (blurred + low_pass * ideal @ step) * returnable(data, by_item)


def turbo_cf_table(data: RecallData, *, k: int, user_exponent: float, power: float, weight_exponent: float) -> Dense:
    """Return (n_items, n_items): the k best entries a row of N^T N, unevenly normalised, to a power entry by entry."""
    taste = dense_taste(data, weight_exponent)
    activity, counts = (taste > 0).sum(axis=1).astype(float), (taste > 0).sum(axis=0).astype(float)
    normalised = _power(activity, user_exponent)[:, None] * taste * _power(counts, 1 - user_exponent)
    graph = normalised.T @ normalised * data.pool
    np.fill_diagonal(graph, 0.0)
    return keep_top(graph**power, k)


def calibrated_rate(curve: Curve, share: float, rank: float) -> float:
    """The rate of hits of an entry with this share and 1-based rank, by numpy."""
    if curve.shares:
        return float(np.interp(share, curve.shares, curve.rates))
    odds = curve.intercept + curve.share_slope * np.log(max(share, 1e-9)) + curve.rank_slope * np.log(rank)
    return float(1 / (1 + np.exp(-odds)))
