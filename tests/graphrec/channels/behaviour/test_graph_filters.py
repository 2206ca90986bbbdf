"""Graph filters beside dense ones: full decompositions, whole polynomials, on worlds that a dense matrix holds."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from graphrec.channels.behaviour.bspm import Bspm
from graphrec.channels.behaviour.cheby_cf import ChebyCf, plateau_response
from graphrec.channels.behaviour.gf_cf import GfCf
from graphrec.channels.behaviour.spectrum import item_spectrum
from graphrec.channels.behaviour.turbo_cf import TurboCf
from graphrec.contracts.progress import ALONE
from graphrec.contracts.queries import Queries, known_queries
from graphrec.contracts.recall_data import RecallData
from graphrec.contracts.recaller import Recaller
from graphrec.data.interactions import Interactions, histories
from graphrec.data.lists import item_lists
from graphrec.errors import ConfigError
from graphrec.recallers.profile import profile_weights
from tests.graphrec.channels.compare import WORLDS, World, settings_of
from tests.oracles.graph_filters import (
    bspm_matrix,
    cheby_cf_matrix,
    gf_cf_matrix,
    item_graph,
    leading_vectors,
    returnable,
    runge_kutta_matrix,
    turbo_cf_table,
)
from tests.oracles.sparse import Dense, takers
from tests.worlds import checkerboard, library, skewed


def short() -> RecallData:
    """Return a skewed world of so few items that the randomised decomposition misses nothing."""
    return skewed(40, 19)


# Ranks at which no eigenvalue is cut off from an equal one: the checkerboard has 1, 1 and eight times 1/16.
RANKS = [(short, 1), (short, 3), (library, 1), (library, 4), (checkerboard, 2)]
FULL = [(world, 512) for world in (skewed, library, checkerboard)]
ANY_RANK = pytest.mark.parametrize(("world", "rank"), RANKS + FULL)
FULL_RANK = pytest.mark.parametrize(("world", "rank"), FULL)
CHANNELS = [GfCf(), TurboCf(), ChebyCf(), Bspm()]
EVERY = pytest.mark.parametrize("recipe", CHANNELS, ids=lambda recipe: type(recipe).__name__)


def _assert_scores(data: RecallData, recaller: Any, matrix: Dense) -> None:
    """Check every user's scores against his weighted history times a dense matrix (n_items, n_items)."""
    queries = known_queries(histories(data.interactions), np.arange(len(data.users)))
    weights = profile_weights(queries.history, recaller.profile)
    answer = recaller.recall(queries, len(data.items))
    for user, (items, scores) in enumerate(answer):
        here = slice(queries.history.indptr[user], queries.history.indptr[user + 1])
        history = np.bincount(queries.history.items[here], weights=weights[here], minlength=len(data.items))
        found = np.zeros(len(data.items))
        found[items] = scores
        expected = np.maximum(history @ matrix, 0.0)
        np.testing.assert_allclose(found, expected, rtol=1e-3, atol=2e-5 * max(1.0, expected.max()))


@ANY_RANK
@pytest.mark.parametrize("recipe", [GfCf(), GfCf(low_pass=1.5, half_life=2.0, weight_exponent=1.0), GfCf(low_pass=0.0)])
def test_gf_cf_is_the_linear_filter_and_the_ideal_low_pass(world: World, rank: int, recipe: GfCf) -> None:
    data, recipe = world(), replace(recipe, rank=rank)
    _assert_scores(data, recipe.fit(data), gf_cf_matrix(data, **settings_of(recipe)))


@ANY_RANK
@pytest.mark.parametrize(
    "recipe",
    [
        ChebyCf(),
        ChebyCf(plateau=10.0, low_pass=0.0, item_exponent=0.0, last=4),
        ChebyCf(plateau=3.0, low_pass=1.0, item_exponent=1.0, order=5, weight_exponent=1.0),
        ChebyCf(plateau=0.01, low_pass=0.5),
    ],
)
def test_cheby_cf_is_its_response_on_leading_vectors_and_a_line_on_the_rest(
    world: World, rank: int, recipe: ChebyCf
) -> None:
    data, recipe = world(), replace(recipe, rank=rank)
    _assert_scores(data, recipe.fit(data), cheby_cf_matrix(data, **settings_of(recipe)))


@ANY_RANK
@pytest.mark.parametrize(
    "recipe", [Bspm(), Bspm(low_pass=2.0, sharpening=1.0, weight_exponent=0.5), Bspm(low_pass=0.0, half_life=3.0)]
)
def test_bspm_is_its_polynomial_on_leading_vectors_and_a_line_on_the_rest(
    world: World, rank: int, recipe: Bspm
) -> None:
    data, recipe = world(), replace(recipe, rank=rank)
    _assert_scores(data, recipe.fit(data), bspm_matrix(data, **settings_of(recipe)))


@FULL_RANK
@pytest.mark.parametrize("exponent", [0.0, 1.0])
def test_with_all_vectors_cheby_cf_is_the_whole_polynomial_of_the_laplacian(
    world: World, rank: int, exponent: float
) -> None:
    data = world()
    recipe = ChebyCf(rank=rank, low_pass=0.0, item_exponent=0.3, order=6, plateau=2.0, weight_exponent=exponent)
    normalised, by_item = item_graph(data, exponent)
    identity = np.eye(len(by_item))
    laplacian = identity - 2 * normalised.T @ normalised
    nodes = np.polynomial.chebyshev.chebpts1(7)
    coefficients = np.polynomial.chebyshev.chebfit(nodes, 0.5 - 0.5 * np.sign(nodes) * np.abs(nodes) ** 2.0, 6)
    terms = [identity, laplacian]
    while len(terms) < len(coefficients):
        terms.append(2 * laplacian @ terms[-1] - terms[-2])
    matrix = sum(c * term for c, term in zip(coefficients, terms, strict=True)) - coefficients.sum() * identity
    scale = np.where(by_item > 0, by_item, 1.0) ** 0.3
    _assert_scores(data, recipe.fit(data), matrix / scale[:, None] * scale * returnable(data, by_item))


@FULL_RANK
def test_with_all_vectors_bspm_is_the_whole_polynomial_of_the_graph(world: World, rank: int) -> None:
    data, recipe = world(), Bspm(rank=rank, low_pass=0.0, sharpening=2.0)
    normalised, by_item = item_graph(data)
    graph = normalised.T @ normalised
    matrix = graph @ runge_kutta_matrix(graph, 2.0) * returnable(data, by_item)
    _assert_scores(data, recipe.fit(data), matrix)


@pytest.mark.parametrize("world", [checkerboard, short, library])
def test_without_sharpening_bspm_is_gf_cf(world: World) -> None:
    data = world()
    recaller = Bspm(rank=2, low_pass=0.3, sharpening=0.0).fit(data)
    _assert_scores(data, recaller, gf_cf_matrix(data, rank=2, low_pass=0.3, weight_exponent=0.0))


@WORLDS
@pytest.mark.parametrize(
    "recipe",
    [TurboCf(), TurboCf(user_exponent=0.5, power=1.0), TurboCf(user_exponent=1.0, power=2.0, weight_exponent=1.0)],
)
def test_turbo_cf_is_the_dense_product_to_a_power(world: World, recipe: TurboCf) -> None:
    data = world()
    _assert_scores(data, recipe.fit(data), turbo_cf_table(data, **settings_of(recipe)))


@pytest.mark.parametrize("k", [1, 3, 10])
def test_turbo_cf_keeps_the_best_k_of_each_row(k: int) -> None:
    data, recipe = skewed(), TurboCf(k=k)
    table = recipe.fit(data).tables[0]
    whole = turbo_cf_table(data, **(settings_of(recipe) | {"k": 0}))
    for row, dense in enumerate(whole):
        np.testing.assert_allclose(table[row][1], np.sort(dense[dense > 0])[::-1][:k], rtol=1e-5)


@WORLDS
@pytest.mark.parametrize("exponent", [0.0, 0.5, 2.0])
def test_the_spectrum_lies_between_0_and_1_whatever_the_weights(world: World, exponent: float) -> None:
    spectrum = item_spectrum(world(), ALONE, rank=512, weight_exponent=exponent)
    eigenvalues, vectors = leading_vectors(item_graph(world(), exponent)[0], 512)
    np.testing.assert_allclose(spectrum.eigenvalues, eigenvalues, rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(spectrum.vectors @ spectrum.vectors.T, vectors @ vectors.T, atol=1e-4)


def test_a_line_never_falls() -> None:
    # The interpolated step dips below its value at 0 first; the exact part still follows it.
    dip = plateau_response(np.array([0.0, 0.03]), 0.01, 8)
    assert dip[1] < dip[0]
    recaller = ChebyCf(plateau=0.01, rank=512).fit(skewed())
    assert len(recaller.to_items.scores) == 0
    assert recaller.recall(Queries([-1], item_lists([[0, 4]])), 5).lengths[0] == 5


@EVERY
@pytest.mark.parametrize("world", [skewed, library])
def test_neither_items_off_the_pool_nor_those_without_events_come_back(world: World, recipe: Any) -> None:
    data = world()
    counts = takers(data)
    queries = known_queries(histories(data.interactions), np.arange(len(data.users)))
    answer = _fit(recipe, data).recall(queries, len(data.items))
    assert len(answer.items) > 0
    assert data.pool[answer.items].all()
    assert (counts[answer.items] > 0).all()
    # Off the pool they keep their say in a history; nobody's items have none.
    gone = int(np.flatnonzero(~data.pool)[0]) if not data.pool.all() else 0
    nobodys = int(np.flatnonzero(counts == 0)[0])
    lengths = _fit(recipe, data).recall(Queries([-1, -1], item_lists([[gone], [nobodys]])), 9).lengths
    assert lengths[0] > 0
    assert lengths[1] == 0


def _fit(recipe: Any, data: RecallData) -> Recaller:
    recaller: Recaller = recipe.fit(data)
    return recaller


@EVERY
@pytest.mark.parametrize("weight", [0.0, -1.0, None])
def test_where_nobody_likes_anything_every_list_is_empty(recipe: Any, weight: float | None) -> None:
    data = library()
    n = 0 if weight is None else 6
    events = Interactions(
        np.arange(n), np.arange(n), np.full(n, weight or 0.0, np.float32), n_users=len(data.users), n_items=12
    )
    empty = RecallData(data.users, data.items, events, data.catalogue)
    answer = _fit(recipe, empty).recall(Queries([0, -1, -1], item_lists([[0], [1, 2, 11], []])), 12)
    assert answer.lengths.tolist() == [0, 0, 0]


@EVERY
def test_users_of_one_item_each_lead_nowhere_else(recipe: Any) -> None:
    data = checkerboard()
    alone = Interactions(np.arange(5), np.arange(5), n_users=30, n_items=20)
    world = RecallData(data.users, data.items, alone, data.catalogue)
    answer = _fit(recipe, world).recall(Queries([-1, -1], item_lists([[0, 4], [7]])), 12)
    # What a filter sees of others is the rounding of the decomposition.
    assert set(answer.items[answer.scores > 1e-5].tolist()) <= {0, 4}
    assert answer.lengths[1] == 0


@EVERY
def test_a_world_of_one_pair_is_a_world(recipe: Any) -> None:
    data = library()
    events = Interactions([3], [5], n_users=len(data.users), n_items=12)
    world = RecallData(data.users, data.items, events, data.catalogue)
    answer = _fit(recipe, world).recall(Queries([-1], item_lists([[5, 0]])), 12)
    assert set(answer.items.tolist()) <= {5}


@pytest.mark.parametrize(
    ("recipe", "setting", "values"),
    [
        *(
            (recipe, name, values)
            for recipe in CHANNELS
            for name, values in (
                ("last", [-1, 1.5, True]),
                ("half_life", [-1.0, float("inf"), float("nan"), "1"]),
                ("weight_exponent", [-0.5, float("nan")]),
            )
        ),
        *((recipe, "rank", [0, -1, 2.0, True]) for recipe in (GfCf(), ChebyCf(), Bspm())),
        *((recipe, "low_pass", [-0.1, float("inf"), None]) for recipe in (GfCf(), ChebyCf(), Bspm())),
        (TurboCf(), "k", [0, -3, 1.0]),
        (TurboCf(), "power", [0.0, -1.0]),
        (TurboCf(), "user_exponent", [-0.1, 1.1]),
        (ChebyCf(), "plateau", [0.0, -1.0]),
        (ChebyCf(), "item_exponent", [-0.1]),
        (ChebyCf(), "order", [0, 2.5]),
        (Bspm(), "sharpening", [-1.0, float("inf")]),
    ],
)
def test_settings_out_of_range_are_refused(recipe: Any, setting: str, values: list[Any]) -> None:
    for value in values:
        with pytest.raises(ConfigError, match=f"^{setting} is {value!r}; it must be a "):
            replace(recipe, **{setting: value})
