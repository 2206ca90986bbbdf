"""Rules over what is known of an item: its age, a number."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from graphrec.checks import check_flag
from graphrec.contracts.recall_data import RecallData
from graphrec.errors import ConfigError
from graphrec.pool.rule import Verdict, age_days, described, simple_verdict


@dataclass(frozen=True, slots=True)
class Age:
    """Items whose moment lies within so many days of ``now``.

    Parameters
    ----------
    of : str
        Number attribute with a moment, in seconds UTC (a column under ``times``).
    max_days, min_days : float, optional
        Days since then, at most and at least. The age of what lies ahead is negative: ``min_days = 0`` removes items
        that are not released yet.
    keep_unknown : bool, default False
        Whether an item whose moment is not known passes.

    Raises
    ------
    ConfigError
        If neither bound is given, or they leave nothing between them.
    """

    kind: ClassVar[str] = "age"
    of: str
    max_days: float | None = None
    min_days: float | None = None
    keep_unknown: bool = False

    def __post_init__(self) -> None:
        _check_bounds(f"age of {self.of}", "min_days", self.min_days, "max_days", self.max_days)
        check_flag("keep_unknown", self.keep_unknown)

    @property
    def title(self) -> str:
        """The rule in a few words."""
        return f"age of {self.of}: {_between(self.min_days, self.max_days)} days"

    def judge(self, data: RecallData, now: int | None) -> Verdict:
        """Compare ages."""
        return _within(age_days(data, self.of, now), self.min_days, self.max_days, self.keep_unknown)


@dataclass(frozen=True, slots=True)
class Number:
    """Items whose number attribute (stock, price) lies between bounds, which belong to it.

    Parameters
    ----------
    of : str
        The attribute.
    min, max : float, optional
        The bounds.
    keep_unknown : bool, default False
        Whether an item whose number is not known passes.

    Raises
    ------
    ConfigError
        If neither bound is given, or they leave nothing between them.
    """

    kind: ClassVar[str] = "number"
    of: str
    min: float | None = None
    max: float | None = None
    keep_unknown: bool = False

    def __post_init__(self) -> None:
        _check_bounds(self.of, "min", self.min, "max", self.max)
        check_flag("keep_unknown", self.keep_unknown)

    @property
    def title(self) -> str:
        """The rule in a few words."""
        return f"{self.of}: {_between(self.min, self.max)}"

    def judge(self, data: RecallData, now: int | None) -> Verdict:  # noqa: ARG002 - it is known of no moment
        """Compare numbers."""
        return _within(described(data).number(self.of), self.min, self.max, self.keep_unknown)


def _within(values: npt.NDArray[np.float64], low: float | None, high: float | None, keep_unknown: bool) -> Verdict:
    """Compare numbers with bounds; NaN is unknown."""
    passes = np.ones(len(values), dtype=np.bool_)
    if low is not None:
        passes &= values >= low
    if high is not None:
        passes &= values <= high
    return simple_verdict(passes, np.isnan(values), keep_unknown)


def _check_bounds(what: str, low_name: str, low: float | None, high_name: str, high: float | None) -> None:
    """Raise unless there is a bound, both are numbers, and something lies between them."""
    if low is None and high is None:
        raise ConfigError(f"the rule for {what} has no bound; give {low_name}, {high_name} or both")
    for name, value in ((low_name, low), (high_name, high)):
        if value is not None and not np.isfinite(value):
            raise ConfigError(f"{name} of the rule for {what} is {value!r}; it must be a finite number")
    if low is not None and high is not None and low > high:
        raise ConfigError(
            f"the rule for {what} lets nothing pass: {low_name} {low:g} lies above {high_name} {high:g}; swap them"
        )


def _between(low: float | None, high: float | None) -> str:
    if low is not None and high is not None:
        return f"{low:g} to {high:g}"
    return f"at most {high:g}" if low is None else f"at least {low:g}"
