import itertools
import math
from collections.abc import Mapping

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphrec.data.lists import ItemLists, empty_lists, item_lists, take_lists
from graphrec.errors import ConfigError, DataError
from graphrec.evaluation.metrics import hit_mask
from graphrec.fusion.coverage import ChosenQuotas, Coverage, choose_quotas
from graphrec.fusion.quota import Quota, merge_quota

Lists = dict[str, ItemLists]


def covered(lists: Mapping[str, ItemLists], truth: ItemLists, quotas: Mapping[str, int], objective: str) -> float:
    """The objective by sets: held-out items among the first entries of any channel."""
    total = 0.0
    for user, (liked, _) in enumerate(truth):
        found = set().union(*(lists[name][user][0][:quota].tolist() for name, quota in quotas.items()))
        hits = len(found & set(liked.tolist()))
        total += hits / len(liked) if objective == "recall" and len(liked) else hits
    return total


def merged(lists: Lists, truth: ItemLists, quotas: dict[str, int], objective: str) -> float:
    """The objective of the merged lists, as long as the quotas together."""
    total = 0.0
    for (items, _), (liked, _) in zip(
        merge_quota(lists, sum(quotas.values()), quotas=quotas).lists, truth, strict=True
    ):
        hits = len(set(items.tolist()) & set(liked.tolist()))
        total += hits / max(len(liked), 1) if objective == "recall" else hits
    return total


def best_of_all(lists: Lists, truth: ItemLists, budget: float, prices: dict[str, float], objective: str) -> float:
    """Every vector of quotas that the budget pays for."""
    lengths = [range(int(part.lengths.max(initial=0)) + 1) for part in lists.values()]
    best = 0.0
    for numbers in itertools.product(*lengths):
        quotas = dict(zip(lists, numbers, strict=True))
        if sum(prices[name] * quota for name, quota in quotas.items()) <= budget + 1e-9:
            best = max(best, covered(lists, truth, quotas, objective))
    return best


@st.composite
def worlds(draw: st.DrawFn) -> tuple[Lists, ItemLists]:
    n = draw(st.integers(1, 4))
    one_list = st.lists(st.integers(0, 11), unique=True, max_size=6)
    names = ["a", "b", "c"][: draw(st.integers(1, 3))]
    lists = {name: item_lists(draw(st.lists(one_list, min_size=n, max_size=n))) for name in names}
    truth = st.lists(st.integers(0, 11), unique=True, max_size=5)
    return lists, item_lists(draw(st.lists(truth, min_size=n, max_size=n)))


def check_promises(lists: Lists, truth: ItemLists, choice: ChosenQuotas, best: float, objective: str) -> None:
    assert choice.covered == pytest.approx(merged(lists, truth, choice.quotas, objective))
    assert choice.covered >= covered(lists, truth, choice.quotas, objective) - 1e-9
    assert choice.covered >= choice.prefixes_cover - 1e-9
    assert best + 1e-9 >= choice.prefixes_cover >= best / 2 - 1e-9
    assert choice.bound >= best - 1e-9
    assert choice.bound <= choice.held_out
    if choice.whole_steps:
        assert choice.prefixes_cover >= (1 - 1 / math.e) * best - 1e-9


@settings(max_examples=250, deadline=None)
@given(
    worlds(),
    st.integers(1, 9),
    st.lists(st.sampled_from([0.5, 1.0, 1.0, 2.0, 3.0]), min_size=3, max_size=3),
    st.sampled_from(["hits", "recall"]),
)
def test_the_promises_against_every_choice(
    world: tuple[Lists, ItemLists], budget: int, numbers: list[float], objective: str
) -> None:
    lists, truth = world
    prices = dict(zip(lists, numbers, strict=False))
    best = best_of_all(lists, truth, budget, prices, objective)
    try:
        choice = choose_quotas(lists, truth, budget=budget, prices=prices, objective=objective)  # type: ignore[arg-type]
    except (ConfigError, DataError):
        assert best == 0
        return
    assert sum(prices[name] * quota for name, quota in choice.quotas.items()) <= budget + 1e-9
    check_promises(lists, truth, choice, best, objective)


@settings(max_examples=60, deadline=None)
@given(worlds(), st.data())
def test_coverage_of_prefixes_is_monotone_and_submodular(world: tuple[Lists, ItemLists], data: st.DataObject) -> None:
    # F(x or y) + F(x and y) <= F(x) + F(y), where "or" takes the longer and "and" the shorter prefix of each channel.
    lists, truth = world
    x = {name: data.draw(st.integers(0, 6)) for name in lists}
    y = {name: data.draw(st.integers(0, 6)) for name in lists}
    longer = {name: max(x[name], y[name]) for name in lists}
    shorter = {name: min(x[name], y[name]) for name in lists}

    def value(quotas: dict[str, int]) -> float:
        return covered(lists, truth, quotas, "hits")

    assert value(shorter) <= value(x) <= value(longer)
    assert value(longer) + value(shorter) <= value(x) + value(y)


def test_what_stands_below_an_empty_top_is_found() -> None:
    # One place at a time would never begin b: its first two entries find nothing.
    lists = {"a": item_lists([[1, 21, 22, 23]]), "b": item_lists([[31, 32, 2, 3, 4, 5]])}
    choice = choose_quotas(lists, item_lists([[1, 2, 3, 4, 5]]), budget=6)
    assert choice.quotas == {"a": 0, "b": 6}
    assert choice.covered == 4


def test_what_is_left_of_the_budget_goes_to_one_channel_where_that_finds_more() -> None:
    # The densest steps (a, then c) leave too little for b, which alone finds most.
    lists = {"a": item_lists([[1]]), "b": item_lists([[30, 31, 2, 3, 4, 5]]), "c": empty_lists(1)}
    choice = choose_quotas(lists, item_lists([[1, 2, 3, 4, 5]]), budget=6)
    assert choice.quotas == {"a": 0, "b": 6, "c": 0}
    assert not choice.whole_steps


def test_complementary_channels_share_the_places() -> None:
    # b repeats what a finds, c finds the rest: quality alone would choose a and b.
    n = 5
    a, b = item_lists([[0, 1, 2, 9]] * n), item_lists([[2, 1, 0, 8]] * n)
    c = item_lists([[3, 7, 4, 6]] * n)
    truth = item_lists([[0, 1, 2, 3, 4]] * n)
    choice = choose_quotas({"a": a, "b": b, "c": c}, truth, budget=6)
    assert choice.quotas == {"a": 3, "b": 0, "c": 3}
    assert choice.covered == choice.held_out == choice.bound == 5 * n
    assert choice.whole_steps


def test_overlap_costs_no_places() -> None:
    # Prefixes pay twice for what both channels hold, merged lists do not: with 6 places all 6 are found.
    lists = {"a": item_lists([[1, 2, 3, 4]]), "b": item_lists([[1, 2, 5, 6]])}
    choice = choose_quotas(lists, item_lists([[1, 2, 3, 4, 5, 6]]), budget=6)
    assert choice.covered == choice.held_out == 6
    assert choice.prefixes_cover < 6
    assert sum(choice.quotas.values()) == 6


def test_prices_move_the_places() -> None:
    lists = {"dear": item_lists([[1, 2]]), "cheap": item_lists([[3, 4]])}
    truth = item_lists([[1, 2, 3, 4]])
    assert choose_quotas(lists, truth, budget=2, prices={"dear": 2.0}).quotas == {"dear": 0, "cheap": 2}
    assert choose_quotas(lists, truth, budget=0.3, prices={"dear": 0.1, "cheap": 9.0}).quotas == {"dear": 2, "cheap": 0}


def test_recall_counts_every_user_alike() -> None:
    # a finds two of one user's ten, b the only one of another user.
    lists = {"a": item_lists([[1], [], [1]]), "b": item_lists([[], [2], []])}
    truth = item_lists([list(range(10)), [2], list(range(10))])
    assert choose_quotas(lists, truth, budget=1).quotas == {"a": 1, "b": 0}
    assert choose_quotas(lists, truth, budget=1, objective="recall").quotas == {"a": 0, "b": 1}


def test_nothing_is_spent_where_nothing_is_gained() -> None:
    lists = {"a": item_lists([[1, 50, 51, 52]]), "b": item_lists([[60, 61, 62]])}
    assert choose_quotas(lists, item_lists([[1]]), budget=7).quotas == {"a": 1, "b": 0}


def test_served_as_quota_fusion_it_finds_what_was_counted() -> None:
    rng = np.random.default_rng(5)
    lists = {name: item_lists([rng.permutation(60)[:25] for _ in range(30)]) for name in "abc"}
    truth = item_lists([rng.choice(60, 6, replace=False) for _ in range(30)])
    result = Coverage(budget=20).fit(lists, truth, k=20, counts=np.ones(1, dtype=np.int64), seed=0)
    assert isinstance(result.fusion, Quota)
    assert hit_mask(result.fusion.merge(lists, 20).lists, truth).sum() >= result.report["covered"]
    assert Coverage().fit(lists, truth, k=20, counts=np.ones(1, dtype=np.int64), seed=1) == result
    assert Coverage().channel_depth(20) == 20


def test_users_in_another_order_change_nothing() -> None:
    rng = np.random.default_rng(6)
    lists = {name: item_lists([rng.permutation(40)[:12] for _ in range(20)]) for name in "ab"}
    truth = item_lists([rng.choice(40, 4, replace=False) for _ in range(20)])
    order = rng.permutation(20)
    moved = {name: take_lists(part, order) for name, part in lists.items()}
    assert choose_quotas(moved, take_lists(truth, order), budget=9) == choose_quotas(lists, truth, budget=9)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"budget": 0.5}, r"the budget of 0\.5 pays for no place: the cheapest costs 1"),
        ({"budget": 3, "prices": {"a": 0.0}}, "the price of a place of channel 'a' is 0.0; it must be above 0"),
        ({"budget": 3, "prices": {"a": math.nan}}, "is nan"),
    ],
)
def test_illegal_settings(options: dict[str, object], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        choose_quotas({"a": item_lists([[1]])}, item_lists([[1]]), **options)  # type: ignore[arg-type]


def test_illegal_recipes() -> None:
    with pytest.raises(ConfigError, match="the budget is -1"):
        Coverage(budget=-1)
    with pytest.raises(ConfigError, match="legal: hits, recall"):
        Coverage(objective="ndcg")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="above 0"):
        Coverage(prices={"a": -2})


def test_nothing_held_out_or_nothing_found() -> None:
    with pytest.raises(DataError, match="no user has a held-out item"):
        choose_quotas({"a": item_lists([[1]])}, empty_lists(1), budget=2)
    with pytest.raises(DataError, match="no channel finds any held-out item"):
        choose_quotas({"a": empty_lists(1), "b": item_lists([[4]])}, item_lists([[1]]), budget=2)
    with pytest.raises(DataError, match="truth has 2 entries"):
        choose_quotas({"a": item_lists([[1]])}, empty_lists(2), budget=2)
