"""Which items may be recalled: every rule against its slow version, and numbers that add up."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphrec.contracts.recall_data import RecallData
from graphrec.data.exposures import Exposures
from graphrec.data.features import Features, Labels
from graphrec.data.interactions import Interactions
from graphrec.data.vocabulary import Vocabulary
from graphrec.errors import ConfigError, DataError
from graphrec.pool.pool import candidate_pool, newest
from graphrec.pool.rules import RULES, Activity, Age, Conversion, Label, Number, Rating, Rule, Tag
from tests.oracles.pool import passes_rule
from tests.worlds import DAY, START, item_tags, skewed

NOW = START + 200 * DAY


def shop() -> RecallData:
    """Return the skewed world with prices, releases, kinds, exposures, and some returns among the events."""
    data = skewed()
    rng = np.random.default_rng(5)
    n = len(data.items)
    price = rng.integers(0, 6, n).astype(np.float64)
    released = START + rng.integers(-300, 300, n).astype(np.float64) * DAY
    codes = rng.integers(-1, 3, n)
    price[::7] = released[::5] = np.nan
    attributes = Features(
        n,
        numbers={"price": price, "released": released},
        labels={"kind": Labels(Vocabulary(["book", "game", "toy"]), codes)},
    )
    events = data.interactions
    weights = events.weights.copy()
    weights[::6] = -1.0
    m = 400
    shown = Exposures(
        rng.integers(-1, 60, m), rng.integers(0, n, m), rng.random(m) < 0.3, None,
        START + DAY * rng.integers(0, 300, m), n_users=len(data.users), n_items=n,
    )  # fmt: skip
    changed = Interactions(
        events.users, events.items, weights, events.times, n_users=events.n_users, n_items=events.n_items
    )
    pairs = [(item, item % 4) for item in range(n) if item % 6] + [(item, 1) for item in range(0, n, 4)]
    tags = item_tags(n, ["red", "green", "blue", "even"], pairs)
    return replace(data, interactions=changed, item_tags=tags, item_features=attributes, exposures=shown)


SHOP = shop()


@pytest.mark.parametrize("now", [NOW, newest(SHOP), START])
@pytest.mark.parametrize(
    "rule",
    [
        Activity(events=3),
        Activity(events=2, days=60),
        Activity(users=4, days=90),
        Activity(weight=9.5, days=120),
        Activity(events=2, users=3, weight=1.0),
        Activity(users=5, days=90, released="released", new_days=100),
        Age("released", max_days=250),
        Age("released", min_days=0),
        Age("released", max_days=400, min_days=30, keep_unknown=True),
        Number("price", min=1),
        Number("price", max=4, keep_unknown=True),
        Number("price", min=2, max=2),
        Label("kind", one_of=("book", "toy")),
        Label("kind", none_of=("game",), keep_unknown=True),
        Label("kind", none_of=("never-seen",)),
        Tag(one_of=("red", "even")),
        Tag(none_of=("blue", "never-seen")),
        Tag(none_of=("even",), keep_unknown=True),
        Rating(min=2.0),
        Rating(min=2.0, events=5, keep_unknown=True),
        Conversion(min=0.3),
        Conversion(min=0.25, exposures=8, keep_unknown=True),
    ],
    ids=lambda one: one.title if hasattr(one, "title") else str(one),
)
def test_each_rule_is_its_slow_version(rule: Rule, now: int) -> None:
    settings = asdict(rule)  # type: ignore[call-overload]
    expected = [passes_rule(SHOP, rule.kind, settings, item, now) for item in range(len(SHOP.items))]
    assert rule.judge(SHOP, now).passes.tolist() == expected


def test_the_rules_that_are_tested_are_all() -> None:
    assert set(RULES) == {"activity", "age", "number", "label", "tag", "rating", "conversion"}


def test_numbers_add_up() -> None:
    active = Activity(events=2, released="released", new_days=30)
    rules: list[Rule] = [Number("price", min=2), active, Label("kind", one_of=("toy",))]
    found = candidate_pool(SHOP, rules, allow=[0, 1, 2], deny=[2, 4], now=NOW)
    passes = [rule.judge(SHOP, NOW).passes for rule in rules]
    report = found.report
    for place, removal in enumerate(report.removals):
        others = np.logical_and.reduce([one for at, one in enumerate(passes) if at != place])
        earlier = np.logical_and.reduce([np.ones(45, dtype=np.bool_), *passes[:place]])
        assert removal.alone == (~passes[place]).sum()
        assert removal.only == (others & ~passes[place]).sum()
        assert removal.in_turn == (earlier & ~passes[place]).sum()
        assert removal.left == (earlier & passes[place]).sum()
    assert report.removals[0].unknown == 7
    assert report.removals[1].spared == rules[1].judge(SHOP, NOW).spared.sum() > 0
    gone = sum(removal.in_turn for removal in report.removals)
    assert report.items - gone + report.brought_back - report.denied == report.left == found.mask.sum()
    assert report.to_dict()["removals"][0]["rule"] == "price: at least 2"


def test_deny_beats_allow_beats_rules() -> None:
    nothing = Number("price", min=1_000)
    found = candidate_pool(SHOP, [nothing], allow=[3, 9, 9], deny=[9, 11])
    assert np.flatnonzero(found.mask).tolist() == [3]
    assert (found.report.brought_back, found.report.denied) == (2, 1)
    everything = candidate_pool(SHOP, [], deny=[11])
    assert np.flatnonzero(~everything.mask).tolist() == [11]


@given(st.lists(st.sampled_from(range(4)), max_size=4), st.sets(st.integers(0, 44)), st.sets(st.integers(0, 44)))
def test_the_order_of_rules_does_not_change_the_pool(order: list[int], allow: set[int], deny: set[int]) -> None:
    known: list[Rule] = [Number("price", min=1), Activity(events=2), Label("kind", none_of=("toy",)), Rating(min=1.0)]
    rules = [known[place] for place in order]
    allow.add(0)
    deny.discard(0)
    found, other = (
        candidate_pool(SHOP, turned, allow=sorted(allow), deny=sorted(deny)) for turned in (rules, rules[::-1])
    )
    assert found.mask.tolist() == other.mask.tolist()
    assert found.mask[0]
    assert not found.mask[sorted(deny)].any()
    assert [one.alone for one in found.report.removals] == [one.alone for one in other.report.removals][::-1]


def test_nothing_after_now_counts() -> None:
    now = START + 100 * DAY
    times = SHOP.interactions.times
    assert times is not None
    early = times <= now
    part = Interactions(
        SHOP.interactions.users[early], SHOP.interactions.items[early], SHOP.interactions.weights[early], times[early],
        n_users=60, n_items=45,
    )  # fmt: skip
    rules: list[Rule] = [Activity(users=2, days=50), Rating(min=1.0)]
    whole, cut = (candidate_pool(data, rules, now=now) for data in (SHOP, replace(SHOP, interactions=part)))
    assert whole.mask.tolist() == cut.mask.tolist()
    assert candidate_pool(SHOP, [Activity(users=1, days=50)]).report.now == int(times.max())


def test_an_event_exactly_as_old_as_the_window_is_out() -> None:
    rule = Activity(events=1, days=1)
    small = replace(SHOP, interactions=Interactions([0, 0], [0, 1], None, [START, START + 1], n_users=60, n_items=45))
    assert np.flatnonzero(rule.judge(small, START + DAY).passes).tolist() == [1]


def test_an_empty_pool_is_told_how() -> None:
    rules: list[Rule] = [Number("price", min=3), Label("kind", one_of=("nothing",))]
    with pytest.raises(
        DataError, match=r"the pool is empty: of 45 items 'price: at least 3' removes \d+, then 'kind: one of nothing'"
    ):
        candidate_pool(SHOP, rules)
    with pytest.raises(DataError, match="the pool is empty: of 45 items the deny list removes 45; loosen a rule"):
        candidate_pool(SHOP, [], deny=np.arange(45))


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (
            lambda: Number("price", min=5, max=2),
            "price lets nothing pass: min 5 lies above max 2; swap them",
        ),
        (
            lambda: Age("born", max_days=1, min_days=2),
            "age of born lets nothing pass: min_days 2 lies above",
        ),
        (lambda: Number("price"), "the rule for price has no bound; give min, max or both"),
        (lambda: Number("price", min=float("nan")), "min of the rule for price is nan; it must be a finite number"),
        (lambda: Activity(), "activity asks for nothing; give events, users or weight, each above 0"),
        (lambda: Activity(events=1, days=0), "days is 0; it must be a number above 0"),
        (lambda: Activity(events=-1), "events is -1; it must be a whole number of 0 or more"),
        (lambda: Activity(events=1, new_days=3), "activity needs released and new_days together"),
        (lambda: Label("kind"), "the rule for label 'kind' has neither of one_of and none_of; give exactly one"),
        (lambda: Label("kind", ("a",), ("b",)), "has both of one_of and none_of; give exactly one"),
        (lambda: Label("kind", cast("Any", "book")), "label 'kind' has the text 'book'; give a list of names"),
        (lambda: Tag(), "the rule for tags has neither of one_of and none_of"),
        (lambda: Rating(min=float("inf")), "min is inf; it must be a number"),
        (lambda: Rating(min=1, events=0), "events is 0; it must be a whole number of 1 or more"),
        (lambda: Conversion(min=1.5), "min is 1.5; the share of exposures that converted lies between 0 and 1"),
    ],
)
def test_illegal_rules(make: Any, sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        make()


def test_what_a_rule_lacks_is_said() -> None:
    bare = replace(SHOP, item_features=None, exposures=None, item_tags=None)
    with pytest.raises(ConfigError, match=r"looks at tags, and there are none; data\.items, .* or data\.user_tags"):
        candidate_pool(bare, [Tag(one_of=("red",))])
    with pytest.raises(ConfigError, match=r"there is no number 'price' among the attributes \(none\)"):
        candidate_pool(bare, [Number("price", min=1)])
    with pytest.raises(ConfigError, match=r"conversion needs exposures, .*name them in \[data\.exposures\]"):
        candidate_pool(bare, [Conversion(min=0.1)])
    events = SHOP.interactions
    timeless = Interactions(events.users, events.items, events.weights, None, n_users=60, n_items=45)
    without = replace(SHOP, interactions=timeless)
    with pytest.raises(ConfigError, match=r"the last 30 days, and no event has a time; leave days out"):
        candidate_pool(without, [Activity(events=1, days=30)])
    with pytest.raises(ConfigError, match=r"the age of 'released' needs a now, .*set pool\.now to a date"):
        candidate_pool(without, [Age("released", max_days=3)])
    assert candidate_pool(without, [Activity(events=1)]).report.now is None
    assert candidate_pool(without, [Age("released", max_days=300)], now=NOW).mask.any()
    with pytest.raises(DataError, match=r"deny\[1\] is 45; legal rows are 0 to 44"):
        candidate_pool(SHOP, [], deny=[3, 45])
