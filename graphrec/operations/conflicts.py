"""What is wrong with rules beside a catalogue, and with rules beside each other: one sentence each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import combinations

import numpy as np
import numpy.typing as npt

from graphrec.data.features import Features
from graphrec.data.rules import Arrivals, Boost, Campaign, Deny, Entry, Pin, Rules, Segment, iso
from graphrec.data.vocabulary import Vocabulary
from graphrec.errors import ConfigError, UnknownIdError, nearest_names

Placed = tuple[Entry, float, float, Segment]


def find_problems(
    rules: Rules,
    *,
    items: Vocabulary | None = None,
    pool: npt.NDArray[np.bool_] | None = None,
    item_features: Features | None = None,
) -> list[str]:
    """Return a sentence, with place and name, for every fault of the rules; none where they may be used.

    Problems: campaigns that are not there or stand twice; two pins (or new arrivals) on one position, or one item on
    two, at overlapping times for the same segment; items that are pinned or campaigned for and also denied.

    Parameters
    ----------
    items : Vocabulary or None
        Where it is given, unknown ids are named with the nearest known ones.
    pool : ndarray or None
        (n_items,) bool before the deny list; where it is given, pinned items outside of it are named.
    item_features : Features or None
        Where it is given, unknown labels, values and numbers are named.

    Notes
    -----
    Two segments are the same where they name the same labels and share a value of each. A rule for everybody and
    one for a segment may stand on one position: the narrower one has it (:mod:`graphrec.operations.schedule`).
    """
    problems = [*_campaigns(rules), *_clashes(rules), *_denied(rules)]
    if items is not None:
        problems += [*_unknown_items(rules, items), *_outside(rules, items, pool)]
    if item_features is not None:
        problems += _attributes(rules, item_features)
    return problems


def unknown_segments(rules: Rules, user_features: Features) -> list[str]:
    """Return a sentence for every segment that no known user belongs to. It is no fault: requests may name it."""
    notes = []
    for entry in rules.entries:
        for label, values in ({} if isinstance(entry.rule, Deny) else dict(entry.rule.segment)).items():
            labels = user_features.labels.get(label)
            if labels is None:
                near = nearest_names(label, user_features.labels)
                notes.append(f"{entry.where}: {entry.title}: users have no label {label!r}{near}")
                continue
            for value in values:
                if value not in labels.names:
                    near = nearest_names(value, labels.names)
                    notes.append(f"{entry.where}: {entry.title}: no known user has {label} = {value!r}{near}")
    return notes


def _campaigns(rules: Rules) -> Iterator[str]:
    """Find campaigns that stand twice, and rules of campaigns that are not there."""
    first: dict[str, Entry] = {}
    for entry in rules.entries:
        if isinstance(entry.rule, Campaign):
            before = first.setdefault(entry.rule.name, entry)
            if before is not entry:
                yield f"{entry.where}: {entry.title} stands already at {before.where}; names must differ"
    for entry in rules.entries:
        if isinstance(entry.rule, Pin | Boost | Arrivals) and entry.rule.campaign not in ("", *first):
            near = nearest_names(entry.rule.campaign, first)
            yield (
                f"{entry.where}: {entry.title} belongs to the campaign {entry.rule.campaign!r}, which is not among "
                f"{', '.join(first) or 'none'}{near}"
            )


def _clashes(rules: Rules) -> Iterator[str]:
    """Find positions with two rules, and items with two positions, at one time for one segment."""
    by_position: dict[int, list[Placed]] = {}
    by_item: dict[str, list[Placed]] = {}
    for entry in rules.entries:
        if not isinstance(entry.rule, Pin | Arrivals):
            continue
        placed = (entry, *rules.frame(entry.rule))
        for position in (entry.rule.position,) if isinstance(entry.rule, Pin) else entry.rule.positions:
            by_position.setdefault(position, []).append(placed)
        if isinstance(entry.rule, Pin):
            by_item.setdefault(entry.rule.item, []).append(placed)
    for position, group in by_position.items():
        yield from _overlaps(group, lambda: f"both stand on position {position}")  # noqa: B023 - used at once
    for item, group in by_item.items():
        if len({entry.rule.position for entry, *_ in group if isinstance(entry.rule, Pin)}) > 1:
            yield from _overlaps(group, lambda: f"both pin the item {item!r}")  # noqa: B023 - used at once


def _overlaps(group: list[Placed], what: Callable[[], str]) -> Iterator[str]:
    for (entry, start, end, segment), (other, other_start, other_end, other_segment) in combinations(group, 2):
        if start < other_end and other_start < end and _same(segment, other_segment):
            begin = max(start, other_start)
            since = f" from {iso(begin)} on" if np.isfinite(begin) else ""
            yield (
                f"{other.where}: {other.title} and {entry.title} ({entry.where}) {what()} for the same segment{since}; "
                "change a position, a window or a segment"
            )


def _same(segment: Segment, other: Segment) -> bool:
    return segment.keys() == other.keys() and all(set(segment[label]) & set(other[label]) for label in segment)


def _wanted(entry: Entry) -> tuple[str, ...]:
    """Return the items that a rule wants to be shown."""
    if isinstance(entry.rule, Pin):
        return (entry.rule.item,)
    return entry.rule.items if isinstance(entry.rule, Campaign) else ()


def _denied(rules: Rules) -> Iterator[str]:
    """Find items that one rule shows and another denies."""
    where = {item: entry for entry in rules.entries if isinstance(entry.rule, Deny) for item in entry.rule.items}
    for entry in rules.entries:
        for item in _wanted(entry):
            if item in where:
                yield (
                    f"{entry.where}: {entry.title} shows the item {item!r}, which {where[item].where} denies; "
                    "take it out of one of them"
                )


def _unknown_items(rules: Rules, items: Vocabulary) -> Iterator[str]:
    for entry in rules.entries:
        named = entry.rule.items if isinstance(entry.rule, Deny) else _wanted(entry)
        if isinstance(entry.rule, Boost) and entry.rule.item:
            named = (entry.rule.item,)
        for item in named:
            try:
                items.row(item, kind="item")
            except UnknownIdError as error:
                yield f"{entry.where}: {entry.title}: {error}"


def _outside(rules: Rules, items: Vocabulary, pool: npt.NDArray[np.bool_] | None) -> Iterator[str]:
    """Find items that are to be shown and lie outside the pool."""
    for entry in rules.entries if pool is not None else ():
        for item in _wanted(entry):
            row = items.get(item)
            if row >= 0 and pool is not None and not pool[row]:
                yield (
                    f"{entry.where}: {entry.title} shows the item {item!r}, which is not in the pool; "
                    "let it into the pool or take the rule out"
                )


def _attributes(rules: Rules, attributes: Features) -> Iterator[str]:
    """Find labels, values and numbers that items do not have."""
    for entry in rules.entries:
        try:
            if isinstance(entry.rule, Arrivals):
                attributes.number(entry.rule.released)
            elif isinstance(entry.rule, Boost):
                for label, value in entry.rule.label.items():
                    names = attributes.label(label).names
                    if value not in names:
                        near = nearest_names(value, names)
                        yield f"{entry.where}: {entry.title}: no item has {label} = {value!r}{near}"
        except ConfigError as error:
            yield f"{entry.where}: {entry.title}: {error}"
