"""Pins stand where they were put, boosts count, and everything else keeps its order."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphrec.contracts.queries import Queries
from graphrec.contracts.recaller import Recaller
from graphrec.data.lists import ItemLists, empty_lists, item_lists
from graphrec.fusion.rrf import merge_rrf
from graphrec.fusion.settings import Quota, Rrf
from graphrec.operations.recaller import OperationsRecaller
from graphrec.operations.rulings import Ruling
from graphrec.ranking.place import arrange, boost, merge_and_place, place_pins
from graphrec.recallers.ranked import RankedRecaller
from tests.oracles.ranking import placed_in_turn


def rows(*items: int) -> npt.NDArray[np.int32]:
    return np.array(items, dtype=np.int32)


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.integers(0, 20), unique=True, max_size=12),
    st.dictionaries(st.integers(1, 15), st.integers(0, 20), max_size=5),
    st.integers(1, 16),
)
def test_it_is_the_list_filled_place_by_place(items: list[int], wanted: dict[int, int], k: int) -> None:
    by_item = {row: position for position, row in sorted(wanted.items(), reverse=True)}
    pins = sorted((position, row) for row, position in by_item.items())
    merged = merge_rrf({"a": item_lists([items])}, 20)
    decreed = item_lists([[row for _, row in pins]])
    placed = place_pins(merged, [pins], decreed, name="operations", k=k)
    assert placed.lists.items.tolist() == placed_in_turn(items, pins, k)
    assert (np.diff(placed.lists.scores) <= 0).all()
    if pins:
        column = placed.channels.index("operations")
        ranks = {row: rank for rank, (_, row) in enumerate(pins, 1)}
        assert placed.ranks[:, column].tolist() == [ranks.get(row, 0) for row in placed.lists.items.tolist()]
    # Whoever is not pinned keeps what the channels said of it.
    where = {row: at for at, row in enumerate(merged.lists.items.tolist())}
    for at, row in enumerate(placed.lists.items.tolist()):
        if row in where:
            assert placed.ranks[at, 0] == merged.ranks[where[row], 0]


def test_arranging_passes_over_what_is_not_there() -> None:
    assert arrange(rows(5, 6, 7), [(1, 7), (2, 9), (3, 5)]).tolist() == [2, 1, 0]
    assert arrange(rows(5, 6), [(9, 5)]).tolist() == [1, 0]


def test_boosts_multiply_and_order_again() -> None:
    merged = merge_rrf({"a": item_lists([[3, 1, 2], [1, 2]])}, 5)
    boosted = boost(merged, [(rows(2, 4), np.array([2.0, 9.0])), (rows(), np.array([]))])
    assert [items.tolist() for items, _ in boosted.lists] == [[2, 3, 1], [1, 2]]
    assert boosted.ranks[:, 0].tolist() == [3, 1, 2, 1, 2]
    assert boosted.lists.scores[0] == pytest.approx(2 / 63)
    assert boost(merged, [(rows(9), np.array([2.0]))] * 2) is merged


def test_scores_below_zero_are_divided() -> None:
    merged = merge_rrf({"a": item_lists([[3, 1]])}, 5)
    lists = ItemLists(merged.lists.indptr, merged.lists.items, [-1.0, -4.0])
    negative = type(merged)(lists, merged.channels, merged.ranks, merged.scores)
    boosted = boost(negative, [(rows(1), np.array([8.0]))])
    assert boosted.lists.items.tolist() == [1, 3]
    assert boosted.lists.scores.tolist() == [-0.5, -1.0]


OPERATIONS = OperationsRecaller(
    [
        Ruling("pin", "top", rows(9), positions=(1,)),
        Ruling("pin", "third", rows(8), positions=(3,), end=100.0),
        Ruling("boost", "push", rows(4), factor=50.0, start=50.0),
    ],
    n_items=10,
)
CHANNELS: dict[str, Recaller] = {"hot": RankedRecaller(np.arange(10), np.arange(10)[::-1]), "operations": OPERATIONS}


def answered(now: float, *, k: int = 4, seen: tuple[int, ...] = (), only_hot: bool = False) -> list[int]:
    queries = Queries([-1], empty_lists(1), now=now)
    lists = {
        name: item_lists([[row for row in channel.recall(queries, 10)[0][0].tolist() if row not in seen]])
        for name, channel in CHANNELS.items()
        if name == "hot" or not only_hot
    }
    merged = merge_and_place(Rrf(weights={"operations": 0.0}), lists, CHANNELS, queries, k)
    return [int(row) for row in merged.lists.items]


def test_pins_survive_fusion_even_of_a_channel_without_weight() -> None:
    assert answered(10.0) == [9, 0, 8, 1]
    assert answered(10.0, only_hot=True) == [0, 1, 2, 3]


def test_the_schedule_is_looked_at_for_the_moment_of_the_request() -> None:
    assert answered(60.0) == [9, 4, 8, 0]
    assert answered(99.9) == [9, 4, 8, 0]
    assert answered(100.0) == [9, 4, 0, 1]


def test_what_was_filtered_out_is_not_pinned_back_in() -> None:
    assert answered(10.0, seen=(9,)) == [0, 1, 8, 2]


def test_a_pin_beyond_k_makes_room_for_others() -> None:
    assert answered(10.0, k=2) == [9, 0]
    recaller = OperationsRecaller([Ruling("pin", "late", rows(0), positions=(5,))], n_items=10)
    queries = Queries([-1], empty_lists(1), now=0.0)
    lists = {"hot": CHANNELS["hot"].recall(queries, 10), "operations": recaller.recall(queries, 10)}
    channels: dict[str, Recaller] = {"hot": CHANNELS["hot"], "operations": recaller}
    for k in (3, 5, 7):
        merged = merge_and_place(Rrf(), lists, channels, queries, k)
        assert merged.lists.items.tolist() == [1, 2, 3, 4, 0, 5, 6][:k]


def test_quotas_are_kept_beside_pins() -> None:
    queries = Queries([-1, -1], empty_lists(2), now=10.0)
    lists = {name: channel.recall(queries, 10) for name, channel in CHANNELS.items()}
    merged = merge_and_place(Quota({"hot": 3}), lists, CHANNELS, queries, 4)
    assert [items.tolist() for items, _ in merged.lists] == [[9, 0, 8, 1]] * 2


def test_without_such_a_channel_the_merge_is_plain() -> None:
    queries = Queries([-1], empty_lists(1))
    lists = {"hot": CHANNELS["hot"].recall(queries, 10)}
    plain = Rrf().merge(lists, 5)
    placed = merge_and_place(Rrf(), lists, CHANNELS, queries, 5)
    np.testing.assert_array_equal(placed.lists.items, plain.lists.items)
    np.testing.assert_array_equal(placed.ranks, plain.ranks)
