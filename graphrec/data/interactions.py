"""Events between users and items, one row each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from graphrec.checks import MOST_WEIGHT, as_array, check_length, check_rows, check_weights, typed_fields, typed_late
from graphrec.data.interaction_kernels import count_users, merge_pairs, scatter
from graphrec.data.lists import ItemLists, indptr_of
from graphrec.errors import DataError

DAY_S = 86_400.0
"""Seconds of a day."""
# 2100-01-01 in seconds; anything later was most likely written in milliseconds.
_LATEST_TIME = 4_102_444_800
# Events of a part, where pairs are made in parts: 20 bytes each.
_PART_EVENTS = 1 << 24


@typed_fields
@dataclass(frozen=True, slots=True, init=False, eq=False)
class Interactions:
    """A table of events: user row, item row, weight, and time where it is known.

    Parameters
    ----------
    users, items : ndarray
        (m,) int32 rows.
    weights : ndarray or None
        (m,) float32, finite. None means 1 each.
    times : ndarray or None
        (m,) int64 seconds UTC, or None where no time is known (then the order of rows is the order of events).
    n_users, n_items : int
        Sizes of the two vocabularies; never inferred from the largest row.
    kinds : ndarray or None
        (m,) int8 positions in ``kind_names`` (view, buy, …); None where all events are of one kind.
    kind_names : sequence of str
        Names of the kinds.

    Raises
    ------
    DataError
        On unequal lengths, rows or kinds out of range, weights that are not finite, or times that look like
        milliseconds.
    """

    users: npt.NDArray[np.int32]
    items: npt.NDArray[np.int32]
    weights: npt.NDArray[np.float32]
    times: npt.NDArray[np.int64] | None
    n_users: int
    n_items: int
    kinds: npt.NDArray[np.int8] | None
    kind_names: tuple[str, ...]

    def __init__(
        self,
        users: npt.ArrayLike,
        items: npt.ArrayLike,
        weights: npt.ArrayLike | None = None,
        times: npt.ArrayLike | None = None,
        *,
        n_users: int,
        n_items: int,
        kinds: npt.ArrayLike | None = None,
        kind_names: Sequence[str] = (),
    ) -> None:
        set_field = object.__setattr__
        set_field(self, "users", as_array(users, np.int32, name="users"))
        m = len(self.users)
        set_field(self, "items", as_array(items, np.int32, name="items"))
        filled = np.ones(m, dtype=np.float32) if weights is None else weights
        set_field(self, "weights", as_array(filled, np.float32, name="weights"))
        set_field(self, "times", None if times is None else as_array(times, np.int64, name="times"))
        set_field(self, "n_users", int(n_users))
        set_field(self, "n_items", int(n_items))
        set_field(self, "kinds", None if kinds is None else as_array(kinds, np.int8, name="kinds"))
        set_field(self, "kind_names", tuple(kind_names))
        check_length(self.items, m, name="items")
        check_length(self.weights, m, name="weights")
        check_rows(self.users, self.n_users, name="users")
        check_rows(self.items, self.n_items, name="items")
        check_weights(self.weights, name="weights")
        if self.kinds is not None:
            check_length(self.kinds, m, name="kinds")
            check_rows(self.kinds, len(self.kind_names), name="kinds")
        if self.times is not None:
            check_length(self.times, m, name="times")
            if m and int(self.times.max()) > _LATEST_TIME:
                raise DataError(
                    f"time {int(self.times.max())} lies after the year 2100; times are seconds UTC: "
                    "divide milliseconds by 1000"
                )

    def __len__(self) -> int:
        return len(self.users)


def take(interactions: Interactions, rows: npt.NDArray[np.intp] | npt.NDArray[np.bool_]) -> Interactions:
    """Return the events at ``rows`` (positions or a mask), sizes unchanged."""
    return Interactions(
        interactions.users[rows],
        interactions.items[rows],
        interactions.weights[rows],
        None if interactions.times is None else interactions.times[rows],
        n_users=interactions.n_users,
        n_items=interactions.n_items,
        kinds=None if interactions.kinds is None else interactions.kinds[rows],
        kind_names=interactions.kind_names,
    )


def with_n_items(interactions: Interactions, n_items: int) -> Interactions:
    """Return the same events over an item vocabulary of another size; DataError if an item lies beyond it."""
    return Interactions(
        interactions.users,
        interactions.items,
        interactions.weights,
        interactions.times,
        n_users=interactions.n_users,
        n_items=n_items,
        kinds=interactions.kinds,
        kind_names=interactions.kind_names,
    )


def coalesce(interactions: Interactions) -> Interactions:
    """Return one event a (user, item) pair: weights summed, the latest time kept, kinds dropped.

    Rows come in order of user, then of the (last) event. Time O(m), and a sort of those users whose events do not
    come in order of time; memory the result, with room for m, and 16 bytes an item and 8 a user.

    Raises
    ------
    DataError
        If the weights of a pair sum to more than 1e15 either way; they are summed in float64.
    """
    return _coalesced(interactions, 0, _events_by_user(interactions))


def coalesced_parts(interactions: Interactions, *, events: int = _PART_EVENTS) -> Iterator[Interactions]:
    """Yield what :func:`coalesce` returns part by part, so that memory does not grow with m.

    Parameters
    ----------
    interactions : Interactions
        The events.
    events : int
        Events that go into a part: those of as many users as come to no more, or of one user.

    Yields
    ------
    Interactions
        The pairs of the next users, sizes unchanged. At least one part.

    Notes
    -----
    Each part reads the users of all events once.
    """
    counts = _events_by_user(interactions)
    bounds = indptr_of(counts)
    start = 0
    while True:
        stop = int(np.searchsorted(bounds, bounds[start] + events, side="right")) - 1
        stop = min(max(stop, start + 1), interactions.n_users)
        yield _coalesced(interactions, start, counts[start:stop])
        start = stop
        if start >= interactions.n_users:
            return


def _events_by_user(interactions: Interactions) -> npt.NDArray[np.int64]:
    """Return (n_users,) int64: events each user has."""
    counts = np.zeros(interactions.n_users, dtype=np.int64)
    count_users(interactions.users, 0, counts)
    return counts


def _coalesced(interactions: Interactions, start: int, counts: npt.NDArray[np.int64]) -> Interactions:
    """Return the pairs of the users from ``start`` on, who have ``counts`` events."""
    indptr = indptr_of(counts)
    m, times = int(indptr[-1]), interactions.times
    users, items = np.empty(m, dtype=np.int32), np.empty(m, dtype=np.int32)
    weights, moments = np.empty(m, dtype=np.float32), np.empty(0 if times is None else m, dtype=np.int64)
    given = np.empty(0, dtype=np.int64) if times is None else times
    scatter(
        interactions.users, interactions.items, interactions.weights, given, start, indptr[:-1].copy(),
        items, weights, moments,
    )  # fmt: skip
    n = merge_pairs(indptr, start, interactions.n_items, users, items, weights, moments)
    _check_sums(users[:n], items[:n], weights[:n])
    return Interactions(
        users[:n],
        items[:n],
        weights[:n],
        None if times is None else moments[:n],
        n_users=interactions.n_users,
        n_items=interactions.n_items,
    )


def _check_sums(users: npt.NDArray[np.int32], items: npt.NDArray[np.int32], sums: npt.NDArray[np.float32]) -> None:
    """Raise DataError where the weights of a pair sum to more than a weight may be."""
    beyond = np.abs(sums) > MOST_WEIGHT
    if beyond.any():
        pair = int(np.argmax(beyond))
        raise DataError(
            f"the weights of user row {users[pair]} for item row {items[pair]} sum to {sums[pair]:g}; a sum is at most "
            f"{MOST_WEIGHT:g} either way: give smaller weights"
        )


@typed_late
def histories(interactions: Interactions) -> ItemLists:
    """Return each user's distinct items, oldest first, with summed weights as scores.

    Returns
    -------
    ItemLists
        List ``u`` is the history of user ``u``; ``n = interactions.n_users``.

    Raises
    ------
    DataError
        As :func:`coalesce` does.
    """
    merged = coalesce(interactions)
    indptr = indptr_of(np.bincount(merged.users, minlength=merged.n_users))
    return ItemLists(indptr, merged.items, merged.weights)
