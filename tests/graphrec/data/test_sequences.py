"""Histories as they happened, and each item once."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphrec.contracts.queries import Queries, known_queries, take_queries
from graphrec.data.interactions import Interactions, histories, take
from graphrec.data.lists import item_lists
from graphrec.data.sequences import (
    Sequences,
    distinct_counts,
    joined,
    sequences,
    slice_sequences,
    take_sequences,
    without_repeats,
)
from graphrec.errors import DataError

EVENTS = st.lists(
    st.tuples(st.integers(0, 4), st.integers(0, 5), st.integers(-2, 3), st.integers(0, 6), st.integers(0, 2)),
    max_size=40,
)


def interactions(events: list[tuple[int, int, int, int, int]], *, timed: bool = True) -> Interactions:
    """Return events (user, item, weight, time, kind) of 5 users and 6 items."""
    users, items, weights, times, kinds = (list(column) for column in zip(*events, strict=True)) if events else [[]] * 5
    return Interactions(
        users,
        items,
        weights,
        times if timed else None,
        n_users=5,
        n_items=6,
        kinds=kinds,
        kind_names=["view", "cart", "buy"],
    )


@given(EVENTS, st.booleans())
def test_every_event_is_there_oldest_first(events: list[tuple[int, int, int, int, int]], timed: bool) -> None:
    result = sequences(interactions(events, timed=timed))
    for user in range(5):
        own = [event for event in events if event[0] == user]
        if timed:
            own.sort(key=lambda event: event[3])
        here = slice(result.indptr[user], result.indptr[user + 1])
        assert result.kinds is not None
        assert result.items[here].tolist() == [event[1] for event in own]
        assert result.weights[here].tolist() == [event[2] for event in own]
        assert result.kinds[here].tolist() == [event[4] for event in own]
        assert (result.times is not None) == timed
        if result.times is not None:
            assert result.times[here].tolist() == [event[3] for event in own]


@given(EVENTS, st.booleans())
def test_distinct_items_are_those_of_the_histories(events: list[tuple[int, int, int, int, int]], timed: bool) -> None:
    table = interactions(events, timed=timed)
    result, expected = sequences(table), histories(table)
    assert result.distinct.indptr.tolist() == expected.indptr.tolist()
    assert result.distinct.items.tolist() == expected.items.tolist()
    assert result.distinct.scores.tolist() == expected.scores.tolist()
    assert result.distinct is result.distinct


def test_chosen_lists_keep_everything() -> None:
    whole = sequences(interactions([(0, 1, 1, 5, 0), (2, 3, 2, 1, 2), (0, 1, 1, 9, 1), (2, 4, 1, 0, 0)]))
    part = take_sequences(whole, [2, 1, 0, 0])
    assert part.indptr.tolist() == [0, 2, 2, 4, 6]
    assert part.items.tolist() == [4, 3, 1, 1, 1, 1]
    assert part.times is not None
    assert part.times.tolist() == [0, 1, 5, 9, 5, 9]
    assert part.kinds is not None
    assert part.kinds.tolist() == [0, 2, 0, 1, 0, 1]
    assert part.kind_names == ("view", "cart", "buy")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"indptr": [0, 2], "items": [1]}, "indptr"),
        ({"indptr": [0, 1], "items": [1], "weights": [np.nan]}, "weights"),
        ({"indptr": [0, 2], "items": [1, 2], "weights": [1.0]}, "weights has 1 entries"),
        ({"indptr": [0, 1, 3], "items": [1, 2, 3], "times": [9, 8, 7]}, r"times of list 1 fall from 8 to 7"),
        ({"indptr": [0, 1], "items": [1], "kinds": [2], "kind_names": ["view", "buy"]}, "kinds"),
    ],
)
def test_what_does_not_fit_is_refused(given: dict[str, object], words: str) -> None:
    with pytest.raises(DataError, match=words):
        Sequences(**given)  # type: ignore[arg-type]


def test_times_may_start_anew_with_each_list() -> None:
    assert len(Sequences([0, 2, 2, 4], [1, 2, 3, 4], times=[8, 9, 1, 1])) == 3


def test_kinds_go_with_the_events_that_are_taken() -> None:
    part = take(interactions([(0, 1, 1, 5, 0), (2, 3, 2, 1, 2)]), np.array([1]))
    assert part.kinds is not None
    assert (part.kinds.tolist(), part.kind_names) == ([2], ("view", "cart", "buy"))


def test_a_kind_may_be_unknown() -> None:
    assert Sequences([0, 1], [1], kinds=[-1], kind_names=["view"]).kinds is not None
    with pytest.raises(DataError, match="kinds"):
        Sequences([0, 1], [1], kinds=[-2], kind_names=["view"])


@given(EVENTS, EVENTS, st.booleans())
def test_joined_lists_are_the_lists_one_behind_the_other(
    first: list[tuple[int, int, int, int, int]], second: list[tuple[int, int, int, int, int]], timed: bool
) -> None:
    before, behind = sequences(interactions(first)), sequences(interactions(second, timed=timed))
    whole = joined(before, behind, now=4)
    assert whole.times is not None
    assert whole.kinds is not None
    for row in range(5):
        parts = [slice_sequences(side, row, row + 1) for side in (before, behind)]
        here = slice_sequences(whole, row, row + 1)
        assert here.items.tolist() == [item for part in parts for item in part.items.tolist()]
        assert here.weights.tolist() == [weight for part in parts for weight in part.weights.tolist()]
        assert here.kinds is not None
        assert here.kinds.tolist() == [kind for part in parts if part.kinds is not None for kind in part.kinds.tolist()]
        assert here.times is not None
        assert parts[0].times is not None
        own = parts[0].times.tolist()
        later = [4] * len(parts[1].items) if parts[1].times is None else parts[1].times.tolist()
        assert here.times.tolist() == own + [max([time, *own[-1:]]) for time in later]


def test_kinds_of_one_side_are_unknown_on_the_other() -> None:
    before = Sequences([0, 2], [1, 2], kinds=[1, 0], kind_names=["view", "buy"])
    whole = joined(before, Sequences([0, 1], [3], kinds=[0], kind_names=["buy"]), now=0)
    assert whole.kinds is not None
    assert (whole.kinds.tolist(), whole.kind_names, whole.times) == ([1, 0, 1], ("view", "buy"), None)
    bare = joined(before, Sequences([0, 1], [3]), now=0)
    assert bare.kinds is not None
    assert bare.kinds.tolist() == [1, 0, -1]


@given(EVENTS)
def test_lists_are_counted_once_an_item(events: list[tuple[int, int, int, int, int]]) -> None:
    expected = [len({event[0] for event in events if event[1] == item}) for item in range(6)]
    assert distinct_counts(sequences(interactions(events)), 6).tolist() == expected


def test_queries_hold_events_and_distinct_items_whichever_was_given() -> None:
    events = Sequences([0, 3], [1, 2, 1], [1.0, 1.0, 2.0])
    by_events = Queries([-1], events)
    assert by_events.events is events
    assert by_events.history is events.distinct
    assert (by_events.history.items.tolist(), by_events.history.scores.tolist()) == ([2, 1], [1.0, 3.0])
    lists = item_lists([[2, 1]], [[1.0, 3.0]])
    by_lists = Queries([-1], lists)
    assert by_lists.history is lists
    assert by_lists.events.distinct is lists
    assert by_lists.events.items.tolist() == without_repeats(lists).items.tolist() == [2, 1]


def test_queries_are_taken_in_the_form_that_they_were_given_in() -> None:
    whole = sequences(interactions([(0, 1, 1, 5, 0), (0, 2, 1, 6, 0), (0, 1, 1, 7, 0), (3, 5, 1, 1, 2)]))
    queries = take_queries(known_queries(whole, [0, 3, 1]), [1, 0])
    assert queries.events.items.tolist() == [5, 1, 2, 1]
    assert queries.history.items.tolist() == [5, 2, 1]
