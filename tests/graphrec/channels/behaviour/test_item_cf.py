"""Item-CF beside the sum over shared users, pair by pair."""

from __future__ import annotations

import numpy as np
import pytest

from graphrec.channels.behaviour.item_cf import ItemCF
from graphrec.errors import ConfigError
from tests.graphrec.channels.compare import (
    WORLDS,
    World,
    assert_table,
    settings_of,
)
from tests.oracles.behaviour import item_cf_table
from tests.worlds import checkerboard, library, skewed


@WORLDS
@pytest.mark.parametrize(
    "recipe",
    [
        ItemCF(),
        ItemCF(k=100, user_exponent=0.0, item_exponent=0.5, normalise=False),
        ItemCF(k=100, user_exponent=1.0, item_exponent=0.2, shrinkage=2.0, weight_exponent=1.0),
        ItemCF(weighting="tfidf", user_exponent=0.0, max_items_per_user=4),
        ItemCF(weighting="bm25", weight_exponent=1.0, item_exponent=0.0, bm25_k1=3.0, bm25_b=0.3),
        ItemCF(similarity="jaccard", normalise=False, shrinkage=3.0, max_items_per_user=5),
        ItemCF(similarity="dice", weight_exponent=0.5, user_exponent=1.0, shrinkage=1.0, normalise=False),
    ],
)
def test_item_cf_is_the_sum_over_shared_users(world: World, recipe: ItemCF) -> None:
    data = world()
    assert_table(recipe.fit(data), item_cf_table(data, **settings_of(recipe)))


@pytest.mark.parametrize("world", [skewed, library])
@pytest.mark.parametrize(
    "recipe",
    [
        ItemCF(pair_half_life_days=20.0, normalise=False),
        ItemCF(pair_half_life_days=300.0, similarity="jaccard", shrinkage=1.0, weight_exponent=1.0),
        ItemCF(pair_half_life_days=2.0, similarity="dice", weighting="tfidf", max_items_per_user=6, normalise=False),
    ],
)
def test_item_cf_counts_pairs_of_events_less_when_they_lie_apart(world: World, recipe: ItemCF) -> None:
    data = world()
    table, dense = recipe.fit(data).tables[0], item_cf_table(data, **settings_of(recipe))
    for row, expected in enumerate(dense):
        columns, scores = table[row]
        np.testing.assert_allclose(scores, expected[columns], rtol=1e-4, atol=1e-6)
        assert len(columns) >= np.count_nonzero(expected > 1e-6)


def test_time_decay_without_times_is_said_in_one_sentence() -> None:
    with pytest.raises(ConfigError, match=r"pair_half_life_days is 7.0, and these interactions have no times; set it"):
        ItemCF(pair_half_life_days=7.0).fit(checkerboard())
