"""User-CF beside the vote of the nearest users."""

from __future__ import annotations

import numpy as np
import pytest

from graphrec.channels.behaviour.item_cf import ItemCF
from graphrec.channels.behaviour.rp3beta import RP3beta
from graphrec.channels.behaviour.swing import Swing
from graphrec.channels.behaviour.user_cf import UserCF
from graphrec.contracts.queries import Queries
from graphrec.contracts.recall_data import RecallData
from graphrec.data.interactions import Interactions, histories
from graphrec.data.lists import item_lists
from graphrec.graph.catalogue import items_only
from tests.graphrec.channels.compare import WORLDS, World, assert_ranked_like, profile_of, settings_of
from tests.oracles.behaviour import user_cf_scores
from tests.worlds import checkerboard, vocabulary


@WORLDS
@pytest.mark.parametrize(
    "recipe",
    [
        UserCF(),
        UserCF(neighbours=4),
        UserCF(
            neighbours=7,
            user_exponent=0.0,
            item_exponent=1.0,
            target_exponent=0.4,
            weight_exponent=1.0,
            half_life=3.0,
            last=4,
        ),
        UserCF(neighbours=100, max_users_per_item=5, max_items_per_user=6),
    ],
)
def test_user_cf_is_a_vote_of_the_nearest(world: World, recipe: UserCF) -> None:
    data = world()
    recaller = recipe.fit(data)
    history = histories(data.interactions)
    for user in range(0, len(data.users), 5):
        for asking in (user, -1):
            query = Queries([asking], item_lists([history[user][0]], [history[user][1]]))
            expected = user_cf_scores(data, profile_of(recaller, query), user=asking, **settings_of(recipe))
            if world is not checkerboard or recipe.neighbours == 100:  # ties between users are cut by rounding there
                assert_ranked_like(recaller, query, expected)


def test_a_hub_names_no_more_neighbours_than_its_cap() -> None:
    n = 30_000  # everybody took item 0, every tenth user item 1 or 2 as well
    users = np.concatenate([np.arange(n), np.arange(0, n, 10)]).astype(np.int32)
    items = np.concatenate([np.zeros(n), 1 + np.arange(n // 10) % 2]).astype(np.int32)
    events = Interactions(users, items, n_users=n, n_items=3)
    data = RecallData(vocabulary("u", n), vocabulary("i", 3), events, items_only(vocabulary("i", 3)))
    recaller = UserCF(max_users_per_item=50).fit(data)
    assert np.diff(recaller.tables[0].indptr).tolist() == [50, 50, 50]
    assert recaller.recall(Queries([-1], item_lists([[0, 1]])), 3).lengths[0] > 0
    for recipe in (ItemCF(), RP3beta(), Swing(max_users_per_item=50)):
        assert set(recipe.fit(data).tables[0][1][0].tolist()) == {0}
