"""RP3beta beside the sum over its walks."""

from __future__ import annotations

import pytest

from graphrec.channels.behaviour.rp3beta import RP3beta
from tests.graphrec.channels.compare import (
    WORLDS,
    World,
    assert_table,
    settings_of,
)
from tests.oracles.behaviour import rp3beta_table


@WORLDS
@pytest.mark.parametrize(
    "recipe",
    [
        RP3beta(),
        RP3beta(k=1000, alpha=1.0, beta=0.0, normalise=False),
        RP3beta(k=1000, alpha=0.8, beta=0.6, weight_exponent=1.0),
        RP3beta(max_items_per_user=3),
    ],
)
def test_rp3beta_is_the_sum_over_walks(world: World, recipe: RP3beta) -> None:
    data = world()
    assert_table(recipe.fit(data), rp3beta_table(data, **settings_of(recipe)))
