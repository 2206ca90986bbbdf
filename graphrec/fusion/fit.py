"""Choosing fusion weights on held-out events."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from typing import ClassVar

import numba as nb
import numpy as np
import numpy.typing as npt

from graphrec.data.lists import ItemLists, take_lists
from graphrec.errors import DataError
from graphrec.evaluation.metrics import hit_mask, truth_sizes
from graphrec.fusion.rrf import Rrf, check_settings, merge_rrf
from graphrec.fusion.settings import FitResult
from graphrec.threads import map_chunks

Scores = npt.NDArray[np.float64]

# What a weight may be multiplied by in one step; 0 silences a channel.
STEPS = (0.0, 0.25, 0.5, 0.8, 1.25, 2.0, 4.0)
# Queries that a thread takes at a time.
_QUERIES = 256


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

    def fit(
        self,
        lists: Mapping[str, ItemLists],
        truth: ItemLists,
        *,
        k: int,
        counts: npt.NDArray[np.int64],  # noqa: ARG002 - one signature
        seed: int,
    ) -> FitResult:
        """Return the fusion with the weights that give the best Recall@k."""
        weights = fit_weights(lists, truth, k=k, seed=seed, c=self.c, depth=self.depth)
        return FitResult(Rrf(weights, self.c, self.depth), {"kind": self.kind, "weights": weights})

    def channel_depth(self, k: int) -> int:
        """Return the depth of :class:`graphrec.fusion.rrf.Rrf` with the same settings."""
        return Rrf(c=self.c, depth=self.depth).channel_depth(k)


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
    users = users_with_truth(truth, max_users, rng)
    chosen = take_lists(truth, users)
    parts = {name: take_lists(part, users) for name, part in lists.items()}
    everything = sum(int(part.lengths.max(initial=0)) for part in parts.values())
    candidates = merge_rrf(parts, max(everything, 1), c=c, depth=depth)
    ranks = candidates.ranks.T.astype(np.float64)
    worth = Worth(candidates.lists, np.where(ranks > 0, 1 / (c + ranks), 0.0), chosen, cutoffs=(k,))
    order = rng.permutation(len(parts))
    weights = climb(worth, rounds=rounds, order=lambda: order)
    return {name: round(float(weight), 4) for name, weight in zip(lists, weights / weights.max(), strict=True)}


def users_with_truth(truth: ItemLists, most: int, rng: np.random.Generator) -> npt.NDArray[np.int64]:
    """Return the places in ``truth`` of users who have any, rising; of more than ``most``, a sample.

    Raises
    ------
    DataError
        If nobody has any.
    """
    users = np.flatnonzero(truth_sizes(truth) > 0)
    if len(users) == 0:
        raise DataError("no user has a held-out item, so a fusion cannot be fitted; hold out more events")
    return users if len(users) <= most else np.sort(rng.choice(users, size=most, replace=False))


class Worth:
    """How much of the truth candidates find by weights of what each channel adds to them.

    The mean, over n queries and over ``cutoffs``, of Recall@K, or of Recall@K + NDCG@K ``with_ndcg``. Candidates are
    not sorted: those that stand before a hit are counted.

    Parameters
    ----------
    candidates : ItemLists
        n lists, m entries in all, of whatever any channel found.
    parts : ndarray
        (C, m) float64, >= 0: what each channel adds to each entry at weight 1.
    truth : ItemLists
        n lists of held-out items, none of them empty.
    cutoffs : sequence of int
        Each >= 1.
    with_ndcg : bool, default False
        Whether NDCG counts too.
    """

    def __init__(
        self,
        candidates: ItemLists,
        parts: Scores,
        truth: ItemLists,
        *,
        cutoffs: Sequence[int],
        with_ndcg: bool = False,
    ) -> None:
        self.parts = np.ascontiguousarray(parts)
        self._candidates, self._n_truth = candidates, truth_sizes(truth)
        self._hits = np.flatnonzero(hit_mask(candidates, truth))
        self._bounds = np.searchsorted(self._hits, candidates.indptr)
        self._cutoffs, self._with_ndcg = np.array(cutoffs, dtype=np.int64), with_ndcg
        self._queries = np.arange(len(candidates))

    def among(self, queries: npt.NDArray[np.int64]) -> Worth:
        """Return the worth for some of the queries alone, sharing everything else."""
        part = copy(self)
        part._queries = queries
        return part

    def along(self, weights: Scores, channel: int) -> Callable[[float], float]:
        """Return the worth as a function of one channel's weight, beside the (C,) ``weights`` of the others.

        O(C m) once, and for each weight O(m) and a pass over its query's candidates for each hit.
        """
        others = weights.copy()
        others[channel] = 0.0
        rest: Scores = others @ self.parts
        return lambda weight: self._mean(rest, self.parts[channel], weight)

    def _mean(self, rest: Scores, part: Scores, weight: float) -> float:
        found, n = self._candidates, len(self._queries)

        def work(start: int, stop: int) -> float:
            return float(
                _worth(
                    found.indptr, found.items, rest, part, weight, self._hits, self._bounds, self._n_truth,
                    self._cutoffs, self._with_ndcg, self._queries[start:stop],
                )
            )  # fmt: skip

        return sum(map_chunks(work, n, chunk=_QUERIES)) / max(n * len(self._cutoffs), 1)


def climb(worth: Worth, *, rounds: int, order: Callable[[], npt.NDArray[np.int64]]) -> Scores:
    """Return the (C,) weights that coordinate ascent reaches from equal ones; ``order`` gives each round's.

    Each weight in turn is multiplied by ``STEPS``, a weight of 0 starting from 1; a step is kept where it gains.
    """
    best = np.ones(len(worth.parts), dtype=np.float64)
    reached = worth.along(best, 0)(1.0)
    for _ in range(rounds):
        before = reached
        for channel in order():
            value, start = worth.along(best, int(channel)), best[channel]
            for weight in (1.0, *STEPS) if start == 0 else [start * step for step in STEPS]:
                gained = value(weight)
                # Gains below the noise of the last digits are no reason to move.
                if gained > reached + 1e-9:
                    best[channel], reached = weight, gained
        if reached <= before:
            break
    return best


@nb.njit(nogil=True, cache=True)
def _worth(
    indptr: npt.NDArray[np.int64],
    items: npt.NDArray[np.int32],
    rest: Scores,
    part: Scores,
    weight: float,
    hits: npt.NDArray[np.int64],
    bounds: npt.NDArray[np.int64],
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
                    total += 1 / n_truth[query]
                    if with_ndcg:
                        ideal = 0.0
                        for place in range(min(k, n_truth[query])):
                            ideal += 1 / np.log2(place + 2.0)
                        total += 1 / np.log2(before + 2.0) / ideal
    return total
