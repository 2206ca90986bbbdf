"""Floors under quality: how well an item is liked, and how often it converts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from graphrec.checks import check_at_least, check_count, check_flag
from graphrec.contracts.recall_data import RecallData
from graphrec.errors import ConfigError
from graphrec.pool.rule import Verdict, in_window, simple_verdict


@dataclass(frozen=True, slots=True)
class Rating:
    """Items that are liked well enough: a floor under the mean weight of their events.

    Parameters
    ----------
    min : float
        Mean weight (rating) that an item needs; every event up to ``now`` counts.
    events : int, default 1
        Below so many events an item's mean is not known.
    keep_unknown : bool, default False
        Whether such an item passes.

    Raises
    ------
    ConfigError
        If a setting is illegal.
    """

    kind: ClassVar[str] = "rating"
    min: float
    events: int = 1
    keep_unknown: bool = False

    def __post_init__(self) -> None:
        check_at_least("min", self.min, float(np.finfo(np.float64).min))
        check_count("events", self.events, 1)
        check_flag("keep_unknown", self.keep_unknown)

    @property
    def title(self) -> str:
        """The rule in a few words."""
        return f"rating: mean of {self.min:g} over {self.events:,} events"

    def judge(self, data: RecallData, now: int | None) -> Verdict:
        """Average the weights."""
        counted, _ = in_window(data.interactions, now, None)
        items, weights = data.interactions.items[counted], data.interactions.weights[counted]
        counts = np.bincount(items, minlength=len(data.items))
        means = np.bincount(items, weights=weights, minlength=len(data.items)) / np.maximum(counts, 1)
        return simple_verdict(means >= self.min, counts < self.events, self.keep_unknown)


@dataclass(frozen=True, slots=True)
class Conversion:
    """Items that convert well enough: a floor under the share of their exposures that converted.

    Parameters
    ----------
    min : float
        Share that an item needs, 0 to 1; exposures up to ``now`` count.
    exposures : int, default 1
        Below so many exposures an item's share is not known.
    keep_unknown : bool, default False
        Whether such an item passes.

    Raises
    ------
    ConfigError
        If a setting is illegal.
    """

    kind: ClassVar[str] = "conversion"
    min: float
    exposures: int = 1
    keep_unknown: bool = False

    def __post_init__(self) -> None:
        check_at_least("min", self.min, 0)
        if self.min > 1:
            raise ConfigError(f"min is {self.min:g}; the share of exposures that converted lies between 0 and 1")
        check_count("exposures", self.exposures, 1)
        check_flag("keep_unknown", self.keep_unknown)

    @property
    def title(self) -> str:
        """The rule in a few words."""
        return f"conversion: {self.min:g} of {self.exposures:,} exposures"

    def judge(self, data: RecallData, now: int | None) -> Verdict:
        """Count exposures and what converted."""
        shown = data.exposures
        if shown is None:
            raise ConfigError("the rule conversion needs exposures, and there are none; name them in [data.exposures]")
        counted = np.ones(len(shown), np.bool_) if shown.times is None or now is None else shown.times <= now
        counts = np.bincount(shown.items[counted], minlength=len(data.items))
        converted = np.bincount(shown.items[counted & shown.converted], minlength=len(data.items))
        return simple_verdict(converted / np.maximum(counts, 1) >= self.min, counts < self.exposures, self.keep_unknown)
