"""Draws are functions of the trials and a seed, and better than chance."""

from __future__ import annotations

import numpy as np

from graphrec.contracts.domains import Choices, Domain, Range
from graphrec.pipelines.tuning.sampler import draw, importances
from graphrec.pipelines.tuning.trial_log import Trial

SPACE: dict[str, Domain] = {
    "k": Range(1, 1000, whole=True, log=True),
    "power": Range(0.0, 1.0),
    "on": Choices((True, False)),
    "step": Range(0.0, 0.9, step=0.3),
}


def value(drawn: dict[str, float]) -> float:
    """Best at power 0.3 and the second choice; k and step do nothing."""
    return float(drawn["on"] - 3 * abs(drawn["power"] - 0.3))


def search(n: int, seed: int = 0, channel: str = "a", begun: list[Trial] | None = None) -> list[Trial]:
    trials = list(begun or [])
    while len(trials) < n:
        drawn = draw(SPACE, trials, seed=seed, channel=channel)
        # One in seven fails.
        trials.append(Trial(len(trials), drawn, None if len(trials) % 7 == 6 else value(drawn)))
    return trials


def test_a_search_that_goes_on_is_the_one_that_was_never_stopped() -> None:
    whole = search(20)
    assert search(20, begun=search(13)) == whole
    assert search(20, seed=1) != whole
    assert search(20, channel="b") != whole


def test_draws_lie_in_their_domains() -> None:
    for trial in search(20):
        assert trial.drawn is not None
        assert set(trial.drawn) == set(SPACE)
        assert 1 <= trial.drawn["k"] <= 1000
        assert isinstance(trial.drawn["k"], int)
        assert trial.drawn["on"] in (0, 1)
        assert SPACE["step"].drawn(SPACE["step"].value(trial.drawn["step"])) is not None


def test_later_draws_are_better_than_the_first() -> None:
    values = [trial.value for trial in search(40) if trial.value is not None]
    assert np.mean(values[-15:]) > np.mean(values[:10]) + 0.3


def test_trials_outside_the_space_teach_nothing() -> None:
    assert draw(SPACE, [Trial(0, None, 0.5)], seed=0, channel="a") == search(2, begun=[Trial(0, None, 0.5)])[1].drawn


def test_importances_find_what_mattered() -> None:
    shares = importances(SPACE, search(40))
    assert set(list(shares)[:2]) == {"on", "power"}
    assert all(0 <= share <= 1 for share in shares.values())
    assert importances(SPACE, search(4)) == {}
    same = [Trial(trial.number, trial.drawn, 0.5) for trial in search(12)]
    assert importances(SPACE, same) == {}
