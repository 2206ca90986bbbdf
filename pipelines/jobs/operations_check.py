"""Checking a file of rules without training, and what is live when."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from rich.table import Table

from graphrec.bundle import open_bundle
from graphrec.data.features import Features
from graphrec.data.rules import Arrivals, Boost, Campaign, Deny, Pin, Rule, Rules, Segment, iso
from graphrec.operations.conflicts import find_problems, unknown_segments

from ..config.load import load_config
from ..progress import Silent
from ..readers.inputs import load_inputs
from ..readers.rules import read_rules


class CalendarEntry(NamedTuple):
    """One line of the calendar: what is live from when until when, for whom; open ends are None."""

    start: float | None
    end: float | None
    live: bool
    segment: str
    rule: str
    what: str
    where: str


@dataclass(frozen=True, slots=True)
class Checked:
    """The result of a check: faults, notes that are no faults, and the calendar of the rules that can be read."""

    problems: list[str]
    notes: list[str]
    calendar: list[CalendarEntry]

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values; moments in ISO 8601."""
        dated = [entry._asdict() | {"start": _words(entry.start), "end": _words(entry.end)} for entry in self.calendar]
        return {"problems": self.problems, "notes": self.notes, "calendar": dated}


def check_rules(file: Path, *, bundle: Path | None = None, config: Path | None = None, now: float) -> Checked:
    """Return what is wrong with a file of rules, and what is live when.

    Parameters
    ----------
    bundle : Path or None
        Ids and the pool are compared with those of this bundle.
    config : Path or None
        The data of this configuration is read; ids, the pool and labels are compared with it, and not with
        ``bundle``.
    now : float
        Seconds UTC: the calendar marks what is live then.

    Raises
    ------
    GraphRecError
        If the file, the bundle or the data cannot be read.
    """
    rules, problems = read_rules(file)
    notes = []
    if config is not None:
        data = load_inputs(load_config(config), rejects=None, steps=Silent()).data
        attributes = data.item_features or Features(len(data.items))
        problems += find_problems(rules, items=data.items, pool=data.pool, item_features=attributes)
        if data.user_features is not None:
            notes += unknown_segments(rules, data.user_features)
    elif bundle is not None:
        opened = open_bundle(bundle)
        problems += find_problems(rules, items=opened.items, pool=opened.pool)
        notes.append("a bundle holds no labels of items and users; --config checks those too")
    else:
        problems += find_problems(rules)
        notes.append("ids were not checked; --bundle or --config does")
    return Checked(problems, notes, calendar(rules, now=now))


def calendar(rules: Rules, *, now: float) -> list[CalendarEntry]:
    """Return what is live when, for whom, by start; ``live`` marks what is at ``now`` (seconds UTC)."""
    lines = []
    for entry in rules.entries:
        start, end, segment = (
            (float("-inf"), float("inf"), {}) if isinstance(entry.rule, Deny) else rules.frame(entry.rule)
        )
        lines.append(
            CalendarEntry(
                start if np.isfinite(start) else None,
                end if np.isfinite(end) else None,
                bool(start <= now < end),
                _segment_words(segment),
                entry.title,
                _what(entry.rule),
                entry.where,
            )
        )
    return sorted(lines, key=lambda entry: (entry.start or float("-inf"), entry.end or float("inf")))


def calendar_table(lines: Sequence[CalendarEntry], *, now: float) -> Table:
    """Return the calendar for people."""
    table = Table(title=f"what is live when (UTC); ● at {iso(int(now))}", title_justify="left")
    for name in ("", "from", "until", "for", "rule", "what"):
        table.add_column(name, overflow="fold", no_wrap=name in ("from", "until"))
    for entry in lines:
        since, until = _words(entry.start) or "open", _words(entry.end) or "open"
        table.add_row("●" if entry.live else "", since, until, entry.segment, entry.rule, entry.what)
    return table


def _words(moment: float | None) -> str | None:
    return None if moment is None else iso(moment)


def _segment_words(segment: Segment) -> str:
    return ", ".join(f"{label} = {' or '.join(values)}" for label, values in segment.items()) or "everybody"


def _what(rule: Rule) -> str:
    """Return what a rule does, in words."""
    if isinstance(rule, Pin):
        return f"{rule.item} on position {rule.position}"
    if isinstance(rule, Boost):
        whom = rule.item or " ".join(f"{label} = {value}" for label, value in rule.label.items())
        return f"{whom} times {rule.factor:g}"
    if isinstance(rule, Arrivals):
        places = f" on {', '.join(map(str, rule.positions))}" if rule.positions else ""
        return f"{rule.exposures:,} exposures for each item of the last {rule.days:g} days{places}"
    if isinstance(rule, Campaign):
        return f"{len(rule.items)} items" if rule.items else "the frame of other rules"
    return f"{len(rule.items)} items in no channel"
