"""Searching on a small shelf: never worse, resumable, blind to the test part, and honest about failures."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphrec.pipelines.tuning.report
import graphrec.pipelines.tuning.tune
from graphrec.contracts.panel import Panel
from graphrec.contracts.progress import FitContext
from graphrec.contracts.queries import known_queries
from graphrec.contracts.recaller import Recaller
from graphrec.data.interactions import histories
from graphrec.data.leave_out import leave_out
from graphrec.data.splits import held_out, split_by_ratio
from graphrec.errors import ConfigError, DataError, LeakError
from graphrec.evaluation.metrics import rank_metrics
from graphrec.evaluation.objective import MeanMetric, Metric
from graphrec.pipelines.config.load import load_config
from graphrec.pipelines.evaluation.validation import hold_out, measured
from graphrec.pipelines.jobs.evaluate import evaluate
from graphrec.pipelines.jobs.splitting import inner_section
from graphrec.pipelines.jobs.train import prepare
from graphrec.pipelines.progress import Silent
from graphrec.pipelines.tuning.tune import Tuned, tune
from tests.pipelines.shelf import CONFIG, write_shelf

KNOWLEDGE = CONFIG[CONFIG.index("[data.knowledge]") : CONFIG.index("[split]")]
CHANNELS = CONFIG[CONFIG.index("[channels.hot]") : CONFIG.index("[evaluate]")]
SEARCH = """
[tune]
metric = "recall@3"
trials = 9
[tune.channels.hot]
[tune.channels.item-cf]
k = { int = [1, 30], log = true }
user_exponent = { float = [0.0, 1.0] }
item_exponent = { float = [0.0, 1.0], step = 0.25 }
normalise = [true, false]
"""


def shelf(
    directory: Path, *changes: tuple[str, str], channels: str = "[channels.hot]\n[channels.item-cf]\nk = 2\n"
) -> Path:
    """Write the shelf without its graph, with few channels and something to search."""
    directory.mkdir(parents=True, exist_ok=True)
    path = write_shelf(directory)
    text = CONFIG
    for old, new in ((KNOWLEDGE, ""), (CHANNELS, channels), ("[evaluate]", SEARCH + "[evaluate]"), *changes):
        assert old in text, old
        text = text.replace(old, new)
    path.write_text(text, encoding="utf-8")
    return path


def told(report: dict[str, Any], channel: str = "item-cf") -> list[Any]:
    """Return what the trials of a channel were, without the seconds."""
    return [
        {key: value for key, value in trial.items() if not key.endswith("_s")}
        for trial in report["channels"][channel]["trials"]
    ]


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tuning")


@pytest.fixture(scope="module")
def whole(directory: Path) -> Tuned:
    """Return a search that nothing interrupted."""
    return tune(shelf(directory), directory / "out")


@pytest.fixture(autouse=True)
def _undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave pages and importances out: they take most of the time of so small a search, and have tests of their own."""
    monkeypatch.setattr(graphrec.pipelines.tuning.tune, "page", lambda _: "")
    monkeypatch.setattr(graphrec.pipelines.tuning.report, "importances", lambda _space, _trials: {})


def test_the_first_trial_has_the_present_settings_and_the_best_is_no_worse(
    whole: Tuned,
) -> None:
    row = whole.report["channels"]["item-cf"]
    first = row["trials"][0]
    assert first["settings"] == {"k": 2, "user_exponent": 0.5, "item_exponent": 0.5, "normalise": True}
    assert row["present"]["value"] == first["value"]
    assert row["best"]["value"] == max(trial["value"] for trial in row["trials"])
    assert row["best"]["value"] > first["value"]
    estimate, low, high = row["gain"]
    assert estimate == pytest.approx(row["best"]["value"] - first["value"])
    assert low <= estimate <= high
    assert whole.report["left"] == {"hot": "[tune.channels.hot] is empty"}
    assert len(row["trials"]) == 9


def test_the_tuned_configuration_is_ready_to_use(whole: Tuned) -> None:
    config = load_config(whole.config)
    best = whole.report["channels"]["item-cf"]["best"]["settings"]
    assert {field: getattr(config.recipes["item-cf"], field) for field in best} == best
    assert list(evaluate(config).channels) == ["hot", "item-cf"]


def test_files_of_a_search(whole: Tuned) -> None:
    out = whole.config.parent
    assert json.loads((out / "tune.json").read_text(encoding="utf-8")) == whole.report
    html = (out / "tune.html").read_text(encoding="utf-8")
    assert html.count("<svg") == 3
    assert not re.search(r"(src|href)=[\"']?https?:|@import|url\((?!#)", html)
    suffixes = {file.suffix for file in out.rglob("*") if file.is_file()}
    assert suffixes == {".toml", ".json", ".html", ".jsonl", ".npy"}


def test_a_value_is_that_of_the_channel_fitted_on_the_inner_part(directory: Path, whole: Tuned) -> None:
    config = load_config(directory / "config.toml")
    _, _, train = prepare(config, rejects=None, steps=Silent())
    inner = split_by_ratio(train.interactions, test_share=0.25, seed=7)
    channel = config.recipes["item-cf"].fit(dataclasses.replace(train, interactions=inner.train), FitContext(seed=7))
    history, truth = histories(inner.train), held_out(inner.train, inner.test)
    queries = known_queries(history, np.arange(len(history)))
    recalls = []
    for user in range(len(history)):
        found = [item for item in channel.recall(queries, 31)[user][0] if item not in history[user][0]][:3]
        wanted = set(truth[user][0])
        recalls.append(len(wanted.intersection(found)) / len(wanted))
    assert whole.report["channels"]["item-cf"]["present"]["value"] == pytest.approx(np.mean(recalls))
    assert whole.report["validation"]["users_measured"] == len(recalls)


def test_more_trials_go_on_as_if_never_stopped(tmp_path: Path, whole: Tuned) -> None:
    path = shelf(tmp_path)
    first = tune(path, tmp_path / "out", trials=4)
    assert told(first.report) == told(whole.report)[:4]
    assert told(tune(path, tmp_path / "out").report) == told(whole.report)
    # Everything is there already: nothing is fitted, and the result is the same.
    assert tune(path, tmp_path / "out").report == tune(path, tmp_path / "out").report


def test_an_interrupted_run_leaves_what_it_found_and_goes_on(
    tmp_path: Path, whole: Tuned, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, calls = shelf(tmp_path), iter(range(99))

    def impatient(channel: Recaller, panel: Panel, metric: Metric, k: int) -> Any:
        if next(calls) == 5:
            raise KeyboardInterrupt
        return measured(channel, panel, metric, k)

    monkeypatch.setattr(graphrec.pipelines.tuning.tune, "measured", impatient)
    stopped = tune(path, tmp_path / "out")
    assert stopped.stopped
    assert stopped.report["stopped"] is True
    assert told(stopped.report) == told(whole.report)[: len(told(stopped.report))]
    assert len(told(stopped.report)) < 9
    assert load_config(stopped.config).recipes
    monkeypatch.undo()
    assert told(tune(path, tmp_path / "out").report) == told(whole.report)


def test_interrupted_before_anything_was_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def impatient(*_: object) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(graphrec.pipelines.tuning.tune, "measured", impatient)
    with pytest.raises(KeyboardInterrupt):
        tune(shelf(tmp_path), tmp_path / "out")
    assert not (tmp_path / "out" / "tuned.toml").exists()


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ('metric = "recall@3"', 'metric = "ndcg@3"', 'metric was "recall@3" and is "ndcg@3"'),
        ("[1, 30]", "[1, 31]", r"space\.k\.int was \[1, 30\] and is \[1, 31\]"),
        ("test_share = 0.25", "test_share = 0.5", r"split\.test_share was 0\.25 and is 0\.5"),
        ("k = 2", "k = 3", r"channels\.item-cf\.k was 2 and is 3"),
        ("trials = 9", "trials = 9\nmax_users = 7", r"max_users was 5000 and is 7"),
        ("seed = 7", "seed = 8", r"seed was 7 and is 8"),
    ],
)
def test_another_search_is_refused(
    directory: Path, whole: Tuned, tmp_path: Path, old: str, new: str, sentence: str
) -> None:
    path = shelf(tmp_path, (old, new))
    with pytest.raises(ConfigError, match=sentence + ".*--restart"):
        tune(path, whole.config.parent)


def test_other_data_are_refused_and_restart_begins_again(tmp_path: Path) -> None:
    path = shelf(tmp_path)
    tune(path, tmp_path / "out", trials=1)
    with (tmp_path / "ratings.csv").open("a", encoding="utf-8") as file:
        file.write("r0,b1,5,1700000000\n")
    with pytest.raises(ConfigError, match=r"data files was .*--restart"):
        tune(path, tmp_path / "out", trials=1)
    assert len(told(tune(path, tmp_path / "out", trials=2, restart=True).report)) == 2


BY_TIME = ('kind = "ratio"\ntest_share = 0.25', 'kind = "time"\ncut = "2023-11-19"')
CUT_S = 1_700_352_000


def by_time(directory: Path, *, poison: bool) -> Path:
    """Write the shelf with its events in the order of time; ``poison`` gives those after the cut other books."""
    path = shelf(directory, BY_TIME)
    head, *lines = (directory / "ratings.csv").read_text(encoding="utf-8").splitlines()
    rows = sorted((line.split(",") for line in lines), key=lambda row: int(row[3]))
    late = [row for row in rows if int(row[3]) >= CUT_S]
    early = rows[: -len(late)]
    # Every book has an event before the cut, so the poison changes neither the items nor their order.
    assert {f"b{book}" for book in range(30)} == {row[1] for row in early}
    for row in late if poison else ():
        row[1], row[2] = f"b{(int(row[1][1:]) * 7 + 11) % 30}", "5"
    text = "\n".join([head, *(",".join(row) for row in rows)])
    (directory / "ratings.csv").write_text(text + "\n", encoding="utf-8")
    return path


def test_the_test_part_is_never_seen(tmp_path: Path) -> None:
    clean = tune(by_time(tmp_path / "clean", poison=False), tmp_path / "a")
    other = tune(by_time(tmp_path / "poisoned", poison=True), tmp_path / "b")
    assert told(other.report) == told(clean.report)
    for key in ("present", "best", "gain"):
        assert other.report["channels"]["item-cf"][key] == clean.report["channels"]["item-cf"][key]
    assert other.report["validation"] == clean.report["validation"]
    # The poison works: what is measured on the test part differs.
    reports = [evaluate(load_config(tmp_path / name / "config.toml")) for name in ("clean", "poisoned")]
    assert reports[0].channels["item-cf"].recall[5] != reports[1].channels["item-cf"].recall[5]


def test_a_given_test_file_is_never_seen(tmp_path: Path) -> None:
    given = [
        ('kind = "ratio"\ntest_share = 0.25', 'kind = "given"'),
        ('path = "ratings.csv"', 'path = "ratings.csv"\ntest_path = "test.csv"'),
    ]
    reports = []
    for name, book in (("a", "b1"), ("b", "b2")):
        path = shelf(tmp_path / name, *given)
        (tmp_path / name / "test.csv").write_text(f"reader,book,stars,time\nr0,{book},5,1700000000\n", encoding="utf-8")
        reports.append(tune(path, tmp_path / name / "out", trials=3).report)
    assert told(reports[0]) == told(reports[1])
    assert reports[0]["validation"]["kind"] == "ratio"


def test_settings_that_fail_are_told_and_the_search_goes_on(tmp_path: Path) -> None:
    channels = '[channels.hot]\nby_user = "country"\n'
    search = '[tune.channels.hot]\nby_user = ["country", "land", ""]\nhalf_life_days = { float = [1.0, 100.0] }\n'
    table = SEARCH[SEARCH.index("[tune.channels.hot]") :]
    report = tune(shelf(tmp_path, (table, search), channels=channels), tmp_path / "out").report
    row = report["channels"]["hot"]
    assert row["present"]["value"] is None
    assert "country" in row["present"]["message"]
    assert row["gain"] is None
    assert row["best"]["settings"]["by_user"] == ""
    assert 0 < row["failed"] < 9
    assert all(bool(trial["message"]) == (trial["state"] == "failed") for trial in row["trials"])


def test_all_trials_failing_is_an_error(tmp_path: Path) -> None:
    channels = '[channels.hot]\nby_user = "country"\n'
    table = SEARCH[SEARCH.index("[tune.channels.hot]") :]
    path = shelf(tmp_path, (table, '[tune.channels.hot]\nby_user = ["country", "land"]\n'), channels=channels)
    with pytest.raises(ConfigError, match=r"channel 'hot': all 4 trials failed, the first with: by_user"):
        tune(path, tmp_path / "out")


def test_data_that_a_channel_cannot_use_end_the_search_at_once(tmp_path: Path) -> None:
    table = SEARCH[SEARCH.index("[tune.channels.hot]") :]
    path = shelf(tmp_path, (table, ""), channels="[channels.tag]\n")
    with pytest.raises(DataError, match="no item tags"):
        tune(path, tmp_path / "out")


def test_a_small_space_is_tried_whole_and_once(tmp_path: Path) -> None:
    table = SEARCH[SEARCH.index("[tune.channels.hot]") :]
    path = shelf(tmp_path, (table, "[tune.channels.hot]\n[tune.channels.item-cf]\nnormalise = [true, false]\n"))
    trials = tune(path, tmp_path / "out").report["channels"]["item-cf"]["trials"]
    assert [trial["settings"]["normalise"] for trial in trials if trial["state"] == "measured"] == [True, False]
    assert all(trial["value"] == trials[trial["repeats"]]["value"] for trial in trials if trial["repeats"] is not None)
    assert len(trials) < 9


def test_channels_asked_for_and_channels_found_before(tmp_path: Path) -> None:
    table = SEARCH[SEARCH.index("[tune.channels.hot]") : SEARCH.index("[tune.channels.item-cf]")]
    path = shelf(tmp_path, (table, ""))
    alone = tune(path, tmp_path / "out", channels=["item-cf"], trials=3)
    assert alone.report["left"] == {"hot": "it was not requested"}
    both = tune(path, tmp_path / "out", channels=["hot"], trials=2)
    assert {name: len(row["trials"]) for name, row in both.report["channels"].items()} == {"hot": 2, "item-cf": 3}
    path.write_text(path.read_text(encoding="utf-8").replace("k = 2\n", "k = 3\n"), encoding="utf-8")
    assert tune(path, tmp_path / "out", channels=["hot"], trials=2).report["left"] == {
        "item-cf": "its earlier search had other settings"
    }


@pytest.mark.parametrize(
    ("channels", "sentence"),
    [
        (["item-fc"], r"channel 'item-fc' is not among hot, item-cf; nearest: 'item-cf'"),
        (["hot"], r"channel 'hot' has no known space; write what to search into \[tune\.channels\.hot\]"),
    ],
)
def test_channels_that_cannot_be_searched(tmp_path: Path, channels: list[str], sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        tune(shelf(tmp_path), tmp_path / "other", channels=channels)


def test_time_runs_out_after_the_present_settings(tmp_path: Path) -> None:
    report = tune(shelf(tmp_path), tmp_path / "out", timeout_s=1e-9).report
    assert len(told(report)) == 1
    with pytest.raises(ConfigError, match="timeout_s is -1; it must be above 0"):
        tune(shelf(tmp_path), tmp_path / "out", timeout_s=-1)


def test_nothing_to_search(tmp_path: Path) -> None:
    table = SEARCH[SEARCH.index("[tune.channels.hot]") :]
    path = shelf(tmp_path, (table, "[tune.channels.hot]\n[tune.channels.item-cf]\n"))
    with pytest.raises(ConfigError, match="no channel has a space to search"):
        tune(path, tmp_path / "out")


def test_validation_users_are_sampled_and_have_truth_in_the_pool(tmp_path: Path) -> None:
    config = load_config(shelf(tmp_path))
    _, _, train = prepare(config, rejects=None, steps=Silent())
    pool = np.ones(len(train.items), dtype=np.bool_)
    pool[:10] = False
    few = dataclasses.replace(train, pool=pool)
    section = inner_section(config.settings.split)
    part = hold_out(config, few, section, max_users=9, seed=7)
    assert len(part.panel.users) == 9
    assert part.panel.truth.lengths.min() > 0
    assert pool[part.panel.truth.items].all()
    assert hold_out(config, few, section, max_users=9, seed=7).panel.users.tolist() == part.panel.users.tolist()
    nothing = dataclasses.replace(train, pool=np.zeros(len(train.items), dtype=np.bool_))
    with pytest.raises(DataError, match="nobody has a held-out item inside the pool"):
        hold_out(config, nothing, section, max_users=9, seed=7)


def test_a_recipe_that_chooses_does_so_on_the_panel_that_it_is_measured_on(tmp_path: Path) -> None:
    channels = "[channels.lightgcn]\ndim = 4\nsteps = 30\npatience = 2\ncheck_every = 3\n"
    spaces = SEARCH[SEARCH.index("[tune.channels.hot]") :]
    path = shelf(tmp_path, (spaces, "[tune.channels.lightgcn]\nlayers = [1, 2]\n"), channels=channels)
    tuned = tune(path, tmp_path / "out", trials=2)
    config = load_config(path)
    _, _, train = prepare(config, rejects=None, steps=Silent())
    part = hold_out(config, train, inner_section(config.settings.split), max_users=None, seed=config.settings.seed)
    context = FitContext(seed=config.settings.seed, validation=part.panel, objective=MeanMetric("recall", 3))
    recipe: Any = config.recipes["lightgcn"]
    chosen = recipe.choose(part.data, context)
    assert 0 < chosen.recipe.stop_at < 30
    first = tuned.report["channels"]["lightgcn"]["trials"][0]
    assert first["value"] == pytest.approx(measured(chosen.channel, part.panel, "recall", 3).mean())


def test_metrics_of_a_part_are_those_of_the_lists(tmp_path: Path) -> None:
    config = load_config(shelf(tmp_path))
    _, _, train = prepare(config, rejects=None, steps=Silent())
    part = hold_out(config, train, inner_section(config.settings.split), max_users=30, seed=1)
    channel = config.recipes["hot"].fit(part.data)
    queries = part.panel.queries
    lists = leave_out(channel.recall(queries, 99), 4, exclude=queries.history, allowed=train.pool)
    for metric in ("recall", "ndcg", "hit_rate"):
        expected = getattr(rank_metrics(lists, part.panel.truth, 4), metric)
        assert measured(channel, part.panel, metric, 4).tolist() == expected.tolist()


def test_a_graph_that_gives_validation_away_is_refused(tmp_path: Path) -> None:
    graph = KNOWLEDGE.replace('"books.ttl"', '"books.ttl", "reads.ttl"')
    graph += 'user_template = "http://books.example/user/{id}"\n'
    # Named, so that a relation made of training events may be in the graph at all.
    graph += '[catalogue]\nderived = ["read"]\n'
    path = shelf(tmp_path, ("[split]", graph + "[split]"))
    _, split, _ = prepare(load_config(shelf(tmp_path / "plain")), rejects=None, steps=Silent())
    rows = zip(split.train.users, split.train.items, strict=True)
    config = load_config(tmp_path / "plain" / "config.toml")
    inputs, _, _ = prepare(config, rejects=None, steps=Silent())
    users, items = inputs.data.users, inputs.data.items
    # The graph holds training events alone: legal for training, but not for a search inside it.
    lines = [
        f"<http://books.example/user/{users[int(user)]}> <https://schema.org/read> "
        f"<http://books.example/book/{items[int(item)]}> ."
        for user, item in rows
    ]
    (tmp_path / "reads.ttl").write_text("\n".join(lines), encoding="utf-8")
    with pytest.raises(LeakError, match="gives away held-out interactions through 'read"):
        tune(path, tmp_path / "out")
