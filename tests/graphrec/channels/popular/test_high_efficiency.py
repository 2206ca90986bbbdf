"""High-efficiency beside its slow versions."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import beta

from graphrec.channels.popular.high_efficiency import HighEfficiency
from graphrec.channels.popular.rates import beta_prior, wilson_lower
from graphrec.data.exposures import Exposures
from tests.graphrec.channels.compare import (
    WORLDS,
    World,
    assert_scores,
    from_country,
    members,
)
from tests.oracles.popular import counts_of_exposures
from tests.worlds import described, skewed


@WORLDS
def test_high_efficiency_is_the_quantile_of_the_posterior(world: World) -> None:
    data = described(world())
    shown, converted, _ = counts_of_exposures(data)
    a, b = beta_prior(converted, shown)
    expected = np.asarray(beta.ppf(0.3, converted + a, shown - converted + b))
    recaller = HighEfficiency(confidence=0.7).fit(data)
    assert_scores(recaller, from_country(None), expected, data.pool & (shown > 0))
    wilson = HighEfficiency(bound="wilson", confidence=0.9).fit(data)
    assert_scores(wilson, from_country(None), wilson_lower(converted, shown, 0.9), data.pool & (shown > 0))


@WORLDS
def test_revenue_is_rate_times_smoothed_value(world: World) -> None:
    data = described(world())
    shown, converted, brought = counts_of_exposures(data)
    rate = wilson_lower(converted, shown, 0.8)
    mean = brought.sum() / converted.sum()
    expected = 1000 * rate * (brought + 4 * mean) / (converted + 4)
    recaller = HighEfficiency(bound="wilson", value=True, value_prior=4.0).fit(data)
    assert_scores(recaller, from_country(None), expected, data.pool & (shown > 0))


@WORLDS
def test_a_segments_rates_are_lifted_by_found_to_expected(world: World) -> None:
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
