"""Choosing channels for a budget, and measuring the choice on users that had no part in it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from graphrec.data.lists import ItemLists, take_lists
from graphrec.evaluation.bootstrap import percentile_interval, resampled_means
from graphrec.evaluation.metrics import rank_metrics, truth_sizes
from graphrec.evaluation.selection import Selection, select_channels
from graphrec.fusion.settings import Fusion

# Users that channels are chosen on: every set that is tried is merged for all of them.
SELECTING_USERS = 2000
_KEPT = ""

Lists = Mapping[str, ItemLists]
Costs = Mapping[str, Mapping[str, float]]


@dataclass(frozen=True, slots=True, eq=False)
class Trials:
    """The kept channels, alone and with each dropped one, measured beside the full set.

    ``reported`` (n,) bool are the users whose figures are told; ``recall`` holds Recall@k by user, under the name of
    the dropped channel that was added, and under "" for the kept channels alone.
    """

    selection: Selection
    chosen_on: str
    k: int
    limits: Mapping[str, float]
    costs: Costs
    names: tuple[str, ...]
    reported: npt.NDArray[np.bool_]
    recall: dict[str, npt.NDArray[np.float64]] = field(init=False)

    def __post_init__(self) -> None:
        dropped = [name for name in self.names if name not in self.selection.channels]
        object.__setattr__(self, "recall", {name: np.zeros(len(self.reported)) for name in (_KEPT, *dropped)})

    def add(self, start: int, lists: Lists, truth: ItemLists, fusion: Fusion) -> None:
        """Measure the users of one chunk, ``start`` onwards."""
        for extra, recall in self.recall.items():
            kept = {name: part for name, part in lists.items() if name in (*self.selection.channels, extra)}
            recall[start : start + len(truth)] = merged_recall(kept, truth, fusion, self.k) if kept else 0.0

    def results(self, full: npt.NDArray[np.float64], *, rounds: int, seed: int) -> dict[str, Any]:
        """Return the recommendation as JSON values; ``full`` (n,) is the Recall@k of all channels merged."""
        columns = {"all": full, **self.recall}
        values = np.stack([column[self.reported] for column in columns.values()], axis=1)
        means = resampled_means(values, rounds=rounds, seed=seed)
        place = {name: position for position, name in enumerate(columns)}

        def interval(ours: str, theirs: str | None = None) -> list[float]:
            column, sample = values[:, place[ours]], means[:, place[ours]]
            if theirs is not None:
                column, sample = column - values[:, place[theirs]], sample - means[:, place[theirs]]
            return percentile_interval(column.mean(), sample).to_list()

        kept = self.selection.channels
        return {
            "k": self.k,
            "budget": dict(self.limits),
            "chosen_on": self.chosen_on,
            "users": int(self.reported.sum()),
            "kept": list(kept),
            "steps": [{"channel": name, "recall": value} for name, value in self.selection.steps],
            "recall": interval(_KEPT),
            "recall_of_all": interval("all"),
            "against_all": interval(_KEPT, "all"),
            "costs": self._costs(kept),
            "costs_of_all": self._costs(self.names),
            "dropped": {
                name: {
                    "adds": interval(name, _KEPT),
                    "costs": self._costs((name,)),
                    "fits": all(self._costs((*kept, name))[limit] <= most for limit, most in self.limits.items()),
                }
                for name in self.recall
                if name != _KEPT
            },
        }

    def _costs(self, names: tuple[str, ...]) -> dict[str, float]:
        return {limit: sum(cost[name] for name in names) for limit, cost in self.costs.items()}


def merged_recall(lists: Lists, truth: ItemLists, fusion: Fusion, k: int) -> npt.NDArray[np.float64]:
    """Return (n,) Recall@k of the merged lists."""
    return rank_metrics(fusion.merge(lists, k).lists, truth, k).recall


def choose_channels(
    ask: Callable[[npt.NDArray[np.int32]], Lists],
    truth: ItemLists,
    users: npt.NDArray[np.int32],
    fusion: Fusion,
    *,
    k: int,
    limits: Mapping[str, float],
    costs: Costs,
    names: tuple[str, ...],
    validation: tuple[Lists, ItemLists] | None,
    seed: int,
) -> Trials:
    """Return the channels that greedy selection keeps, ready to be measured.

    Parameters
    ----------
    ask : callable
        ``ask(users) -> {channel: lists}``, for users of the test part.
    truth : ItemLists
        What is held out for every user in the test part.
    users : ndarray
        (n,) int32 rows of the users that are measured.
    validation : (lists, truth) or None
        Where channels are chosen. Without it half of the measured users are used up for choosing, ``SELECTING_USERS``
        at most, and the figures are of the others: those of whom one chose would flatter the choice.
    """
    rng = np.random.default_rng(seed)
    reported = np.ones(len(users), dtype=np.bool_)
    if validation is not None:
        lists, true = validation
        own = np.flatnonzero(truth_sizes(true) > 0)
        own = np.sort(rng.choice(own, size=min(SELECTING_USERS, len(own)), replace=False))
        lists, true = {name: take_lists(part, own) for name, part in lists.items()}, take_lists(true, own)
        chosen_on = f"{len(own):,} users of the validation part"
    else:
        own = np.sort(rng.choice(len(users), size=min(SELECTING_USERS, (len(users) + 1) // 2), replace=False))
        reported[own] = len(users) == 1
        lists, true = ask(users[own]), take_lists(truth, users[own])
        chosen_on = f"{len(own):,} of the measured users, who are left out of these figures"

    def value(channels: tuple[str, ...]) -> float:
        return float(merged_recall({name: lists[name] for name in channels}, true, fusion, k).mean())

    selection = select_channels(names, value, costs=costs, limits=limits)
    return Trials(selection, chosen_on, k, limits, costs, names, reported)
