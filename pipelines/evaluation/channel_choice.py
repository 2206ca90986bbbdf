"""Choosing channels for a budget, and measuring the choice on users that had no part in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, auto

import numpy as np
import numpy.typing as npt

from graphrec.contracts.panel import Panel, take_panel
from graphrec.contracts.recaller import Recaller
from graphrec.evaluation.bootstrap import paired_bootstrap
from graphrec.evaluation.selection import Selection, select_channels
from graphrec.fusion.heads import Answers
from graphrec.fusion.settings import Fusion, LooksAtScores

from ..report.parts import ChannelChoice, DroppedChannel, Step
from .panel_lists import PanelLists, ask_all, merged_recall, of_channels, take_answers

# Users that channels are chosen on: every set that is tried is merged for all of them.
SELECTING_USERS = 2000

Costs = Mapping[str, Mapping[str, float]]


class Whole(Enum):
    """A set of channels that is measured, among further ones that go by the name of the channel that was added."""

    KEPT = auto()
    ALL = auto()


@dataclass(frozen=True, slots=True, eq=False)
class Trials:
    """The kept channels, alone and with each dropped channel, measured beside the full set.

    ``reported`` (n,) bool are the users whose figures are reported; ``recall`` holds Recall@k by user, under the name
    of the dropped channel that was added, and under ``Whole.KEPT`` for the kept channels alone.
    """

    selection: Selection
    chosen_on: str
    k: int
    limits: Mapping[str, float]
    costs: Costs
    names: tuple[str, ...]
    reported: npt.NDArray[np.bool_]
    recall: dict[str | Whole, npt.NDArray[np.float64]] = field(init=False)

    def __post_init__(self) -> None:
        dropped = [name for name in self.names if name not in self.selection.channels]
        object.__setattr__(self, "recall", {name: np.zeros(len(self.reported)) for name in (Whole.KEPT, *dropped)})

    def add(self, start: int, answers: PanelLists, fusion: Fusion) -> None:
        """Measure the users of one chunk, ``start`` onwards."""
        for extra, recall in self.recall.items():
            more = () if isinstance(extra, Whole) else (extra,)
            kept = of_channels(answers, (*self.selection.channels, *more))
            recall[start : start + len(answers.panel)] = merged_recall(kept, fusion, self.k)

    def choice(self, full: npt.NDArray[np.float64], *, rounds: int, seed: int) -> ChannelChoice:
        """Return the recommendation; ``full`` (n,) is the Recall@k of all channels merged."""
        columns: dict[str | Whole, npt.NDArray[np.float64]] = {Whole.ALL: full, **self.recall}
        reported = {name: column[self.reported] for name, column in columns.items()}
        resamples = paired_bootstrap(reported, rounds=rounds, seed=seed)
        kept = self.selection.channels
        return ChannelChoice(
            k=self.k,
            budget=dict(self.limits),
            chosen_on=self.chosen_on,
            users=int(self.reported.sum()),
            kept=kept,
            steps=tuple(Step(name, recall) for name, recall in self.selection.steps),
            recall=resamples.interval(Whole.KEPT),
            recall_of_all=resamples.interval(Whole.ALL),
            against_all=resamples.interval(Whole.KEPT, minus=Whole.ALL),
            costs=self._costs(kept),
            costs_of_all=self._costs(self.names),
            dropped={
                name: DroppedChannel(resamples.interval(name, minus=Whole.KEPT), self._costs((name,)), self._fits(name))
                for name in self.recall
                if not isinstance(name, Whole)
            },
        )

    def _fits(self, extra: str) -> bool:
        """Say whether the budget pays for the kept channels and this further channel."""
        together = self._costs((*self.selection.channels, extra))
        return all(together[limit] <= most for limit, most in self.limits.items())

    def _costs(self, names: tuple[str, ...]) -> dict[str, float]:
        return {limit: sum(cost[name] for name in names) for limit, cost in self.costs.items()}


def choose_channels(
    channels: Mapping[str, Recaller],
    fusion: Fusion,
    panel: Panel,
    *,
    k: int,
    limits: Mapping[str, float],
    costs: Costs,
    validation: PanelLists | None,
    seed: int,
) -> Trials:
    """Return the channels that greedy selection keeps, ready to be measured on the panel.

    Parameters
    ----------
    channels, fusion
        What is measured; a set of channels is worth the Recall@k of its merged lists, pins and boosts included.
    panel : Panel
        The users that are measured.
    validation : PanelLists or None
        Where channels are chosen. Without it half of the measured users are used up for choosing, ``SELECTING_USERS``
        at most, and the figures are of the others: the users of the choice would flatter it.
    """
    rng, chooser = np.random.default_rng(seed), fusion
    reported = np.ones(len(panel), dtype=np.bool_)
    if validation is not None:
        n = len(validation.panel)
        own = np.sort(rng.choice(n, size=min(SELECTING_USERS, n), replace=False))
        answers = take_answers(validation, own)
        if isinstance(fusion, LooksAtScores):
            # These are the scores that it was fitted on.
            same = Answers(answers.lists, answers.panel.history)
            chooser = fusion.on_scores(same, same)
        chosen_on = f"{len(own):,} users of the validation part"
    else:
        own = np.sort(rng.choice(len(panel), size=min(SELECTING_USERS, (len(panel) + 1) // 2), replace=False))
        reported[own] = len(panel) == 1
        answers = ask_all(channels, take_panel(panel, own), fusion.channel_depth(k))
        chosen_on = f"{len(own):,} of the measured users, who are left out of these figures"

    def objective(names: tuple[str, ...]) -> float:
        return float(merged_recall(of_channels(answers, names), chooser, k).mean())

    selection = select_channels(tuple(channels), objective, costs=costs, limits=limits)
    return Trials(selection, chosen_on, k, limits, costs, tuple(channels), reported)
