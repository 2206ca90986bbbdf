from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from graphrec.data.exposures import Exposures
from graphrec.errors import ConfigError, DataError
from graphrec.evaluation.off_policy import policy_value

RATES = np.array([[0.05, 0.3, 0.1, 0.6], [0.2, 0.2, 0.7, 0.1]])
LOGGED = np.array([[0.7, 0.1, 0.1, 0.1], [0.1, 0.2, 0.3, 0.4]])
TARGET = np.array([[0.1, 0.2, 0.3, 0.4], [0.25, 0.25, 0.25, 0.25]])


def log(m: int = 20_000, seed: int = 0) -> tuple[Exposures, np.ndarray[Any, Any]]:
    """Return impressions of a known policy in two contexts, and their contexts."""
    rng = np.random.default_rng(seed)
    contexts = rng.integers(0, 2, m)
    items = np.array([rng.choice(4, p=LOGGED[c]) for c in contexts])
    clicks = rng.random(m) < RATES[contexts, items]
    chances = LOGGED[contexts, items]
    exposures = Exposures(np.full(m, -1), items, clicks, clicks * 2.0, n_users=0, n_items=4, propensities=chances)
    return exposures, contexts


def test_every_estimate_covers_what_the_target_earns() -> None:
    exposures, contexts = log()
    truth = float((TARGET * RATES).sum(axis=1) @ np.bincount(contexts) / len(contexts))
    # A model that is wrong: the estimate is right all the same, for the propensities are.
    value = policy_value(exposures, TARGET, contexts=contexts, model=np.full((2, 4), 0.5), rounds=300)
    assert value.dr is not None
    for interval in (value.ips, value.snips, value.dr):
        assert interval.low < truth < interval.high
        assert interval.high - interval.low < 0.05
    logged = float((LOGGED * RATES).sum(axis=1) @ np.bincount(contexts) / len(contexts))
    assert value.logged.low < logged < value.logged.high
    assert abs(truth - logged) > 0.05
    assert value.mean_weight == pytest.approx(1.0, abs=0.05)
    assert 0 < value.effective < value.n == 20_000


def test_estimates_are_the_formulae() -> None:
    exposures = Exposures(
        [-1] * 4, [0, 1, 1, 0], [1, 0, 1, 0], [3, 0, 1, 0], n_users=0, n_items=2, propensities=[0.5, 0.25, 0.5, 1.0]
    )
    value = policy_value(exposures, [[0.25, 0.75]], model=[[0.5, 1.0]], rounds=10)
    w = np.array([0.5, 3.0, 1.5, 0.25])
    assert value.ips.estimate == pytest.approx((w[0] + w[2]) / 4)
    assert value.snips.estimate == pytest.approx((w[0] + w[2]) / w.sum())
    assert value.dr is not None
    direct, q, r = 0.25 * 0.5 + 0.75 * 1.0, np.array([0.5, 1, 1, 0.5]), np.array([1, 0, 1, 0])
    assert value.dr.estimate == pytest.approx((direct + w * (r - q)).mean())
    assert value.effective == pytest.approx(w.sum() ** 2 / (w**2).sum())
    assert policy_value(exposures, [[0.25, 0.75]], value=True, rounds=10).ips.estimate == pytest.approx(
        (3 * w[0] + w[2]) / 4
    )


def test_the_policy_of_the_log_earns_what_it_earned() -> None:
    exposures, contexts = log(2000)
    value = policy_value(exposures, LOGGED, contexts=contexts, rounds=50)
    assert value.ips.estimate == pytest.approx(value.logged.estimate, rel=1e-5)
    assert value.effective == pytest.approx(value.n, rel=1e-5)


@pytest.mark.parametrize(
    ("changed", "options", "words"),
    [
        ({"propensities": None}, {}, "have no propensities, .*name their column 'propensity'"),
        ({"converted": [0, 0]}, {}, "none of the 2 exposures converted"),
        ({"converted": [1, 1]}, {}, "all of the 2 exposures converted"),
        ({}, {"value": True}, "have no values"),
        ({}, {"policy": [[1.0, 0.0, 0.0]]}, "the policy has probabilities of 3 items; there are 2"),
        ({}, {"policy": [[1.5, -0.5]]}, "the policy holds -0.5"),
        ({}, {"policy": [[np.nan, 1]]}, "the policy holds nan"),
        ({}, {"policy": [[0.5, 0.4]]}, r"of context 0 sum to 0\.9; they must sum to 1"),
        ({}, {"contexts": [0]}, "there are 1 contexts for 2 exposures"),
        ({}, {"contexts": [0, 1]}, r"contexts\[1\] is 1; legal rows are 0 to 0"),
        ({}, {"model": [[1.0]]}, r"the model is of shape \(1, 1\)"),
        ({"items": [0, 0]}, {"policy": [[0, 1]]}, "shows none of the items that were logged"),
    ],
)
def test_what_says_nothing_is_refused(changed: dict[str, Any], options: dict[str, Any], words: str) -> None:
    parts: dict[str, Any] = {"items": [0, 1], "converted": [1, 0], "propensities": [0.5, 0.5]} | changed
    exposures = Exposures([-1, -1], **parts, n_users=0, n_items=2)
    given: dict[str, Any] = {"policy": [[0.5, 0.5]]} | options
    with pytest.raises(DataError, match=words):
        policy_value(exposures, given.pop("policy"), **given)


def test_a_wrong_type_is_named() -> None:
    wrong: Any = None
    with pytest.raises(ConfigError, match="exposures is of type NoneType; legal: Exposures"):
        policy_value(wrong, [[1.0]])
