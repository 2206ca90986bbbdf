"""EASE beside a dense inverse, its inversion by blocks, and the sentences for what it cannot do."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import scipy.sparse as sp

from graphrec.channels.behaviour import ease
from graphrec.channels.behaviour.ease import Ease, invert
from graphrec.channels.behaviour.ease_neighbourhood import restricted_weights
from graphrec.contracts.queries import known_queries
from graphrec.contracts.recall_data import RecallData
from graphrec.data.interactions import histories
from graphrec.errors import ConfigError
from tests.oracles.behaviour import ease_weights, item_cf_table
from tests.oracles.sparse import Dense, dense_taste, keep_top, takers
from tests.worlds import checkerboard, library, skewed

WORLDS = pytest.mark.parametrize("world", [checkerboard, skewed, library])
RECIPES = pytest.mark.parametrize(
    "recipe", [Ease(), Ease(regularisation=0.5), Ease(k=4, regularisation=20.0, weight_exponent=1.0)]
)


def _weights(recipe: Ease, data: RecallData) -> Dense:
    exponent, strength = recipe.weight_exponent, recipe.regularisation
    return ease_weights(data, regularisation=strength, weight_exponent=exponent)


@WORLDS
@RECIPES
def test_rows_are_the_largest_positive_weights(world: Callable[[], RecallData], recipe: Ease) -> None:
    data = world()
    whole = _weights(recipe, data) * data.pool
    table = recipe.fit(data).tables[0]
    noise = 1e-5 * whole.max()
    for row, weights in enumerate(whole):
        items, scores = table[row]
        np.testing.assert_allclose(scores, weights[items], rtol=1e-3, atol=noise)
        best = np.sort(weights[weights > 0])[::-1][: recipe.k]
        np.testing.assert_allclose(scores, np.pad(best, (0, max(0, len(items) - len(best))))[: len(items)], atol=noise)
        assert len(items) >= min(recipe.k, int((weights > noise).sum()))


@WORLDS
@pytest.mark.parametrize("recipe", [Ease(k=3, regularisation=3.0, half_life=0.0), Ease(half_life=0.0, remainder=0.0)])
def test_what_is_left_out_counts_by_its_mean(world: Callable[[], RecallData], recipe: Ease) -> None:
    data = world()
    taste, whole = dense_taste(data), _weights(recipe, data)
    table = keep_top(whole * data.pool, recipe.k)
    taken = taste.sum(axis=0)
    mean = sum((taken[i] * (whole[i] - table[i]) for i in range(len(whole))), np.zeros(len(whole))) / taken.sum()
    added = taste @ table
    expected = added + recipe.remainder * taste.sum(axis=1, keepdims=True) * mean
    queries = known_queries(histories(data.interactions), np.arange(len(data.users)))
    answer = recipe.fit(data).recall(queries, len(data.items))
    for (items, scores), row, reached in zip(answer, expected, added, strict=True):
        assert set(np.flatnonzero((row > 1e-4) & (reached > 1e-4)).tolist()) <= set(items.tolist())
        np.testing.assert_allclose(scores, row[items], rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("n", [1, 5, 8, 9, 37])
def test_blocks_invert_as_one_piece_does(monkeypatch: pytest.MonkeyPatch, n: int) -> None:
    monkeypatch.setattr(ease, "BLOCK", 8)
    root = np.random.default_rng(n).normal(size=(n, 2 * n))
    matrix = (root @ root.T + np.eye(n)).astype(np.float32)
    expected = np.linalg.inv(matrix.astype(np.float64))
    upper = np.triu_indices(n, 1)
    matrix[upper] = np.nan  # never read
    invert(matrix)
    np.testing.assert_allclose(matrix, expected, atol=2e-4 * np.abs(expected).max())
    np.testing.assert_array_equal(matrix, matrix.T)


def test_more_than_one_block_gives_the_same_table(monkeypatch: pytest.MonkeyPatch) -> None:
    data, recipe = skewed(), Ease(regularisation=4.0)
    whole = recipe.fit(data).tables[0]
    monkeypatch.setattr(ease, "BLOCK", 7)
    blocks = recipe.fit(data).tables[0]
    np.testing.assert_allclose(blocks.scores.sum(), whole.scores.sum(), rtol=1e-4)
    for row in range(len(whole)):
        np.testing.assert_allclose(blocks[row][1][:10], whole[row][1][:10], rtol=1e-3, atol=1e-5)


def test_a_matrix_without_inverse_is_said_in_one_sentence() -> None:
    with pytest.raises(ConfigError, match="too near to singular for float32; raise regularisation"):
        invert(np.array([[1.0, 2.0], [2.0, 1.0]], dtype=np.float32))


def test_beyond_max_items_each_item_is_predicted_from_its_neighbourhood(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ease, "_NEIGHBOURHOOD", 3)
    data = skewed()
    n = int((takers(data) > 0).sum())  # items without events do not count
    exact, beyond = (Ease(max_items=limit).fit(data).tables[0] for limit in (n, n - 1))
    np.testing.assert_allclose(exact.scores, Ease().fit(data).tables[0].scores, rtol=1e-5)
    np.testing.assert_allclose(beyond.scores, Ease(neighbourhood=3).fit(data).tables[0].scores, rtol=1e-5)
    assert len(beyond.scores) < len(exact.scores)


@WORLDS
@pytest.mark.parametrize(("n", "exponent"), [(1, 0.0), (5, 1.0), (100, 0.0)])
def test_restricted_weights_solve_one_small_system_an_item(
    world: Callable[[], RecallData], n: int, exponent: float
) -> None:
    data = world()
    taste = dense_taste(data, exponent)
    found = restricted_weights(sp.csr_array(taste.astype(np.float32)), n, 2.0, n_counts=1000)
    gram = taste.T @ taste
    likeness = item_cf_table(
        data, k=0, user_exponent=0.0, item_exponent=0.5, normalise=False, shrinkage=0.0, weight_exponent=exponent
    )
    for target in range(len(gram)):
        near, weights = found[target]
        if exponent == 0.0 and data.pool.all():
            np.testing.assert_allclose(
                likeness[target, near], np.sort(likeness[target][likeness[target] > 0])[::-1][:n], rtol=1e-5
            )
        inner = gram[np.ix_(near, near)] + 2.0 * np.eye(len(near))
        np.testing.assert_allclose(weights, np.linalg.solve(inner, gram[near, target]), rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("world", [checkerboard, skewed])
def test_a_neighbourhood_of_all_items_is_the_exact_solution(world: Callable[[], RecallData]) -> None:
    data = world()
    queries = known_queries(histories(data.interactions), np.arange(len(data.users)))
    exact = Ease(regularisation=3.0).fit(data).recall(queries, 5)
    whole = Ease(regularisation=3.0, neighbourhood=len(data.items)).fit(data).recall(queries, 5)
    # Items that share no user with the target are left out; their weights are small, not 0.
    shared = [len(np.intersect1d(a[0], b[0])) / max(1, len(a[0])) for a, b in zip(exact, whole, strict=True)]
    assert np.mean(shared) > 0.85


def test_counts_left_out_never_break_the_solution() -> None:
    data = skewed()
    taste = sp.csr_array(dense_taste(data, 2.0).astype(np.float32))
    weights = restricted_weights(taste, 20, 0.01, n_counts=2)
    assert np.isfinite(weights.scores).all()


def test_no_regularisation_is_refused() -> None:
    with pytest.raises(ConfigError, match="regularisation is 0; it must be a number above 0"):
        Ease(regularisation=0)
