"""Metrics of ranked lists against held-out items, one value a query, over the whole pool.

With ``T`` the held-out items of a query (those with a weight above 0) and ``top-K`` the first K entries of its list:

- Recall@K ``= |top-K ∩ T| / |T|``
- NDCG@K ``= sum over hits at position p of 1 / log2(p + 1)``, divided by the same sum over ``p = 1 .. min(K, |T|)``
- HitRate@K ``= 1`` if ``top-K ∩ T`` is not empty, else 0
- Precision@K ``= |top-K ∩ T| / K``

Queries without truth have no value (NaN) and are left out of every mean. These are the definitions of the LightGCN and
KGIN evaluations; dividing NDCG by the ideal order of the *hits*, or recall by ``min(K, |T|)``, gives other numbers.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from graphrec.checks import check_length, typed_late
from graphrec.data.interactions import Interactions, coalesce
from graphrec.data.lists import ItemLists, truncate
from graphrec.errors import ConfigError, DataError
from graphrec.kernels import kernel

Values = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class RankMetrics:
    """(n,) float64 each; NaN for queries without truth."""

    recall: Values
    ndcg: Values
    hit_rate: Values
    precision: Values


@kernel
def _hits(
    indptr: npt.NDArray[np.int64],
    items: npt.NDArray[np.int32],
    truth_indptr: npt.NDArray[np.int64],
    truth_items: npt.NDArray[np.int32],
    truth_scores: npt.NDArray[np.float32],
    bound: int,
    out: npt.NDArray[np.bool_],
    sizes: npt.NDArray[np.int64],
) -> None:  # pragma: no cover - compiled
    stamp = np.full(bound, -1, dtype=np.int64)
    for query in range(truth_indptr.size - 1):
        for t in range(truth_indptr[query], truth_indptr[query + 1]):
            if truth_scores[t] > 0 and stamp[truth_items[t]] != query:
                stamp[truth_items[t]] = query
                sizes[query] += 1
        for p in range(indptr[query], indptr[query + 1]):
            out[p] = stamp[items[p]] == query
            if out[p]:
                # An item that stands twice in a list is found once.
                stamp[items[p]] = -1


def _match(lists: ItemLists, truth: ItemLists) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.int64]]:
    """Return which entries are hits, (m,) bool, and the size of each query's truth, (n,) int64."""
    check_length(truth.lengths, len(lists), name="truth")
    bound = 1 + max(int(lists.items.max(initial=-1)), int(truth.items.max(initial=-1)))
    out = np.zeros(len(lists.items), dtype=np.bool_)
    sizes = np.zeros(len(lists), dtype=np.int64)
    _hits(lists.indptr, lists.items, truth.indptr, truth.items, truth.scores, bound, out, sizes)
    return out, sizes


def hit_mask(lists: ItemLists, truth: ItemLists) -> npt.NDArray[np.bool_]:
    """Return (m,) bool: which entries of ``lists`` are in the truth of their query (the first time they stand there).

    Raises
    ------
    DataError
        If ``truth`` has another number of lists.
    """
    return _match(lists, truth)[0]


def truth_sizes(truth: ItemLists) -> npt.NDArray[np.int64]:
    """Return (n,) int64: the distinct items of weight above 0 that each query's truth holds."""
    empty = ItemLists(np.zeros(len(truth) + 1, dtype=np.int64), np.empty(0, dtype=np.int32))
    return _match(empty, truth)[1]


def _sum_by_list(lists: ItemLists, values: Values) -> Values:
    """Return (n,) sums of (m,) values."""
    # Each list is summed by itself, in its order, so that its sum does not depend on its neighbours.
    owners = np.repeat(np.arange(len(lists)), lists.lengths)
    sums: Values = np.bincount(owners, weights=values, minlength=len(lists)).astype(np.float64)
    return sums


@typed_late
def rank_metrics(lists: ItemLists, truth: ItemLists, k: int) -> RankMetrics:
    """Return recall, NDCG, hit rate and precision at ``k`` of each query.

    Parameters
    ----------
    lists : ItemLists
        n answers, best first; they may be longer or shorter than ``k``.
    truth : ItemLists
        n lists of held-out items; entries of weight 0 or below are no truth.
    k : int
        Cut-off, >= 1.

    Returns
    -------
    RankMetrics
        (n,) values each, as the module's docstring defines them.

    Raises
    ------
    ConfigError
        If ``k < 1``.
    DataError
        If ``truth`` has another number of lists.
    """
    return metrics_at(lists, truth, [k])[k]


@typed_late
def metrics_at(lists: ItemLists, truth: ItemLists, cutoffs: list[int]) -> dict[int, RankMetrics]:
    """Return :func:`rank_metrics` for several cut-offs, matching lists and truth once."""
    if not all(isinstance(k, int | np.integer) and k >= 1 for k in cutoffs):
        raise ConfigError(f"the cut-offs are {cutoffs}; each must be a whole number of 1 or more")
    hits, sizes = _match(lists, truth)
    ordered = sorted(set(cutoffs))
    gains = 1.0 / np.log2(np.arange(max([*cutoffs, 1])) + 2.0)
    # Integer counts keep recall exact.
    found = np.zeros((len(ordered), len(lists)), dtype=np.int64)
    gained = np.zeros((len(ordered), len(lists)), dtype=np.float64)
    _count(lists.indptr, hits, np.array(ordered, dtype=np.int64), gains, found, gained)
    ideal, safe = np.cumsum(gains), np.maximum(sizes, 1)
    result = {}
    for row, k in enumerate(ordered):
        ndcg = np.clip(gained[row] / ideal[np.minimum(safe, k) - 1], 0.0, 1.0)
        values = (found[row] / safe, ndcg, (found[row] > 0).astype(np.float64), found[row] / k)
        result[k] = RankMetrics(*(np.where(sizes == 0, np.nan, value) for value in values))
    return result


@kernel
def _count(
    indptr: npt.NDArray[np.int64],
    hits: npt.NDArray[np.bool_],
    cutoffs: npt.NDArray[np.int64],
    gains: npt.NDArray[np.float64],
    found: npt.NDArray[np.int64],
    gained: npt.NDArray[np.float64],
) -> None:  # pragma: no cover - compiled
    """Count the hits of each list within each of the rising cut-offs, and sum what their positions gain."""
    for query in range(indptr.size - 1):
        n_found, gain, p = 0, 0.0, indptr[query]
        for row in range(cutoffs.size):
            stop = min(indptr[query + 1], indptr[query] + cutoffs[row])
            while p < stop:
                if hits[p]:
                    n_found += 1
                    gain += gains[p - indptr[query]]
                p += 1
            found[row, query] = n_found
            gained[row, query] = gain


def mean(values: Values) -> float:
    """Return the mean over the queries that have a value; NaN where none has."""
    valid = values[~np.isnan(values)]
    return float(valid.mean()) if len(valid) else float("nan")


def user_counts(interactions: Interactions) -> npt.NDArray[np.int64]:
    """Return (n_items,) int64: the distinct users that each item has, its popularity."""
    return np.bincount(coalesce(interactions).items, minlength=interactions.n_items).astype(np.int64)


def exposure(lists: ItemLists, k: int, *, n_items: int) -> npt.NDArray[np.int64]:
    """Return (n_items,) int64: in how many of the n top-k lists each item stands."""
    top = truncate(lists, k)
    if top.items.size and int(top.items.max()) >= n_items:
        raise DataError(f"the lists hold item {int(top.items.max())}; there are {n_items} items")
    return np.bincount(top.items, minlength=n_items).astype(np.int64)


def coverage(shown: npt.NDArray[np.int64], pool: npt.NDArray[np.bool_]) -> float:
    """Return the share of the pool's items, (n_items,) bool, that stand in at least one list; 0 for an empty pool."""
    size = int(pool.sum())
    return float((shown[pool] > 0).sum() / size) if size else 0.0


def gini(shown: npt.NDArray[np.int64], pool: npt.NDArray[np.bool_]) -> float:
    """Return the Gini index of exposure over the pool's items: 0 = all shown equally, towards 1 = one item alone.

    Notes
    -----
    ``sum_i (2 i - n - 1) x_i / (n sum x)`` over exposures in rising order, i from 1. It is 0 where nothing was shown.
    """
    counts = np.sort(shown[pool]).astype(np.float64)
    n, total = len(counts), counts.sum()
    if n == 0 or total == 0:
        return 0.0
    return float(((2 * np.arange(1, n + 1) - n - 1) * counts).sum() / (n * total))


def novelty(lists: ItemLists, k: int, *, popularity: npt.NDArray[np.int64], n_users: int) -> Values:
    """Return each top-k list's mean self-information in bits, (n,) float64; NaN for empty lists.

    Parameters
    ----------
    popularity : ndarray
        (n_items,) int64: users of each item in training (:func:`user_counts`).
    n_users : int
        All users. An item's information is ``-log2(max(users, 1) / n_users)``: one that nobody has taken counts as
        taken once.
    """
    top = truncate(lists, k)
    bits = -np.log2(np.maximum(popularity, 1) / max(n_users, 1))
    sums = _sum_by_list(top, bits[top.items])
    lengths = top.lengths
    return np.where(lengths > 0, sums / np.maximum(lengths, 1), np.nan)


def popularity_overlap(lists: ItemLists, k: int, popular: npt.NDArray[np.int32]) -> Values:
    """Return the share of each top-k list that stands in ``popular`` (p,) rows, (n,) float64; NaN for empty lists."""
    top = truncate(lists, k)
    bound = 1 + max(int(top.items.max(initial=-1)), int(popular.max(initial=-1)))
    is_popular = np.zeros(bound, dtype=np.bool_)
    is_popular[popular] = True
    sums = _sum_by_list(top, is_popular[top.items].astype(np.float64))
    lengths = top.lengths
    return np.where(lengths > 0, sums / np.maximum(lengths, 1), np.nan)
