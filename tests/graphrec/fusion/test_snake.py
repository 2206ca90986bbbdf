import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphrec.data.lists import ItemLists, item_lists
from graphrec.errors import ConfigError
from graphrec.fusion.snake import Snake
from tests.graphrec.fusion.test_quota import slow_quota
from tests.graphrec.fusion.test_rrf import channel_lists


def test_every_round_reverses_the_order() -> None:
    lists = {"a": item_lists([[1, 2, 3]]), "b": item_lists([[11, 12]]), "c": item_lists([[21, 1, 22]])}
    # a b c | c b a | a c: when c comes again, 1 has a place.
    assert Snake().merge(lists, 9).lists.items.tolist() == [1, 11, 21, 22, 12, 2, 3]
    assert Snake(["c"]).merge(lists, 3).lists.items.tolist() == [21, 1, 11]


@settings(max_examples=80, deadline=None)
@given(channel_lists(), st.integers(1, 30))
def test_as_the_obvious_version(lists: dict[str, ItemLists], k: int) -> None:
    fused = Snake().merge(lists, k)
    for query in range(len(fused)):
        own = {name: part[query][0].tolist() for name, part in lists.items()}
        assert fused.lists[query][0].tolist() == slow_quota(own, k, {}, list(lists))


def test_a_channel_twice_in_the_order() -> None:
    with pytest.raises(ConfigError, match="the order names channel 'a' 2 times"):
        Snake(["a", "b", "a"])
