"""Mobius: bad cases by a teacher, pairs and vectors weighed by value."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from graphrec.contracts.progress import FitContext
from graphrec.contracts.queries import known_queries
from graphrec.contracts.recall_data import RecallData
from graphrec.data.features import Features
from graphrec.data.interactions import histories
from graphrec.errors import ConfigError, DataError
from graphrec.models.deep.item_worth import item_worth
from graphrec.models.deep.mobius import Mobius
from graphrec.models.deep.mobius_task import MobiusTask
from graphrec.models.deep.two_tower import TwoTower
from graphrec.recallers.vector import VectorRecaller
from tests.worlds import described, skewed

SMALL = Mobius(dim=6, epochs=6, lr=0.05, batch=16, negatives=24, mix={"uniform": 1.0}, index="exact")


def priced(prices: Any) -> RecallData:
    """Return the skewed world with a price a item."""
    data = described(skewed())
    assert data.item_features is not None
    return replace(data, item_features=replace(data.item_features, numbers={"price": np.array(prices, dtype=float)}))


def test_an_item_is_worth_its_part_of_the_median() -> None:
    features = Features(6, {"price": np.array([2.0, 4.0, np.nan, 0.0, 4000.0, 8.0])})
    np.testing.assert_allclose(item_worth(features, "price"), [1 / 3, 2 / 3, 1, 1 / 64, 64, 4 / 3])


@pytest.mark.parametrize(
    ("features", "error", "sentence"),
    [
        (None, ConfigError, "the items have no such column"),
        (Features(2, {"prices": np.ones(2)}), ConfigError, "nearest: 'prices'"),
        (Features(2, {"price": np.array([1.0, -2.0])}), DataError, "item row 1 is -2; .* raise losses to 0"),
        (Features(2, {"price": np.array([0.0, np.nan])}), DataError, "no item has a price above 0"),
    ],
)
def test_values_that_weigh_nothing_are_refused(features: Any, error: type[Exception], sentence: str) -> None:
    with pytest.raises(error, match=sentence):
        item_worth(features, "price")
    data = replace(described(skewed()), item_features=None if features is None else Features(45, {}))
    with pytest.raises(ConfigError, match="no such column"):
        replace(SMALL, value="price", pair_exponent=0.5).fit(data)


def test_scores_are_those_of_the_towers_times_a_power_of_the_worth() -> None:
    data = priced(np.random.default_rng(0).uniform(1, 9, 45))
    plain, weighed = SMALL.fit(data, FitContext(seed=1)), replace(SMALL, value="price").fit(data, FitContext(seed=1))
    assert isinstance(weighed, VectorRecaller)
    worth = item_worth(data.item_features, "price")[weighed.rows] ** 0.1
    np.testing.assert_allclose(weighed.targets, plain.targets * worth[:, None], rtol=1e-3, atol=1e-6)


def test_the_more_value_counts_the_more_valuable_the_answer() -> None:
    data = priced(np.random.default_rng(0).uniform(1, 9, 45))
    queries = known_queries(histories(data.interactions), np.arange(60))
    prices = data.item_features.number("price") if data.item_features is not None else None
    assert prices is not None
    means = []
    for exponent in (0.0, 0.2, 1.0):
        channel = replace(SMALL, value="price", value_exponent=exponent).fit(data, FitContext(seed=1))
        means.append(float(prices[channel.recall(queries, 8).items].mean()))
    assert means[0] < means[1] < means[2]


def test_pairs_count_by_their_worth_and_on_average_as_without() -> None:
    data = priced(np.random.default_rng(0).uniform(1, 9, 45))
    recipe = replace(SMALL, value="price", pair_exponent=1.0)
    task, plain = (which._task(data, FitContext(seed=1)) for which in (recipe, SMALL))
    assert isinstance(task, MobiusTask)
    items = histories(data.interactions).items
    everywhere = np.arange(len(items))
    worth = item_worth(data.item_features, "price")[items]
    counted = task._pair_weights(everywhere)
    assert counted is not None
    np.testing.assert_allclose(counted, worth / worth.mean(), rtol=1e-5)
    assert plain._pair_weights(everywhere) is None


def test_without_value_and_teacher_it_is_the_two_tower() -> None:
    data = described(skewed())
    tower = TwoTower(dim=6, epochs=6, lr=0.05, batch=16, negatives=24, mix=SMALL.mix, index="exact").fit(
        data, FitContext(seed=2)
    )
    np.testing.assert_allclose(SMALL.fit(data, FitContext(seed=2)).targets, tower.targets, rtol=1e-4, atol=1e-6)


def test_bad_cases_are_part_of_the_training() -> None:
    recipe = replace(SMALL, mix={}, hard_starts=0.0, hard_full=0.0)
    task = recipe._task(described(skewed()), FitContext(seed=1))
    own = np.concatenate([batch.examples["own"].ravel() for batch in task.batches(0, np.random.default_rng(0))])
    assert (own >= 0).any()
    assert recipe.kinds == {"all": 1.0, "irrelevant": 0.002}
