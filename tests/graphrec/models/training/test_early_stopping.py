"""Training stops by what held-out users get, and what was chosen fits again without a search."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from graphrec.contracts.choosing import ChosenFit, choices_of, chooses, fit_or_choose, with_choices
from graphrec.contracts.panel import Panel
from graphrec.contracts.progress import FitContext, State
from graphrec.contracts.recall_data import RecallData
from graphrec.contracts.recaller import Recaller
from graphrec.contracts.training_part import training_part
from graphrec.data.splits import split_by_ratio
from graphrec.errors import ConfigError
from graphrec.evaluation.held_out import held_out_panel
from graphrec.evaluation.objective import MeanMetric
from graphrec.models.graph_networks import lightgcn
from graphrec.models.graph_networks.lightgcn import LightGCN
from graphrec.models.training.early_stopping import EarlyStopping
from graphrec.pipelines.jobs.checkpoints import FileCheckpoints
from graphrec.recallers.vector import VectorRecaller
from tests.worlds import skewed, without_knowledge

RECIPE = LightGCN(dim=6, steps=24, negatives=5, patience=2, check_every=3)


@pytest.fixture(scope="module")
def part() -> tuple[RecallData, Panel]:
    """Return a training part and the users held out of it."""
    data = without_knowledge(skewed())
    split = split_by_ratio(data.interactions, test_share=0.3, seed=1)
    inner = training_part(data, split)
    return inner, held_out_panel(inner, split.test).panel


def scored(scores: list[float]) -> Callable[[Recaller, Panel], float]:
    """Return an objective that has these values one after the other."""
    left = iter(scores)
    return lambda _channel, _panel: next(left)


def same(ours: Recaller, theirs: Recaller) -> bool:
    assert isinstance(ours, VectorRecaller)
    assert isinstance(theirs, VectorRecaller)
    assert ours.users is not None
    assert theirs.users is not None
    pairs = ((ours.users, theirs.users), (ours.sources, theirs.sources), (ours.targets, theirs.targets))
    return all(np.array_equal(mine, other) for mine, other in pairs)


@pytest.mark.parametrize(
    ("scores", "patience", "step", "made"),
    [
        ([1, 2, 3, 4], 2, 12, 4),
        ([1, 3, 2, 2, 9], 2, 6, 4),
        ([1, 3, 2, 4, 3, 3, 9], 2, 12, 6),
        ([5, 5, 5], 2, 3, 3),
        ([2, 1, 1, 3], 3, 12, 4),
        ([-1, -2], 1, 3, 2),
    ],
)
def test_training_is_over_when_the_last_checks_were_no_better(
    scores: list[float], patience: int, step: int, made: int
) -> None:
    values, stopping = iter(scores), None
    stopping = EarlyStopping(lambda _learnt: next(values), every=3, patience=patience)
    weights = np.zeros(1)
    checks = 0
    for at in range(1, 3 * len(scores) + 1):
        weights += 1
        checks += bool(stopping.after(at, {"weights": weights}, last=False))
        if stopping.over:
            break
    assert (stopping.step, checks) == (step, made)
    assert stopping.learnt["weights"].tolist() == [step]


def test_the_last_step_is_checked_whatever_its_number() -> None:
    stopping = EarlyStopping(lambda learnt: float(learnt["a"][0]), every=10, patience=1)
    assert stopping.after(7, {"a": np.ones(1)}, last=False) == {}
    assert stopping.after(7, {"a": np.ones(1)}, last=True) == {"validation": 1.0}


def test_a_state_is_taken_up_whole_and_another_is_not() -> None:
    stopping = EarlyStopping(lambda learnt: float(learnt["a"][0]), every=1, patience=2)
    stopping.after(1, {"a": np.ones(2)}, last=False)
    stopping.after(2, {"a": np.zeros(2)}, last=False)
    state: State = stopping.state()
    again = EarlyStopping(lambda learnt: float(learnt["a"][0]), every=1, patience=2)
    assert not again.resume({"a": np.ones(2)})
    assert again.resume(state)
    assert (again.step, again.over, again.learnt["a"].tolist()) == (1, False, [1, 1])
    again.after(3, {"a": np.ones(2)}, last=False)
    assert again.over


def test_the_best_step_is_chosen_and_fits_again_to_the_same_channel(part: tuple[RecallData, Panel]) -> None:
    data, panel = part
    context = FitContext(seed=3, validation=panel, objective=scored([1, 2, 5, 4, 3]))
    chosen = RECIPE.choose(data, context)
    assert choices_of(RECIPE, chosen.recipe) == {"stop_at": 9}
    assert same(chosen.channel, chosen.recipe.fit(data, FitContext(seed=3)))
    assert not same(chosen.channel, RECIPE.fit(data, FitContext(seed=3)))
    # The learning rate falls as for all the steps: stopping early is not a shorter training.
    assert not same(chosen.channel, replace(RECIPE, steps=9).fit(data, FitContext(seed=3)))


def test_a_training_that_gets_better_to_the_end_is_trained_to_the_end(part: tuple[RecallData, Panel]) -> None:
    data, panel = part
    recipe = replace(RECIPE, steps=8)
    chosen = recipe.choose(data, FitContext(seed=3, validation=panel, objective=scored([1, 2, 3])))
    assert chosen.recipe.stop_at == 8
    assert same(chosen.channel, replace(recipe, patience=0).fit(data, FitContext(seed=3)))


def test_a_recipe_that_chose_does_not_search_again(part: tuple[RecallData, Panel]) -> None:
    data, panel = part
    never = FitContext(seed=3, validation=panel, objective=scored([]))
    assert [chooses(recipe) for recipe in (RECIPE, replace(RECIPE, stop_at=9), LightGCN())] == [True, False, False]
    for recipe in (replace(RECIPE, stop_at=9), replace(RECIPE, patience=0)):
        again = fit_or_choose(recipe, data, never)
        assert again.recipe == recipe == recipe.choose(data, never).recipe
        assert same(again.channel, recipe.fit(data, FitContext(seed=3)))


def test_without_held_out_users_all_steps_are_trained(part: tuple[RecallData, Panel]) -> None:
    fitted = fit_or_choose(RECIPE, part[0], FitContext(seed=3))
    assert isinstance(fitted, ChosenFit)
    assert fitted.recipe == RECIPE
    assert same(fitted.channel, replace(RECIPE, patience=0).fit(part[0], FitContext(seed=3)))


def test_what_was_chosen_is_put_back(part: tuple[RecallData, Panel]) -> None:
    assert with_choices(RECIPE, choices_of(RECIPE, replace(RECIPE, stop_at=5))) == replace(RECIPE, stop_at=5)
    assert with_choices(RECIPE, {}) is RECIPE


@pytest.mark.parametrize("metric", ["recall", "ndcg"])
def test_the_step_is_the_best_of_all_that_were_checked(part: tuple[RecallData, Panel], metric: str) -> None:
    data, panel = part
    objective = MeanMetric(metric, 3)  # type: ignore[arg-type]
    exact = replace(RECIPE, index="exact", patience=100)
    chosen = exact.choose(data, FitContext(seed=3, validation=panel, objective=objective))
    scores = {
        step: objective(replace(exact, stop_at=step).fit(data, FitContext(seed=3)), panel)
        for step in range(3, exact.steps + 1, 3)
    }
    assert chosen.recipe.stop_at == max(scores, key=lambda step: scores[step])
    assert len(set(scores.values())) > 1


@pytest.mark.parametrize("stop", [2, 6, 10])
def test_a_choice_that_was_stopped_goes_on_with_the_same_result(
    stop: int, part: tuple[RecallData, Panel], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lightgcn, "_CHECKPOINT_S", 0.0)
    data, panel = part
    context = FitContext(seed=3, validation=panel, objective=MeanMetric("recall", 3))
    saved = replace(context, checkpoints=FileCheckpoints(tmp_path / "state.npz"))

    def until(done: int, _total: int, /, **_values: float) -> None:
        if done == stop:
            raise KeyboardInterrupt

    whole = RECIPE.choose(data, context)
    with pytest.raises(KeyboardInterrupt):
        RECIPE.choose(data, replace(saved, progress=until))
    again = RECIPE.choose(data, saved)
    assert again.recipe == whole.recipe
    assert same(again.channel, whole.channel)
    # Taken up after its last step, it makes none again.
    assert same(RECIPE.choose(data, saved).channel, whole.channel)


def test_progress_shows_the_objective_at_each_check(part: tuple[RecallData, Panel]) -> None:
    data, panel = part
    seen: dict[int, float] = {}

    def progress(done: int, _total: int, /, **values: float) -> None:
        if "validation" in values:
            seen[done] = values["validation"]

    context = FitContext(seed=3, validation=panel, objective=scored([1, 2, 1, 1]), progress=progress)
    RECIPE.choose(data, context)
    assert seen == {3: 1, 6: 2, 9: 1, 12: 1}


@pytest.mark.parametrize(
    ("context", "problem"),
    [
        (FitContext(), "the context has no validation; give it both"),
        (FitContext(objective=MeanMetric("recall", 3)), "the context has no validation"),
    ],
)
def test_choosing_takes_held_out_users(context: FitContext, problem: str, part: tuple[RecallData, Panel]) -> None:
    with pytest.raises(ConfigError, match=problem):
        RECIPE.choose(part[0], context)


def test_an_objective_is_there_and_finite(part: tuple[RecallData, Panel]) -> None:
    data, panel = part
    with pytest.raises(ConfigError, match="the context has no objective"):
        RECIPE.choose(data, FitContext(validation=panel))
    with pytest.raises(ConfigError, match="the objective of a fit is nan; it must be a finite number"):
        RECIPE.choose(data, FitContext(validation=panel, objective=lambda _channel, _panel: float("nan")))


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"patience": -1}, "patience is -1; it must be a whole number of 0 or more"),
        ({"check_every": 0}, "check_every is 0; it must be a whole number of 1 or more"),
        ({"stop_at": 241}, "stop_at is 241; it must be at most steps, which is 240, or 0"),
    ],
)
def test_illegal_settings_are_refused(settings: dict[str, int], problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        LightGCN(**settings)  # type: ignore[arg-type]
