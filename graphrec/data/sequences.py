"""Histories as they happened: ragged lists of events, oldest first, with repeats, times and kinds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from graphrec.checks import as_array, check_indptr, check_length, check_rows, check_weights, typed_fields
from graphrec.data.interactions import Interactions
from graphrec.data.lists import ItemLists, indptr_of, lists_of
from graphrec.errors import DataError
from graphrec.kernels import kernel

IntArray = npt.NDArray[np.int64]


@typed_fields
@dataclass(frozen=True, slots=True, init=False, eq=False)
class Sequences:
    """n lists of events, each of its own length, oldest first; an item may stand in a list many times.

    What collaborative filtering reads of it is :attr:`distinct`, which is made once.

    Parameters
    ----------
    indptr : ndarray
        (n + 1,) int64; list ``i`` has the events ``indptr[i]`` to ``indptr[i + 1]``.
    items : ndarray
        (m,) int32 rows.
    weights : ndarray or None
        (m,) float32, finite, at most 1e15 either way. None means 1 each.
    times : ndarray or None
        (m,) int64 seconds UTC, never falling within a list; None where no time is known.
    kinds : ndarray or None
        (m,) int8 positions in ``kind_names`` (view, buy, …), -1 where an event's kind is not known; None where all
        events are of one kind.
    kind_names : sequence of str
        Names of the kinds.

    Raises
    ------
    DataError
        On a broken ``indptr``, unequal lengths, a weight that is not finite, times that fall, or a kind without a name.
    """

    indptr: npt.NDArray[np.int64]
    items: npt.NDArray[np.int32]
    weights: npt.NDArray[np.float32]
    times: npt.NDArray[np.int64] | None
    kinds: npt.NDArray[np.int8] | None
    kind_names: tuple[str, ...]
    _distinct: ItemLists | None

    def __init__(
        self,
        indptr: npt.ArrayLike,
        items: npt.ArrayLike,
        weights: npt.ArrayLike | None = None,
        times: npt.ArrayLike | None = None,
        kinds: npt.ArrayLike | None = None,
        *,
        kind_names: Sequence[str] = (),
    ) -> None:
        set_field = object.__setattr__
        set_field(self, "indptr", as_array(indptr, np.int64, name="indptr"))
        set_field(self, "items", as_array(items, np.int32, name="items"))
        m = len(self.items)
        filled = np.ones(m, dtype=np.float32) if weights is None else weights
        set_field(self, "weights", as_array(filled, np.float32, name="weights"))
        set_field(self, "times", None if times is None else as_array(times, np.int64, name="times"))
        set_field(self, "kinds", None if kinds is None else as_array(kinds, np.int8, name="kinds"))
        set_field(self, "kind_names", tuple(kind_names))
        set_field(self, "_distinct", None)
        check_indptr(self.indptr, m, name="indptr")
        check_length(self.weights, m, name="weights")
        check_weights(self.weights, name="weights")
        if self.times is not None:
            check_length(self.times, m, name="times")
            _check_order(self.indptr, self.times)
        if self.kinds is not None:
            check_length(self.kinds, m, name="kinds")
            # One more than the kind, so that -1 is legal.
            check_rows(self.kinds.astype(np.int16) + 1, len(self.kind_names) + 1, name="kinds + 1")

    def __len__(self) -> int:
        return len(self.indptr) - 1

    @property
    def lengths(self) -> npt.NDArray[np.int64]:
        """(n,) int64: events each list has."""
        return np.diff(self.indptr)

    @property
    def distinct(self) -> ItemLists:
        """Each list's items once, at the place of the last event, with summed weights as scores.

        Time O(m log m) at the first look, none after that; memory 12 bytes an item.
        """
        lists = self._distinct
        if lists is None:
            lists = _distinct(self)
            object.__setattr__(self, "_distinct", lists)
        return lists


def sequences(interactions: Interactions) -> Sequences:
    """Return the events of each user, oldest first; events of one time in the order of their rows.

    Time O(m), and a sort of those users whose events do not come in order of time; memory the result and 4 bytes an
    event.
    """
    indptr, order = _order_by_user(interactions)
    times, kinds = interactions.times, interactions.kinds
    return Sequences(
        indptr,
        interactions.items[order],
        interactions.weights[order],
        None if times is None else times[order],
        None if kinds is None else kinds[order],
        kind_names=interactions.kind_names,
    )


def take_sequences(given: Sequences, rows: npt.ArrayLike) -> Sequences:
    """Return the lists at ``rows`` (n',), in that order."""
    chosen = np.asarray(rows, dtype=np.int64)
    lengths = given.lengths[chosen]
    indptr = indptr_of(lengths)
    places = np.arange(indptr[-1]) + np.repeat(given.indptr[chosen] - indptr[:-1], lengths)
    return _made(
        indptr,
        given.items[places],
        given.weights[places],
        None if given.times is None else given.times[places],
        None if given.kinds is None else given.kinds[places],
        given.kind_names,
    )


def slice_sequences(given: Sequences, start: int, stop: int) -> Sequences:
    """Return the lists ``start:stop``; their arrays are views."""
    here = slice(int(given.indptr[start]), int(given.indptr[stop]))
    return _made(
        given.indptr[start : stop + 1] - given.indptr[start],
        given.items[here],
        given.weights[here],
        None if given.times is None else given.times[here],
        None if given.kinds is None else given.kinds[here],
        given.kind_names,
    )


def with_lengths(given: Sequences, lengths: npt.NDArray[np.integer]) -> Sequences:
    """Return the same events divided anew into lists of ``lengths`` (n,), whose sum is the number of events."""
    return _made(indptr_of(lengths), given.items, given.weights, given.times, given.kinds, given.kind_names)


def joined(before: Sequences, behind: Sequences, *, now: float) -> Sequences:
    """Return n lists, each the events of ``before`` (n lists) with those of ``behind`` (n lists) after them.

    Where only ``before`` has times, the events behind happened at ``now`` (seconds UTC), or at the last time of their
    list if that is later; where it has none, the result has none. Kinds that only one side has are not known on the
    other. Time O(m).
    """
    check_length(behind.lengths, len(before), name="behind")
    indptr = before.indptr + behind.indptr
    places = (
        np.arange(len(before.items)) + np.repeat(behind.indptr[:-1], before.lengths),
        np.arange(len(behind.items)) + np.repeat(before.indptr[1:], behind.lengths),
    )
    times = None if before.times is None else _woven(places, before.times, _times_behind(before, behind, int(now)))
    kinds, names = _kinds(before, behind)
    return _made(
        indptr,
        _woven(places, before.items, behind.items),
        _woven(places, before.weights, behind.weights),
        times,
        None if kinds is None else _woven(places, *kinds),
        names,
    )


def _woven(places: tuple[IntArray, IntArray], first: npt.NDArray[Any], second: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return one array with two arrays' values at their places."""
    values = np.empty(len(first) + len(second), dtype=first.dtype)
    values[places[0]], values[places[1]] = first, second
    return values


def _times_behind(before: Sequences, behind: Sequences, now: int) -> IntArray:
    """Return when the events of ``behind`` happened, never before what stands before them."""
    if before.times is None:
        raise ValueError("the events before have no times")
    last = np.full(len(before), np.iinfo(np.int64).min)
    ends = before.indptr[1:][before.lengths > 0]
    last[before.lengths > 0] = before.times[ends - 1]
    times = np.full(len(behind.items), now) if behind.times is None else behind.times
    later: IntArray = np.maximum(times, np.repeat(last, behind.lengths))
    return later


def _kinds(
    before: Sequences, behind: Sequences
) -> tuple[tuple[npt.NDArray[np.int8], npt.NDArray[np.int8]] | None, tuple[str, ...]]:
    """Return the kinds of either side over common names; -1 where a side has none."""
    if before.kinds is None and behind.kinds is None:
        return None, ()
    names = tuple(dict.fromkeys((*before.kind_names, *behind.kind_names)))
    numbers = [np.array([*map(names.index, side.kind_names), -1], dtype=np.int8) for side in (before, behind)]
    first, second = (
        np.full(len(side.items), -1, dtype=np.int8) if side.kinds is None else number[side.kinds]
        for side, number in zip((before, behind), numbers, strict=True)
    )
    return (first, second), names


def distinct_counts(events: Sequences, n_items: int) -> IntArray:
    """Return (n_items,) int64: the lists in which each item stands. Time O(m), memory O(n_items)."""
    counts = np.zeros(n_items, dtype=np.int64)
    _count_lists(events.indptr, events.items, np.full(n_items, -1, dtype=np.int64), counts)
    return counts


@kernel
def _count_lists(
    indptr: IntArray, items: npt.NDArray[np.int32], last: IntArray, counts: IntArray
) -> None:  # pragma: no cover - compiled
    for row in range(indptr.size - 1):
        for place in range(indptr[row], indptr[row + 1]):
            if last[items[place]] != row:
                last[items[place]] = row
                counts[items[place]] += 1


def without_repeats(lists: ItemLists) -> Sequences:
    """Return lists of distinct items as sequences of one event an item, whose distinct items they are."""
    result = _made(lists.indptr, lists.items, lists.scores, None, None, ())
    object.__setattr__(result, "_distinct", lists)
    return result


def _made(
    indptr: IntArray,
    items: npt.NDArray[np.int32],
    weights: npt.NDArray[np.float32],
    times: IntArray | None,
    kinds: npt.NDArray[np.int8] | None,
    kind_names: tuple[str, ...],
) -> Sequences:
    """Return sequences cut from others: what was checked once is not checked in every request."""
    result, set_field = object.__new__(Sequences), object.__setattr__
    set_field(result, "indptr", indptr)
    set_field(result, "items", items)
    set_field(result, "weights", weights)
    set_field(result, "times", times)
    set_field(result, "kinds", kinds)
    set_field(result, "kind_names", kind_names)
    set_field(result, "_distinct", None)
    return result


def _check_order(indptr: IntArray, times: IntArray) -> None:
    """Raise DataError where a time falls within a list."""
    falls = np.flatnonzero(np.diff(times) < 0) + 1
    # A fall where a list starts is none.
    inside = falls[~np.isin(falls, indptr)]
    if len(inside):
        position = int(inside[0])
        row = int(np.searchsorted(indptr, position, side="right")) - 1
        raise DataError(
            f"times of list {row} fall from {times[position - 1]} to {times[position]}; events must come oldest first"
        )


def _order_by_user(interactions: Interactions) -> tuple[IntArray, npt.NDArray[np.signedinteger]]:
    """Return where each user's events start, (n_users + 1,), and the order (m,) that brings them together."""
    counts = np.bincount(interactions.users, minlength=interactions.n_users)
    indptr = indptr_of(counts)
    m = len(interactions)
    width: type[np.signedinteger] = np.int32 if m <= np.iinfo(np.int32).max else np.int64
    order: npt.NDArray[np.signedinteger] = np.empty(m, dtype=width)
    _bring_together(interactions.users, indptr[:-1].copy(), order)
    if interactions.times is not None:
        _sort_by_time(indptr, interactions.times, order)
    return indptr, order


@kernel
def _bring_together(
    users: npt.NDArray[np.int32], places: IntArray, order: npt.NDArray[np.signedinteger]
) -> None:  # pragma: no cover - compiled
    for event in range(users.size):
        order[places[users[event]]] = event
        places[users[event]] += 1


@kernel
def _sort_by_time(
    indptr: IntArray, times: IntArray, order: npt.NDArray[np.signedinteger]
) -> None:  # pragma: no cover - compiled
    for user in range(indptr.size - 1):
        events = order[indptr[user] : indptr[user + 1]]
        for place in range(1, events.size):
            if times[events[place]] < times[events[place - 1]]:
                events[:] = events[np.argsort(times[events], kind="mergesort")]
                break


def _distinct(given: Sequences) -> ItemLists:
    """Return the distinct items of each list."""
    last, totals = np.zeros(len(given.items), dtype=np.bool_), np.zeros(len(given.items), dtype=np.float32)
    counts = np.zeros(len(given), dtype=np.int64)
    _last_places(given.indptr, given.items, given.weights, last, totals, counts)
    return lists_of(indptr_of(counts), given.items[last], totals[last])


@kernel
def _last_places(
    indptr: IntArray,
    items: npt.NDArray[np.int32],
    weights: npt.NDArray[np.float32],
    last: npt.NDArray[np.bool_],
    totals: npt.NDArray[np.float32],
    counts: IntArray,
) -> None:  # pragma: no cover - compiled
    """Mark the last event of each item in each list, with the sum of its weights; count them by list."""
    for row in range(indptr.size - 1):
        start, stop = indptr[row], indptr[row + 1]
        # Stable: events of one item stay in their order.
        order = np.argsort(items[start:stop], kind="mergesort")
        total = 0.0
        for place in range(order.size):
            event = start + order[place]
            total += weights[event]
            if place + 1 == order.size or items[start + order[place + 1]] != items[event]:
                last[event], totals[event] = True, total
                counts[row] += 1
                total = 0.0
