"""The objective of fusion weights on held-out events, and the ascent that maximises it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import copy

import numpy as np
import numpy.typing as npt

from graphrec.data.lists import ItemLists
from graphrec.errors import DataError
from graphrec.evaluation.metrics import hit_mask, truth_sizes
from graphrec.kernels import kernel
from graphrec.threads import map_chunks

Scores = npt.NDArray[np.float64]

# What a weight may be multiplied by in one step; 0 silences a channel.
STEPS = (0.0, 0.25, 0.5, 0.8, 1.25, 2.0, 4.0)
# Queries that a thread takes at a time.
_QUERIES = 256


def users_with_truth(truth: ItemLists, max_users: int, rng: np.random.Generator) -> npt.NDArray[np.int64]:
    """Return the places in ``truth`` of users who have any, rising; of more than ``max_users``, a sample.

    Raises
    ------
    DataError
        If no user has any.
    """
    users = np.flatnonzero(truth_sizes(truth) > 0)
    if len(users) == 0:
        raise DataError("no user has a held-out item, so a fusion cannot be fitted; hold out more events")
    return users if len(users) <= max_users else np.sort(rng.choice(users, size=max_users, replace=False))


class Objective:
    """What weights of the channels maximise: how well the candidates are ranked by the weighted sums of their parts.

    The mean, over n queries and over ``cutoffs``, of Recall@K, of Recall@K + NDCG@K ``with_ndcg``, or of the share of
    what all the truth is worth ``by_value``. Candidates are not sorted: those that stand before a hit are counted.

    Parameters
    ----------
    candidates : ItemLists
        n lists, m entries in all: what any channel returned.
    parts : ndarray
        (C, m) float64, >= 0: what each channel adds to each entry at weight 1.
    truth : ItemLists
        n lists of held-out items, none of them empty.
    cutoffs : sequence of int
        Each >= 1.
    with_ndcg : bool, default False
        Whether NDCG counts too.
    by_value : bool, default False
        Whether a hit counts by the score of its item in ``truth``, which is then what the item is worth.
    """

    def __init__(
        self,
        candidates: ItemLists,
        parts: Scores,
        truth: ItemLists,
        *,
        cutoffs: Sequence[int],
        with_ndcg: bool = False,
        by_value: bool = False,
    ) -> None:
        self.parts = np.ascontiguousarray(parts)
        self._candidates, self._n_truth = candidates, truth_sizes(truth)
        self._hits = np.flatnonzero(hit_mask(candidates, truth))
        self._bounds = np.searchsorted(self._hits, candidates.indptr)
        self._gains = _worth(candidates, truth, self._hits) if by_value else self._shares()
        self._cutoffs, self._with_ndcg = np.array(cutoffs, dtype=np.int64), with_ndcg
        self._queries = np.arange(len(candidates))

    def _shares(self) -> Scores:
        """Return (hits,) the share of its query's truth that each hit is."""
        owners = np.repeat(np.arange(len(self._n_truth)), np.diff(self._bounds))
        shares: Scores = 1.0 / self._n_truth[owners]
        return shares

    def among(self, queries: npt.NDArray[np.int64]) -> Objective:
        """Return the objective over some of the queries alone, sharing everything else."""
        part = copy(self)
        part._queries = queries
        return part

    def along(self, weights: Scores, channel: int) -> Callable[[float], float]:
        """Return the objective as a function of one channel's weight, beside the (C,) ``weights`` of the others.

        O(C m) once, and for each weight O(m) and a pass over its query's candidates for each hit.
        """
        others = weights.copy()
        others[channel] = 0.0
        rest: Scores = others @ self.parts
        return lambda weight: self._mean(rest, self.parts[channel], weight)

    def _mean(self, rest: Scores, part: Scores, weight: float) -> float:
        candidates, n = self._candidates, len(self._queries)

        def work(start: int, stop: int) -> float:
            return float(
                _total(
                    candidates.indptr, candidates.items, rest, part, weight, self._hits, self._bounds, self._gains,
                    self._n_truth, self._cutoffs, self._with_ndcg, self._queries[start:stop],
                )
            )  # fmt: skip

        return sum(map_chunks(work, n, chunk=_QUERIES)) / max(n * len(self._cutoffs), 1)


def _worth(candidates: ItemLists, truth: ItemLists, hits: npt.NDArray[np.int64]) -> Scores:
    """Return (hits,) what each hit is worth, in shares of what the truth of a mean query is worth."""
    width = 1 + max(int(truth.items.max(initial=0)), int(candidates.items.max(initial=0)))
    keys = np.repeat(np.arange(len(truth)), truth.lengths) * width + truth.items
    order = np.argsort(keys, kind="stable")
    owners = np.searchsorted(candidates.indptr, hits, side="right") - 1
    places = order[np.searchsorted(keys[order], owners * width + candidates.items[hits])]
    mean = truth.scores[truth.scores > 0].sum(dtype=np.float64) / max(len(truth), 1)
    gains: Scores = truth.scores[places].astype(np.float64) / mean
    return gains


def ascend(objective: Objective, *, rounds: int, order: Callable[[], npt.NDArray[np.int64]]) -> Scores:
    """Return the (C,) weights that coordinate ascent reaches from equal ones; ``order`` gives each round's.

    Each weight in turn is multiplied by ``STEPS``, a weight of 0 starting from 1; a step is kept where it gains.
    """
    best = np.ones(len(objective.parts), dtype=np.float64)
    reached = objective.along(best, 0)(1.0)
    for _ in range(rounds):
        before = reached
        for channel in order():
            value, start = objective.along(best, int(channel)), best[channel]
            for weight in (1.0, *STEPS) if start == 0 else [start * factor for factor in STEPS]:
                step = value(weight)
                # Gains below the noise of the last digits are no reason to move.
                if step > reached + 1e-9:
                    best[channel], reached = weight, step
        if reached <= before:
            break
    return best


@kernel
def _total(
    indptr: npt.NDArray[np.int64],
    items: npt.NDArray[np.int32],
    rest: Scores,
    part: Scores,
    weight: float,
    hits: npt.NDArray[np.int64],
    bounds: npt.NDArray[np.int64],
    gains: Scores,
    n_truth: npt.NDArray[np.int64],
    cutoffs: npt.NDArray[np.int64],
    with_ndcg: bool,
    queries: npt.NDArray[np.int64],
) -> float:  # pragma: no cover - compiled
    """Return the sum over queries and cut-offs, of candidates that score ``rest + weight * part``."""
    total = 0.0
    for query in queries:
        if bounds[query] == bounds[query + 1]:
            continue
        first, last = indptr[query], indptr[query + 1]
        # Lists are merged by their sums in float32.
        scores = (rest[first:last] + weight * part[first:last]).astype(np.float32)
        rows = items[first:last]
        for h in range(bounds[query], bounds[query + 1]):
            own, row = scores[hits[h] - first], items[hits[h]]
            if own <= 0:
                continue
            before = 0
            for q in range(scores.size):
                before += (scores[q] > own) | ((scores[q] == own) & (rows[q] < row))
            for k in cutoffs:
                if before < k:
                    total += gains[h]
                    if with_ndcg:
                        ideal = 0.0
                        for place in range(min(k, n_truth[query])):
                            ideal += 1 / np.log2(place + 2.0)
                        total += 1 / np.log2(before + 2.0) / ideal
    return total
