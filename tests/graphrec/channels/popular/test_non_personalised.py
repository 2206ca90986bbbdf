"""Hot by segment and high-efficiency beside their slow versions, and what they refuse."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy.stats import beta

from graphrec.channels.popular.high_efficiency import HighEfficiency
from graphrec.channels.popular.hot import Hot
from graphrec.channels.popular.rates import beta_prior, wilson_lower
from graphrec.contracts.queries import Queries
from graphrec.contracts.recall_data import RecallData
from graphrec.contracts.recaller import Recaller
from graphrec.data.attributes import Attributes, Labels
from graphrec.data.exposures import Exposures
from graphrec.data.lists import empty_lists, item_lists
from graphrec.data.vocabulary import Vocabulary
from graphrec.errors import ConfigError
from tests.oracles.popular import counts_of_exposures, decayed_sums, hot_of_segment
from tests.oracles.sparse import Dense
from tests.worlds import checkerboard, described, library, skewed

WORLDS = pytest.mark.parametrize("world", [checkerboard, skewed, library])


def from_country(*countries: str | None) -> Queries:
    return Queries([-1] * len(countries), empty_lists(len(countries)), {"country": countries})


def assert_scores(recaller: Recaller, query: Queries, expected: Dense, among: Any) -> None:
    """Check that the one list holds ``among`` in order of ``expected``, with these scores."""
    items, scores = recaller.recall(query, len(expected))[0]
    assert sorted(items.tolist()) == sorted(np.flatnonzero(among).tolist())
    np.testing.assert_allclose(scores, expected[items], rtol=1e-4, atol=1e-12)


def members(data: RecallData, code: int) -> list[int]:
    assert data.user_attributes is not None
    return np.flatnonzero(data.user_attributes.label("country").codes == code).tolist()


@WORLDS
@pytest.mark.parametrize("prior", [0.5, 100.0])
def test_hot_of_a_segment_is_its_shares_shrunk_to_everybodys(world: Callable[[], RecallData], prior: float) -> None:
    data = described(world())
    recaller = Hot(half_life_days=40, by_user="country", prior=prior).fit(data)
    for code, country in enumerate(["DE", "FR", "NL"]):
        expected = hot_of_segment(data, 40, prior, members(data, code))
        assert_scores(recaller, from_country(country), expected, data.pool)
    everyone = decayed_sums(data, 40, range(len(data.users)))
    assert_scores(recaller, from_country("Atlantis"), everyone / everyone.sum(), data.pool)
    assert_scores(recaller, from_country(None), everyone / everyone.sum(), data.pool)


def test_a_known_user_is_at_home_unless_the_request_says_otherwise() -> None:
    data = described(skewed())
    recaller = Hot(by_user="country", prior=1.0).fit(data)
    french = members(data, 1)[0]
    homes = recaller.recall(from_country("DE", "FR", None), 45)
    asked = recaller.recall(Queries([french] * 3, empty_lists(3), {"country": [None, "DE", "Atlantis"]}), 45)
    assert (homes[0][0] != homes[1][0]).any()
    for position, home in enumerate((1, 0, 2)):
        np.testing.assert_array_equal(asked[position][0], homes[home][0])
    nowhere = np.flatnonzero(data.user_attributes.label("country").codes == -1)[:1]  # type: ignore[union-attr]
    np.testing.assert_array_equal(recaller.recall(Queries(nowhere, empty_lists(1)), 45)[0][0], homes[2][0])


def test_a_segment_without_events_has_the_list_of_everybody() -> None:
    data = described(skewed())
    codes = np.where(np.arange(len(data.users)) < 57, 0, 1)  # the last three took nothing
    labels = Labels(Vocabulary(["old", "new"]), codes)
    data = replace(data, user_attributes=Attributes(len(data.users), {}, {"age": labels}))
    recaller = Hot(by_user="age").fit(data)
    lists = recaller.recall(Queries([-1, -1], empty_lists(2), {"age": ["new", None]}), 45)
    np.testing.assert_array_equal(lists[0][0], lists[1][0])


@WORLDS
def test_hot_by_category_hands_out_votes_by_share(world: Callable[[], RecallData]) -> None:
    data = described(world())
    recaller = Hot(half_life_days=40, by_item="colour").fit(data)
    sums = decayed_sums(data, 40, range(len(data.users))) * data.pool
    n = len(data.items)
    shares = np.array([sums[i] / max(sums[i % 2 :: 2].sum(), 1e-300) for i in range(n)])
    query = Queries([-1], item_lists([[1, 3, 4]]))
    expected = shares * np.where(np.arange(n) % 2 == 1, 2.0, 1.0)
    assert_scores(recaller, query, expected, expected > 0)


@WORLDS
def test_high_efficiency_is_the_quantile_of_the_posterior(world: Callable[[], RecallData]) -> None:
    data = described(world())
    shown, converted, _ = counts_of_exposures(data)
    a, b = beta_prior(converted, shown)
    expected = np.asarray(beta.ppf(0.3, converted + a, shown - converted + b))
    recaller = HighEfficiency(confidence=0.7).fit(data)
    assert_scores(recaller, from_country(None), expected, data.pool & (shown > 0))
    wilson = HighEfficiency(bound="wilson", confidence=0.9).fit(data)
    assert_scores(wilson, from_country(None), wilson_lower(converted, shown, 0.9), data.pool & (shown > 0))


@WORLDS
def test_revenue_is_rate_times_smoothed_value(world: Callable[[], RecallData]) -> None:
    data = described(world())
    shown, converted, brought = counts_of_exposures(data)
    rate = wilson_lower(converted, shown, 0.8)
    mean = brought.sum() / converted.sum()
    expected = 1000 * rate * (brought + 4 * mean) / (converted + 4)
    recaller = HighEfficiency(bound="wilson", value=True, value_prior=4.0).fit(data)
    assert_scores(recaller, from_country(None), expected, data.pool & (shown > 0))


@WORLDS
def test_a_segments_rates_are_lifted_by_found_to_expected(world: Callable[[], RecallData]) -> None:
    data = described(world())
    shown, converted, _ = counts_of_exposures(data)
    a, b = beta_prior(converted, shown)
    score, rate = np.asarray(beta.ppf(0.2, converted + a, shown - converted + b)), (converted + a) / (shown + a + b)
    recaller = HighEfficiency(by_user="country", prior=3.0).fit(data)
    for code, country in enumerate(["DE", "FR", "NL"]):
        n, x, _ = counts_of_exposures(data, members(data, code))
        ratio = x.sum() / (n * rate).sum()
        lift = np.where(n > 0, (x + 3) / (ratio * n * rate + 3), 1.0)
        assert_scores(recaller, from_country(country), score * lift, data.pool & (shown > 0))
    assert_scores(recaller, from_country("Atlantis"), score, data.pool & (shown > 0))


def test_old_exposures_count_less() -> None:
    data = described(skewed())
    times = np.repeat([0, 20 * 86_400], 10)
    converted = np.array([1] * 8 + [0] * 2 + [0] * 8 + [1] * 2, dtype=np.bool_)
    shown = Exposures([-1] * 20, [0] * 20, converted, None, times, n_users=len(data.users), n_items=len(data.items))
    data = replace(data, exposures=shown)
    plain = HighEfficiency(bound="wilson", confidence=0.5).fit(data).recall(from_country(None), 1)
    fading = HighEfficiency(bound="wilson", confidence=0.5, half_life_days=10).fit(data)
    assert plain[0][1] == pytest.approx([0.5])
    # Two half-lives: the older ten count a quarter each.
    assert fading.recall(from_country(None), 1)[0][1] == pytest.approx([(8 / 4 + 2) / (10 / 4 + 10)])


def test_a_lucky_first_click_does_not_lead() -> None:
    data = described(skewed())
    rates = np.linspace(0.02, 0.2, 30)
    clicks = [np.arange(100) < round(100 * rate) for rate in rates]
    items, converted = np.append(np.repeat(np.arange(1, 31), 100), 0), np.append(np.concatenate(clicks), True)
    shown = Exposures([-1] * 3001, items, converted, n_users=len(data.users), n_items=len(data.items))
    data = replace(data, exposures=shown)
    found = HighEfficiency().fit(data).recall(from_country(None), 50)[0][0].tolist()
    assert found[0] == 30
    assert found.index(0) > 10
    often = HighEfficiency(bound="wilson", min_exposures=2).fit(data)
    assert 0 not in often.recall(from_country(None), 50)[0][0].tolist()


def test_no_conversion_at_all_is_no_error() -> None:
    data = described(skewed())
    shown = Exposures([-1] * 3, [0, 0, 1], [False] * 3, [0, 0, 0], n_users=len(data.users), n_items=len(data.items))
    for recipe in (HighEfficiency(), HighEfficiency(bound="wilson", value=True), HighEfficiency(by_user="country")):
        items, scores = recipe.fit(replace(data, exposures=shown)).recall(from_country("DE"), 5)[0]
        assert sorted(items.tolist()) == [0, 1]
        assert np.isfinite(scores).all()


@pytest.mark.parametrize(
    ("recipe", "words"),
    [
        (HighEfficiency(), "learns from exposures, and the data has none"),
        (Hot(by_user="country"), "by_user = 'country' needs labels of users"),
        (Hot(by_item="colour"), "by_item = 'colour' needs labels of items"),
    ],
)
def test_what_the_data_lacks_is_named(recipe: Any, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        recipe.fit(skewed())


@pytest.mark.parametrize(
    ("recipe", "words"),
    [
        (Hot(by_user="contry"), "nearest: 'country'"),
        (Hot(by_item="color"), "nearest: 'colour'"),
        (HighEfficiency(by_user="contry"), "nearest: 'country'"),
        (HighEfficiency(value=True), "value = true needs the value of exposures"),
        (HighEfficiency(half_life_days=3), "needs the times of exposures"),
    ],
)
def test_labels_and_columns_that_are_not_there_are_named(recipe: Any, words: str) -> None:
    data = described(skewed())
    shown = data.exposures
    assert shown is not None
    bare = Exposures(shown.users, shown.items, shown.converted, n_users=shown.n_users, n_items=shown.n_items)
    with pytest.raises(ConfigError, match=words):
        recipe.fit(replace(data, exposures=bare))


@pytest.mark.parametrize(
    ("made", "settings", "words"),
    [
        (Hot, {"prior": 0.0}, "prior"),
        (Hot, {"half_life_days": -1.0}, "half_life_days"),
        (Hot, {"list_length": -1}, "list_length"),
        (Hot, {"by_user": "a", "by_item": "b"}, "give one of them"),
        (HighEfficiency, {"bound": "wilsn"}, "legal are 'posterior', 'wilson'"),
        (HighEfficiency, {"confidence": 1.0}, "confidence"),
        (HighEfficiency, {"confidence": 0.2}, "confidence is 0.2; it must be a number of 0.5 or more"),
        (HighEfficiency, {"min_exposures": 0}, "min_exposures"),
        (HighEfficiency, {"value": 1}, "true or false"),
        (HighEfficiency, {"value_prior": 0.0}, "value_prior"),
        (HighEfficiency, {"by_user": "a", "by_item": "b"}, "give one of them"),
    ],
)
def test_illegal_settings_are_refused(made: Any, settings: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        made(**settings)
