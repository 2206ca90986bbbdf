"""Every kind of negatives: never a positive, the same draws from a seed, and mixtures made of settings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphrec.contracts.recall_data import RecallData
from graphrec.errors import ConfigError, DataError
from graphrec.negatives import kinds
from graphrec.negatives.kinds import KINDS, KindSettings, check_mix, make_mixture
from graphrec.negatives.protocol import Negatives, Positives, Refreshed, positive_pairs
from graphrec.negatives.taken import Taken
from tests.graphrec.negatives.draws import assert_no_positive, batch_of, model_of
from tests.worlds import checkerboard, described, skewed

SETTINGS = KindSettings(hard_from=2, hard_to=12, rules=("same colour",), budget=60)
WORLDS = pytest.mark.parametrize("world", [checkerboard, skewed])
EVERY = dict.fromkeys(KINDS, 1.0)


def _mixture(data: RecallData, mix: dict[str, float]) -> Any:
    mixture = make_mixture(mix, data, SETTINGS)
    for part in mixture.parts:
        if isinstance(part.sampler, Refreshed):
            part.sampler.refresh(model_of(data), np.random.default_rng(0))
    return mixture


@WORLDS
@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_draws_and_never_a_positive(world: Callable[[], RecallData], kind: str) -> None:
    data = described(world())
    sampler, positives = _mixture(data, {kind: 1.0}), batch_of(data, np.arange(len(data.users)))
    drawn = sampler.draw(positives, 6, np.random.default_rng(1))
    assert len(drawn.shared) or (drawn.own >= 0).any()
    for seed in range(5):
        assert_no_positive(sampler, positives, Taken(data.interactions), 9, seed)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, 59), max_size=8), st.integers(1, 70), st.integers(0, 99))
def test_a_mixture_of_all_kinds_never_draws_a_positive(users: list[int], n: int, seed: int) -> None:
    data = described(skewed())
    assert_no_positive(_mixture(data, EVERY), batch_of(data, users), Taken(data.interactions), n, seed)


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_seed_draws_the_same(kind: str) -> None:
    data = described(skewed())
    positives = batch_of(data, [0, 3, 9])
    first, again = (_mixture(data, {kind: 1.0}).draw(positives, 20, np.random.default_rng(5)) for _ in range(2))
    np.testing.assert_array_equal(first.shared, again.shared)
    np.testing.assert_array_equal(first.own, again.own)


@pytest.mark.parametrize("kind", ["hard", "active"])
def test_what_follows_the_model_goes_on_from_its_state(kind: str) -> None:
    data = described(skewed())
    before: Any
    after: Any
    before, after = _mixture(data, {kind: 1.0}), make_mixture({kind: 1.0}, data, SETTINGS)
    positives = batch_of(data, np.arange(30))
    assert (after.draw(positives, 5, np.random.default_rng(2)).own == -1).all()
    shapes = {name: array.shape for name, array in after.parts[0].sampler.state().items()}
    assert shapes == {name: array.shape for name, array in before.parts[0].sampler.state().items()}
    after.parts[0].sampler.put(before.parts[0].sampler.state())
    left, right = (sampler.draw(positives, 5, np.random.default_rng(2)).own for sampler in (before, after))
    np.testing.assert_array_equal(left, right)


@pytest.mark.parametrize(
    ("mix", "rules", "problem"),
    [
        ({"in-bath": 1.0}, (), r"mix names 'in-bath'; the kinds of negatives are all, in-batch, .*nearest: 'in-batch'"),
        ({}, (), "without negatives nothing is learnt"),
        ({"uniform": 0.0}, (), "without negatives nothing is learnt"),
        ({"rule": 1.0}, (), "mix has the kind 'rule' and rules is empty"),
        ({"uniform": 1.0}, ("same colour",), "there are rules, and mix lacks 'rule'"),
    ],
)
def test_a_mix_that_says_nothing_is_refused(mix: dict[str, float], rules: tuple[str, ...], problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        check_mix(mix, rules)


def test_all_of_a_large_pool_are_drawn_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    data, rng = skewed(), np.random.default_rng(1)
    positives = batch_of(data, [0, 1])
    whole = make_mixture({"all": 1.0}, data, SETTINGS).draw(positives, 5, rng)
    monkeypatch.setattr(kinds, "MOST", np.count_nonzero(data.pool) - 1)
    drawn = make_mixture({"all": 1.0}, data, SETTINGS).draw(positives, 5, rng)
    assert len(whole.shared) == np.count_nonzero(data.pool)
    assert len(drawn.shared) == 5


@pytest.mark.parametrize("kind", ["all", "uniform", "popular"])
def test_an_empty_pool_is_refused(kind: str) -> None:
    data = replace(skewed(), pool=np.zeros(45, dtype=np.bool_))
    with pytest.raises(DataError, match="the pool is empty"):
        make_mixture({kind: 1.0}, data, SETTINGS)


def test_a_batch_of_one_user_has_no_negatives_in_it() -> None:
    data = skewed()
    negatives = make_mixture({"in-batch": 1.0}, data, SETTINGS).draw(batch_of(data, [4]), 50, np.random.default_rng(0))
    assert sorted(set(negatives.masked[1].tolist())) == list(range(len(negatives.shared)))


def test_parts_of_other_shapes_are_refused() -> None:
    with pytest.raises(DataError, match="indptr has 2 entries; it must have 3"):
        Positives([1, 2], [0, 1], [3])
    with pytest.raises(DataError, match=r"own negatives \(1, 2\) and their log_q \(1, 2\) must both be \(3, r\)"):
        Negatives(own=(np.zeros((1, 2), np.int64), np.zeros((1, 2))), n_users=3)
    assert positive_pairs([1, 2], [5, 6]).owners.tolist() == [0, 1]
