"""What every recipe keeps: the pool, its best k, worlds without events."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from graphrec.channels.behaviour.als import Als
from graphrec.channels.behaviour.bspm import Bspm
from graphrec.channels.behaviour.cheby_cf import ChebyCf
from graphrec.channels.behaviour.ease import Ease
from graphrec.channels.behaviour.gf_cf import GfCf
from graphrec.channels.behaviour.item_cf import ItemCF
from graphrec.channels.behaviour.rp3beta import RP3beta
from graphrec.channels.behaviour.swing import Swing
from graphrec.channels.behaviour.turbo_cf import TurboCf
from graphrec.channels.behaviour.user_cf import UserCF
from graphrec.channels.content.kg_neighbours import KgNeighbours
from graphrec.channels.content.kg_paths import KgPaths
from graphrec.channels.content.pixie import Pixie
from graphrec.channels.content.preference_walk import PreferenceWalk
from graphrec.channels.content.tag import Tag
from graphrec.channels.popular.hot import Hot
from graphrec.contracts.progress import FitContext
from graphrec.contracts.queries import Queries, known_queries
from graphrec.contracts.recall_data import RecallData
from graphrec.data.interactions import Interactions, histories
from graphrec.data.lists import item_lists
from graphrec.errors import DataError
from graphrec.models.deep.esam import ESAM
from graphrec.models.deep.mobius import Mobius
from graphrec.models.deep.sasrec import SASRec
from graphrec.models.deep.tdm import TDM
from graphrec.models.deep.two_tower import TwoTower
from graphrec.models.graph_networks.lightgcn import LightGCN
from graphrec.models.node_embeddings.entity2rec import Entity2Rec
from graphrec.models.node_embeddings.node2vec import Node2Vec
from tests.close import assert_same_lists
from tests.graphrec.channels.compare import (
    settings_of,
)
from tests.oracles.behaviour import item_cf_table, rp3beta_table
from tests.worlds import checkerboard, library, skewed, without_knowledge


def test_tables_keep_the_best_k() -> None:
    data = skewed()
    for recipe, oracle in (
        (ItemCF(k=3, normalise=False), item_cf_table),
        (RP3beta(k=3, normalise=False), rp3beta_table),
    ):
        cut = recipe.fit(data).tables[0]
        whole = oracle(data, **settings_of(recipe, "k"), k=0)
        for row in range(len(whole)):
            _, scores = cut[row]
            best = np.sort(whole[row][whole[row] > 0])[::-1][:3]
            np.testing.assert_allclose(scores, best, rtol=1e-5)


@pytest.mark.parametrize("recipe", [ItemCF(), UserCF(), RP3beta(), Swing(), Ease()])
def test_events_whose_weights_sum_to_nothing_say_nothing_of_taste(recipe: Any) -> None:
    data = library()
    events = data.interactions
    disliked = Interactions(
        np.append(events.users, [0, 1, 1]),
        np.append(events.items, [11, 11, 11]),
        np.append(events.weights, np.array([-1.0, 2.0, -2.0], dtype=np.float32)),
        n_users=events.n_users,
        n_items=events.n_items,
    )
    history = item_lists([[0, 4]])
    before = recipe.fit(data).recall(Queries([-1], history), 12)
    after = recipe.fit(RecallData(data.users, data.items, disliked, data.catalogue))
    answer = after.recall(Queries([-1], history), 12)
    assert_same_lists(answer, before)


@pytest.mark.parametrize(
    "recipe",
    [ItemCF(), UserCF(), Tag(), KgNeighbours(), KgPaths(), Pixie(), PreferenceWalk(), RP3beta(), Swing(), Ease()],
)
def test_items_outside_the_pool_are_not_returned(recipe: Any) -> None:
    data = skewed()
    queries = known_queries(histories(data.interactions), np.arange(len(data.users)))
    answer = recipe.fit(data).recall(queries, len(data.items))
    assert len(answer.items) > 0
    assert data.pool[answer.items].all()


@pytest.mark.parametrize(
    "recipe",
    [ItemCF(), UserCF(), RP3beta(), Swing(), Ease(), Tag(), KgNeighbours(), KgPaths(), Pixie(), PreferenceWalk()],
)
def test_a_world_without_events_is_no_error(recipe: Any) -> None:
    data = checkerboard()
    quiet = RecallData(
        data.users, data.items, Interactions([], [], n_users=30, n_items=20), data.catalogue, data.item_tags
    )
    answer = recipe.fit(quiet).recall(Queries([-1, 3], item_lists([[], [1, 2]])), 5)
    assert answer.lengths[0] == 0


def test_missing_knowledge_is_said_in_one_sentence() -> None:
    data = without_knowledge(library())
    with pytest.raises(DataError, match="no item tags"):
        Tag().fit(data)
    with pytest.raises(DataError, match="no item has an edge"):
        KgNeighbours().fit(data)
    with pytest.raises(DataError, match=r"relation 'autor' is not among .*nearest: 'author'"):
        KgNeighbours(relations={"autor": 1.0}).fit(library())


@pytest.mark.parametrize(
    "recipe",
    [
        ItemCF(),
        ItemCF(similarity="dice"),
        UserCF(),
        RP3beta(),
        Swing(),
        Ease(),
        Ease(neighbourhood=3),
        TurboCf(),
        KgNeighbours(),
        KgPaths(),
        Pixie(),
        PreferenceWalk(),
        Tag(),
        LightGCN(steps=2),
        TwoTower(dim=4, epochs=2),
        SASRec(dim=4, epochs=1),
        ESAM(dim=4, epochs=2),
        Mobius(dim=4, epochs=4),
        TDM(dim=4, epochs=3, beam=4),
        Als(dim=4, iterations=1),
        Node2Vec(dim=4, walks_per_node=1),
        Entity2Rec(dim=4, walks_per_node=1),
        GfCf(rank=4),
        Bspm(rank=4),
        ChebyCf(rank=4),
        Hot(),
    ],
    ids=repr,
)
def test_a_fit_takes_no_more_threads_than_its_context_says(recipe: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused() -> int:
        raise AssertionError("as many threads as there are processors")

    monkeypatch.setattr("graphrec.threads.processors", refused)
    recipe.fit(skewed(), FitContext(workers=1))
