import json
from collections import Counter
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import assume, given, reject, settings
from hypothesis import strategies as st

from graphrec.data.interactions import Interactions, histories
from graphrec.data.splits import (
    Split,
    held_out,
    items_born_after,
    split_by_ratio,
    split_by_time,
    split_given,
    split_leave_last,
)
from graphrec.errors import ConfigError, DataError
from tests.worlds import library, skewed

N_USERS, N_ITEMS = 6, 9
event = st.tuples(st.integers(0, N_USERS - 1), st.integers(0, N_ITEMS - 1), st.integers(0, 20))


def interactions(events: list[tuple[int, int, int]], *, timed: bool = True) -> Interactions:
    users, items, times = (list(column) for column in zip(*events, strict=True)) if events else ([], [], [])
    # Weights number the events, so that each can be followed.
    weights = np.arange(1, len(events) + 1, dtype=np.float32)
    return Interactions(users, items, weights, times if timed else None, n_users=N_USERS, n_items=N_ITEMS)


def pairs(events: Interactions) -> set[tuple[int, int]]:
    return set(zip(events.users.tolist(), events.items.tolist(), strict=True))


def check_whole(before: Interactions, split: Split) -> None:
    """Every event is on one side or counted as dropped; no pair is on both; the settings tell it as it is."""
    kept = Counter(split.train.weights.tolist()) + Counter(split.test.weights.tolist())
    assert max(kept.values()) == 1
    assert set(kept) <= set(before.weights.tolist())
    assert len(before) == len(split.train) + len(split.test) + int(str(split.settings["dropped_repeats"]))
    assert not pairs(split.train) & pairs(split.test)
    assert split.settings["train_events"] == len(split.train)
    assert split.settings["test_events"] == len(split.test)
    n_with = int((held_out(split.train, split.test).lengths > 0).sum())
    assert split.settings["users_with_truth"] == n_with
    assert split.settings["users_without_truth"] == N_USERS - n_with
    json.dumps(split.settings)


many = st.lists(event, min_size=2, max_size=40)


@settings(max_examples=150, deadline=None)
@given(many, st.floats(0.05, 0.95))
def test_time_never_trains_on_the_future(events: list[tuple[int, int, int]], share: float) -> None:
    before = interactions(events)
    try:
        split = split_by_time(before, test_share=share)
    except DataError:
        reject()
    check_whole(before, split)
    assert split.train.times is not None
    assert split.test.times is not None
    assert split.train.times.max() < split.test.times.min()
    # What was dropped are later repeats of training pairs.
    cut = datetime.fromisoformat(str(split.settings["cut"])).timestamp()
    assert before.times is not None
    later = {p for p, t in zip(zip(before.users, before.items, strict=True), before.times, strict=True) if t >= cut}
    assert later == pairs(split.test) | (later & pairs(split.train))


@settings(max_examples=100, deadline=None)
@given(many, st.integers(1, 3), st.booleans())
def test_leave_last_holds_out_the_newest_items(events: list[tuple[int, int, int]], n: int, timed: bool) -> None:
    before = interactions(events, timed=timed)
    history = histories(before)
    assume(int(history.lengths.max()) > n)
    split = split_leave_last(before, n=n)
    check_whole(before, split)
    truth, train = held_out(split.train, split.test), histories(split.train)
    for user in range(N_USERS):
        own = history[user][0].tolist()
        expected = own[-n:] if len(own) > n else []
        assert truth[user][0].tolist() == expected
        assert train[user][0].tolist() == own[: len(own) - len(expected)]


@settings(max_examples=100, deadline=None)
@given(many, st.floats(0.05, 0.95), st.integers(0, 5))
def test_ratio_takes_its_share_of_each_user(events: list[tuple[int, int, int]], share: float, seed: int) -> None:
    before = interactions(events)
    lengths = histories(before).lengths
    wanted = np.minimum(np.floor(share * lengths + 0.5), np.maximum(lengths - 1, 0))
    assume(wanted.sum() > 0)
    split = split_by_ratio(before, test_share=share, seed=seed)
    check_whole(before, split)
    assert held_out(split.train, split.test).lengths.tolist() == wanted.tolist()
    assert (histories(split.train).lengths[lengths > 0] > 0).all()
    again = split_by_ratio(before, test_share=share, seed=seed)
    np.testing.assert_array_equal(again.test.weights, split.test.weights)


def test_ratio_depends_on_the_seed() -> None:
    events = skewed().interactions
    one, other = (split_by_ratio(events, seed=seed).test for seed in (0, 1))
    assert pairs(one) != pairs(other)


def test_time_by_hand() -> None:
    before = interactions([(0, 1, 10), (1, 2, 20), (0, 3, 30), (0, 1, 40), (2, 8, 40)])
    split = split_by_time(before, cut=30)
    assert split.train.weights.tolist() == [1, 2]
    assert split.test.weights.tolist() == [3, 5]  # event 4 repeats event 1
    assert split.settings == {
        "kind": "time",
        "test_share": None,
        "cut": "1970-01-01T00:00:30Z",
        "order": "times",
        "n_users": N_USERS,
        "n_items": N_ITEMS,
        "train_events": 2,
        "test_events": 2,
        "dropped_repeats": 1,
        "users_with_truth": 2,
        "users_without_truth": 4,
        "test_users_without_train": 1,
        "items_born_after": 2,
        "test_events_of_items_born_after": 2,
    }
    assert items_born_after(split.train, split.test).tolist() == [3, 8]


@pytest.mark.parametrize(
    "cut",
    [1_700_000_000, "2023-11-14T22:13:20", "2023-11-14T23:13:20+01:00", datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)],
)
def test_a_cut_may_be_written_in_several_ways(cut: int | str | datetime) -> None:
    events = library().interactions
    shifted = Interactions(events.users, events.items, None, events.times, n_users=8, n_items=12)
    assert shifted.times is not None
    before = Interactions(
        events.users, events.items, None, shifted.times - 5 * 86_400, n_users=events.n_users, n_items=events.n_items
    )
    split = split_by_time(before, cut=cut)
    assert split.settings["cut"] == "2023-11-14T22:13:20Z"
    assert len(split.train) == 5


def test_without_times_the_order_of_rows_counts() -> None:
    before = interactions([(0, 1, 0), (1, 2, 0), (2, 3, 0), (3, 4, 0), (4, 5, 0)], timed=False)
    split = split_by_time(before, test_share=0.4)
    assert split.test.weights.tolist() == [4, 5]
    assert (split.settings["cut"], split.settings["cut_row"]) == (None, 3)
    with pytest.raises(ConfigError, match="needs times"):
        split_by_time(before, cut="2024-01-01")


def test_events_of_one_second_stay_together() -> None:
    before = interactions([(0, 1, 5), (0, 2, 7), (1, 3, 7), (2, 4, 7), (3, 5, 9)])
    split = split_by_time(before, test_share=0.4)
    assert split.test.weights.tolist() == [5]
    assert split_by_time(before, test_share=0.7).test.weights.tolist() == [2, 3, 4, 5]


def test_given_files_lose_their_repeats() -> None:
    train, test = interactions([(0, 1, 1), (1, 2, 2)]), interactions([(0, 1, 3), (0, 4, 4)])
    split = split_given(train, test)
    assert split.test.items.tolist() == [4]
    assert split.settings["dropped_repeats"] == 1
    other = Interactions([0], [0], n_users=1, n_items=1)
    with pytest.raises(DataError, match="same vocabularies"):
        split_given(train, other)


def test_disliked_items_are_no_truth() -> None:
    train = Interactions([0], [0], n_users=2, n_items=4)
    test = Interactions([0, 0, 1], [1, 2, 3], [1.0, -1.0, 0.0], n_users=2, n_items=4)
    assert [items.tolist() for items, _ in held_out(train, test)] == [[1], []]


def test_held_out_leaves_out_what_is_in_train() -> None:
    train = interactions([(0, 1, 1), (1, 2, 2)])
    test = interactions([(0, 1, 3), (0, 2, 3), (1, 1, 4), (1, 1, 5)])
    truth = held_out(train, test)
    assert [items.tolist() for items, _ in truth][:2] == [[2], [1]]


def test_empty_sides_are_refused() -> None:
    same = interactions([(0, 1, 5), (1, 2, 5)])
    with pytest.raises(DataError, match="same time"):
        split_by_time(same)
    with pytest.raises(DataError, match="no training events"):
        split_by_time(same, cut=5)
    with pytest.raises(DataError, match="no test events"):
        split_by_time(same, cut="2001-01-01")
    with pytest.raises(DataError, match="no test events"):
        split_leave_last(same, n=1)
    with pytest.raises(DataError, match="no test events"):
        split_by_ratio(same, seed=0)


def test_illegal_settings() -> None:
    events = skewed().interactions
    with pytest.raises(ConfigError, match=r"test_share is 1\.0"):
        split_by_ratio(events, test_share=1.0, seed=0)
    with pytest.raises(ConfigError, match="test_share is 0"):
        split_by_time(events, test_share=0)
    with pytest.raises(ConfigError, match="n is 0"):
        split_leave_last(events, n=0)
    with pytest.raises(ConfigError, match="no ISO date"):
        split_by_time(events, cut="last spring")
