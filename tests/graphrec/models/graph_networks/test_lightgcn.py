"""LightGCN beside dense matrix powers, its gradient beside finite differences, and what it answers."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from threading import Barrier
from types import SimpleNamespace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from graphrec.contracts.progress import FitContext, TrainingPoint
from graphrec.contracts.queries import Queries, known_queries
from graphrec.contracts.recall_data import RecallData
from graphrec.data.interactions import histories
from graphrec.data.lists import item_lists
from graphrec.errors import ConfigError
from graphrec.models.graph_networks import lightgcn, propagation
from graphrec.models.graph_networks.cosine_softmax import cosine_softmax, with_lengths
from graphrec.models.graph_networks.lightgcn import LightGCN
from graphrec.models.graph_networks.propagation import Bipartite, Pair, bipartite, propagate
from graphrec.models.training.processes import Processes
from graphrec.pipelines.jobs.checkpoints import FileCheckpoints
from graphrec.sparse.taste import taste_matrix
from tests.oracles.models import propagated, softmax_loss
from tests.worlds import checkerboard, library, skewed, without_knowledge

WORLDS = pytest.mark.parametrize("world", [checkerboard, skewed, library])
SMALL = LightGCN(dim=6, steps=30, negatives=20, weight_exponent=0.5)


def _drawn(data: RecallData, dim: int) -> tuple[Bipartite, npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    graph = bipartite(taste_matrix(data.interactions, 0.5))
    rng = np.random.default_rng(0)
    users, items = (rng.normal(size=(n, dim)).astype(np.float32) for n in graph.shape)
    return graph, users, items


def _loss(recipe: LightGCN, *parts: Any, **options: Any) -> tuple[float, Pair]:
    return cosine_softmax(*parts, layers=recipe.layers, temperature=recipe.temperature, **options)


def _batch(graph: Bipartite, every: int) -> npt.NDArray[np.int64]:
    """Return some of the users who have events."""
    return np.flatnonzero(graph.user_degrees)[::every]


@WORLDS
@pytest.mark.parametrize("layers", [0, 1, 4])
def test_propagation_is_the_mean_of_matrix_powers(world: Callable[[], RecallData], layers: int) -> None:
    graph, users, items = _drawn(world(), 5)
    expected = propagated(graph.taste.toarray().astype(np.float64), users, items, layers)
    np.testing.assert_allclose(np.concatenate(propagate(graph, users, items, layers)), expected, rtol=1e-4, atol=1e-5)


@WORLDS
@pytest.mark.parametrize("every", [1, 3])
def test_the_loss_is_a_softmax_beside_what_users_have_not(world: Callable[[], RecallData], every: int) -> None:
    graph, users, items = _drawn(world(), 4)
    recipe, batch, negatives = replace(SMALL, layers=3, temperature=0.3), _batch(graph, every), np.arange(len(items))
    for drawn in (negatives, negatives[::every]):
        expected = softmax_loss(graph.taste.toarray().astype(np.float64), users, items, 3, batch, drawn, 0.3)
        assert _loss(recipe, graph, users, items, batch, drawn)[0] == pytest.approx(expected, rel=1e-4)


def test_a_user_who_has_all_that_is_drawn_costs_nothing() -> None:
    graph, users, items = _drawn(skewed(), 4)
    user = int(np.argmax(graph.user_degrees))
    loss, gradients = _loss(SMALL, graph, users, items, np.array([user]), graph.taste[[user]].indices[:2])
    assert loss == pytest.approx(0, abs=1e-6)
    assert max(np.abs(gradient).max() for gradient in gradients) < 1e-6


class _Thread:
    """A process among several that are threads, for the sums."""

    def __init__(self, rank: int, size: int, barrier: Barrier, shared: dict[int, list[npt.NDArray[Any]]]) -> None:
        fabric: Any = SimpleNamespace(global_rank=rank, world_size=size)
        self.rows = Processes(fabric).rows
        self._rank, self._size, self._barrier, self._shared = rank, size, barrier, shared

    def add_up(self, *arrays: npt.NDArray[Any]) -> None:
        self._shared[self._rank] = [array.copy() for array in arrays]
        self._barrier.wait()
        for place, array in enumerate(arrays):
            array[...] = np.sum([self._shared[rank][place] for rank in range(self._size)], axis=0)
        self._barrier.wait()


@WORLDS
@pytest.mark.parametrize("size", [2, 3, 50])
def test_processes_that_divide_the_users_all_return_the_whole(world: Callable[[], RecallData], size: int) -> None:
    """Also where there are more of them than users, so that some have none."""
    graph, users, items = _drawn(world(), 4)
    batch, negatives = _batch(graph, 2), np.arange(0, len(items), 2)
    expected, gradients = _loss(SMALL, graph, users, items, batch, negatives)
    barrier, shared = Barrier(size), dict[int, list[npt.NDArray[Any]]]()
    each = [_Thread(rank, size, barrier, shared) for rank in range(size)]

    def whole(mine: Any) -> tuple[float, Pair]:
        return _loss(SMALL, graph, users, items, batch, negatives, processes=mine)

    with ThreadPoolExecutor(size) as pool:
        answers = list(pool.map(whole, each))
    for loss, parts in answers:
        assert loss == pytest.approx(expected, rel=1e-5)
        for part, gradient in zip(parts, gradients, strict=True):
            np.testing.assert_allclose(part, gradient, rtol=1e-3, atol=1e-6)


@WORLDS
@pytest.mark.parametrize("every", [1, 3])
def test_the_gradient_is_that_of_finite_differences(world: Callable[[], RecallData], every: int) -> None:
    graph, users, items = _drawn(world(), 4)
    users[graph.user_degrees == 0] = 0
    recipe, batch, negatives = replace(SMALL, temperature=0.3), _batch(graph, every), np.arange(0, len(items), every)
    gradients = _loss(recipe, graph, users, items, batch, negatives)[1]
    taste, rng, step = graph.taste.toarray().astype(np.float64), np.random.default_rng(1), 1e-5

    def loss_at(place: float) -> float:
        first, second = (vectors + place * way for vectors, way in zip((users, items), along, strict=True))
        return softmax_loss(taste, first, second, recipe.layers, batch, negatives, 0.3)

    for _ in range(3):
        along = [rng.normal(size=vectors.shape) for vectors in (users, items)]
        along[0][graph.user_degrees == 0] = 0
        slope = sum(float(np.vdot(gradient, way)) for gradient, way in zip(gradients, along, strict=True))
        assert (loss_at(step) - loss_at(-step)) / (2 * step) == pytest.approx(slope, rel=1e-3, abs=1e-3)


@pytest.mark.parametrize("exponent", [0.0, 0.5, 1.0])
def test_items_keep_a_power_of_their_length(exponent: float) -> None:
    data = skewed()
    plain, kept = (
        replace(SMALL, length_exponent=power).fit(data, FitContext(seed=2)).targets for power in (1.0, exponent)
    )
    lengths = np.linalg.norm(plain, axis=1)
    np.testing.assert_allclose(np.linalg.norm(kept, axis=1), lengths**exponent, rtol=1e-4)
    np.testing.assert_allclose(kept * lengths[:, None], plain * np.linalg.norm(kept, axis=1)[:, None], atol=1e-5)


@WORLDS
def test_a_trained_user_is_answered_by_his_propagated_vector(world: Callable[[], RecallData]) -> None:
    data = world()
    recaller = SMALL.fit(data, FitContext(seed=2))
    assert recaller.users is not None
    taste = taste_matrix(data.interactions, SMALL.weight_exponent)[:, recaller.rows].toarray().astype(np.float64)
    # sources hold the layers below the last over the root of the degree; users their own share.
    final = recaller.users + taste / np.sqrt(np.maximum(taste.sum(axis=1, keepdims=True), 1e-9)) @ recaller.sources
    expected = final @ recaller.targets.T
    answer = recaller.recall(known_queries(histories(data.interactions), np.arange(len(data.users))), len(data.items))
    for user, (found, scores) in enumerate(answer):
        np.testing.assert_allclose(scores, expected[user, np.searchsorted(recaller.rows, found)], rtol=1e-3, atol=1e-4)


def test_what_is_served_is_what_was_trained() -> None:
    data = skewed()
    recaller = SMALL.fit(data, FitContext(seed=2))
    graph = bipartite(taste_matrix(data.interactions, SMALL.weight_exponent)[:, recaller.rows])
    users, items = SMALL._train(graph, FitContext(seed=2))
    final = propagate(graph, users, items, SMALL.layers)
    assert recaller.users is not None
    np.testing.assert_allclose(with_lengths(final[1], SMALL.length_exponent), recaller.targets, atol=1e-6)
    np.testing.assert_allclose(recaller.users + graph.taste @ recaller.sources / _roots(graph), final[0], atol=1e-5)


def _roots(graph: Bipartite) -> npt.NDArray[np.float64]:
    return np.sqrt(np.maximum(graph.user_degrees, 1e-9))[:, None]


def test_items_off_the_pool_keep_their_say_and_cold_ones_have_none() -> None:
    data = without_knowledge(skewed())
    events = np.bincount(data.interactions.items, minlength=len(data.items))
    recaller = SMALL.fit(data)
    assert recaller.rows.tolist() == np.flatnonzero(events).tolist()
    assert recaller.recall(Queries([-1], item_lists([[2]])), 5).lengths.tolist() == [5]
    nothing = item_lists([[len(data.items) - 1], []])
    assert recaller.recall(Queries([-1, len(data.users) - 1], nothing), 5).lengths.tolist() == [0, 0]


def test_no_events_at_all_are_no_error() -> None:
    data = without_knowledge(library())
    nothing = replace(data, interactions=type(data.interactions)([], [], n_users=8, n_items=12))
    assert SMALL.fit(nothing).recall(Queries([0], item_lists([[1]])), 4).lengths.tolist() == [0]


def test_threads_change_nothing_but_rounding(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(propagation, "_ROWS", 7)
    monkeypatch.setattr("graphrec.threads.default_threads", lambda: 1)
    before = SMALL.fit(skewed(), FitContext(seed=4)).sources
    monkeypatch.setattr("graphrec.threads.default_threads", lambda: 3)
    np.testing.assert_allclose(SMALL.fit(skewed(), FitContext(seed=4)).sources, before, rtol=1e-3, atol=1e-4)
    assert not np.allclose(SMALL.fit(skewed(), FitContext(seed=5)).sources, before, rtol=1e-3, atol=1e-4)


def test_progress_hears_of_every_step_and_the_loss_falls() -> None:
    steps: list[tuple[int, int]] = []
    losses: list[float] = []

    def progress(done: int, total: int, /, **values: float) -> None:
        steps.append((done, total))
        losses.append(values["loss"])

    SMALL.fit(skewed(), FitContext(progress=progress))
    # With all items in the sum, a pair costs at most log n + 2 / tau.
    assert 0 < losses[0] < np.log(len(skewed().items)) + 2 / SMALL.temperature
    assert steps == [(step, SMALL.steps) for step in range(1, SMALL.steps + 1)]
    assert losses[-1] < losses[0]


@pytest.mark.parametrize("stop", [1, 7, 8])
def test_a_fit_that_was_stopped_goes_on_with_the_same_result(
    stop: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lightgcn, "_CHECKPOINT_S", 0.0)
    recipe, data, checkpoints = replace(SMALL, steps=8, negatives=5), skewed(), FileCheckpoints(tmp_path / "state.npz")
    seen: list[int] = []

    def until(done: int, _total: int, /, **_values: float) -> None:
        if done == stop:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        recipe.fit(data, FitContext(seed=3, checkpoints=checkpoints, progress=until))
    points, all_points = list[TrainingPoint](), list[TrainingPoint]()
    goes_on = FitContext(
        seed=3,
        checkpoints=checkpoints,
        progress=lambda done, _total, /, **_values: seen.append(done),
        record=points.append,
    )
    again = recipe.fit(data, goes_on)
    whole = recipe.fit(data, FitContext(seed=3, record=all_points.append))
    assert [point.step for point in points] == list(range(1, 9))
    assert points == all_points
    # The step that was stopped in is made again: nothing of it had been kept.
    assert seen == list(range(max(stop, 1), 9))
    np.testing.assert_array_equal(again.sources, whole.sources)
    np.testing.assert_array_equal(again.targets, whole.targets)
    assert again.users is not None
    assert whole.users is not None
    np.testing.assert_array_equal(again.users, whole.users)


def test_a_checkpoint_of_other_data_is_not_taken_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lightgcn, "_CHECKPOINT_S", 0.0)
    checkpoints = FileCheckpoints(tmp_path / "state.npz")
    replace(SMALL, dim=SMALL.dim + 1).fit(skewed(), FitContext(seed=3, checkpoints=checkpoints))
    mended = SMALL.fit(skewed(), FitContext(seed=3, checkpoints=checkpoints))
    np.testing.assert_array_equal(mended.sources, SMALL.fit(skewed(), FitContext(seed=3)).sources)


def test_the_threads_of_the_context_do_not_change_a_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(propagation, "_ROWS", 7)
    data = skewed()
    alone, many = (SMALL.fit(data, FitContext(seed=3, workers=workers)) for workers in (1, 3))
    np.testing.assert_array_equal(alone.sources, many.sources)
    np.testing.assert_array_equal(alone.targets, many.targets)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_a_loss_that_runs_away_is_named() -> None:
    with pytest.raises(ConfigError, match=r"the loss of lightgcn is \w+ at step \d+; lower lr, which is 1e\+38"):
        replace(SMALL, lr=1e38).fit(library())


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"dim": 0}, "dim is 0"),
        ({"layers": 0}, "layers is 0"),
        ({"steps": 0}, "steps is 0"),
        ({"lr": 0}, "lr is 0; it must be a number above 0"),
        ({"lr": float("nan")}, "lr is nan"),
        ({"negatives": 0}, "negatives is 0"),
        ({"temperature": 0}, "temperature is 0; it must be a number above 0"),
        ({"init_scale": 0}, "init_scale is 0"),
        ({"length_exponent": -1.0}, "length_exponent is -1.0"),
        ({"last": -1}, "last is -1"),
        ({"index": "faiss"}, "index is 'faiss'"),
    ],
)
def test_illegal_settings_are_refused(settings: dict[str, Any], problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        LightGCN(**settings)
