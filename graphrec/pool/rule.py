"""Rules of the pool: their protocol and verdicts, and what several need."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Protocol

import numpy as np
import numpy.typing as npt

from graphrec.contracts.recall_data import RecallData
from graphrec.data.features import Features
from graphrec.data.interactions import Interactions
from graphrec.errors import ConfigError

DAY_S = 86_400

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Verdict:
    """The verdict of a rule on n items, (n,) bool each.

    ``passes``: may stay. ``unknown``: not enough is known of it; whether it passes is the rule's ``keep_unknown``.
    ``spared``: passes only because it is new.
    """

    passes: Mask
    unknown: Mask
    spared: Mask


class Rule(Protocol):
    """Settings of one rule, a frozen dataclass whose fields are the TOML keys; ``kind`` is its name there."""

    kind: ClassVar[str]

    @property
    def title(self) -> str:
        """The rule in a few words, for reports."""
        ...

    def judge(self, data: RecallData, now: int | None) -> Verdict:
        """Return the verdict on every item as of ``now`` (seconds UTC; None where no time is known).

        Nothing that happened after ``now`` counts.

        Raises
        ------
        ConfigError
            If the rule needs something that ``data`` does not have.
        """
        ...


def simple_verdict(passes: Mask, unknown: Mask, keep_unknown: bool) -> Verdict:
    """Return the verdict of a rule that has no exemption."""
    return Verdict(np.where(unknown, keep_unknown, passes), unknown, np.zeros(len(passes), dtype=np.bool_))


def in_window(interactions: Interactions, now: int | None, days: float | None) -> tuple[Mask, Mask]:
    """Return which events lie in the last ``days`` before ``now``, and which of those have a weight above 0."""
    times = interactions.times
    counted = np.ones(len(interactions), dtype=np.bool_)
    if times is not None and now is not None:
        counted = times <= now
        if days is not None:
            counted &= times > now - days * DAY_S
    elif days is not None:
        raise ConfigError(
            f"a rule counts the last {days:g} days, and no event has a time; leave days out to count all events"
        )
    return counted, counted & (interactions.weights > 0)


def age_days(data: RecallData, name: str, now: int | None) -> npt.NDArray[np.float64]:
    """Return (n_items,) float64 days since a moment; NaN where it is not known."""
    if now is None:
        raise ConfigError(f"the age of {name!r} needs a now, and no event has a time; set pool.now to a date")
    ages: npt.NDArray[np.float64] = (now - described(data).number(name)) / DAY_S
    return ages


def described(data: RecallData) -> Features:
    """Return what is known of the items; attributes without columns where nothing is."""
    return data.item_features if data.item_features is not None else Features(len(data.items))
