import numpy as np
import pytest

from graphrec.errors import ConfigError, DataError
from graphrec.evaluation import bootstrap
from graphrec.evaluation.bootstrap import (
    difference_interval,
    mean_interval,
    paired_bootstrap,
    percentile_interval,
    resampled_means,
)


def test_the_interval_is_that_of_theory() -> None:
    values = np.random.default_rng(0).normal(3.0, 2.0, size=4000)
    found = mean_interval(values, rounds=2000, seed=1)
    half = 1.96 * values.std() / np.sqrt(len(values))
    assert found.estimate == pytest.approx(values.mean())
    assert found.low == pytest.approx(values.mean() - half, abs=half / 8)
    assert found.high == pytest.approx(values.mean() + half, abs=half / 8)


def test_it_covers_the_true_mean_as_often_as_it_says() -> None:
    rng = np.random.default_rng(2)
    inside = 0
    for trial in range(200):
        found = mean_interval(rng.normal(size=80), rounds=200, seed=trial)
        inside += found.low <= 0 <= found.high
    assert 0.89 <= inside / 200 <= 0.99


def test_pairing_narrows_the_interval_of_a_difference() -> None:
    rng = np.random.default_rng(3)
    base = rng.random(500)
    better = base + 0.01 + rng.normal(0, 0.01, size=500)
    paired = difference_interval(better, base, seed=0)
    assert 0 < paired.low < paired.estimate < paired.high
    assert paired.high - paired.low < 0.1 * (mean_interval(base).high - mean_interval(base).low)


def test_a_difference_with_oneself_is_nothing() -> None:
    values = np.array([0.0, 1.0, 0.5])
    assert difference_interval(values, values).to_list() == [0.0, 0.0, 0.0]


def test_paired_quantities_have_the_intervals_of_their_differences() -> None:
    rng = np.random.default_rng(6)
    values = {"a": rng.random(60), "b": rng.random(60)}
    values["copy"] = values["a"].copy()
    resamples = paired_bootstrap(values, rounds=200, seed=3)
    alone = mean_interval(values["a"], rounds=200, seed=3)
    assert resamples.interval("a").to_list() == pytest.approx(alone.to_list())
    paired = difference_interval(values["a"], values["b"], rounds=200, seed=3)
    assert resamples.interval("a", minus="b").to_list() == pytest.approx(paired.to_list())
    # Exactly, and no -0.0 either.
    assert [str(end) for end in resamples.interval("a", minus="copy").to_list()] == ["0.0", "0.0", "0.0"]


def test_columns_share_their_resamples() -> None:
    values = np.random.default_rng(4).random((50, 1))
    means = resampled_means(np.hstack([values, values + 1]), rounds=30, seed=9)
    np.testing.assert_allclose(means[:, 1] - means[:, 0], 1.0)


def test_same_seed_same_means_whatever_the_chunk(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(5).random((40, 2))
    whole = resampled_means(values, rounds=25, seed=7)
    monkeypatch.setattr(bootstrap, "_CHUNK", 130)
    np.testing.assert_allclose(resampled_means(values, rounds=25, seed=7), whole, rtol=1e-14)
    assert not np.array_equal(resampled_means(values, rounds=25, seed=8), whole)


def test_users_without_a_value_are_left_out() -> None:
    values = np.array([0.2, np.nan, 0.4])
    assert mean_interval(values).to_list() == mean_interval(values[[0, 2]]).to_list()


def test_bad_arguments() -> None:
    with pytest.raises(DataError, match="no users"):
        mean_interval(np.array([np.nan]))
    with pytest.raises(DataError, match="finite"):
        resampled_means(np.array([[np.inf]]), rounds=5, seed=0)
    with pytest.raises(ConfigError, match="0 rounds"):
        mean_interval(np.ones(3), rounds=0)
    with pytest.raises(ConfigError, match="level"):
        percentile_interval(0.0, np.zeros(3), level=1.0)
    with pytest.raises(DataError, match="same users"):
        difference_interval(np.zeros(3), np.zeros(4))
