"""TDM: what its nodes learn, what its beam misses, and that a tree is kept where training was stopped."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from graphrec.contracts.progress import FitContext
from graphrec.contracts.queries import Queries, known_queries
from graphrec.data.interactions import histories
from graphrec.data.lists import item_lists
from graphrec.errors import ConfigError
from graphrec.index import ExactIndex, TreeIndex
from graphrec.index.tree import node_of
from graphrec.models.deep.recall_task import Compared
from graphrec.models.deep.tdm import TDM
from graphrec.models.deep.tree_task import TreeTask
from graphrec.models.training import loop
from graphrec.pipelines.jobs.checkpoints import FileCheckpoints
from tests.worlds import checkerboard, library, skewed, without_knowledge

SMALL = TDM(dim=6, epochs=12, lr=0.05, batch=16, negatives=24, beam=4, leaf=2)


def test_a_beam_reaches_what_is_missing_of_a_users_own_colour() -> None:
    data = without_knowledge(checkerboard())
    channel, taken = replace(SMALL, epochs=30, temperature=0.3, beam=3).fit(data), histories(data.interactions)
    assert isinstance(channel.near, TreeIndex)
    answer = channel.recall_allowed(
        known_queries(taken, np.arange(30)), 1, exclude=taken, allowed=np.ones(20, dtype=np.bool_)
    )
    assert (answer.items % 2 == np.arange(30) % 2).mean() > 0.9
    assert channel.audit(k=3) > 0.5


def test_scores_are_those_of_an_exhaustive_search() -> None:
    data = skewed()
    queries = known_queries(histories(data.interactions), np.arange(60))
    beam, whole = SMALL.fit(data), replace(SMALL, index="exact").fit(data)
    assert isinstance(whole.near, ExactIndex)
    for (rows, scores), (all_rows, all_scores) in zip(beam.recall(queries, 5), whole.recall(queries, 45), strict=True):
        exact = dict(zip(all_rows.tolist(), all_scores.tolist(), strict=True))
        np.testing.assert_allclose(scores, [exact[row] for row in rows.tolist()], rtol=1e-3, atol=1e-4)


def planted(monkeypatch: pytest.MonkeyPatch) -> tuple[TreeTask, list[Compared], list[float]]:
    """Return a task with a tree of levels whose nodes are not all drawn, what its steps compared, and the losses."""
    task = replace(SMALL, plant_from=0.0, trees=1, level_negatives=7, beam=2)._task(skewed(), FitContext(seed=1))
    assert isinstance(task, TreeTask)
    steps: list[Compared] = []
    losses: list[float] = []
    further = TreeTask._further

    def seen(self: TreeTask, compared: Compared, rng: np.random.Generator) -> Any:
        loss = further(self, compared, np.random.default_rng(5))
        steps.append(compared)
        losses.append(float(torch.as_tensor(loss).detach()))
        return loss

    monkeypatch.setattr(TreeTask, "_further", seen)
    for batch in task.batches(0, np.random.default_rng(2)):
        task.loss(batch, np.random.default_rng(3))
    return task, steps, losses


def test_the_loss_of_nodes_is_its_formula(monkeypatch: pytest.MonkeyPatch) -> None:
    task, steps, losses = planted(monkeypatch)
    learnt, n, first = task.learnt(), len(task._leaves), 2
    place = {int(task._leaves[row]): position for position, row in enumerate(learnt["order"])}
    taken = histories(skewed().interactions)
    for compared, loss in zip(steps, losses, strict=True):
        rng, anchors, by_level = np.random.default_rng(5), compared.anchors.detach().numpy(), []
        indptr = compared.indptr.numpy()
        for level in range(first, 6):
            size, lost = 2**level, []
            drawn = np.arange(size) if size <= 7 else np.sort(rng.choice(size, 7, replace=False))
            nodes = learnt["nodes"][size - 2**first : 2 * size - 2**first].astype(np.float64)
            for i, user in enumerate(compared.users):
                under = {int(node_of(np.array([place[item]]), level, n)[0]) for item in taken[int(user)][0].tolist()}
                others = [p for p in drawn.tolist() if p not in under]
                mass = np.exp(nodes[others] @ anchors[i]).sum() * size / len(drawn)
                for item in compared.told[indptr[i] : indptr[i + 1]].tolist():
                    own = nodes[int(node_of(np.array([place[item]]), level, n)[0])] @ anchors[i]
                    lost.append(np.log(np.exp(own) + mass) - own)
            by_level.append(np.mean(lost))
        assert loss == pytest.approx(np.mean(by_level), rel=1e-3)


def test_nodes_learn() -> None:
    task = replace(SMALL, trees=1, plant_from=0.0)._task(skewed(), FitContext(seed=0))
    before = None
    for batch in task.batches(0, np.random.default_rng(2)):
        before = task.learnt()["nodes"].copy() if before is None else before
        task.loss(batch, np.random.default_rng(3)).backward()  # type: ignore[no-untyped-call]
    nodes = dict(task.model.named_parameters())["nodes.weight"]
    assert nodes.grad is not None
    assert int((nodes.grad != 0).any(dim=1).sum()) > len(nodes) // 2
    assert not torch.isnan(nodes.grad).any()


@pytest.mark.parametrize("stop", [3, 21, 33])
def test_a_training_that_was_stopped_keeps_its_tree(stop: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data, checkpoints = skewed(), FileCheckpoints(tmp_path / "state.npz")
    settings = loop.TrainingSettings
    monkeypatch.setattr(
        "graphrec.models.training.recipe_training.TrainingSettings", lambda **given: settings(**given, checkpoint_s=0.0)
    )

    def until(done: int, _total: int, /, **_values: float) -> None:
        if done == stop:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        SMALL.fit(data, FitContext(seed=3, checkpoints=checkpoints, progress=until, workers=1))
    again = SMALL.fit(data, FitContext(seed=3, checkpoints=checkpoints, workers=1)).near
    whole = SMALL.fit(data, FitContext(seed=3, workers=1)).near
    assert isinstance(again, TreeIndex)
    assert isinstance(whole, TreeIndex)
    np.testing.assert_array_equal(again._order, whole._order)
    np.testing.assert_array_equal(again._nodes, whole._nodes)


def test_larger_leaves_have_fewer_levels_and_as_many_items() -> None:
    data = skewed()
    queries = known_queries(histories(data.interactions), np.arange(57))
    for leaf, n_nodes in ((2, 60), (12, 4)):
        channel = replace(SMALL, beam=2, leaf=leaf).fit(data)
        assert isinstance(channel.near, TreeIndex)
        assert len(channel.near._nodes) == n_nodes
        assert channel.recall(queries, 9).lengths.min() == 9


def test_a_training_that_ends_before_a_tree_is_due_plants_it_at_its_end() -> None:
    channel = replace(SMALL, stop_at=2).fit(skewed())
    assert isinstance(channel.near, TreeIndex)
    assert channel.audit(k=3) > 0.5


def test_no_events_at_all_are_no_error() -> None:
    data = without_knowledge(library())
    nothing = replace(data, interactions=type(data.interactions)([], [], n_users=8, n_items=12))
    assert SMALL.fit(nothing).recall(Queries([0], item_lists([[1]])), 4).lengths.tolist() == [0]


def test_trees_are_learnt_at_even_distances() -> None:
    assert sorted(TDM(epochs=30, trees=3).planting) == [12, 18, 24]
    assert sorted(TDM(epochs=10, trees=1, plant_from=0.0).planting) == [0]


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"beam": 0}, "beam is 0"),
        ({"trees": 0}, "trees is 0"),
        ({"leaf": 1}, "leaf is 1"),
        ({"plant_from": 1.0}, "plant_from is 1.0"),
        ({"level_negatives": 0}, "level_negatives is 0"),
        ({"index": "hnsw"}, "index is 'hnsw'"),
    ],
)
def test_illegal_settings_are_refused(settings: dict[str, Any], problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        TDM(**settings)
