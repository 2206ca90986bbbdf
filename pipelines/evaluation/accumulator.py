"""Running sums over chunks of users: the metrics of one channel's lists."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from graphrec.data.exposures import Exposures
from graphrec.data.interactions import Interactions
from graphrec.data.lists import ItemLists, truncate
from graphrec.evaluation import metrics
from graphrec.evaluation.value import value_at

from ..report.parts import STRATA, ExposureRecall, StrataRecall


@dataclass(frozen=True, slots=True, eq=False)
class Evaluator:
    """What lists are measured against: cut-offs (rising), the pool, and how popular each item was in training.

    ``popularity`` (n_items,) int64 users; ``strata`` (n_items + n_outside,) int64 0 = head, 1 = torso, 2 = tail, which
    held-out items outside the catalogue belong to; ``popular`` (n_items,) int32 the rows of the pool from the most to
    the least popular. ``values`` (n_items,) float64 are what items are worth, None where nothing says; ``exposed``
    (n_items + n_outside,) bool the items that were shown to anybody, None where no exposures are known.
    """

    cutoffs: list[int]
    pool: npt.NDArray[np.bool_]
    popularity: npt.NDArray[np.int64]
    strata: npt.NDArray[np.int64]
    popular: npt.NDArray[np.int32]
    n_users: int
    values: npt.NDArray[np.float64] | None = None
    exposed: npt.NDArray[np.bool_] | None = None


def evaluator(
    train: Interactions,
    pool: npt.NDArray[np.bool_],
    cutoffs: list[int],
    *,
    n_outside: int = 0,
    values: npt.NDArray[np.float64] | None = None,
    exposures: Exposures | None = None,
) -> Evaluator:
    """Return what lists of channels that learned from ``train`` are measured against."""
    popularity = metrics.user_counts(train)
    order = np.argsort(-popularity, kind="stable")
    popular = order[pool[order]].astype(np.int32)
    strata = popularity_strata(np.append(popularity, np.zeros(n_outside, dtype=np.int64)))
    exposed = None
    if exposures is not None:
        exposed = np.bincount(exposures.items, minlength=len(pool) + n_outside) > 0
    return Evaluator(cutoffs, pool, popularity, strata, popular, train.n_users, values, exposed)


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


class Accumulator:
    """Collects the metrics of one channel (or of the merged list), chunk by chunk.

    Memory: four float64 numbers a user and cut-off, and one counter an item and cut-off.
    """

    def __init__(self, evaluator: Evaluator, n: int) -> None:
        self._evaluator = evaluator
        self.recall = {k: np.zeros(n) for k in evaluator.cutoffs}
        self._ndcg = {k: np.zeros(n) for k in evaluator.cutoffs}
        self._hit_rate = {k: np.zeros(n) for k in evaluator.cutoffs}
        self._novelty = {k: np.zeros(n) for k in evaluator.cutoffs}
        self._popular = {k: np.zeros(n) for k in evaluator.cutoffs}
        self._shown = {k: np.zeros(len(evaluator.pool), dtype=np.int64) for k in evaluator.cutoffs}
        self._hits = {k: np.zeros(len(STRATA), dtype=np.int64) for k in evaluator.cutoffs}
        self._shown_hits = {k: np.zeros(2, dtype=np.int64) for k in evaluator.cutoffs}
        self.value = {} if evaluator.values is None else {k: np.zeros(n) for k in evaluator.cutoffs}

    def add(self, start: int, lists: ItemLists, truth: ItemLists) -> None:
        """Measure the lists of users ``start`` onwards."""
        evaluator, here = self._evaluator, slice(start, start + len(lists))
        top = truncate(lists, evaluator.cutoffs[-1])
        for k, values in metrics.metrics_at(top, truth, evaluator.cutoffs).items():
            self.recall[k][here] = values.recall
            self._ndcg[k][here] = values.ndcg
            self._hit_rate[k][here] = values.hit_rate
        # From the longest to the shortest: each is cut from the list before.
        for k in reversed(evaluator.cutoffs):
            top = truncate(top, k)
            bits = metrics.novelty(top, k, popularity=evaluator.popularity, n_users=evaluator.n_users)
            self._novelty[k][here] = bits
            self._popular[k][here] = metrics.popularity_overlap(top, k, evaluator.popular[:k])
            self._shown[k] += metrics.exposure(top, k, n_items=len(evaluator.pool))
            hits = top.items[metrics.hit_mask(top, truth)]
            self._hits[k] += np.bincount(evaluator.strata[hits], minlength=len(STRATA))
            if evaluator.exposed is not None:
                self._shown_hits[k] += np.bincount(evaluator.exposed[hits], minlength=2)
        if evaluator.values is not None:
            for k, worth in value_at(lists, truth, evaluator.cutoffs, evaluator.values).items():
                self.value[k][here] = worth

    def results(
        self, true_items: npt.NDArray[np.int64], by_exposure: npt.NDArray[np.int64] | None = None
    ) -> dict[str, dict[int, Any]]:
        """Return the metrics by name and cut-off, as fields of :class:`~graphrec.pipelines.report.report.ListMetrics`.

        ``true_items`` (3,) are the true items by stratum, ``by_exposure`` (2,) those never shown and those shown.
        """
        pool, shown = self._evaluator.pool, {}
        if by_exposure is not None:
            shown["exposure_recall"] = {k: _by_exposure(hits, by_exposure) for k, hits in self._shown_hits.items()}
        return {
            **shown,
            "recall": {k: float(values.mean()) for k, values in self.recall.items()},
            "ndcg": {k: float(values.mean()) for k, values in self._ndcg.items()},
            "hit_rate": {k: float(values.mean()) for k, values in self._hit_rate.items()},
            "coverage": {k: metrics.coverage(shown, pool) for k, shown in self._shown.items()},
            "novelty": {k: number(metrics.mean(bits)) for k, bits in self._novelty.items()},
            "gini": {k: metrics.gini(shown, pool) for k, shown in self._shown.items()},
            "popularity_overlap": {k: number(metrics.mean(shares)) for k, shares in self._popular.items()},
            "strata_recall": {k: _by_stratum(hits, true_items) for k, hits in self._hits.items()},
        }


def _by_stratum(hits: npt.NDArray[np.int64], true_items: npt.NDArray[np.int64]) -> StrataRecall:
    return StrataRecall(*(float(n / total) if total else None for n, total in zip(hits, true_items, strict=True)))


def _by_exposure(hits: npt.NDArray[np.int64], true_items: npt.NDArray[np.int64]) -> ExposureRecall:
    never, shown = (float(n / total) if total else None for n, total in zip(hits, true_items, strict=True))
    return ExposureRecall(exposed=shown, never_exposed=never)


def number(value: float) -> float | None:
    """Return the value, or None where there is none (JSON has no NaN)."""
    return None if np.isnan(value) else float(value)
