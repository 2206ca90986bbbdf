"""What channels do with input that says little, nothing, or far too much."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from graphrec.channels.behaviour.ease import Ease
from graphrec.channels.behaviour.item_cf import ItemCF
from graphrec.channels.behaviour.rp3beta import RP3beta
from graphrec.channels.behaviour.swing import Swing
from graphrec.channels.behaviour.user_cf import UserCF
from graphrec.contracts.queries import Queries
from graphrec.contracts.recall_data import RecallData
from graphrec.data.interactions import Interactions, take
from graphrec.data.lists import ItemLists, item_lists
from tests.close import assert_same_lists
from tests.worlds import checkerboard, library

RECIPES = [
    ItemCF(),
    ItemCF(similarity="dice", weighting="bm25"),
    UserCF(),
    RP3beta(),
    Swing(),
    Ease(),
    Ease(neighbourhood=3),
]


EVERY = pytest.mark.parametrize("recipe", RECIPES, ids=repr)


def _with(data: RecallData, events: Interactions) -> RecallData:
    return RecallData(data.users, data.items, events, data.catalogue, data.item_tags, data.pool)


def _answer(recipe: Any, data: RecallData) -> ItemLists:
    answer: ItemLists = recipe.fit(data).recall(Queries([-1, -1], item_lists([[0, 4], []])), 12)
    return answer


@EVERY
def test_a_fit_without_neighbours_is_legal_and_answers_nothing(recipe: Any) -> None:
    data = checkerboard()
    alone = Interactions(np.arange(5), np.arange(5), n_users=30, n_items=20)  # nobody took two items
    answer = _answer(recipe, _with(data, alone))
    assert set(answer.items.tolist()) <= {0, 4}  # what is in the history already, at most
    assert answer.lengths[1] == 0


@EVERY
def test_a_user_of_zeros_changes_nothing(recipe: Any) -> None:
    data = library()
    events = data.interactions
    zeros = Interactions(
        np.append(events.users, [7, 7]),
        np.append(events.items, [0, 4]),
        np.append(events.weights, np.zeros(2, np.float32)),
        n_users=events.n_users,
        n_items=events.n_items,
    )
    assert_same_lists(_answer(recipe, _with(data, zeros)), _answer(recipe, data))


@EVERY
def test_repeated_events_count_as_one_pair(recipe: Any) -> None:
    data = library()
    twice = take(data.interactions, np.tile(np.arange(len(data.interactions)), 2))
    assert_same_lists(_answer(recipe, _with(data, twice)), _answer(recipe, data))
