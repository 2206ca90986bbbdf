"""Items that were taken often enough lately."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from graphrec.checks import check_at_least, check_count
from graphrec.contracts.recall_data import RecallData
from graphrec.data.interactions import Interactions
from graphrec.errors import ConfigError
from graphrec.pool.rule import Mask, Verdict, age_days, in_window


@dataclass(frozen=True, slots=True)
class Activity:
    """Items that were taken often enough lately.

    Parameters
    ----------
    events, users : int, default 0
        Events, and distinct users, that an item needs; events of a weight of 0 or below (dislikes, returns) do not
        count. 0 asks for nothing.
    weight : float, default 0.0
        Summed weight that an item needs; here every event counts, so that a return takes away what a sale gave.
    days : float, optional
        Only events of the last so many days, counted back from ``now``; without it all events up to ``now``.
    released : str, optional
        Number attribute with the moment of an item's release, and
    new_days : float, optional
        how many days after it an item is exempt. Items whose release is not known are never exempt.

    Raises
    ------
    ConfigError
        If a setting is illegal, no minimum is given, or only one of ``released`` and ``new_days`` is given.

    Notes
    -----
    Time O(m), with ``users`` O(m log m) over the m events that count; memory 8 m bytes for ``users``.
    """

    kind: ClassVar[str] = "activity"
    events: int = 0
    users: int = 0
    weight: float = 0.0
    days: float | None = None
    released: str | None = None
    new_days: float | None = None

    def __post_init__(self) -> None:
        check_count("events", self.events, 0)
        check_count("users", self.users, 0)
        check_at_least("weight", self.weight, 0)
        _check_positive("days", self.days)
        _check_positive("new_days", self.new_days)
        if not (self.events or self.users or self.weight):
            raise ConfigError("activity asks for nothing; give events, users or weight, each above 0")
        if (self.released is None) != (self.new_days is None):
            raise ConfigError(
                "activity needs released and new_days together: the attribute, and how long an item is new"
            )

    @property
    def title(self) -> str:
        """The rule in a few words."""
        minima = [f"{self.events:,} events"] * bool(self.events) + [f"{self.users:,} users"] * bool(self.users)
        minima += [f"weight {self.weight:g}"] * bool(self.weight)
        within = "" if self.days is None else f" in {self.days:g} days"
        spared = "" if self.new_days is None else f", new for {self.new_days:g} days"
        return f"activity: {', '.join(minima)}{within}{spared}"

    def judge(self, data: RecallData, now: int | None) -> Verdict:
        """Count the events of the window."""
        counted, liked = in_window(data.interactions, now, self.days)
        items, n = data.interactions.items, len(data.items)
        passes = np.bincount(items[liked], minlength=n) >= self.events
        if self.users:
            passes &= _distinct_users(data.interactions, liked) >= self.users
        if self.weight:
            passes &= (
                np.bincount(items[counted], weights=data.interactions.weights[counted], minlength=n) >= self.weight
            )
        new = np.zeros(n, dtype=np.bool_)
        if self.released is not None and self.new_days is not None:
            age = age_days(data, self.released, now)
            new = (age >= 0) & (age <= self.new_days)
        return Verdict(passes | new, np.zeros(n, dtype=np.bool_), new & ~passes)


def _distinct_users(interactions: Interactions, counted: Mask) -> npt.NDArray[np.int64]:
    """Return (n_items,) int64: the users of each item among the events that count."""
    pairs = interactions.items[counted].astype(np.int64) * interactions.n_users + interactions.users[counted]
    pairs.sort()
    first = np.ones(len(pairs), dtype=np.bool_)
    first[1:] = pairs[1:] != pairs[:-1]
    owners = pairs[first] // max(interactions.n_users, 1)
    return np.bincount(owners, minlength=interactions.n_items).astype(np.int64)


def _check_positive(name: str, value: float | None) -> None:
    if value is not None and not 0 < value < float("inf"):
        raise ConfigError(f"{name} is {value!r}; it must be a number above 0")
