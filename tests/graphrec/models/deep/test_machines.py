"""FM and FFM: what is served ranks as the plain sums over pairs of fields do."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch

from graphrec.contracts.progress import FitContext
from graphrec.contracts.queries import Queries, known_queries
from graphrec.contracts.recall_data import RecallData
from graphrec.data.interactions import histories
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


def test_a_stranger_without_a_history_gets_nothing() -> None:
    channel = FM(dim=4, epochs=2).fit(described(skewed()))
    assert channel.recall(Queries([-1], item_lists([[]])), 5).lengths.tolist() == [0]
