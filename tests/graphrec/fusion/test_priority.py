import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphrec.data.lists import ItemLists, item_lists
from graphrec.errors import ConfigError
from graphrec.fusion.priority import Priority
from tests.graphrec.fusion.test_rrf import channel_lists


def slow_priority(lists: dict[str, list[int]], k: int, order: list[str], caps: dict[str, int]) -> list[int]:
    """The obvious version: two passes over the channels."""
    placed: list[int] = []
    for limits in (caps, {}):
        for name in order:
            fresh = [item for item in lists[name] if item not in placed]
            placed += fresh[: limits.get(name, k)]
    return placed[:k]


def test_one_after_the_other_with_caps() -> None:
    lists = {"a": item_lists([[1, 2, 3]]), "b": item_lists([[3, 4, 5]]), "c": item_lists([[6]])}
    assert Priority().merge(lists, 4).lists.items.tolist() == [1, 2, 3, 4]
    assert Priority(["b"], {"b": 1}).merge(lists, 4).lists.items.tolist() == [3, 1, 2, 6]
    # Room that caps leave is filled in the same order.
    assert Priority(["b"], {"b": 1, "a": 0, "c": 0}).merge(lists, 9).lists.items.tolist() == [3, 4, 5, 1, 2, 6]
    fused = Priority(["b"]).merge(lists, 2)
    assert fused.ranks.tolist() == [[3, 1, 0], [0, 2, 0]]


@settings(max_examples=100, deadline=None)
@given(channel_lists(), st.integers(1, 40), st.dictionaries(st.sampled_from(["hot", "tag", "als"]), st.integers(0, 6)))
def test_as_the_obvious_version(lists: dict[str, ItemLists], k: int, caps: dict[str, int]) -> None:
    order = sorted(lists)
    fused = Priority(order, caps).merge(lists, k)
    for query in range(len(fused)):
        own = {name: part[query][0].tolist() for name, part in lists.items()}
        assert fused.lists[query][0].tolist() == slow_priority(own, k, order, caps)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"order": ["a", "a"]}, "names channel 'a' 2 times"),
        ({"caps": {"a": -1}}, "the cap of channel 'a' is -1"),
        ({"caps": {"a": 1.5}}, "whole number"),
    ],
)
def test_illegal_settings(options: dict[str, object], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        Priority(**options)  # type: ignore[arg-type]
