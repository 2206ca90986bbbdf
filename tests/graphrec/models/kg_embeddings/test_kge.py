"""KG embeddings as a channel: what it answers, how it trains, stops and goes on, and what it refuses."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest

from graphrec.contracts.progress import FitContext, TrainingPoint
from graphrec.contracts.queries import Queries, known_queries
from graphrec.contracts.recall_data import RecallData
from graphrec.contracts.recaller import Recaller
from graphrec.data.interactions import Interactions, histories
from graphrec.data.lists import item_lists
from graphrec.errors import ConfigError, MissingExtraError
from graphrec.graph.catalogue import items_only, with_users
from graphrec.models.kg_embeddings.kge import Kge, ModelName, QueryKind
from graphrec.pipelines.jobs.checkpoints import FileCheckpoints
from graphrec.recallers.query_encoder import HistoryEncoder
from graphrec.recallers.vector import VectorRecaller
from tests.worlds import checkerboard, library, skewed, vocabulary

SMALL = Kge(dim=6, epochs=4, batch=100, negatives=30, lr=0.05)
MODELS = get_args(ModelName)


def fit(recipe: Kge, data: RecallData, **context: Any) -> VectorRecaller:
    return recipe.fit(data, FitContext(**context))


def assert_equal_channels(left: VectorRecaller, right: VectorRecaller) -> None:
    np.testing.assert_allclose(left.sources, right.sources, atol=1e-5)
    np.testing.assert_allclose(left.targets, right.targets, atol=1e-5)


def parts_of(recipe: Kge, data: RecallData) -> tuple[Any, Any]:
    """What the recipe learns of nodes, users first, and of the relation "interacts"."""
    from graphrec.models.kg_embeddings.kge_training import KgeTask
    from graphrec.models.kg_embeddings.kge_triples import triples_of
    from graphrec.models.training.loop import TrainingSettings, train

    graph = with_users(data.catalogue, data.interactions)
    task = KgeTask(triples_of(graph), recipe.model, dim=recipe.dim, batch=recipe.batch, negatives=recipe.negatives,
                   temperature=recipe.temperature, regularisation=recipe.regularisation, seed=0)  # fmt: skip
    train(task, TrainingSettings(epochs=recipe.epochs, lr=recipe.lr), FitContext())
    learnt = task.learnt()
    return learnt["nodes"], learnt["relations"][graph.relation_names.index("interacts")]


@pytest.mark.parametrize("model", MODELS)
def test_a_trained_user_is_answered_in_the_order_of_the_scores(model: ModelName) -> None:
    data, recipe = skewed(), replace(SMALL, model=model, query="user")
    nodes, relation = parts_of(recipe, data)
    users: Any = nodes[: len(data.users)]
    items: Any = nodes[len(data.users) :][: len(data.items)]
    if model in ("complex", "rotate"):
        users, items, relation = (part[..., :3] + 1j * part[..., 3:] for part in (users, items, relation))
    scores = {
        "transe": lambda: -np.linalg.norm(users[5] + relation - items, axis=1),
        "rotate": lambda: -np.linalg.norm(users[5] * relation - items, axis=1),
        "distmult": lambda: items @ (users[5] * relation),
        "complex": lambda: (users[5] * relation * items.conj()).sum(axis=1).real,
    }[model]()
    channel = fit(recipe, data)
    answer, _ = channel.recall(known_queries(histories(data.interactions), [5]), len(data.items))[0]
    assert set(answer.tolist()) == set(channel.rows.tolist())
    assert (np.diff(scores[answer]) <= 1e-5).all()


@pytest.mark.parametrize("model", MODELS)
def test_a_history_is_what_its_items_look_for(model: ModelName) -> None:
    """Of an unknown user: as translations and rotations there and back, near the items themselves."""
    data, recipe = skewed(), replace(SMALL, model=model, query="history")
    nodes, relation = parts_of(recipe, data)
    items = nodes[len(data.users) :][: len(data.items)]
    history = [3, 8]
    size = relation**2 if model == "distmult" else 1.0
    if model == "complex":
        size = np.tile((relation.reshape(2, 3) ** 2).sum(axis=0), 2)
    query = (items[history] * size).mean(axis=0)
    products = items @ query
    scores = products if model in ("distmult", "complex") else 2 * products - (items**2).sum(axis=1)
    channel = fit(recipe, data)
    assert isinstance(channel.encoder, HistoryEncoder)
    answer, _ = channel.recall(Queries([-1], item_lists([history])), len(data.items))[0]
    assert (np.diff(scores[answer]) <= 1e-4).all()


def test_an_item_without_events_is_recalled_by_its_entities() -> None:
    data = skewed()
    cold = np.setdiff1d(np.arange(len(data.items)), data.interactions.items)
    assert len(cold)
    joined = np.flatnonzero(data.catalogue.adjacency.degrees[: len(data.items)])
    channel = fit(SMALL, data)
    np.testing.assert_array_equal(channel.rows, np.union1d(joined, data.interactions.items))
    assert set(cold.tolist()) & set(channel.rows.tolist())


def test_entities_have_vectors_by_iri_and_kind() -> None:
    data = library()
    table = SMALL.embed(data)
    assert table.kinds is not None
    assert set(table.ids.to_pylist() if hasattr(table.ids, "to_pylist") else table.ids) <= set(data.catalogue.entities)
    users = SMALL.embed(data, of="users")
    assert set(users.ids) <= set(data.users)
    items, channel = SMALL.embed(data, of="items"), fit(SMALL, data)
    row = int(channel.rows[1])
    np.testing.assert_allclose(items[data.items[row]], channel.targets[1], atol=1e-6)
    with pytest.raises(ConfigError, match="of is 'authors'"):
        SMALL.embed(data, of="authors")  # type: ignore[arg-type]


@pytest.mark.parametrize("model", MODELS)
def test_the_loss_falls_and_every_step_is_shown(model: ModelName) -> None:
    shown: list[tuple[int, int]] = []
    points: list[TrainingPoint] = []
    context = FitContext(progress=lambda done, total, /, **_values: shown.append((done, total)), record=points.append)
    replace(SMALL, model=model, epochs=8, batch=300).fit(checkerboard(), context)
    assert shown == [(step, 16) for step in range(1, 17)]  # a batch of events and one of colours
    assert [point.step for point in points] == list(range(1, 9))
    assert points[-1].loss < points[0].loss


@pytest.mark.parametrize("stop", [1, 3, 6])
def test_a_fit_that_was_stopped_goes_on_with_the_same_result(stop: int, tmp_path: Path) -> None:
    data, checkpoints = checkerboard(), FileCheckpoints(tmp_path / "state.npz")
    recipe = replace(SMALL, batch=300)
    seen: list[int] = []

    def until(done: int, _total: int, /, **_values: float) -> None:
        if done == stop:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        recipe.fit(data, FitContext(seed=3, checkpoints=checkpoints, progress=until))
    again = fit(
        recipe, data, seed=3, checkpoints=checkpoints, progress=lambda done, _total, /, **_values: seen.append(done)
    )
    assert seen == list(range(stop + 1, 9))
    assert_equal_channels(again, fit(recipe, data, seed=3))


def test_where_to_stop_is_chosen_by_held_out_users() -> None:
    data, scores = skewed(), iter([0.1, 0.5, 0.4, 0.9])
    recipe = replace(SMALL, patience=1, epochs=6)
    asked: list[Recaller] = []

    def objective(channel: Recaller, _panel: Any) -> float:
        asked.append(channel)
        return next(scores)

    context = FitContext(seed=2, validation=object(), objective=objective)  # type: ignore[arg-type]
    chosen = recipe.choose(data, context)
    assert chosen.recipe == replace(recipe, stop_at=2)
    assert len(asked) == 3
    assert isinstance(chosen.channel, VectorRecaller)
    assert_equal_channels(chosen.channel, fit(replace(recipe, stop_at=2), data, seed=2))
    assert replace(SMALL, patience=0).choose(data, context).recipe == SMALL


@pytest.mark.parametrize("query", get_args(QueryKind))
@pytest.mark.parametrize("pairs", [[], [(0, 0)], [(0, 0), (0, 1)]], ids=str)
def test_worlds_of_next_to_nothing_are_no_error(pairs: list[tuple[int, int]], query: QueryKind) -> None:
    users, items = np.array(pairs, dtype=np.int32).reshape(-1, 2).T
    ids = vocabulary("i", 2)
    events = Interactions(users, items, n_users=2, n_items=2)
    data = RecallData(vocabulary("u", 2), ids, events, items_only(ids))
    for model in MODELS:
        channel = fit(replace(SMALL, model=model, query=query), data)
        assert np.isfinite(channel.targets).all()
        answer = channel.recall(Queries([0, -1], item_lists([[0], []])), 3)
        assert answer.lengths.tolist() == [len(pairs), 0]


def test_the_seed_decides() -> None:
    data = skewed()
    assert_equal_channels(fit(SMALL, data, seed=4), fit(SMALL, data, seed=4))
    assert not np.allclose(fit(SMALL, data, seed=4).targets, fit(SMALL, data, seed=5).targets, atol=1e-3)


def test_a_loss_that_runs_away_is_named() -> None:
    with pytest.raises(ConfigError, match=r"not finite at step 1, batch 1 of epoch 1"):
        replace(SMALL, temperature=1e-43).fit(skewed())


def test_without_torch_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "graphrec.models.kg_embeddings.kge_training", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'graphrec\[train\]'"):
        SMALL.fit(library())


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"dim": 0}, "dim is 0"),
        ({"model": "transr"}, "model is 'transr'"),
        ({"model": "rotate", "dim": 7}, "dim is 7; vectors of rotate have as many real as imaginary parts"),
        ({"temperature": 0}, "temperature is 0; it must be a number above 0"),
        ({"negatives": 0}, "negatives is 0"),
        ({"query": "mean"}, "query is 'mean'"),
        ({"stop_at": 999}, "stop_at is 999; it must be at most epochs"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings: dict[str, Any], problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        Kge(**settings)
