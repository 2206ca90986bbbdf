"""What recipes build their matrices from, where the events come in many small parts."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from graphrec.channels.behaviour.item_cf import ItemCF
from graphrec.channels.behaviour.user_cf import UserCF
from graphrec.channels.popular.hot import Hot
from graphrec.contracts.queries import known_queries
from graphrec.contracts.recall_data import RecallData
from graphrec.data.interactions import Interactions, coalesced_parts, histories
from graphrec.graph.catalogue import items_only
from graphrec.sparse import taste as matrices
from graphrec.sparse.taste import (
    degrees,
    evenly_capped,
    expected_popularity,
    liked_pairs,
    popularity,
    scaled,
    taste_matrix,
)
from tests.oracles.sparse import dense_taste, expected_takers, takers
from tests.worlds import checkerboard, described, library, skewed, vocabulary

WORLDS = pytest.mark.parametrize("world", [checkerboard, skewed, library])


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Return what makes parts and slices of a few entries of them from then on."""

    def shrink() -> None:
        assert coalesced_parts.__kwdefaults__ is not None
        monkeypatch.setitem(coalesced_parts.__kwdefaults__, "events", 5)
        monkeypatch.setattr(matrices, "_AT_ONCE", 4)

    return shrink


@WORLDS
@pytest.mark.parametrize("cap", [0, 2])
@pytest.mark.parametrize("exponent", [0.0, 0.5, 1.0])
def test_taste_is_the_power_of_summed_weights(
    world: Callable[[], RecallData], small_parts: Callable[[], None], exponent: float, cap: int
) -> None:
    data = world()
    whole = liked_pairs(data.interactions, cap)
    small_parts()
    taste, pairs = (
        taste_matrix(data.interactions, exponent, max_items_per_user=cap),
        liked_pairs(data.interactions, cap),
    )
    np.testing.assert_array_equal(pairs.users, whole.users)
    np.testing.assert_array_equal(pairs.items, whole.items)
    expected = dense_taste(dataclasses.replace(data, interactions=whole), exponent)
    np.testing.assert_allclose(taste.toarray(), expected, rtol=1e-6)
    assert taste.has_canonical_format
    assert taste.indices.dtype == np.int32
    assert taste.data.dtype == np.float32
    assert all((np.diff(taste.indices[a:b]) > 0).all() for a, b in zip(taste.indptr, taste.indptr[1:], strict=False))
    for axis in (0, 1):
        np.testing.assert_array_equal(degrees(taste, axis), (taste.toarray() > 0).sum(axis=axis))
    np.testing.assert_array_equal(popularity(data.interactions), takers(data))
    expected = expected_popularity(data.interactions, 0.5)
    np.testing.assert_allclose(expected, expected_takers(takers(data), 0.5))
    assert (expected > 0).all()


def test_scaling_leaves_the_matrix_as_it_was(small_parts: Callable[[], None]) -> None:
    small_parts()
    taste = taste_matrix(skewed().interactions)
    before, rng = taste.toarray(), np.random.default_rng(3)
    rows, columns = rng.random(taste.shape[0]), rng.random(taste.shape[1])
    np.testing.assert_array_equal(
        scaled(taste, rows=rows, columns=columns).toarray(),
        (before.astype(np.float64) * rows[:, None] * columns).astype(np.float32),
    )
    columns[::2] = 0.0
    fewer = scaled(taste, columns=columns)
    assert fewer.nnz < taste.nnz
    assert (fewer.data > 0).all()
    assert fewer.indices.dtype == np.int32
    np.testing.assert_array_equal(fewer.toarray(), (before * columns).astype(np.float32))
    np.testing.assert_array_equal(taste.toarray(), before)


@pytest.mark.parametrize(
    "recipe",
    [
        Hot(),
        Hot(by_user="country"),
        ItemCF(weighting="bm25", weight_exponent=0.5),
        ItemCF(similarity="jaccard", max_items_per_user=3),
        UserCF(),
    ],
)
def test_small_parts_answer_alike(recipe: Any, small_parts: Callable[[], None]) -> None:
    data = described(skewed())
    queries = known_queries(histories(data.interactions), np.arange(len(data.users)))
    whole = recipe.fit(data).recall(queries, 20)
    small_parts()
    parts = recipe.fit(data).recall(queries, 20)
    np.testing.assert_array_equal(parts.items, whole.items)
    np.testing.assert_allclose(parts.scores, whole.scores, rtol=1e-6)


def test_disliked_pairs_do_not_use_up_the_newest_places() -> None:
    users = np.array([0, 0, 0, 0, 1, 1], dtype=np.int32)
    items = np.array([0, 1, 2, 3, 3, 0], dtype=np.int32)
    weights = np.array([1, 1, 1, -1, 1, 1], dtype=np.float32)
    events = Interactions(users, items, weights, n_users=3, n_items=4)
    data = RecallData(vocabulary("u", 3), vocabulary("i", 4), events, items_only(vocabulary("i", 4)))
    kept = liked_pairs(data.interactions, 2)
    assert list(zip(kept.users.tolist(), kept.items.tolist(), strict=True)) == [(0, 1), (0, 2), (1, 3), (1, 0)]
    assert len(liked_pairs(data.interactions)) == 5


@pytest.mark.parametrize("cap", [0, 1, 4, 1000])
def test_hubs_are_cut_at_even_distances(cap: int) -> None:
    matrix = taste_matrix(skewed().interactions).T.tocsr()
    capped = evenly_capped(matrix, cap)
    for row in range(matrix.shape[0]):
        whole = np.sort(matrix.indices[matrix.indptr[row] : matrix.indptr[row + 1]])
        size = min(cap or len(whole), len(whole))
        expected = [whole[p * len(whole) // size] for p in range(size)]
        assert capped.indices[capped.indptr[row] : capped.indptr[row + 1]].tolist() == expected
