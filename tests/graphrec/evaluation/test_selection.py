import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphrec.errors import ConfigError
from graphrec.evaluation.selection import select_channels

FOUND = {"a": {1, 2, 3, 4}, "b": {3, 4, 5}, "c": {6}, "noise": set()}


def union(channels: tuple[str, ...]) -> float:
    return float(len(set().union(*(FOUND[name] for name in channels))))


def price(**costs: float) -> dict[str, dict[str, float]]:
    return {"us": {"a": 1.0, "b": 1.0, "c": 1.0, "noise": 1.0, **costs}}


def test_without_limits_all_that_gains_is_kept_in_the_order_of_gains() -> None:
    selection = select_channels(list(FOUND), union, costs={}, limits={})
    assert selection.channels == ("a", "b", "c")
    assert selection.steps == (("a", 4.0), ("b", 5.0), ("c", 6.0))


def test_gains_count_by_the_share_of_the_tightest_limit() -> None:
    selection = select_channels(list(FOUND), union, costs=price(a=10.0), limits={"us": 3.0})
    assert selection.channels == ("b", "c")
    both = {**price(), "bytes": {"a": 1.0, "b": 9.0, "c": 1.0, "noise": 1.0}}
    assert select_channels(list(FOUND), union, costs=both, limits={"us": 9.0, "bytes": 2.0}).channels == ("a", "c")


def test_one_dear_good_channel_beats_many_cheap_ones() -> None:
    # By share c comes first and leaves no room for a.
    selection = select_channels(["a", "c"], union, costs=price(a=3.0, c=0.1), limits={"us": 3.0})
    assert selection.channels == ("a",)


def test_a_channel_that_the_others_make_useless_is_let_go() -> None:
    def value(channels: tuple[str, ...]) -> float:
        # A silent channel: alone it is worth something, beside others nothing.
        return union(tuple(name for name in channels if name != "c")) or union(channels)

    selection = select_channels(["c", "a", "b"], value, costs=price(c=0.01), limits={"us": 2.0})
    assert selection.channels == ("a", "b")
    assert [name for name, _ in selection.steps] == ["a", "b"]


def test_what_harms_stays_out() -> None:
    selection = select_channels(list(FOUND), lambda names: union(names) - 2 * ("c" in names), costs={}, limits={})
    assert selection.channels == ("a", "b")


def test_a_budget_that_pays_for_nothing() -> None:
    selection = select_channels(list(FOUND), union, costs=price(), limits={"us": 0.5})
    assert selection == select_channels([], union, costs=price(), limits={})
    assert selection.channels == ()


def test_an_illegal_limit() -> None:
    with pytest.raises(ConfigError, match="the limit of us is 0; it must be above 0"):
        select_channels(["a"], union, costs=price(), limits={"us": 0.0})


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.sets(st.integers(0, 8), max_size=5), min_size=1, max_size=5),
    st.lists(st.sampled_from([0.0, 0.5, 1.0, 2.0, 3.0]), min_size=5, max_size=5),
    st.sampled_from([1.0, 2.5, 4.0]),
)
def test_within_the_limit_and_never_far_from_the_best(found: list[set[int]], costs: list[float], limit: float) -> None:
    names = [str(position) for position in range(len(found))]
    cost = dict(zip(names, costs, strict=False))

    def value(channels: tuple[str, ...]) -> float:
        return float(len(set().union(*(found[int(name)] for name in channels))))

    selection = select_channels(names, value, costs={"us": cost}, limits={"us": limit})
    assert sum(cost[name] for name in selection.channels) <= limit
    assert [name for name in names if name in selection.channels] == list(selection.channels)
    every = [combo for r in range(len(names) + 1) for combo in itertools.combinations(names, r)]
    best = max(value(combo) for combo in every if sum(cost[name] for name in combo) <= limit)
    # For a coverage value the better of the two greedy ends has (1 - 1/e) / 2 of the best.
    assert value(selection.channels) >= (1 - 1 / 2.7182818) / 2 * best
    if selection.steps:
        assert selection.steps[-1][1] == value(selection.channels)
