"""FM and FFM: what is served ranks as the plain sums over pairs of fields do."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch

from graphrec.contracts.progress import FitContext
from graphrec.contracts.queries import Queries, known_queries
from graphrec.contracts.recall_data import RecallData
from graphrec.data.interactions import DAY_S, Interactions, histories
from graphrec.data.lists import item_lists, take_lists
from graphrec.errors import ConfigError
from graphrec.models.deep.ffm import FFM
from graphrec.models.deep.fm import FM
from tests.worlds import described, skewed

Fields = npt.NDArray[np.float64]


def _trained(recipe: Any, data: RecallData) -> tuple[Any, Any]:
    task = recipe._task(data, FitContext(seed=2))
    learnt, _ = task.run(FitContext(seed=2))
    return task, recipe._channel(data, learnt, FitContext(seed=2))


def _fields(inputs: Any, n: int) -> Fields:
    with torch.no_grad():
        return np.asarray(inputs.fields(torch.arange(n)), dtype=np.float64)


def _history(task: Any, recipe: Any, items: npt.NDArray[np.int32]) -> Fields:
    """Return what a history says: the sum of its items' vectors, each by its discount, over its length's power."""
    said = task.model.said.weight.detach().numpy().astype(np.float64)
    return np.asarray((said[items] * task._discounts[items, None]).sum(axis=0) / len(items) ** recipe.history_exponent)


def _fm(task: Any, recipe: Any, user: int, history: Fields, item: int) -> float:
    """Return the machine's score but for what belongs to the user alone."""
    users, items = _fields(task.model.users_in, 60), _fields(task.model.items_in, 45)
    linear = _fields(task.model.linear, 45)[item].sum()
    mine = [*users[user], history] if user >= 0 else [history]
    across = sum(float(f @ g) for f in mine for g in items[item])
    return float(linear + across + sum(float(f @ g) for f, g in combinations(items[item], 2)))


def _ffm(task: Any, recipe: Any, user: int, history: Fields, item: int) -> float:
    model, dim = task.model, recipe.dim
    n_user, n_item = model.n_user_fields, model.n_item_fields
    users = _fields(model.users_in, 60).reshape(60, n_user - 1, n_item, dim)
    items = _fields(model.items_in, 45).reshape(45, n_item, n_user + n_item, dim)
    linear = _fields(model.linear, 45)[item].sum()
    mine = [*users[user]] if user >= 0 else [np.zeros((n_item, dim))] * (n_user - 1)
    mine.append(history.reshape(n_item, dim))
    across = sum(float(mine[f][g] @ items[item, g, f]) for f in range(n_user) for g in range(n_item))
    inner = sum(
        float(items[item, g, n_user + h] @ items[item, h, n_user + g]) for g, h in combinations(range(n_item), 2)
    )
    return float(linear + across + inner)


@pytest.mark.parametrize(
    ("recipe", "plain"),
    [(FM(dim=5, epochs=6, lr=0.05), _fm), (FFM(dim=3, epochs=6, lr=0.05), _ffm),
     (FM(dim=5, epochs=6, lr=0.05, features=False), _fm), (FFM(dim=3, epochs=6, ids=False, lr=0.05), _ffm)],
    ids=["fm", "ffm", "fm-ids", "ffm-features"],
)  # fmt: skip
def test_what_is_served_scores_as_the_formula_does(recipe: Any, plain: Any) -> None:
    data = described(skewed())
    task, channel = _trained(recipe, data)
    taken = histories(data.interactions)
    liked = [items[weights > 0] for items, weights in taken]
    for user in (0, 7, 33):
        history = _history(task, recipe, liked[user])
        for query, row in ((known_queries(taken, [user]), user), (Queries([-1], take_lists(taken, [user])), -1)):
            items, scores = channel.recall(query, 20)[0]
            assert len(items) == 20
            own = row if row >= 0 and task.learnt()["own"][row].any() else -1
            expected = [plain(task, recipe, own, history, item) for item in items.tolist()]
            np.testing.assert_allclose(scores, expected, rtol=2e-3, atol=2e-4)
            missed = np.setdiff1d(np.flatnonzero(task.learnt()["known"]), items)
            assert max(plain(task, recipe, own, history, item) for item in missed.tolist()) <= min(expected) + 1e-3


def test_the_machines_learn() -> None:
    losses: list[float] = []
    FM(dim=6, epochs=12, lr=0.05).fit(described(skewed()), FitContext(record=lambda point: losses.append(point.loss)))
    assert losses[-1] < losses[0]


def test_vectors_too_wide_to_search_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"fields of a user and \d+ of an item at dim 4096 make vectors of"):
        FFM(dim=4096).fit(described(skewed()))


@pytest.mark.parametrize(
    ("recipe", "plain"), [(FM(dim=4, epochs=2), _fm), (FFM(dim=3, epochs=2), _ffm)], ids=["fm", "ffm"]
)
def test_a_stranger_without_a_history_gets_the_ranking_by_what_is_the_items_own(recipe: Any, plain: Any) -> None:
    task, channel = _trained(recipe, described(skewed()))
    items, scores = channel.recall(Queries([-1], item_lists([[]])), 20)[0]
    nothing = np.zeros(task.model.said.weight.shape[1])
    own = np.array([plain(task, recipe, -1, nothing, item) for item in range(45)])
    np.testing.assert_allclose(scores, own[items], rtol=2e-3, atol=2e-4)
    assert np.delete(own, items).max() <= scores.min() + 1e-3


def test_an_items_own_weight_begins_with_its_events() -> None:
    data = described(skewed())
    liked = np.concatenate([items[weights > 0] for items, weights in histories(data.interactions)])
    model: Any = FM(dim=4)._task(data, FitContext()).model
    expected = np.log1p(np.bincount(liked, minlength=len(data.items)))
    np.testing.assert_allclose(model.linear.ids.weight[:, 0].detach().numpy(), expected, rtol=1e-6)


def test_recent_pairs_count_more_with_a_half_life() -> None:
    users = np.arange(60)
    items = np.where(users < 40, 0, 1)  # item 0 was taken more often, item 1 lately
    times = np.where(users < 40, 0, 100 * int(DAY_S))
    data = replace(skewed(), interactions=Interactions(users, items, None, times, n_users=60, n_items=45))
    for half_life_days, first in ((math.inf, 0), (10.0, 1)):
        channel = FM(dim=2, epochs=3, half_life_days=half_life_days).fit(data)
        assert channel.recall(Queries([-1], item_lists([[]])), 1)[0][0].tolist() == [first]


@pytest.mark.parametrize("recipe", [FM(dim=4), FFM(dim=3)], ids=["fm", "ffm"])
def test_pairs_within_an_item_learn_as_slowly_as_its_linear_weights(recipe: Any) -> None:
    gradients = []
    for map_lr in (recipe.lr, recipe.lr / 4):
        model = replace(recipe, map_lr=map_lr)._task(described(skewed()), FitContext()).model
        model.items(torch.arange(45))[0][:, -1].sum().backward()
        gradients.append(model.items_in.ids.weight.grad.numpy())
    assert np.abs(gradients[0]).max() > 0.01
    np.testing.assert_allclose(gradients[1], gradients[0] / 4, rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("recipe", [FM(dim=2), FFM(dim=2)], ids=["fm", "ffm"])
def test_the_penalty_is_of_mean_squared_lengths_and_leaves_linear_weights_alone(recipe: Any) -> None:
    task = replace(recipe, regularisation=0.5)._task(described(skewed()), FitContext())
    model = task.model
    tables = [model.said, model.items_in.ids, model.users_in.ids, *model.items_in.tables, *model.users_in.tables]
    expected = sum(float((table.weight.detach().numpy() ** 2).sum(axis=1).mean()) for table in tables)
    assert task._penalty().item() == pytest.approx(0.25 * expected, rel=1e-4)
