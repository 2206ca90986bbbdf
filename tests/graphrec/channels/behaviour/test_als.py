"""Implicit ALS: half-steps beside the normal equations, a loss that only falls, and fold-in as in training."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp

from graphrec.channels.behaviour.als import Als
from graphrec.contracts.progress import FitContext
from graphrec.contracts.queries import Queries, known_queries
from graphrec.contracts.recall_data import RecallData
from graphrec.data.interactions import histories
from graphrec.data.lists import item_lists
from graphrec.errors import ConfigError
from graphrec.index import HnswIndex
from graphrec.sparse.taste import taste_matrix
from tests.oracles.behaviour import als_half_step, als_objective
from tests.worlds import checkerboard, library, skewed, without_knowledge

WORLDS = pytest.mark.parametrize("world", [checkerboard, skewed, library])
SMALL = Als(dim=6, unobserved_weight=0.1, regularisation=0.05, weight_exponent=0.5)


def _loss_settings(recipe: Als) -> dict[str, float]:
    names = ("unobserved_weight", "regularisation", "frequency_exponent")
    return {name: getattr(recipe, name) for name in names}


def _active(data: RecallData, exponent: float) -> sp.csr_array:
    taste = taste_matrix(data.interactions, exponent)
    return sp.csr_array(taste[np.diff(taste.indptr) > 0][:, np.unique(taste.indices)])


@WORLDS
@pytest.mark.parametrize("recipe", [SMALL, replace(SMALL, frequency_exponent=0.0), replace(SMALL, dim=40)])
def test_a_half_step_solves_the_normal_equations(world: Callable[[], RecallData], recipe: Als) -> None:
    exact = replace(recipe, steps=0)
    taste = _active(world(), exact.weight_exponent)
    rng = np.random.default_rng(0)
    drawn = rng.normal(size=(taste.shape[1], exact.dim)).astype(np.float32)
    items, users, _ = exact.half_step(taste, drawn, np.zeros((taste.shape[0], exact.dim), np.float32))
    expected = als_half_step(taste.toarray(), drawn.astype(np.float64), **_loss_settings(exact))
    np.testing.assert_allclose(users @ items.T, expected @ drawn.T, rtol=1e-3, atol=1e-3)


@WORLDS
@pytest.mark.parametrize("steps", [0, 1, 3])
def test_the_loss_falls_with_every_half_step(world: Callable[[], RecallData], steps: int) -> None:
    recipe = replace(SMALL, steps=steps, dim=6)
    taste = _active(world(), recipe.weight_exponent)
    turned = sp.csr_array(taste.T.tocsr())
    rng = np.random.default_rng(1)
    users, items = (rng.normal(size=(n, 6)).astype(np.float32) for n in taste.shape)
    losses = []
    for _ in range(4):
        items, users, _ = recipe.half_step(taste, items, users)
        losses.append(als_objective(taste.toarray(), users, items, **_loss_settings(recipe)))
        users, items, _ = recipe.half_step(turned, users, items)
        losses.append(als_objective(taste.toarray(), users, items, **_loss_settings(recipe)))
    assert all(later < earlier * (1 + 1e-5) for earlier, later in pairwise(losses))


@WORLDS
def test_a_users_own_history_gives_the_vector_of_a_half_step(world: Callable[[], RecallData]) -> None:
    data = world()
    recipe = replace(SMALL, steps=0)
    recaller = recipe.fit(data, FitContext(seed=2))
    taste = taste_matrix(data.interactions, recipe.weight_exponent)[:, recaller.rows]
    zeros = np.zeros((taste.shape[0], 6), np.float32)
    items, users, _ = recipe.half_step(sp.csr_array(taste), recaller.sources, zeros)
    answer = recaller.recall(known_queries(histories(data.interactions), np.arange(len(data.users))), len(data.items))
    expected = users @ items.T
    for user, (found, scores) in enumerate(answer):
        places = np.searchsorted(recaller.rows, found)
        np.testing.assert_allclose(scores, expected[user, places], rtol=1e-3, atol=1e-4)


def test_items_off_the_pool_keep_their_say_and_cold_ones_have_none() -> None:
    data = without_knowledge(skewed())
    events = np.bincount(data.interactions.items, minlength=len(data.items))
    recaller = SMALL.fit(data)
    assert recaller.rows.tolist() == np.flatnonzero(events).tolist()
    assert recaller.recall(Queries([-1], item_lists([[2]])), 5).lengths.tolist() == [5]
    assert recaller.recall(Queries([-1], item_lists([[len(data.items) - 1]])), 5).lengths.tolist() == [0]


def test_no_events_at_all_are_no_error() -> None:
    data = without_knowledge(library())
    nothing = replace(data, interactions=type(data.interactions)([], [], n_users=8, n_items=12))
    assert SMALL.fit(nothing).recall(Queries([0], item_lists([[1]])), 4).lengths.tolist() == [0]


@pytest.mark.parametrize("threads", [1, 3])
def test_threads_and_chunks_change_nothing_but_rounding(monkeypatch: pytest.MonkeyPatch, threads: int) -> None:
    data, recipe = skewed(), replace(SMALL, steps=1, dim=3)
    before = recipe.fit(data, FitContext(seed=4)).sources
    monkeypatch.setattr("graphrec.recallers.fold_in._CHUNK", 128 // threads)
    monkeypatch.setattr("graphrec.threads.default_threads", lambda: threads)
    np.testing.assert_allclose(recipe.fit(data, FitContext(seed=4)).sources, before, rtol=1e-3, atol=1e-4)
    assert not np.allclose(recipe.fit(data, FitContext(seed=5)).sources, before, rtol=1e-3, atol=1e-4)


def test_the_index_is_the_one_asked_for() -> None:
    recaller = replace(SMALL, index="hnsw").fit(library())
    assert isinstance(recaller.near, HnswIndex)
    assert recaller.near.metric == "ip"


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"dim": 0}, "dim is 0"),
        ({"iterations": 0}, "iterations is 0"),
        ({"steps": -1}, "steps is -1"),
        ({"last": -1}, "last is -1"),
        ({"unobserved_weight": 0}, "unobserved_weight is 0; it must be a number above 0"),
        ({"regularisation": 0}, "regularisation is 0; it must be a number above 0"),
        ({"init_scale": 0}, "init_scale is 0"),
        ({"frequency_exponent": -1.0}, "frequency_exponent is -1.0"),
        ({"half_life": float("nan")}, "half_life is nan"),
        ({"index": "faiss"}, "index is 'faiss'; it must be 'auto', 'quantised', 'exact' or 'hnsw'"),
    ],
)
def test_illegal_settings_are_refused(settings: dict[str, Any], problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        Als(**settings)
