import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphrec.data.lists import ItemLists, empty_lists, item_lists
from graphrec.errors import ConfigError
from graphrec.fusion.quota import merge_quota, scale_quotas
from tests.graphrec.fusion.test_rrf import channel_lists


def slow_quota(lists: dict[str, list[int]], k: int, quotas: dict[str, int], order: list[str]) -> list[int]:
    """The obvious version with queues."""
    placed: list[int] = []
    queues = {name: list(items) for name, items in lists.items()}
    for allowance in (dict(quotas), dict.fromkeys(order, k)):
        turns, idle = list(order), False
        while not idle and len(placed) < k:
            idle = True
            for name in turns:
                queues[name] = [item for item in queues[name] if item not in placed]
                if queues[name] and allowance.get(name, 0) > 0 and len(placed) < k:
                    placed.append(queues[name].pop(0))
                    allowance[name] -= 1
                    idle = False
            turns.reverse()
    return placed


def test_turns_snake_and_room_is_filled() -> None:
    lists = {"a": item_lists([[1, 2, 3, 4]]), "b": item_lists([[11, 12, 13]])}
    # Rounds of quotas: a, b | b (a has used its one); then both fill: a, b | -, a.
    fused = merge_quota(lists, 6, quotas={"a": 1, "b": 2})
    assert fused.lists.items.tolist() == [1, 11, 12, 2, 13, 3]
    np.testing.assert_allclose(fused.lists.scores, [1, 5 / 6, 4 / 6, 3 / 6, 2 / 6, 1 / 6], rtol=1e-6)


def test_provenance_is_complete() -> None:
    lists = {"a": item_lists([[5, 6]], [[0.5, 0.4]]), "b": item_lists([[6, 5]], [[9.0, 8.0]])}
    fused = merge_quota(lists, 2, quotas={"a": 1, "b": 1})
    assert fused.lists.items.tolist() == [5, 6]
    assert fused.ranks.tolist() == [[1, 2], [2, 1]]
    np.testing.assert_array_equal(fused.scores, np.array([[0.5, 8.0], [0.4, 9.0]], np.float32))


def test_the_order_may_be_given() -> None:
    lists = {"a": item_lists([[1]]), "b": item_lists([[2]]), "c": item_lists([[3]])}
    fused = merge_quota(lists, 3, quotas={"a": 1, "b": 1, "c": 1}, order=["c"])
    assert fused.lists.items.tolist() == [3, 1, 2]
    assert fused.channels == ("a", "b", "c")


@settings(max_examples=150, deadline=None)
@given(channel_lists(), st.integers(1, 30), st.lists(st.integers(0, 4), min_size=4, max_size=4))
def test_as_the_obvious_version(lists: dict[str, ItemLists], extra: int, numbers: list[int]) -> None:
    quotas = dict(zip(lists, [1, *numbers[1:]], strict=False))
    k = sum(quotas.values()) + extra - 1
    fused = merge_quota(lists, k, quotas=quotas)
    for query in range(len(fused)):
        own = {name: part[query][0].tolist() for name, part in lists.items()}
        items = fused.lists[query][0].tolist()
        assert items == slow_quota(own, k, quotas, list(quotas))
        for item, ranks in zip(items, fused.query(query).ranks.tolist(), strict=True):
            assert ranks == [own[name].index(item) + 1 if item in own[name] else 0 for name in lists]


@settings(deadline=None)
@given(channel_lists(), st.integers(4, 60))
def test_nothing_is_left_out_while_there_is_room(lists: dict[str, ItemLists], k: int) -> None:
    fused = merge_quota(lists, k, quotas={next(iter(lists)): 1})
    for query in range(len(fused)):
        everything = {int(item) for part in lists.values() for item in part[query][0]}
        items = fused.lists[query][0].tolist()
        assert len(items) == len(set(items)) == min(k, len(everything))


def test_an_item_twice_in_a_list_and_empty_channels() -> None:
    lists = {"a": item_lists([[4, 4, 7]]), "b": empty_lists(1)}
    assert merge_quota(lists, 9, quotas={"b": 3, "a": 1}).lists.items.tolist() == [4, 7]
    assert len(merge_quota({"a": empty_lists(0)}, 9, quotas={"a": 1})) == 0


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"k": 0}, "k is 0"),
        ({"quotas": {"hott": 1}}, "nearest: 'hot'"),
        ({"quotas": {"hot": -1}}, "'hot' is -1"),
        ({"quotas": {"hot": 1.5}}, "whole number"),
        ({"quotas": {"hot": 0}}, "at least one"),
        ({"quotas": {"hot": 6}}, "sum to 6, more than k = 5"),
        ({"order": ["teg"]}, "nearest: 'tag'"),
    ],
)
def test_illegal_settings(options: dict[str, object], words: str) -> None:
    chosen = {"k": 5, "quotas": {"hot": 1}, **options}
    with pytest.raises(ConfigError, match=words):
        merge_quota({"hot": item_lists([[1]]), "tag": item_lists([[2]])}, chosen.pop("k"), **chosen)  # type: ignore[arg-type]


def test_quotas_scale_in_proportion() -> None:
    assert scale_quotas({"a": 60, "b": 30, "c": 10}, 10) == {"a": 6, "b": 3, "c": 1}
    assert scale_quotas({"a": 1, "b": 1, "c": 1}, 2) == {"a": 1, "b": 1, "c": 0}
    assert scale_quotas({"a": 2}, 5) == {"a": 2}


@given(st.lists(st.integers(0, 500), min_size=1, max_size=6), st.integers(1, 300))
def test_scaled_quotas_fill_k_exactly(numbers: list[int], k: int) -> None:
    quotas = {str(position): number for position, number in enumerate(numbers)}
    scaled = scale_quotas(quotas, k)
    assert sum(scaled.values()) == min(k, sum(numbers))
    assert all(0 <= scaled[name] <= quotas[name] for name in quotas)
