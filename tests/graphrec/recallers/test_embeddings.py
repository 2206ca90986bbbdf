"""The vectors of fitted channels by id."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from graphrec.channels.behaviour.als import Als
from graphrec.channels.popular.hot import Hot
from graphrec.contracts.recaller import BundleParts
from graphrec.errors import BundleError, ConfigError, DataError
from graphrec.index.embeddings import EmbeddingTable
from graphrec.models.graph_networks.lightgcn import LightGCN
from graphrec.models.kg_embeddings.kge import Kge
from graphrec.models.node_embeddings.node2vec import Node2Vec
from graphrec.recallers.embeddings import channel_embeddings, item_embeddings, user_embeddings
from graphrec.recallers.entity_vectors import EntityVectors, load_entities, save_entities
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


@pytest.mark.parametrize(
    "recipe",
    [Node2Vec(dim=4, walks_per_node=2), Node2Vec(dim=4, walks_per_node=2, query="user"), Kge(dim=4, epochs=1)],
    ids=repr,
)
def test_a_saved_channel_keeps_the_vectors_of_entities(recipe: Any, tmp_path: Path) -> None:
    data = skewed()
    channel = recipe.fit(data)
    parts = BundleParts(data.users, data.items, data.catalogue)
    channel.save(tmp_path)
    table = channel_embeddings(type(channel).load(tmp_path, parts), parts)
    learnt = recipe.embed(data, of="entities")  # the same nodes; of Node2Vec's two vectors the first
    kinds = [kind for kind in data.catalogue.adjacency.node_types if kind != "item"]
    own = EmbeddingTable.concat([table.take(table.nodes.of_kind(kind)) for kind in kinds])
    assert (own.ids, own.kinds, own.labels) == (learnt.ids, learnt.kinds, learnt.labels)
    if isinstance(recipe, Node2Vec):
        np.testing.assert_array_equal(own.matrix[:, :4], learnt.matrix)
    assert set(table.of_kind("item").ids) <= set(data.items)


def test_a_channel_of_before_has_no_vectors_of_entities(tmp_path: Path) -> None:
    data = skewed()
    channel = Node2Vec(dim=4, walks_per_node=2).fit(data)
    channel.save(tmp_path)
    settings = json.loads((tmp_path / "recaller.json").read_text())
    assert settings.pop("entities")
    (tmp_path / "recaller.json").write_text(json.dumps(settings))
    parts = BundleParts(data.users, data.items, data.catalogue)
    table = channel_embeddings(type(channel).load(tmp_path, parts), parts)
    assert set(table.kinds or ()) == {"item"}


@pytest.mark.parametrize(
    ("rows", "vectors", "sentence"),
    [
        ([0, 1], 3, "there are 2 entities and 3 vectors"),
        ([1, 1], 2, "must ascend without repetition"),
        ([0, 999], 2, "rows of entities"),
    ],
)
def test_entities_that_do_not_fit_are_refused(rows: list[int], vectors: int, sentence: str, tmp_path: Path) -> None:
    def saved_and_loaded() -> object:
        entities = EntityVectors(np.array(rows, np.int32), np.ones((vectors, 4), np.float32))
        return load_entities(tmp_path, save_entities(tmp_path, entities), dim=4, n_entities=9)

    with pytest.raises(DataError, match=sentence):
        saved_and_loaded()


def test_vectors_of_another_width_are_refused(tmp_path: Path) -> None:
    settings = save_entities(tmp_path, EntityVectors(np.array([0, 2], np.int32), np.ones((2, 4), np.float32)))
    with pytest.raises(BundleError, match="holds 8 values, not 2 times 5"):
        load_entities(tmp_path, settings, dim=5, n_entities=9)


def test_a_channel_without_such_vectors_is_refused() -> None:
    data = skewed()
    with pytest.raises(ConfigError, match="a RankedRecaller has no vectors; fit a recipe that learns them"):
        item_embeddings(Hot().fit(data), data)
    for recipe in (Als(dim=4), Node2Vec(dim=4, walks_per_node=2)):
        with pytest.raises(ConfigError, match="keeps no vectors of users"):
            user_embeddings(recipe.fit(data), data)
    assert len(user_embeddings(Node2Vec(dim=4, walks_per_node=2, query="user").fit(data), data))
