"""Running sums over chunks of users: what one channel's lists are worth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from graphrec.data.interactions import Interactions
from graphrec.data.lists import ItemLists, truncate
from graphrec.evaluation import metrics

STRATA = ("head", "torso", "tail")


@dataclass(frozen=True, slots=True, eq=False)
class Yardstick:
    """What lists are measured with: cut-offs (rising), the pool, and how popular each item was in training.

    ``popularity`` (n_items,) int64 users; ``strata`` (n_items,) int64 0 = head, 1 = torso, 2 = tail; ``popular``
    (n_items,) int32 the rows of the pool from the most to the least popular.
    """

    cutoffs: list[int]
    pool: npt.NDArray[np.bool_]
    popularity: npt.NDArray[np.int64]
    strata: npt.NDArray[np.int64]
    popular: npt.NDArray[np.int32]
    n_users: int


def yardstick(train: Interactions, pool: npt.NDArray[np.bool_], cutoffs: list[int]) -> Yardstick:
    """Return the measures of a training part."""
    popularity = metrics.user_counts(train)
    order = np.argsort(-popularity, kind="stable")
    popular = order[pool[order]].astype(np.int32)
    return Yardstick(cutoffs, pool, popularity, popularity_strata(popularity), popular, train.n_users)


def popularity_strata(popularity: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return (n_items,) int64: 0 for the most popular items with a third of all pairs, 1 for the next, 2 for the rest.

    An item belongs where the pairs before it end, ties by row; items without any pair are always in the tail.
    """
    order = np.argsort(-popularity, kind="stable")
    before = np.cumsum(popularity[order]) - popularity[order]
    total = max(int(popularity.sum()), 1)
    strata = np.empty(len(popularity), dtype=np.int64)
    strata[order] = np.minimum(before * 3 // total, 2)
    strata[popularity == 0] = 2
    return strata


class Tally:
    """Collects the metrics of one channel (or of the merged list), chunk by chunk.

    Memory: four float64 numbers a user and cut-off, and one counter an item and cut-off.
    """

    def __init__(self, measure: Yardstick, n: int) -> None:
        self._measure = measure
        self.recall = {k: np.zeros(n) for k in measure.cutoffs}
        self._ndcg = {k: np.zeros(n) for k in measure.cutoffs}
        self._hit_rate = {k: np.zeros(n) for k in measure.cutoffs}
        self._novelty = {k: np.zeros(n) for k in measure.cutoffs}
        self._popular = {k: np.zeros(n) for k in measure.cutoffs}
        self._shown = {k: np.zeros(len(measure.pool), dtype=np.int64) for k in measure.cutoffs}
        self._found = {k: np.zeros(len(STRATA), dtype=np.int64) for k in measure.cutoffs}

    def add(self, start: int, lists: ItemLists, truth: ItemLists) -> None:
        """Measure the lists of users ``start`` onwards."""
        measure, here = self._measure, slice(start, start + len(lists))
        top = truncate(lists, measure.cutoffs[-1])
        for k, found in metrics.metrics_at(top, truth, measure.cutoffs).items():
            self.recall[k][here] = found.recall
            self._ndcg[k][here] = found.ndcg
            self._hit_rate[k][here] = found.hit_rate
        # From the longest to the shortest: each is cut from the one before.
        for k in reversed(measure.cutoffs):
            top = truncate(top, k)
            bits = metrics.novelty(top, k, popularity=measure.popularity, n_users=measure.n_users)
            self._novelty[k][here] = bits
            self._popular[k][here] = metrics.popularity_overlap(top, k, measure.popular[:k])
            self._shown[k] += metrics.exposure(top, k, n_items=len(measure.pool))
            hits = measure.strata[top.items[metrics.hit_mask(top, truth)]]
            self._found[k] += np.bincount(hits, minlength=len(STRATA))

    def results(self, true_items: npt.NDArray[np.int64]) -> dict[str, Any]:
        """Return ``{"recall@20": …}``; ``true_items`` (3,) are the true items by stratum."""
        report: dict[str, Any] = {}
        for k in self._measure.cutoffs:
            report[f"recall@{k}"] = float(self.recall[k].mean())
            report[f"ndcg@{k}"] = float(self._ndcg[k].mean())
            report[f"hit_rate@{k}"] = float(self._hit_rate[k].mean())
            report[f"coverage@{k}"] = metrics.coverage(self._shown[k], self._measure.pool)
            report[f"novelty@{k}"] = number(metrics.mean(self._novelty[k]))
            report[f"gini@{k}"] = metrics.gini(self._shown[k], self._measure.pool)
            report[f"popularity_overlap@{k}"] = number(metrics.mean(self._popular[k]))
            report[f"strata_recall@{k}"] = {
                name: float(found / total) if total else None
                for name, found, total in zip(STRATA, self._found[k], true_items, strict=True)
            }
        return report


def number(value: float) -> float | None:
    """Return the value, or None where there is none (JSON has no NaN)."""
    return None if np.isnan(value) else float(value)
