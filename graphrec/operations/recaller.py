"""Recall by decree: pins, campaigns and new arrivals, as the schedule has them at the moment of the request."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import gcd
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

import numpy as np
import numpy.typing as npt

from graphrec.checks import check_k, check_length, check_rows
from graphrec.contracts.queries import Queries
from graphrec.contracts.recaller import BundleParts, Evidence, no_evidence
from graphrec.data.features import Labels
from graphrec.data.lists import ItemLists, indptr_of, item_lists
from graphrec.data.vocabulary import Vocabulary
from graphrec.errors import BundleError, DataError
from graphrec.recallers.files import check_items, read_array, read_settings, setting, write_array, write_settings
from graphrec.recallers.segments import Segments

DAY_S = 86_400.0
Kind = Literal["pin", "boost", "campaign", "arrivals"]
Rows = npt.NDArray[np.int32]
Pins = list[tuple[int, int]]

_NO_ROWS: Rows = np.empty(0, dtype=np.int32)
_NO_TIMES = np.empty(0, dtype=np.float64)
_NO_COUNTS = np.empty(0, dtype=np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class Ruling:
    """One rule in rows.

    Parameters
    ----------
    kind : {"pin", "boost", "campaign", "arrivals"}
        What it does.
    name : str
        What people call it.
    items : ndarray
        (m,) int32: the pinned item, the boosted ones, a campaign's in order, or new ones by their release.
    start, end : float
        Seconds UTC: live from ``start`` on until just before ``end``; infinite where open.
    segment : mapping of str to sequence of str
        For whom: a value of every label. Empty is for everybody.
    positions : sequence of int
        Of a pin, or kept for new arrivals; from 1.
    factor : float
        Of a boost.
    releases, needs : ndarray
        (m,) float64 seconds and (m,) int64 exposures that each new item is still to get; empty for other kinds.
    days, rotate_s : float, int
        How long an item is new; seconds after which the same user is offered the next.
    """

    kind: Kind
    name: str
    items: Rows
    start: float = float("-inf")
    end: float = float("inf")
    segment: Mapping[str, Sequence[str]] = field(default_factory=dict)
    positions: Sequence[int] = ()
    factor: float = 1.0
    releases: npt.NDArray[np.float64] = field(default_factory=lambda: _NO_TIMES)
    needs: npt.NDArray[np.int64] = field(default_factory=lambda: _NO_COUNTS)
    days: float = 0.0
    rotate_s: int = 1

    def __post_init__(self) -> None:
        if self.kind not in ("pin", "boost", "campaign", "arrivals"):
            raise DataError(f"rule {self.name!r} is of kind {self.kind!r}; this version knows pin, boost, campaign, "
                            "arrivals")  # fmt: skip
        if self.kind == "pin" and (len(self.items), len(self.positions)) != (1, 1):
            raise DataError(f"pin {self.name!r} needs one item and one position")
        if self.kind == "arrivals":
            check_length(self.releases, len(self.items), name="releases")
            check_length(self.needs, len(self.items), name="needs")
            if self.rotate_s < 1 or (self.needs < 1).any() or (np.diff(self.releases) < 0).any():
                raise DataError(f"new arrivals {self.name!r} need releases that rise, and counts of 1 or more")


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
            "rulings": [_described(ruling) for ruling in self.rulings],
            "segments": [segment.settings() for segment in self.segments],
        }
        write_settings(directory, self.kind, settings)
        lengths = [len(ruling.items) for ruling in self.rulings]
        write_array(directory, "indptr", indptr_of(lengths))
        write_array(directory, "items", np.concatenate([_NO_ROWS, *(ruling.items for ruling in self.rulings)]))
        write_array(directory, "releases", np.concatenate([_NO_TIMES, *(ruling.releases for ruling in self.rulings)]))
        write_array(directory, "needs", np.concatenate([_NO_COUNTS, *(ruling.needs for ruling in self.rulings)]))
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
            rulings = _read_rulings(directory, setting(settings, "rulings", list, directory=directory))
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


def turn(ruling: Ruling, user: int, now: float) -> list[int]:
    """Return the new items that are offered to one user now: one a position, or one where there are none.

    Every exposure that is still needed is one ticket; tickets are numbered item by item. Request number r = user row +
    the number of the time slot draws ticket ``r * stride mod total``, where stride is prime to total and near 0.618 of
    it. So of ``total`` requests that follow each other every item gets just what it needs, and of any shorter run its
    share to within a few.
    """
    first, last = np.searchsorted(ruling.releases, [now - ruling.days * DAY_S, now], side="right").tolist()
    ends = np.cumsum(ruling.needs[first:last])
    if len(ends) == 0:
        return []
    total, wanted = int(ends[-1]), min(max(len(ruling.positions), 1), len(ends))
    request = user + int(now // ruling.rotate_s)
    ticket = request * _stride(total) % total
    chosen: list[int] = []
    for place in range(wanted):
        at = int(np.searchsorted(ends, (ticket + place * total // wanted) % total, side="right"))
        while int(ruling.items[first + at]) in chosen:
            at = (at + 1) % len(ends)
        chosen.append(int(ruling.items[first + at]))
    return chosen


def _stride(total: int) -> int:
    """Return the least number of at least 0.618 of ``total`` that shares no divisor with it."""
    stride = max(1, int(total * 0.618))
    while gcd(stride, total) != 1:
        stride += 1
    return stride


def _described(ruling: Ruling) -> dict[str, Any]:
    """Return a ruling without its arrays, as JSON values; infinite ends become None."""
    return {
        "kind": ruling.kind,
        "name": ruling.name,
        "start": ruling.start if np.isfinite(ruling.start) else None,
        "end": ruling.end if np.isfinite(ruling.end) else None,
        "segment": {label: list(values) for label, values in ruling.segment.items()},
        "positions": list(ruling.positions),
        "factor": ruling.factor,
        "days": ruling.days,
        "rotate_s": ruling.rotate_s,
    }


def _read_rulings(directory: Path, described: list[dict[str, Any]]) -> list[Ruling]:
    """Return the rulings that :func:`_described` and the arrays hold."""
    indptr = read_array(directory, "indptr", np.int64)
    items = read_array(directory, "items", np.int32)
    releases, needs = read_array(directory, "releases", np.float64), read_array(directory, "needs", np.int64)
    if len(indptr) != len(described) + 1 or indptr[0] != 0 or indptr[-1] != len(items) or (np.diff(indptr) < 0).any():
        raise DataError(f"indptr.npy and items.npy do not fit {len(described)} rules")
    rulings, used = [], 0
    for number, fields in enumerate(described):
        values = dict(fields)
        start, end = values.pop("start"), values.pop("end")
        rows = items[indptr[number] : indptr[number + 1]]
        here = slice(used, used + len(rows)) if values["kind"] == "arrivals" else slice(0, 0)
        used += len(rows) if values["kind"] == "arrivals" else 0
        rulings.append(
            Ruling(
                items=rows,
                start=float("-inf") if start is None else float(start),
                end=float("inf") if end is None else float(end),
                releases=releases[here],
                needs=needs[here],
                **values,
            )
        )
    return rulings
