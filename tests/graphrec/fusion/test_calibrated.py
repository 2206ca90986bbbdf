from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphrec.data.lists import ItemLists, empty_lists, item_lists
from graphrec.errors import ConfigError, DataError
from graphrec.evaluation.metrics import rank_metrics
from graphrec.fusion.calibrated import Calibrated, Curve, FittedCalibrated, Method, fit_calibrated, shares_and_ranks
from graphrec.fusion.stacked import stack
from tests.oracles.fusion import calibrated_rate

RISING = Curve((0.0, 1.0), (0.0, 0.5))


def _world(n: int = 300, *, seed: int = 0) -> tuple[dict[str, ItemLists], ItemLists]:
    """Return a channel whose high scores are hits, one whose scores mean nothing, and the truth."""
    rng = np.random.default_rng(seed)
    good, noise, truth = [], [], []
    good_scores, noise_scores = [], []
    for _ in range(n):
        liked = rng.choice(200, size=4, replace=False)
        others = np.setdiff1d(rng.choice(200, size=40, replace=False), liked)[:30]
        found = liked[:3]
        good.append(np.concatenate([found, others]).tolist())
        good_scores.append([5.0, 4.0, 3.0, *np.linspace(1.0, 0.1, len(others)).tolist()])
        noise.append(rng.permutation(200)[:40].tolist())
        noise_scores.append(np.linspace(90.0, 10.0, 40).tolist())
        truth.append(liked.tolist())
    lists = {"noise": item_lists(noise, noise_scores), "good": item_lists(good, good_scores)}
    return lists, item_lists(truth)


def _oracle(fusion: Calibrated, lists: dict[str, ItemLists], query: int, k: int) -> list[tuple[int, float]]:
    sums: dict[int, float] = {}
    for name, part in lists.items():
        items, scores = part[query]
        head = sum(max(float(score), 0.0) for score in scores[:100])
        for position, (item, score) in enumerate(zip(items.tolist(), scores.tolist(), strict=True)):
            share = max(score, 0.0) / head if head > 0 else 0.0
            rate = max(calibrated_rate(fusion.curves[name], share, position + 1.0), 1e-9)
            rate *= 1 + 1e-6 * (10_000 - (position + 1))
            sums[item] = sums.get(item, 0.0) + fusion.weights.get(name, 1.0) * rate
    best = sorted(sums.items(), key=lambda pair: (-np.float32(pair[1]), pair[0]))
    return [(item, score) for item, score in best if score > 0][:k]


@pytest.mark.parametrize(
    "curves",
    [
        {"a": RISING, "b": Curve((0.01, 0.2, 0.3), (0.1, 0.1, 0.9))},
        {"a": Curve((), (), -1.0, 0.7, -0.3), "b": RISING},
    ],
)
def test_it_adds_weighted_rates(curves: dict[str, Curve]) -> None:
    rng = np.random.default_rng(3)
    lists = {
        name: item_lists(
            [rng.permutation(50)[:size].tolist() for size in (20, 0, 7)],
            [np.sort(rng.normal(size=size))[::-1].tolist() for size in (20, 0, 7)],
        )
        for name in ("a", "b")
    }
    fusion = Calibrated(curves, {"a": 0.5, "b": 2.0})
    merged = fusion.merge(lists, 9)
    for query in range(3):
        expected = _oracle(fusion, lists, query, 9)
        items, scores = merged.lists[query]
        assert items.tolist() == [item for item, _ in expected]
        np.testing.assert_allclose(scores, [score for _, score in expected], rtol=1e-5)


def test_shares_sum_to_one_over_the_head() -> None:
    lists = {"a": item_lists([[3, 1], [], [2, 0, 1]], [[3.0, 1.0], [], [2.0, -1.0, -4.0]])}
    shares, ranks = shares_and_ranks(stack(lists))
    assert shares.tolist() == [0.75, 0.25, 1.0, 0.0, 0.0]
    assert ranks.tolist() == [1, 2, 1, 2, 3]


@pytest.mark.parametrize("method", ["isotonic", "logistic"])
def test_fitting_finds_the_channel_whose_scores_mean_something(method: Method) -> None:
    lists, truth = _world()
    fusion = fit_calibrated(lists, truth, cutoffs=(5,), seed=0, method=method)
    held_lists, held_truth = _world(seed=9)
    fused = rank_metrics(fusion.merge(held_lists, 5).lists, held_truth, 5).recall.mean()
    best = rank_metrics(held_lists["good"], held_truth, 5).recall.mean()
    top = {name: calibrated_rate(fusion.curves[name], 0.1, 1.0) for name in lists}
    assert top["good"] > 5 * top["noise"]
    assert fused >= best - 0.01
    assert best > 0.7


def test_a_curve_tells_the_rate_of_hits() -> None:
    lists, truth = _world(2000)
    curve = fit_calibrated({"good": lists["good"]}, truth, cutoffs=(5,), seed=0, max_users=2000).curves["good"]
    shares, ranks = shares_and_ranks(stack({"good": lists["good"]}))
    rates = np.array([calibrated_rate(curve, share, rank) for share, rank in zip(shares, ranks, strict=True)])
    assert rates[ranks == 1].mean() == pytest.approx(1.0, abs=0.02)
    assert rates[ranks > 10].mean() < 0.05
    assert (np.diff(curve.rates) >= 0).all()


@pytest.mark.parametrize("method", ["isotonic", "logistic"])
def test_the_same_seed_gives_the_same_fusion_and_json_keeps_it(method: Method) -> None:
    lists, truth = _world(80)
    fusion = fit_calibrated(lists, truth, cutoffs=(5,), seed=4, method=method)
    assert fusion == fit_calibrated(lists, truth, cutoffs=(5,), seed=4, method=method)
    told = json.loads(json.dumps(fusion.to_dict()))
    assert told.pop("kind") == "calibrated"
    assert Calibrated(**told) == fusion


def test_a_channel_without_a_curve_or_a_list_is_passed_over() -> None:
    fusion = Calibrated({"a": RISING, "late": RISING})
    merged = fusion.merge({"a": item_lists([[1, 2]], [[2.0, 1.0]]), "new": item_lists([[7]])}, 5)
    assert merged.lists.items.tolist() == [1, 2]
    alone = fusion.merge({"new": item_lists([[7, 3]], [[1.0, 4.0]])}, 5)
    assert alone.lists.items.tolist() == [3, 7]
    assert len(fusion.merge({"a": empty_lists(3)}, 5)) == 3


def test_an_entry_that_was_never_a_hit_still_comes_back_last() -> None:
    fusion = Calibrated({"a": Curve((0.1, 0.9), (0.0, 0.5)), "b": RISING})
    merged = fusion.merge({"a": item_lists([[4, 2, 9]], [[8.0, 0.4, 0.2]]), "b": item_lists([[1]])}, 5)
    assert sorted(merged.lists.items.tolist()[:2]) == [1, 4]
    assert merged.lists.items.tolist()[2:] == [2, 9]


def test_a_channel_without_hits_gets_no_curve() -> None:
    lists, truth = _world(50)
    lists["empty"] = empty_lists(50)
    assert set(fit_calibrated(lists, truth, cutoffs=(5,), seed=0).curves) == {"noise", "good"}


def test_nothing_to_learn_from_is_said() -> None:
    with pytest.raises(DataError, match="no user has a held-out item"):
        fit_calibrated({"a": item_lists([[1]])}, empty_lists(1), cutoffs=(5,), seed=0)
    with pytest.raises(DataError, match="no channel has a single hit"):
        fit_calibrated({"a": item_lists([[1]])}, item_lists([[2]]), cutoffs=(5,), seed=0)
    with pytest.raises(ConfigError, match="legal: isotonic, logistic"):
        fit_calibrated({"a": item_lists([[1]])}, item_lists([[1]]), cutoffs=(5,), seed=0, method="platt")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="give one K at least"):
        fit_calibrated({"a": item_lists([[1]])}, item_lists([[1]]), cutoffs=(), seed=0)
    with pytest.raises(ConfigError, match="a cut-off is 0"):
        FittedCalibrated(cutoffs=(20, 0))


def test_illegal_settings_are_said() -> None:
    with pytest.raises(ConfigError, match="no curve"):
        Calibrated({})
    with pytest.raises(ConfigError, match="must rise"):
        Curve((0.2, 0.1), (0.0, 1.0))
    with pytest.raises(ConfigError, match="2 shares and 1 rates"):
        Curve((0.1, 0.2), (0.0,))
    with pytest.raises(ConfigError, match="a weight is a number of 0 or more"):
        Calibrated({"a": RISING}, {"a": -1.0})
    with pytest.raises(ConfigError, match="nearest"):
        Calibrated({"item-cf": RISING}, {"item-fc": 1.0})


@given(st.lists(st.lists(st.integers(0, 30), unique=True, max_size=12), min_size=1, max_size=4), st.integers(1, 20))
def test_one_channel_keeps_its_order(rows: list[list[int]], k: int) -> None:
    lists = item_lists(rows, [np.arange(len(row), 0, -1).tolist() for row in rows])
    merged = Calibrated({"a": Curve((0.0, 1.0), (0.01, 0.9))}).merge({"a": lists}, k)
    for query, row in enumerate(rows):
        assert merged.query(query).lists.items.tolist() == row[:k]
