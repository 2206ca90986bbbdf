from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphrec.data.interactions import Interactions, coalesce, coalesced_parts, histories, take, with_n_items
from graphrec.errors import DataError

events = st.lists(
    st.tuples(st.integers(0, 4), st.integers(0, 6), st.integers(1, 5), st.integers(0, 9)), min_size=0, max_size=40
)


def made(rows: list[tuple[int, int, int, int]]) -> Interactions:
    columns = np.array(rows, dtype=np.int64).reshape(-1, 4).T
    return Interactions(*columns, n_users=5, n_items=7)


@given(events)
def test_coalesce_sums_weights_and_keeps_the_latest_time(rows: list[tuple[int, int, int, int]]) -> None:
    expected: dict[tuple[int, int], tuple[int, int]] = {}
    for user, item, weight, time in rows:
        total, latest = expected.get((user, item), (0, -1))
        expected[user, item] = (total + weight, max(latest, time))
    merged = coalesce(made(rows))
    assert merged.times is not None
    found = {
        (int(u), int(i)): (int(w), int(t))
        for u, i, w, t in zip(merged.users, merged.items, merged.weights, merged.times, strict=True)
    }
    assert found == expected
    assert len(merged) == len(expected)


def test_histories_run_from_oldest_to_newest() -> None:
    interactions = Interactions([1, 1, 1, 0], [3, 2, 3, 0], [1, 1, 1, 1], [10, 20, 30, 5], n_users=3, n_items=4)
    history = histories(interactions)
    assert [items.tolist() for items, _ in history] == [[0], [2, 3], []]
    assert history[1][1].tolist() == [1, 2]


def test_without_times_the_order_of_rows_is_the_order_of_events() -> None:
    history = histories(Interactions([0, 0, 0], [2, 0, 1], n_users=1, n_items=3))
    assert history[0][0].tolist() == [2, 0, 1]


def test_events_are_taken_by_a_mask() -> None:
    interactions = Interactions([0, 0, 1], [1, 1, 0], [2.0, 3.0, 1.0], n_users=2, n_items=3)
    assert len(take(interactions, np.array([True, False, True]))) == 2


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"users": [0, 5]}, r"users\[1\] is 5; legal rows are 0 to 1"),
        ({"items": [-1, 0]}, r"items\[0\] is -1; legal rows are 0 to 2"),
        ({"items": [0]}, "items has 1 entries; it must have 2"),
        ({"weights": [1.0, np.nan]}, r"weights\[1\] is nan; every value must be finite"),
        ({"users": [0.5, 1.0]}, "users holds float64; it must hold integers"),
        ({"times": [1, 1_700_000_000_000]}, "divide milliseconds by 1000"),
        ({"users": [[0, 1]]}, "users has 2 dimensions"),
        ({"items": [2**40, 0]}, "items holds values from 0 to 1099511627776; int32 holds"),
    ],
)
def test_illegal_arrays_get_a_sentence(arguments: dict[str, object], sentence: str) -> None:
    legal: dict[str, object] = {"users": [0, 1], "items": [0, 2]}
    with pytest.raises(DataError, match=sentence):
        Interactions(**(legal | arguments), n_users=2, n_items=3)  # type: ignore[arg-type]


@given(events, st.integers(1, 50))
def test_parts_are_the_whole_cut_between_users(rows: list[tuple[int, int, int, int]], size: int) -> None:
    whole, parts = coalesce(made(rows)), list(coalesced_parts(made(rows), events=size))
    assert whole.times is not None
    for name in ("users", "items", "weights", "times"):
        np.testing.assert_array_equal(np.concatenate([getattr(part, name) for part in parts]), getattr(whole, name))
    assert sum(bool(len(part)) for part in parts) >= min(1, len(whole))


def test_memory_mapped_events_are_used_as_they_are(tmp_path: Path) -> None:
    columns = {"users": [2, 0, 2, 2], "items": [1, 3, 0, 1]}
    for name, values in columns.items():
        np.save(tmp_path / f"{name}.npy", np.array(values, dtype=np.int32))
    mapped = {name: np.load(tmp_path / f"{name}.npy", mmap_mode="r") for name in columns}
    events = Interactions(**mapped, n_users=3, n_items=4)
    assert np.shares_memory(events.users, mapped["users"])
    assert np.shares_memory(events.items, mapped["items"])
    merged = coalesce(events)
    assert [merged.users.tolist(), merged.items.tolist(), merged.weights.tolist()] == [[0, 2, 2], [3, 0, 1], [1, 1, 2]]


def test_no_users_make_no_pairs() -> None:
    nothing = Interactions([], [], n_users=0, n_items=0)
    assert [len(part) for part in coalesced_parts(nothing)] == [0]
    assert len(coalesce(nothing)) == 0


def test_events_over_more_items_keep_all_that_they_say() -> None:
    events = Interactions(
        [0, 1], [1, 0], [2.0, 3.0], [5, 9], n_users=2, n_items=2, kinds=[1, 0], kind_names=["view", "buy"]
    )
    wider = with_n_items(events, 7)
    assert (wider.n_users, wider.n_items) == (2, 7)
    for name in ("users", "items", "weights", "times", "kinds"):
        np.testing.assert_array_equal(getattr(wider, name), getattr(events, name))
    assert wider.kind_names == ("view", "buy")
    with pytest.raises(DataError, match="legal rows are 0 to 0"):
        with_n_items(events, 1)


@pytest.mark.parametrize("weights", [[1e15, 1e15], [6e14, 2.0, 6e14], [-1e15, 0.0, -1e15], [1e15] * 40])
@pytest.mark.parametrize("place", [(0, 0), (2, 1)])
def test_a_sum_that_is_no_legal_weight_names_its_pair(weights: list[float], place: tuple[int, int]) -> None:
    user, item = place
    n = len(weights)
    whole = Interactions([*[user] * n, 1], [*[item] * n, 2], [*weights, 1.0], n_users=3, n_items=3)
    sentence = rf"the weights of user row {user} for item row {item} sum to -?[\d.e+]+; a sum is at most 1e\+15"
    for read in (coalesce, histories, lambda given: list(coalesced_parts(given))):
        with pytest.raises(DataError, match=sentence):
            read(whole)


def test_weights_are_summed_in_more_digits_than_they_have() -> None:
    """Large ones that cancel each other leave the small ones: float32 would have lost them on the way."""
    weights = [1e15, 3.0, -1e15, 2.0**24, 1.0, 1.0]
    merged = coalesce(Interactions([0] * 3 + [1] * 3, [0] * 6, weights, n_users=2, n_items=1))
    assert merged.weights.tolist() == [3.0, 2.0**24 + 2]
    assert len(coalesce(Interactions([0, 0], [0, 0], [9e14, 1e14], n_users=1, n_items=1))) == 1
