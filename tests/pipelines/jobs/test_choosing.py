"""What channels choose on a validation part of train is reported, kept, and used wherever they are fitted again."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from graphrec.bundle import open_bundle
from graphrec.contracts.progress import FitContext
from graphrec.contracts.queries import Queries
from graphrec.contracts.recall_data import RecallData
from graphrec.contracts.training_part import last_moment
from graphrec.data.sequences import sequences, take_sequences
from graphrec.evaluation.held_out import held_out_panel
from graphrec.evaluation.objective import MeanMetric
from graphrec.models.graph_networks.lightgcn import LightGCN
from graphrec.pipelines.config.build import Config
from graphrec.pipelines.config.load import load_config
from graphrec.pipelines.config.sections import TrainSection
from graphrec.pipelines.evaluation.validation import hold_out
from graphrec.pipelines.jobs import choosing
from graphrec.pipelines.jobs.choosing import choose, scaled_to
from graphrec.pipelines.jobs.evaluate import evaluate
from graphrec.pipelines.jobs.fitting import fit_channels
from graphrec.pipelines.jobs.splitting import inner_section
from graphrec.pipelines.jobs.train import prepare, train
from graphrec.pipelines.progress import Silent
from graphrec.pipelines.readers.inputs import load_inputs
from graphrec.pipelines.report.sentences import protocol
from graphrec.recallers.filtering import recall_allowed
from graphrec.recallers.vector import VectorRecaller
from tests.pipelines.shelf import CONFIG, write_shelf

CHANNELS = CONFIG[CONFIG.index("[channels.hot]") : CONFIG.index("[evaluate]")]
EARLY = "[channels.lightgcn]\ndim = 8\nsteps = 40\npatience = 2\ncheck_every = 4\n"


def shelf(directory: Path, channels: str) -> Config:
    path = write_shelf(directory)
    path.write_text(path.read_text(encoding="utf-8").replace(CHANNELS, channels), encoding="utf-8")
    return load_config(path)


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return shelf(tmp_path, f"[channels.hot]\n{EARLY}")


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return what LightGCN does from now on: its choices and fits."""
    done: list[str] = []
    for name in ("fit", "choose"):
        method = getattr(LightGCN, name)

        def counted(self: Any, data: RecallData, context: FitContext, name: str = name, method: Any = method) -> Any:
            done.append(name)
            return method(self, data, context)

        monkeypatch.setattr(LightGCN, name, counted)
    return done


def test_a_choice_is_reported_published_and_kept(tmp_path: Path, config: Config, work: list[str]) -> None:
    trained = train(config, tmp_path / "out")
    assert work == ["choose", "fit", "fit"]
    chosen = trained.report.channels["lightgcn"].chosen
    assert chosen is not None
    assert set(chosen) == {"stop_at"}
    assert 1 <= chosen["stop_at"] < 40
    assert trained.report.channels["hot"].chosen is None
    # The bundle holds what the chosen recipe makes of all events.
    whole = load_inputs(config, rejects=None, steps=Silent()).data
    recipe: Any = dataclasses.replace(config.recipes["lightgcn"], **chosen)  # type: ignore[type-var]
    expected = recipe.fit(whole, FitContext(seed=config.settings.seed))
    served = open_bundle(trained.bundle).channels["lightgcn"]
    assert isinstance(served, VectorRecaller)
    np.testing.assert_allclose(served.targets, expected.targets, atol=1e-5)
    work.clear()
    again = train(config, tmp_path / "out")
    assert work == []
    assert again.report.channels["lightgcn"].chosen == chosen


def test_the_choice_is_that_of_a_validation_part_of_train(config: Config) -> None:
    _, _, data = prepare(config, rejects=None, steps=Silent())
    chosen = choose(config, data, Silent())
    part = hold_out(config, data, inner_section(config.settings.split), max_users=None, seed=config.settings.seed)
    context = FitContext(seed=config.settings.seed, validation=part.panel, objective=MeanMetric("recall", 10))
    recipe: Any = config.recipes["lightgcn"]
    assert chosen.config.recipes["lightgcn"] == recipe.choose(part.data, context).recipe
    assert chosen.settings == {"lightgcn": {"stop_at": chosen.config.recipes["lightgcn"].stop_at}}  # type: ignore[attr-defined]
    assert chosen.config.recipes["hot"] is config.recipes["hot"]


def unlearned(directory: Path, channels: str) -> Config:
    config = shelf(directory, channels)
    section = config.settings.split.model_copy(update={"kind": "leave-last", "validation": "history"})
    return dataclasses.replace(config, settings=config.settings.model_copy(update={"split": section}))


def test_validation_events_that_are_not_learned_stand_in_the_histories_of_the_test(
    tmp_path: Path, work: list[str]
) -> None:
    config = unlearned(tmp_path, f"[channels.hot]\n[channels.item-cf]\n{EARLY}")
    report = evaluate(config, tmp_path / "out")
    assert work == ["choose"]
    assert report.split["validation"] == "history"
    _, split, data = prepare(config, rejects=None, steps=Silent())
    part = hold_out(config, data, inner_section(config.settings.split), max_users=None, seed=config.settings.seed)
    assert len(part.data.interactions) < len(data.interactions)
    panel = held_out_panel(data, split.test).panel
    for name in ("hot", "item-cf"):
        recipe: Any = config.recipes[name]
        expected = MeanMetric("ndcg", 10)(recipe.fit(part.data), panel)
        refitted = MeanMetric("ndcg", 10)(recipe.fit(data), panel)
        assert report.channels[name].ndcg[10] == pytest.approx(expected)
        assert expected != pytest.approx(refitted)
    curves = report.channels["lightgcn"].training
    assert curves is not None
    assert set(curves) == {"choosing"}


def test_what_is_published_is_fitted_on_all_events_even_so(tmp_path: Path, work: list[str]) -> None:
    trained = train(unlearned(tmp_path, EARLY), tmp_path / "out")
    assert work == ["choose", "fit"]
    assert "validation events in the histories, not learned" in protocol(trained.report)
    assert "not learned" not in protocol(evaluate(shelf(tmp_path, EARLY)))


def test_a_fusion_is_fitted_on_the_channels_that_are_measured(tmp_path: Path, work: list[str]) -> None:
    fusion = '[fusion]\nweights = "fit"\n'
    report = evaluate(unlearned(tmp_path, f"[channels.hot]\n{EARLY}{fusion}"), tmp_path / "out")
    assert work == ["choose"]
    assert report.fusion_fit is not None


def test_nothing_is_held_out_where_nothing_is_chosen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, work: list[str]
) -> None:
    def never(*_given: Any, **_settings: Any) -> Any:
        raise AssertionError

    monkeypatch.setattr(choosing, "hold_out", never)
    report = evaluate(shelf(tmp_path, EARLY.replace("patience = 2\n", "")))
    report_of_choice = evaluate(shelf(tmp_path, EARLY.replace("patience = 2", "patience = 2\nstop_at = 9")))
    assert work == ["fit", "fit"]
    assert report.channels["lightgcn"].chosen is report_of_choice.channels["lightgcn"].chosen is None


def test_a_fitted_fusion_takes_the_channels_of_the_choice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, work: list[str]
) -> None:
    parts: list[Any] = []

    def counted(*given: Any, **settings: Any) -> Any:
        parts.append(hold_out(*given, **settings))
        return parts[-1]

    monkeypatch.setattr(choosing, "hold_out", counted)
    fusion = '[fusion]\nweights = "fit"\n'
    report = evaluate(shelf(tmp_path, f"[channels.hot]\n{EARLY}{fusion}"), tmp_path / "out")
    assert len(parts) == 1
    # Chosen and asked for the fusion at once; then fitted on the whole training part.
    assert work == ["choose", "fit"]
    fit, chosen = report.fusion_fit, report.channels["lightgcn"].chosen
    assert fit is not None
    assert chosen is not None
    assert fit["users"] == len(parts[0].panel)
    assert chosen["stop_at"] < 40
    written = json.loads((tmp_path / "out" / "report.json").read_text(encoding="utf-8"))
    assert written["channels"]["lightgcn"]["chosen"] == chosen


BOOSTED = '[fusion]\nkind = "boosted"\ntrees = 4\nleaves = 4\n'


@pytest.mark.parametrize("validation", ["learned", "history"])
def test_a_boosted_fusion_is_told_how_large_scores_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, validation: str
) -> None:
    monkeypatch.setattr(choosing, "SCALING_USERS", 9)
    channels = f"[channels.hot]\n[channels.item-cf]\n{BOOSTED}"
    config = unlearned(tmp_path, channels) if validation == "history" else shelf(tmp_path, channels)
    _, _, data = prepare(config, rejects=None, steps=Silent())
    chosen = choose(config, data, Silent())
    assert chosen.learnt is not None
    users = chosen.learnt.panel.users
    assert len(users) == 9
    fitted = (chosen.fitted or fit_channels(config, data, Silent())).channels
    factors = scaled_to(chosen, fitted, data, Silent()).fusion.to_dict()["head_factors"]
    part = hold_out(config, data, inner_section(config.settings.split), max_users=None, seed=config.settings.seed)
    assert set(factors) == {"hot", "item-cf"}
    for name, factor in factors.items():
        points = []
        for channel, known in ((config.recipes[name].fit(part.data), part.data), (fitted[name], data)):
            queries = Queries(users, take_sequences(sequences(known.interactions), users), now=last_moment(known))
            lists = recall_allowed(channel, queries, 200, exclude=queries.history, allowed=known.pool)
            sums = np.array([np.maximum(lists[user][1][:100], 0).sum() for user in range(9)])
            points.append(np.log([queries.history.lengths[sums > 0], sums[sums > 0]]))
        (x, y), (x_served, y_served) = points
        # The slope of a ridge of 1.
        slope = np.cov(x, y, ddof=0)[0, 1] * len(x) / (np.var(x) * len(x) + 1)
        expected = np.exp(y.mean() + slope * (x_served.mean() - x.mean()) - y_served.mean())
        assert factor == pytest.approx(expected, rel=1e-3)


def test_fusions_that_do_not_look_at_scores_stay(tmp_path: Path) -> None:
    config = shelf(tmp_path, '[channels.hot]\n[channels.item-cf]\n[fusion]\nkind = "calibrated"\n')
    _, _, data = prepare(config, rejects=None, steps=Silent())
    chosen = choose(config, data, Silent())
    assert chosen.learnt is None
    assert scaled_to(chosen, {}, data, Silent()) is chosen


def test_the_curves_of_both_trainings_are_reported_also_where_fits_come_from_the_cache(
    tmp_path: Path, config: Config, work: list[str]
) -> None:
    first = evaluate(config, tmp_path / "out").channels
    assert work == ["choose", "fit"]
    again = evaluate(config, tmp_path / "out").channels
    assert work == ["choose", "fit"]
    assert first["hot"].training is None
    curves, chosen = first["lightgcn"].training, first["lightgcn"].chosen
    assert curves is not None
    assert chosen is not None
    assert again["lightgcn"].training == curves
    assert [step for step, _ in curves["choosing"].checks][:2] == [4, 8]
    best = max(value for _, value in curves["choosing"].checks)
    assert (chosen["stop_at"], best) in curves["choosing"].checks
    assert curves["measured"].step == tuple(range(1, chosen["stop_at"] + 1))
    assert curves["measured"].loss[-1] < curves["measured"].loss[0]


def test_the_device_of_the_configuration_is_that_of_every_fit(
    tmp_path: Path, config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    devices: list[str] = []
    graph = LightGCN._graph

    def noted(self: LightGCN, data: RecallData, context: FitContext) -> Any:
        devices.append(context.device)
        return graph(self, data, context)

    monkeypatch.setattr(LightGCN, "_graph", noted)
    settings = config.settings.model_copy(update={"train": TrainSection(device="cuda:1")})
    evaluate(dataclasses.replace(config, settings=settings), tmp_path / "out")
    assert devices == ["cuda:1", "cuda:1"]


def test_tensorboard_gets_a_folder_a_training(tmp_path: Path, config: Config) -> None:
    pytest.importorskip("tensorboard")
    settings = config.settings.model_copy(update={"train": TrainSection(tensorboard=Path("logs"))})
    evaluate(dataclasses.replace(config, settings=settings), tmp_path / "out")
    assert {path.name for path in (config.directory / "logs").iterdir()} == {"lightgcn", "lightgcn-for-validation"}
