"""The rules of a schedule in rows: what each says, whose turn a new arrival has, and how they are kept in files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import gcd
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from graphrec.checks import check_length
from graphrec.errors import DataError
from graphrec.recallers.files import read_array

DAY_S = 86_400.0
Kind = Literal["pin", "boost", "campaign", "arrivals"]
Rows = npt.NDArray[np.int32]

NO_TIMES = np.empty(0, dtype=np.float64)
NO_COUNTS = np.empty(0, dtype=np.int64)


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
    releases: npt.NDArray[np.float64] = field(default_factory=lambda: NO_TIMES)
    needs: npt.NDArray[np.int64] = field(default_factory=lambda: NO_COUNTS)
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


def described(ruling: Ruling) -> dict[str, Any]:
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


def read_rulings(directory: Path, described: list[dict[str, Any]]) -> list[Ruling]:
    """Return the rulings that :func:`described` and the arrays hold."""
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
