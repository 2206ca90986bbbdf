"""Recall by decree: pins, campaigns and new arrivals, as the schedule has them at the moment of the request."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Self

import numpy as np
import numpy.typing as npt

from graphrec.checks import check_k, check_rows
from graphrec.contracts.queries import Queries
from graphrec.contracts.recaller import BundleParts, Evidence, no_evidence
from graphrec.data.features import Labels
from graphrec.data.lists import ItemLists, indptr_of, item_lists
from graphrec.data.vocabulary import Vocabulary
from graphrec.errors import BundleError, DataError
from graphrec.operations.rulings import NO_COUNTS, NO_TIMES, Rows, Ruling, described, read_rulings, turn
from graphrec.recallers.files import check_items, read_settings, setting, write_array, write_settings
from graphrec.recallers.segments import Segments

Pins = list[tuple[int, int]]

_NO_ROWS: Rows = np.empty(0, dtype=np.int32)


@dataclass(frozen=True, slots=True, eq=False)
class _Live:
    """What is live for one segment at one moment; boosts are item rows, ascending, with their factors."""

    pins: Pins
    arrivals: list[Ruling]
    offered: list[int]
    boosted: Rows
    factors: npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, init=False, eq=False)
class OperationsRecaller:
    """Pinned items by position, then new arrivals, then the items of campaigns; the schedule is kept, not applied.

    Whether a rule is live is looked up when a query is answered (``queries.now``, else the clock), so that a campaign
    ends without a new bundle. That pins stand at their positions and boosts count is the work of
    :mod:`graphrec.ranking.place`, after fusion.

    Where two rules want one position, the one for the narrower segment has it, then the earlier in the file; the
    other takes the next free position. An item that is pinned twice keeps its first place.

    Parameters
    ----------
    rulings : sequence of Ruling
        In the order of the file.
    segments : sequence of Segments
        The labels that rulings name, with all values that they name, and who has which.
    n_items : int
        Size of the item vocabulary.
    reason : str
        Template of the sentence for people.

    Raises
    ------
    DataError
        If a row is out of range or a ruling names a label or value that ``segments`` do not hold.
    """

    kind: ClassVar[str] = "operations"

    rulings: tuple[Ruling, ...]
    segments: tuple[Segments, ...]
    n_items: int
    reason: str
    _starts: npt.NDArray[np.float64]
    _ends: npt.NDArray[np.float64]
    _admits: tuple[tuple[tuple[int, frozenset[int]], ...], ...]

    def __init__(
        self,
        rulings: Sequence[Ruling],
        segments: Sequence[Segments] = (),
        *,
        n_items: int,
        reason: str = "chosen by the editors",
    ) -> None:
        for ruling in rulings:
            check_rows(ruling.items, n_items, name=f"items of {ruling.kind} {ruling.name!r}")
        set_field = object.__setattr__
        set_field(self, "rulings", tuple(rulings))
        set_field(self, "segments", tuple(segments))
        set_field(self, "n_items", int(n_items))
        set_field(self, "reason", reason)
        set_field(self, "_starts", np.array([ruling.start for ruling in rulings], dtype=np.float64))
        set_field(self, "_ends", np.array([ruling.end for ruling in rulings], dtype=np.float64))
        set_field(self, "_admits", tuple(_admits(ruling, self.segments) for ruling in rulings))

    @property
    def users(self) -> Rows | None:
        """(n_users,) int32: the value that each user has of the first label; None where no rule is for a segment."""
        return self.segments[0].labels.codes if self.segments else None

    def recall(self, queries: Queries, k: int) -> ItemLists:
        """Return at most ``k`` items a query that people want to be shown now. The score is 1 / rank.

        Raises
        ------
        ConfigError
            If ``k < 1``.
        """
        check_k(k)
        now = _moment(queries)
        lists = []
        for user, live in zip(queries.users.tolist(), self._live(queries, now), strict=True):
            placed, loose = _arrivals(live, user, now)
            items = [row for _, row in sorted(_distinct(live.pins + placed))]
            lists.append(list(dict.fromkeys([*items, *loose, *live.offered]))[:k])
        return item_lists(lists, [1.0 / np.arange(1, len(rows) + 1) for rows in lists])

    def pins(self, queries: Queries) -> list[Pins]:
        """Return, for each query, the (position, item row) pairs that are to hold now, by position."""
        now = _moment(queries)
        return [
            sorted(_distinct(live.pins + _arrivals(live, user, now)[0]))
            for user, live in zip(queries.users.tolist(), self._live(queries, now), strict=True)
        ]

    def boosts(self, queries: Queries) -> list[tuple[Rows, npt.NDArray[np.float64]]]:
        """Return, for each query, the item rows that are boosted now, ascending, and their factors."""
        return [(live.boosted, live.factors) for live in self._live(queries, _moment(queries))]

    def evidence(self, query: Queries, items: npt.NDArray[np.int32]) -> Evidence:  # noqa: ARG002 - the protocol's
        """Return -1 throughout: people decided, not the history."""
        return no_evidence(len(items))

    def _live(self, queries: Queries, now: float) -> list[_Live]:
        """Return what is live for each query; queries of one segment share it."""
        current = np.flatnonzero((self._starts <= now) & (now < self._ends)).tolist()
        codes = [segment.of(queries).tolist() for segment in self.segments]
        by_key: dict[tuple[int, ...], _Live] = {}
        result = []
        for position in range(len(queries)):
            key = tuple(column[position] for column in codes)
            if key not in by_key:
                by_key[key] = _sorted_out(
                    [
                        self.rulings[at]
                        for at in current
                        if all(key[column] in allowed for column, allowed in self._admits[at])
                    ]
                )
            result.append(by_key[key])
        return result

    def save(self, directory: Path) -> None:
        """Write the schedule as JSON, item rows, releases and needs as arrays, and who has which label."""
        settings = {
            "reason": self.reason,
            "n_items": self.n_items,
            "rulings": [described(ruling) for ruling in self.rulings],
            "segments": [segment.settings() for segment in self.segments],
        }
        write_settings(directory, self.kind, settings)
        lengths = [len(ruling.items) for ruling in self.rulings]
        write_array(directory, "indptr", indptr_of(lengths))
        write_array(directory, "items", np.concatenate([_NO_ROWS, *(ruling.items for ruling in self.rulings)]))
        write_array(directory, "releases", np.concatenate([NO_TIMES, *(ruling.releases for ruling in self.rulings)]))
        write_array(directory, "needs", np.concatenate([NO_COUNTS, *(ruling.needs for ruling in self.rulings)]))
        for number, segment in enumerate(self.segments):
            segment.save(directory, f"users-{number}")

    @classmethod
    def load(cls, directory: Path, parts: BundleParts) -> Self:
        """Read what :meth:`save` wrote.

        Raises
        ------
        BundleError
            If a file is missing or damaged, or the rules are of another number of items.
        """
        settings = read_settings(directory, kind=cls.kind)
        n_items = setting(settings, "n_items", int, directory=directory)
        check_items(directory, n_items, parts.items)
        try:
            segments = [
                Segments.load(directory, f"users-{number}", segment)
                for number, segment in enumerate(setting(settings, "segments", list, directory=directory))
            ]
            rulings = read_rulings(directory, setting(settings, "rulings", list, directory=directory))
            reason = setting(settings, "reason", str, directory=directory)
            return cls(rulings, segments, n_items=n_items, reason=reason)
        except KeyError as error:
            raise BundleError(f"{directory} is damaged: a rule of the schedule lacks {error}") from error
        except (DataError, TypeError, AttributeError) as error:
            raise BundleError(f"{directory} is damaged: {error}") from error


def label_segments(label: str, known: Labels | None, values: Sequence[str], *, n_users: int) -> Segments:
    """Return who has which value of a label, with ``values`` among them even where no user has one yet."""
    if known is None:
        return Segments(label, Labels(Vocabulary(sorted(set(values))), np.full(n_users, -1, dtype=np.int32)))
    return Segments(label, Labels(known.names.extend(values), known.codes))


def _moment(queries: Queries) -> float:
    return time.time() if queries.now is None else queries.now


def _admits(ruling: Ruling, segments: Sequence[Segments]) -> tuple[tuple[int, frozenset[int]], ...]:
    """Return, for each label of the ruling's segment, its column and the codes that it admits."""
    columns = {segment.label: column for column, segment in enumerate(segments)}
    admitted = []
    for label, values in ruling.segment.items():
        if label not in columns:
            raise DataError(f"{ruling.kind} {ruling.name!r} is for a label {label!r} that is not kept")
        names = segments[columns[label]].labels.names
        codes = frozenset(names.get(value) for value in values)
        if -1 in codes or not codes:
            raise DataError(f"{ruling.kind} {ruling.name!r} is for values of {label!r} that are not kept")
        admitted.append((columns[label], codes))
    return tuple(admitted)


def _sorted_out(rulings: list[Ruling]) -> _Live:
    """Return what the live rulings of one segment come to."""
    narrow_first = sorted(rulings, key=lambda ruling: -len(ruling.segment))
    pins: Pins = []
    for ruling in narrow_first:
        if ruling.kind == "pin":
            pins.append((ruling.positions[0], int(ruling.items[0])))
    offered = [row for ruling in narrow_first if ruling.kind == "campaign" for row in ruling.items.tolist()]
    boosts = [ruling for ruling in rulings if ruling.kind == "boost"]
    boosted = np.unique(np.concatenate([_NO_ROWS, *(ruling.items for ruling in boosts)]))
    factors = np.ones(len(boosted), dtype=np.float64)
    for ruling in boosts:
        factors[np.searchsorted(boosted, ruling.items)] *= ruling.factor
    arrivals = [ruling for ruling in narrow_first if ruling.kind == "arrivals"]
    return _Live(_distinct(pins), arrivals, offered, boosted.astype(np.int32), factors)


def _distinct(pins: Pins) -> Pins:
    """Return the pins with each position and each item once; who comes later moves to the next free position."""
    by_item: dict[int, int] = {}
    taken: set[int] = set()
    for position, row in pins:
        if row in by_item:
            continue
        while position in taken:
            position += 1
        by_item[row] = position
        taken.add(position)
    return [(position, row) for row, position in by_item.items()]


def _arrivals(live: _Live, user: int, now: float) -> tuple[Pins, list[int]]:
    """Return the new items whose turn it is: those with a position, and those without."""
    placed: Pins = []
    loose: list[int] = []
    for ruling in live.arrivals:
        chosen = turn(ruling, user, now)
        if ruling.positions:
            placed += list(zip(ruling.positions, chosen, strict=False))
        else:
            loose += chosen
    return placed, loose
