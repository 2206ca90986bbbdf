"""Reciprocal-rank weights chosen on held-out events."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal, get_args

import numpy as np
import numpy.typing as npt

from graphrec.checks import check_choice
from graphrec.data.lists import ItemLists, take_lists
from graphrec.fusion.graph_levels import NO_LEVELS, GraphLevels
from graphrec.fusion.objective import Objective, ascend, users_with_truth
from graphrec.fusion.rrf import Rrf, check_settings, merge_rrf
from graphrec.fusion.settings import FitResult

_Objective = Literal["recall", "value"]


@dataclass(frozen=True, slots=True)
class FittedRrf:
    """Weighted reciprocal-rank fusion whose weights are chosen on held-out events: see :func:`fit_weights`.

    Parameters
    ----------
    c, depth
        As in :class:`graphrec.fusion.rrf.Rrf`.
    objective : {"recall", "value"}
        Whether the weights maximise Recall@k, or the value@k of ``evaluate.value``.
    """

    kind: ClassVar[str] = "fitted-rrf"
    c: float = 60.0
    depth: int = 0
    objective: _Objective = "recall"

    def __post_init__(self) -> None:
        check_settings(c=self.c, depth=self.depth)
        check_choice("objective", self.objective, get_args(_Objective))

    def fit(
        self,
        lists: Mapping[str, ItemLists],
        truth: ItemLists,
        *,
        k: int,
        counts: npt.NDArray[np.int64],  # noqa: ARG002 - one signature
        seed: int,
        graph: GraphLevels = NO_LEVELS,  # noqa: ARG002
        histories: ItemLists | None = None,  # noqa: ARG002
    ) -> FitResult:
        """Return the fusion with the best weights; for the objective "value" scores of the truth are worth."""
        by_value = self.objective == "value"
        weights = fit_weights(lists, truth, k=k, seed=seed, c=self.c, depth=self.depth, by_value=by_value)
        report = {"kind": self.kind, "objective": self.objective, "weights": weights}
        return FitResult(Rrf(weights, self.c, self.depth), report)

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
    by_value: bool = False,
) -> dict[str, float]:
    """Return the reciprocal-rank weights by channel which maximise Recall@k, or value@k.

    Coordinate ascent from equal weights: channel by channel (in an order drawn from ``seed``), the weight is multiplied
    by each of ``graphrec.fusion.objective.STEPS`` and the best kept; a step must gain to be taken. It stops when a
    whole round gains nothing.

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
    by_value : bool, default False
        Maximise what the hits are worth, the scores of ``truth``, in the place of Recall@k.

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
    longest = sum(int(part.lengths.max(initial=0)) for part in parts.values())
    candidates = merge_rrf(parts, max(longest, 1), c=c, depth=depth)
    ranks = candidates.ranks.T.astype(np.float64)
    scores = np.where(ranks > 0, 1 / (c + ranks), 0.0)
    objective = Objective(candidates.lists, scores, chosen, cutoffs=(k,), by_value=by_value)
    order = rng.permutation(len(parts))
    weights = ascend(objective, rounds=rounds, order=lambda: order)
    return {name: round(float(weight), 4) for name, weight in zip(lists, weights / weights.max(), strict=True)}
