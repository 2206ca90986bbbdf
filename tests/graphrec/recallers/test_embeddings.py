"""The vectors of fitted channels by id."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from graphrec.channels.behaviour.als import Als
from graphrec.channels.popular.hot import Hot
from graphrec.errors import ConfigError
from graphrec.models.lightgcn import LightGCN
from graphrec.models.node2vec import Node2Vec
from graphrec.recallers.embeddings import item_embeddings, user_embeddings
from tests.worlds import checkerboard, skewed


@pytest.mark.parametrize("recipe", [Als(dim=4), LightGCN(dim=4, steps=5), Node2Vec(dim=4, walks_per_node=2)], ids=repr)
def test_each_vector_is_that_of_its_id(recipe: Any) -> None:
    data = skewed()
    channel = recipe.fit(data)
    table = item_embeddings(channel, data)
    assert table.dim == 4
    for position in (0, len(table) - 1):
        external = data.items[int(channel.rows[position])]
        np.testing.assert_array_equal(table[external], channel.sources[position])


def test_users_without_events_have_no_vector() -> None:
    data = skewed()
    channel = LightGCN(dim=4, steps=5).fit(data)
    table = user_embeddings(channel, data)
    assert 0 < len(table) < len(data.users)
    active = np.unique(data.interactions.users)
    assert list(table.vocabulary) == data.users.take(active)
    assert channel.users is not None
    np.testing.assert_array_equal(table.matrix, channel.users[active])


def test_the_items_of_one_colour_are_nearest_to_each_other() -> None:
    data = checkerboard()
    table = item_embeddings(Als(dim=4).fit(data), data)
    near = table.nearest(data.items[0], k=3)
    assert {data.items.row(found.id) % 2 for found in near} == {0}


def test_a_channel_without_such_vectors_is_refused() -> None:
    data = skewed()
    with pytest.raises(ConfigError, match="a RankedRecaller has no vectors; fit a recipe that learns them"):
        item_embeddings(Hot().fit(data), data)
    for recipe in (Als(dim=4), Node2Vec(dim=4, walks_per_node=2)):
        with pytest.raises(ConfigError, match="keeps no vectors of users"):
            user_embeddings(recipe.fit(data), data)
    assert len(user_embeddings(Node2Vec(dim=4, walks_per_node=2, query="user").fit(data), data))
