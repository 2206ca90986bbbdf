"""Choosing fusion weights on held-out events."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar

import numba as nb
import numpy as np
import numpy.typing as npt

from graphrec.errors import DataError
from graphrec.fusion.fused import FusedLists
from graphrec.fusion.rrf import Rrf, check_settings, merge_rrf
from graphrec.fusion.settings import FitResult
from graphrec.lists import ItemLists, take_lists
from graphrec.metrics import hit_mask, truth_sizes

# What a weight may be multiplied by in one step; 0 silences a channel.
STEPS = (0.0, 0.25, 0.5, 0.8, 1.25, 2.0, 4.0)


@dataclass(frozen=True, slots=True)
class FittedRrf:
    """Weighted reciprocal-rank fusion whose weights are chosen on held-out events: see :func:`fit_weights`.

    Parameters
    ----------
    c, depth
        As in :class:`graphrec.fusion.rrf.Rrf`.
    """

    kind: ClassVar[str] = "fitted-rrf"
    c: float = 60.0
    depth: int = 0

    def __post_init__(self) -> None:
        check_settings(c=self.c, depth=self.depth)

    def fit(self, lists: Mapping[str, ItemLists], truth: ItemLists, *, k: int, seed: int) -> FitResult:
        """Return the fusion with the weights that give the best Recall@k."""
        weights = fit_weights(lists, truth, k=k, seed=seed, c=self.c, depth=self.depth)
        return FitResult(Rrf(weights, self.c, self.depth), {"kind": self.kind, "weights": weights})

    def channel_depth(self, k: int) -> int:
        """Return the depth of :class:`graphrec.fusion.rrf.Rrf` with the same settings."""
        return Rrf(c=self.c, depth=self.depth).channel_depth(k)


@nb.njit(nogil=True, cache=True)
def _mean_recall(
    indptr: npt.NDArray[np.int64],
    items: npt.NDArray[np.int32],
    ranks: npt.NDArray[np.int32],
    hits: npt.NDArray[np.bool_],
    n_truth: npt.NDArray[np.int64],
    weights: npt.NDArray[np.float64],
    c: float,
    k: int,
) -> float:  # pragma: no cover - compiled
    """Return the mean Recall@k of the fused candidates, without sorting them."""
    total = 0.0
    for query in range(indptr.size - 1):
        start, stop = indptr[query], indptr[query + 1]
        scores = np.zeros(stop - start, dtype=np.float32)
        for p in range(start, stop):
            score = 0.0
            for channel in range(weights.size):
                if ranks[p, channel] > 0:
                    score += weights[channel] / (c + ranks[p, channel])
            scores[p - start] = score
        found = 0
        for p in range(start, stop):
            own = scores[p - start]
            if not hits[p] or own == 0.0:
                continue
            better = 0
            for q in range(start, stop):
                if scores[q - start] > own or (scores[q - start] == own and items[q] < items[p]):
                    better += 1
                    if better == k:
                        break
            found += better < k
        total += found / n_truth[query]
    return total / max(indptr.size - 1, 1)


def fit_weights(
    lists: Mapping[str, ItemLists],
    truth: ItemLists,
    *,
    k: int,
    seed: int,
    rounds: int = 3,
    c: float = 60.0,
    depth: int = 0,
    max_users: int = 2000,
) -> dict[str, float]:
    """Return the reciprocal-rank weights by channel which maximise Recall@k.

    Coordinate ascent from equal weights: channel by channel (in an order drawn from ``seed``), the weight is multiplied
    by each of ``STEPS`` and the best kept; a step must gain to be taken. It stops when a whole round gains nothing.

    Parameters
    ----------
    lists : mapping of str to ItemLists
        Each channel's answers to n users, fitted on data without the held-out events, as long as those that will
        be merged: ``fusion.channel_depth(k)``.
    truth : ItemLists
        n lists of held-out items: a validation part, never the test part. Users without any are left out.
    k : int
        Cut-off of the recall.
    seed : int
        Decides the order of channels, and the sample where there are more than ``max_users`` users with truth.
    rounds : int, default 3
        Passes over the channels at most.
    c, depth
        As in :func:`graphrec.fusion.rrf.merge_rrf`.
    max_users : int, default 2000
        Users looked at.

    Returns
    -------
    dict of str to float
        Weights whose largest is 1, rounded to 4 digits, in the order of ``lists``.

    Raises
    ------
    DataError
        If no user has any truth.

    Notes
    -----
    Time O(rounds * C * users * (E C + hits * E)) for E candidates a user. Deterministic.
    """
    check_settings(k=k, c=c, depth=depth)
    rng = np.random.default_rng(seed)
    users = np.flatnonzero(truth_sizes(truth) > 0)
    if len(users) == 0:
        raise DataError("no user has a held-out item, so fusion weights cannot be fitted; hold out more events")
    if len(users) > max_users:
        users = np.sort(rng.choice(users, size=max_users, replace=False))
    chosen = take_lists(truth, users)
    parts = {name: take_lists(part, users) for name, part in lists.items()}
    everything = sum(int(part.lengths.max(initial=0)) for part in parts.values())
    candidates = merge_rrf(parts, max(everything, 1), c=c, depth=depth)
    weights = _ascend(candidates, chosen, k=k, c=c, rounds=rounds, order=rng.permutation(len(parts)))
    return {name: round(float(weight), 4) for name, weight in zip(lists, weights / weights.max(), strict=True)}


def _ascend(
    candidates: FusedLists, truth: ItemLists, *, k: int, c: float, rounds: int, order: npt.NDArray[np.int64]
) -> npt.NDArray[np.float64]:
    """Climb from equal weights, one channel at a time."""
    merged = candidates.lists
    hits, n_truth = hit_mask(merged, truth), truth_sizes(truth)

    def value(weights: npt.NDArray[np.float64]) -> float:
        return float(_mean_recall(merged.indptr, merged.items, candidates.ranks, hits, n_truth, weights, c, k))

    return climb(value, len(candidates.channels), rounds=rounds, order=lambda: order)


def climb(
    value: Callable[[npt.NDArray[np.float64]], float],
    n: int,
    *,
    rounds: int,
    order: Callable[[], npt.NDArray[np.int64]],
) -> npt.NDArray[np.float64]:
    """Return the n weights that coordinate ascent reaches from equal ones; ``order`` gives each round's.

    Each weight in turn is multiplied by ``STEPS``, a weight of 0 starting from 1; a step is kept where ``value`` gains.
    """
    best = np.ones(n, dtype=np.float64)
    reached = value(best)
    for _ in range(rounds):
        before = reached
        for channel in order():
            start = best[channel] or 1.0
            for step in (*STEPS, 1.0) if best[channel] == 0 else STEPS:
                trial = best.copy()
                trial[channel] = start * step
                gained = value(trial) if trial.any() else -1.0
                # Gains below the noise of the last digits are no reason to move.
                if gained > reached + 1e-9:
                    best, reached = trial, gained
        if reached <= before:
            break
    return best
