"""The candidate pool: which items may be recalled at all, and how many each rule removed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from graphrec.checks import as_array, check_rows
from graphrec.contracts.recall_data import RecallData
from graphrec.errors import DataError
from graphrec.pool.rules import Rule, Verdict

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Removal:
    """What one rule removed.

    ``alone`` items fail this rule, ``only`` of them fail no other; ``in_turn`` were removed by it when the rules are
    applied in their order, and ``left`` remained. ``unknown`` items it could not judge; ``spared`` passed as new.
    """

    rule: str
    alone: int
    only: int
    in_turn: int
    left: int
    unknown: int
    spared: int


@dataclass(frozen=True, slots=True)
class PoolReport:
    """How a pool came about; ``items - sum(in_turn) + brought_back - denied = left``.

    ``now`` is in seconds UTC. Of the allow list ``brought_back`` items had failed a rule; ``denied`` items of the deny
    list would be in the pool without it.
    """

    items: int
    now: int | None
    removals: tuple[Removal, ...]
    brought_back: int
    denied: int
    left: int

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return asdict(self) | {"removals": [asdict(removal) for removal in self.removals]}


@dataclass(frozen=True, slots=True, eq=False)
class Pool:
    """``mask`` (n_items,) bool: items that may be recalled; ``report`` says what was removed and why."""

    mask: Mask
    report: PoolReport


def candidate_pool(
    data: RecallData,
    rules: Sequence[Rule],
    *,
    allow: npt.ArrayLike = (),
    deny: npt.ArrayLike = (),
    now: int | None = None,
) -> Pool:
    """Return the items that pass every rule, with those allowed and without those denied.

    Deny beats everything. Allow overrides the rules, but not deny. ``data.pool`` is not looked at.

    Parameters
    ----------
    data : RecallData
        Items, their attributes, events and exposures. What is held out must not be in it.
    rules : sequence of Rule
        From :mod:`graphrec.pool.rules`; their order is that of the report, and does not change the pool.
    allow, deny : ndarray
        Item rows.
    now : int, optional
        Seconds UTC. Events and exposures after it do not count. By default the time of the newest event.

    Returns
    -------
    Pool
        Mask and report.

    Raises
    ------
    ConfigError
        If a rule needs an attribute, a time or exposures that are not there.
    DataError
        If nothing is left, or a row is out of range.
    """
    moment = newest(data) if now is None else now
    verdicts = [rule.judge(data, moment) for rule in rules]
    allowed, denied = (_mask(rows, len(data.items), name) for rows, name in ((allow, "allow"), (deny, "deny")))
    passed, removals = _in_turn(rules, verdicts, len(data.items))
    brought_back, removed = allowed & ~passed, denied & (passed | allowed)
    mask = (passed | allowed) & ~denied
    counts = [int(np.count_nonzero(items)) for items in (brought_back, removed, mask)]
    report = PoolReport(len(data.items), moment, removals, *counts)
    if not mask.any():
        raise DataError(_empty(report))
    return Pool(mask, report)


def newest(data: RecallData) -> int | None:
    """Return the time of the newest event in seconds UTC, None where no event has a time."""
    times = data.interactions.times
    return int(times.max()) if times is not None and len(times) else None


def _mask(rows: npt.ArrayLike, n: int, name: str) -> Mask:
    places = as_array(rows if np.size(rows) else np.empty(0, np.int32), np.int32, name=name)
    check_rows(places, n, name=name)
    mask = np.zeros(n, dtype=np.bool_)
    mask[places] = True
    return mask


def _in_turn(rules: Sequence[Rule], verdicts: Sequence[Verdict], n: int) -> tuple[Mask, tuple[Removal, ...]]:
    """Apply the rules in order, and count what each removes."""
    faults = np.zeros(n, dtype=np.int32)
    for verdict in verdicts:
        faults += ~verdict.passes
    left = np.ones(n, dtype=np.bool_)
    removals = []
    for rule, verdict in zip(rules, verdicts, strict=True):
        fails = ~verdict.passes
        counts = [fails, fails & (faults == 1), left & fails, left & ~fails, verdict.unknown, verdict.spared]
        left = left & ~fails
        removals.append(Removal(rule.title, *(int(np.count_nonzero(items)) for items in counts)))
    return left, tuple(removals)


def _empty(report: PoolReport) -> str:
    """Return the sentence for a pool without items."""
    causes = [f"{removal.rule!r} removes {removal.in_turn:,}" for removal in report.removals if removal.in_turn]
    causes += [f"the deny list removes {report.denied:,}"] if report.denied else []
    return f"the pool is empty: of {report.items:,} items {', then '.join(causes) or 'there are none'}; loosen a rule"
