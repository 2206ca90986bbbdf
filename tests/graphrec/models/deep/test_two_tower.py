"""Two towers: what they learn, whom they serve, and that a training that was stopped goes on as it would have."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from graphrec.contracts.choosing import chooses
from graphrec.contracts.progress import FitContext
from graphrec.contracts.queries import Queries, known_queries
from graphrec.data.features import Features, Labels
from graphrec.data.interactions import histories
from graphrec.data.lists import item_lists, take_lists
from graphrec.data.vocabulary import Vocabulary
from graphrec.errors import ConfigError, DataError
from graphrec.evaluation.held_out import held_out_panel
from graphrec.evaluation.objective import MeanMetric
from graphrec.models.deep.fm import FM
from graphrec.models.deep.tdm import TDM
from graphrec.models.deep.two_tower import TwoTower
from graphrec.models.training import loop
from graphrec.pipelines.jobs.checkpoints import FileCheckpoints
from graphrec.recallers.vector import VectorRecaller
from tests.worlds import checkerboard, described, library, skewed, without_knowledge

SMALL = TwoTower(dim=6, epochs=12, lr=0.05, batch=16, negatives=24)
MIXED = replace(
    SMALL, mix={"in-batch": 1.0, "uniform": 1.0, "hard": 0.2, "active": 0.2}, hard_from=3, hard_to=9,
    hard_starts=0.25, hard_full=0.5, refresh=2,
)  # fmt: skip


@pytest.mark.parametrize("similarity", ["cosine", "dot"])
@pytest.mark.parametrize("mix", [{}, {"in-batch": 1.0}, {"popular": 1.0, "hard": 0.1}])
def test_users_get_what_is_missing_of_their_own_colour(similarity: Any, mix: dict[str, float]) -> None:
    data = without_knowledge(checkerboard())
    recipe = replace(SMALL, similarity=similarity, mix=mix, epochs=30, temperature=0.3, hard_from=2, hard_to=8)
    channel, taken = recipe.fit(data), histories(data.interactions)
    answer = channel.recall_allowed(
        known_queries(taken, np.arange(30)), 1, exclude=taken, allowed=np.ones(20, dtype=np.bool_)
    )
    assert (answer.items % 2 == np.arange(30) % 2).mean() > 0.9
    strangers = channel.recall(Queries([-1, -1], item_lists([[0, 4, 6], [1, 3, 9]])), 5)
    assert [(strangers[user][0] % 2).tolist() for user in (0, 1)] == [[0] * 5, [1] * 5]


def test_a_user_is_served_from_his_own_part_and_his_history() -> None:
    data = skewed()
    channel, taken = SMALL.fit(data), histories(data.interactions)
    own = channel.recall(known_queries(taken, [3]), 8)
    stranger = channel.recall(Queries([-1], take_lists(taken, [3])), 8)
    assert own.items.tolist() != stranger.items.tolist()
    assert channel.recall(Queries([-1], item_lists([[]])), 8).lengths.tolist() == [0]


def test_items_without_events_are_recalled_by_their_features() -> None:
    data = without_knowledge(checkerboard())
    cold = 19
    part = replace(
        data,
        interactions=type(data.interactions)(
            data.interactions.users[data.interactions.items != cold],
            data.interactions.items[data.interactions.items != cold], n_users=30, n_items=20,
        ),
        item_features=Features(20, {}, {"colour": Labels(Vocabulary(["black", "white"]), np.arange(20) % 2)}),
    )  # fmt: skip
    recipe = replace(SMALL, ids=False, epochs=30, temperature=0.3)
    channel = recipe.fit(part)
    white = channel.recall(Queries([-1], item_lists([[1, 3, 5]])), 10)
    assert cold in white.items.tolist()
    assert (white.items % 2 == 1).all()
    assert cold not in SMALL.fit(replace(part, item_features=None)).rows.tolist()


@pytest.mark.parametrize("stop", [1, 9, 30])
def test_a_training_that_was_stopped_goes_on_as_it_would_have(
    stop: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Hard negatives and a committee are looked up from the model in between, and are not looked up again."""
    data, checkpoints = skewed(), FileCheckpoints(tmp_path / "state.npz")
    settings = loop.TrainingSettings
    monkeypatch.setattr(
        "graphrec.models.training.recipe_training.TrainingSettings", lambda **given: settings(**given, checkpoint_s=0.0)
    )

    def until(done: int, _total: int, /, **_values: float) -> None:
        if done == stop:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        MIXED.fit(data, FitContext(seed=3, checkpoints=checkpoints, progress=until, workers=1))
    again = MIXED.fit(data, FitContext(seed=3, checkpoints=checkpoints, workers=1))
    whole = MIXED.fit(data, FitContext(seed=3, workers=1))
    np.testing.assert_array_equal(again.targets, whole.targets)
    np.testing.assert_array_equal(again.sources, whole.sources)


def test_where_to_stop_is_chosen_on_held_out_users() -> None:
    data = skewed()
    rows = np.random.default_rng(0).random(len(data.interactions)) < 0.8
    events = data.interactions
    kept, rest = (
        type(events)(events.users[mask], events.items[mask], n_users=60, n_items=45) for mask in (rows, ~rows)
    )
    part = replace(data, interactions=kept)
    panel = held_out_panel(part, rest).panel
    recipe = replace(SMALL, patience=2, check_every=2)
    assert chooses(recipe)
    assert not chooses(SMALL)
    chosen = recipe.choose(part, FitContext(validation=panel, objective=MeanMetric("recall", 10)))
    again = chosen.recipe.fit(part, FitContext())
    assert 0 < chosen.recipe.stop_at <= 12
    assert isinstance(chosen.channel, VectorRecaller)
    np.testing.assert_allclose(again.targets, chosen.channel.targets, rtol=1e-3, atol=1e-4)


def test_no_events_at_all_are_no_error() -> None:
    data = without_knowledge(library())
    nothing = replace(data, interactions=type(data.interactions)([], [], n_users=8, n_items=12))
    assert SMALL.fit(nothing).recall(Queries([0], item_lists([[1]])), 4).lengths.tolist() == [0]


def test_vectors_come_by_id() -> None:
    data = described(skewed())
    table = SMALL.embed(data)
    assert table.matrix.shape == (45, 6)


def test_a_loss_that_runs_away_is_named() -> None:
    with pytest.raises(ConfigError, match=r"is not finite at step \d+, batch \d+ of epoch \d+: likely lr"):
        replace(SMALL, lr=1e30, similarity="dot").fit(skewed())


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"dim": 0}, "dim is 0"),
        ({"stop_at": 99}, "stop_at is 99; it must be at most epochs"),
        ({"hard_from": 9, "hard_to": 3}, "hard_from is 9; it must be at most hard_to, which is 3"),
        ({"hard_starts": 0.9}, "hard_starts is 0.9; it must be at most hard_full"),
        ({"ids": False, "features": False}, "ids and features are both off"),
        ({"entities": True, "features": False}, "entities are features of items, and features is off"),
        ({"mix": {"hardest": 1.0}}, "mix names 'hardest'; .*nearest: 'hard'"),
        ({"similarity": "l2"}, "similarity is 'l2'"),
        ({"rules": "same colour"}, "rules is 'same colour'; it must be a list of rules"),
    ],
)
def test_illegal_settings_are_refused(settings: dict[str, Any], problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        TwoTower(**settings)


def test_without_ids_there_must_be_features() -> None:
    with pytest.raises(
        ConfigError, match="nothing to tell items apart by: ids are off, and the items have no features"
    ):
        replace(SMALL, ids=False).fit(without_knowledge(skewed()))
    data = replace(skewed(), item_tags=None)
    with pytest.raises(ConfigError, match="nothing to tell items apart"):
        replace(SMALL, ids=False).fit(data)
    assert replace(SMALL, ids=False, entities=True).fit(data).targets.any()


def test_negatives_that_the_data_do_not_have_are_refused_before_training() -> None:
    with pytest.raises(DataError, match="need exposures"):
        replace(SMALL, mix={"exposed": 1.0}).fit(skewed())


@pytest.mark.parametrize("recipe", [TwoTower(dim=4), FM(dim=4), TDM(dim=4)], ids=["two-tower", "fm", "tdm"])
def test_what_many_items_share_learns_slowly(recipe: Any) -> None:
    task = replace(recipe, lr=0.02, map_lr=0.001)._task(described(skewed()), FitContext())
    fast, slow = task.groups()
    model = task.model
    own = [
        model.items_in.ids,
        model.users_in.ids,
        *(getattr(model, name) for name in ("said", "nodes") if hasattr(model, name)),
    ]
    assert {id(weight) for weight in fast.parameters} == {id(table.weight) for table in own}
    assert slow.lr_scale == pytest.approx(0.05)
    assert {id(weight) for weight in [*fast.parameters, *slow.parameters]} == {
        id(weight) for weight in model.parameters()
    }
    assert any(weight is table.weight for table in model.items_in.tables for weight in slow.parameters)
