"""Rates and their bounds beside numbers worked out otherwise."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import beta

from graphrec.channels.popular.rates import beta_prior, posterior_lower, posterior_mean, wilson_lower


def test_wilson_is_where_the_score_test_just_rejects() -> None:
    successes, trials = np.array([1.0, 5.0, 50.0]), np.array([10.0, 10.0, 1000.0])
    lower = wilson_lower(successes, trials, 0.975)
    # Known values of the interval at 95 % for 1/10 and 5/10.
    np.testing.assert_allclose(lower[:2], [0.01787621, 0.23659309], rtol=1e-6)
    z = (successes / trials - lower) / np.sqrt(lower * (1 - lower) / trials)
    np.testing.assert_allclose(z, 1.959964, rtol=1e-6)


def test_wilson_of_no_trials_and_no_successes_is_zero() -> None:
    assert wilson_lower(np.array([0.0, 0.0]), np.array([0.0, 7.0]), 0.9).tolist() == [0.0, pytest.approx(0.0)]


def test_confidence_of_a_half_is_the_rate_or_the_median() -> None:
    successes, trials = np.array([3.0, 0.0]), np.array([12.0, 4.0])
    np.testing.assert_allclose(wilson_lower(successes, trials, 0.5), [0.25, 0.0])
    median = posterior_lower(successes, trials, (2.0, 5.0), 0.5)
    np.testing.assert_allclose(median, beta.ppf(0.5, [5.0, 2.0], [14.0, 9.0]))


def test_posterior_bound_is_the_quantile_and_the_mean_is_shrunk() -> None:
    successes, trials = np.array([3.0, 30.0]), np.array([10.0, 100.0])
    bound = posterior_lower(successes, trials, (1.0, 9.0), 0.9)
    np.testing.assert_allclose(bound, beta.ppf(0.1, [4.0, 31.0], [16.0, 79.0]))
    mean = posterior_mean(successes, trials, (1.0, 9.0))
    np.testing.assert_allclose(mean, [4 / 20, 31 / 110])
    assert (bound < mean).all()


def test_more_confidence_never_raises_a_bound() -> None:
    successes, trials = np.arange(20.0), np.full(20, 25.0)
    for bound in (wilson_lower, lambda x, n, c: posterior_lower(x, n, (2.0, 3.0), c)):
        assert (bound(successes, trials, 0.95) <= bound(successes, trials, 0.7)).all()


@pytest.mark.parametrize(("a", "b"), [(2.0, 30.0), (5.0, 5.0), (0.5, 20.0)])
def test_moments_find_the_prior_that_made_the_counts(a: float, b: float) -> None:
    rng = np.random.default_rng(1)
    trials = rng.integers(1, 400, 6000).astype(np.float64)
    successes = rng.binomial(trials.astype(int), rng.beta(a, b, 6000)).astype(np.float64)
    found_a, found_b = beta_prior(successes, trials)
    assert found_a / (found_a + found_b) == pytest.approx(a / (a + b), rel=0.05)
    assert found_a + found_b == pytest.approx(a + b, rel=0.15)


def test_moments_allow_for_few_trials_a_row() -> None:
    rng = np.random.default_rng(4)
    trials = rng.integers(1, 4, 60_000).astype(np.float64)
    successes = rng.binomial(trials.astype(int), rng.beta(2.0, 3.0, 60_000)).astype(np.float64)
    a, b = beta_prior(successes, trials)
    assert a == pytest.approx(2.0, rel=0.1)
    assert b == pytest.approx(3.0, rel=0.1)


def test_rows_that_differ_by_chance_only_get_a_strong_prior() -> None:
    trials = np.full(500, 40.0)
    successes = np.random.default_rng(0).binomial(40, 0.2, 500).astype(np.float64)
    a, b = beta_prior(successes, trials)
    assert a + b > 500
    assert a / (a + b) == pytest.approx(0.2, abs=0.01)


@pytest.mark.parametrize(
    ("successes", "trials"),
    [
        ([], []),
        ([0.0], [0.0]),
        ([3.0], [3.0]),
        ([0.0, 0.0], [4.0, 9.0]),
        ([4.0, 9.0], [4.0, 9.0]),
        ([0.0, 1.0], [0, 1]),
    ],
)
def test_little_or_uniform_evidence_gives_a_legal_prior(successes: list[float], trials: list[float]) -> None:
    a, b = beta_prior(np.array(successes, dtype=np.float64), np.array(trials, dtype=np.float64))
    assert 0 < a < np.inf
    assert 0 < b < np.inf
