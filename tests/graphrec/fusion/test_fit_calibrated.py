from __future__ import annotations

import json

import numpy as np
import pytest

from graphrec.data.lists import ItemLists, empty_lists, item_lists
from graphrec.errors import ConfigError, DataError
from graphrec.evaluation.metrics import rank_metrics
from graphrec.fusion.calibrated import Calibrated
from graphrec.fusion.fit_calibrated import FittedCalibrated, Method, fit_calibrated
from graphrec.fusion.heads import head_shares
from graphrec.fusion.stacked import stack
from tests.oracles.fusion import calibrated_rate


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
    stacked = stack({"good": lists["good"]})
    (shares, _), ranks = head_shares(stacked), stacked.ranks()
    rates = np.array([calibrated_rate(curve, share, rank) for share, rank in zip(shares, ranks, strict=True)])
    assert rates[ranks == 1].mean() == pytest.approx(1.0, abs=0.02)
    assert rates[ranks > 10].mean() < 0.05
    assert (np.diff(curve.rates) >= 0).all()


@pytest.mark.parametrize("method", ["isotonic", "logistic"])
def test_the_same_seed_gives_the_same_fusion_and_json_keeps_it(method: Method) -> None:
    lists, truth = _world(80)
    fusion = fit_calibrated(lists, truth, cutoffs=(5,), seed=4, method=method)
    assert fusion == fit_calibrated(lists, truth, cutoffs=(5,), seed=4, method=method)
    settings = json.loads(json.dumps(fusion.to_dict()))
    assert settings.pop("kind") == "calibrated"
    assert Calibrated(**settings) == fusion


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
