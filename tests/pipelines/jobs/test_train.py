"""The main job from files to a served bundle, on a small shelf of books."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from graphrec.bundle import open_bundle, verify_bundle
from graphrec.data.interactions import histories
from graphrec.errors import DataError, GraphRecError, LeakError
from graphrec.fusion.boosted import Boosted
from graphrec.fusion.curves import Curve
from graphrec.pipelines.config.build import Config
from graphrec.pipelines.config.load import load_config
from graphrec.pipelines.evaluation.panel_lists import ask_all
from graphrec.pipelines.evaluation.validation import hold_out
from graphrec.pipelines.jobs.evaluate import evaluate
from graphrec.pipelines.jobs.splitting import inner_section, make_split
from graphrec.pipelines.jobs.train import Trained, prepare, train
from graphrec.pipelines.progress import Silent
from graphrec.pipelines.report.report import Report
from graphrec.serve.answer import Recalled
from graphrec.serve.engine import Engine
from graphrec.serve.state import load_state
from tests.oracles.fusion import calibrated_rate
from tests.pipelines.shelf import CONFIG, N_BOOKS, N_READERS, write_shelf

CHANNELS = ["hot", "user-cf", "item-cf", "tag", "kg-neighbours", "node2vec"]


METRICS = {"recall", "ndcg", "hit_rate", "coverage", "novelty", "gini", "popularity_overlap", "strata_recall"}
ROW = {"fit_s", "size_bytes", "query_us"} | {f"{name}@{k}" for name in (*METRICS, "recall_interval") for k in (5, 10)}
CHANNEL = ROW | {f"{name}@{k}" for name in ("unique_hits", "returned", "marginal_recall", "vs_hot") for k in (5, 10)}


def test_report_has_the_published_format(trained: Trained) -> None:
    """Key for key as programs have read it from the first version on."""
    report = json.loads((trained.bundle.parent / "report.json").read_text(encoding="utf-8"))
    assert set(report) == {
        *("dataset", "split", "seed", "k", "users", "fusion", "channels", "fused", "fused_vs_best@5", "overlap@5"),
        *(
            "fused_vs_best@10",
            "overlap@10",
            "bootstrap",
            "definitions",
            "versions",
            "machine",
            "notices",
            "inputs",
            "catalogue",
        ),
        *("pool", "pool_published", "maps"),
    }
    assert (report["dataset"], report["seed"], report["k"], report["split"]["kind"]) == ("shelf", 7, [5, 10], "ratio")
    assert list(report["channels"]) == CHANNELS
    for name, row in report["channels"].items():
        expected = CHANNEL - {"vs_hot@5", "vs_hot@10"} if name == "hot" else CHANNEL
        assert set(row) == (expected | {"training"} if name == "node2vec" else expected)
        estimate, low, high = row["marginal_recall@10"]
        assert low <= estimate <= high
        assert set(row["strata_recall@5"]) == {"head", "torso", "tail"}
        assert all(row[cost] > 0 for cost in ("fit_s", "size_bytes", "query_us"))
    assert set(report["fused"]) == ROW | {"union_recall@5", "union_recall@10"}
    assert 0 < report["fused"]["recall@10"] <= 1
    assert set(report["fused_vs_best@10"]) == {"channel", "difference"}
    assert report["overlap@10"]["hot"]["hot"] == pytest.approx(1.0)
    assert set(report["users"]) == {
        *("all", "with_truth", "measured", "measured_without_history", "pool", "true_items", "true_items_outside_pool"),
        "true_items_outside_catalogue",
    }
    assert report["bootstrap"] == {"rounds": 100, "level": 0.95, "seed": 7}
    assert set(report["machine"]) == {"system", "processor", "cpus", "python"}


def test_what_was_written_is_read_back(trained: Trained) -> None:
    assert Report.read(trained.bundle.parent) == trained.report.rounded()
    assert open_bundle(trained.bundle).report == trained.report.to_dict()


def test_personal_channels_beat_popularity_where_readers_keep_to_a_genre(trained: Trained) -> None:
    recall = {name: metrics.recall[5] for name, metrics in trained.report.channels.items()}
    assert all(recall[name] > recall["hot"] for name in CHANNELS if name != "hot"), recall


def test_inputs_are_reported(trained: Trained) -> None:
    inputs = trained.report.inputs
    assert inputs["knowledge"]["linking"]["matched"] == N_BOOKS + 1
    assert inputs["knowledge"]["linking"]["missing"] == 0


def test_bundle_is_whole_and_holds_everything(trained: Trained) -> None:
    assert all(check.ok for check in verify_bundle(trained.bundle))
    bundle = open_bundle(trained.bundle)
    assert list(bundle.channels) == CHANNELS
    assert len(bundle.users) == N_READERS
    assert len(bundle.items) == N_BOOKS + 1
    # Published channels know every event; what was measured knew three quarters of them.
    assert len(bundle.history.items) == N_READERS * 6
    assert bundle.manifest.audits["node2vec"] > 0.9
    html = (trained.bundle.parent / "report.html").read_text(encoding="utf-8")
    assert "<svg" in html
    # Self-contained: nothing is loaded from elsewhere.
    assert not re.search(r"(src|href)=[\"']?https?:|@import|url\((?!#)", html)


def test_a_book_without_readers_is_found_through_the_graph(trained: Trained) -> None:
    engine = Engine.open(trained.bundle)
    answer = engine.recall(history=["b0", "b24"], k=N_BOOKS + 1, explain=True)
    assert f"b{N_BOOKS}" in answer.ids
    book = next(item for item in answer.items if item.item == f"b{N_BOOKS}")
    assert "kg-neighbours" in book.channels


def test_same_seed_same_bundle(shelf: Path, trained: Trained, tmp_path: Path) -> None:
    again = train(load_config(shelf), tmp_path / "again")
    first, second = open_bundle(trained.bundle).manifest, open_bundle(again.bundle).manifest
    changing = {"report.json"}  # holds seconds
    assert {name: entry.sha256 for name, entry in first.files.items() if name not in changing} == {
        name: entry.sha256 for name, entry in second.files.items() if name not in changing
    }


def variant(tmp_path: Path, *changes: tuple[str, str]) -> Config:
    """Write the shelf with a changed configuration."""
    path = write_shelf(tmp_path)
    text = CONFIG
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    path.write_text(text, encoding="utf-8")
    return load_config(path)


def test_fitted_fusion_weights_and_leave_last(tmp_path: Path) -> None:
    config = variant(
        tmp_path,
        ("[evaluate]", '[fusion]\nweights = "fit"\n[evaluate]'),
        ('kind = "ratio"\ntest_share = 0.25', 'kind = "leave-last"'),
        ("[channels.node2vec]\ndim = 16\nwalks_per_node = 4\nlength = 10\nepochs = 1\n", ""),
    )
    trained = train(config, tmp_path / "out")
    weights = open_bundle(trained.bundle).fusion["weights"]
    assert set(weights) == set(CHANNELS) - {"node2vec"}
    assert trained.report.split["kind"] == "leave-last"


def test_coverage_is_fitted_on_validation_served_as_quotas_and_channels_are_recommended(tmp_path: Path) -> None:
    config = variant(
        tmp_path,
        ("[evaluate]", '[fusion]\nkind = "coverage"\n[evaluate]\nmax_channels = 2'),
        ("[channels.node2vec]\ndim = 16\nwalks_per_node = 4\nlength = 10\nepochs = 1\n", ""),
    )
    trained = train(config, tmp_path / "out")
    fusion, fit, choice = open_bundle(trained.bundle).fusion, trained.report.fusion_fit, trained.report.selection
    assert fit is not None
    assert choice is not None
    assert fusion == {"kind": "quota", "quotas": fit["quotas"]}
    assert 0 < sum(fit["quotas"].values()) <= fit["budget"] == fit["k"] == 10
    assert fit["prefixes_cover"] <= fit["best_prefixes_at_most"] <= fit["held_out"]
    assert choice.chosen_on == f"{fit['users']} users of the validation part"
    assert 1 <= len(choice.kept) <= 2
    written = json.loads((trained.bundle.parent / "report.json").read_text(encoding="utf-8"))
    assert set(written["selection"]) == {
        *("k", "budget", "chosen_on", "users", "kept", "steps", "recall", "recall_of_all", "against_all"),
        *("costs", "costs_of_all", "dropped"),
    }
    assert set(written["selection"]["steps"][0]) == {"channel", "recall"}
    dropped = next(iter(written["selection"]["dropped"].values()))
    assert (set(dropped), list(dropped["costs"])) == ({"adds", "costs", "fits"}, ["query_us", "size_bytes", "channels"])
    assert len(Engine.open(trained.bundle).recall(user="r1", k=10).ids) == 10


@pytest.mark.parametrize(
    ("settings", "method", "cutoffs"),
    [("", "isotonic", [10]), ('method = "logistic"\ncutoffs = [5, 10]\n', "logistic", [5, 10])],
    ids=["isotonic", "logistic"],
)
def test_calibrated_fusion_is_fitted_on_validation_reported_and_served(
    tmp_path: Path, settings: str, method: str, cutoffs: list[int]
) -> None:
    config = variant(
        tmp_path,
        ("[evaluate]", f'[fusion]\nkind = "calibrated"\n{settings}[evaluate]'),
        ("[channels.tag]\n[channels.kg-neighbours]\n", "[channels.gf-cf]\n"),
        ("[channels.node2vec]\ndim = 16\nwalks_per_node = 4\nlength = 10\nepochs = 1\n", ""),
    )
    trained = train(config, tmp_path / "out")
    channels = ["hot", "user-cf", "item-cf", "gf-cf"]
    fusion, fit = open_bundle(trained.bundle).fusion, trained.report.fusion_fit
    assert fit is not None
    assert (fit["method"], fit["cutoffs"], fit["k"]) == (method, cutoffs, 10)
    assert fit["users"] == N_READERS
    assert fusion["kind"] == "calibrated"
    assert list(fusion["curves"]) == channels
    assert fusion["weights"] == fit["weights"]
    assert max(fit["weights"].values()) == 1
    keys = {"isotonic": {"shares", "rates"}, "logistic": {"intercept", "share_slope", "rank_slope"}}
    assert all(set(curve) == keys[method] for curve in fusion["curves"].values())
    assert 0 < trained.report.fused.recall[10] <= 1
    engine = Engine.open(trained.bundle)
    answer = engine.recall(user="r1", k=10)
    assert len(answer.ids) == 10
    assert all(one.score >= after.score for one, after in pairwise(answer.items))
    for one in answer.items:
        # Within the hundredth that keeps entries of a flat curve in their order.
        assert one.score == pytest.approx(calibrated_by_hand(engine, fusion, "r1", one), rel=0.011)


def test_boosted_fusion_is_fitted_on_validation_and_served(tmp_path: Path) -> None:
    config = variant(
        tmp_path,
        ("[evaluate]", '[fusion]\nkind = "boosted"\ntrees = 5\nleaves = 4\n[evaluate]'),
        ("[channels.tag]\n", ""),
        ("[channels.node2vec]\ndim = 16\nwalks_per_node = 4\nlength = 10\nepochs = 1\n", ""),
    )
    trained = train(config, tmp_path / "out")
    bundle, fit = open_bundle(trained.bundle), trained.report.fusion_fit
    assert fit is not None
    assert (fit["cutoffs"], fit["users"]) == ([10], N_READERS)
    assert 1 <= fit["trees"] == len(bundle.fusion["trees"]["roots"]) <= 5
    graph = bundle.fusion["graph"]
    assert graph["channels"] == ["kg-neighbours"]
    assert [f"{relation}: items" for relation in graph["linked"]] == list(graph["relations"])[::2]
    assert {len(digits) for digits in (bundle.fusion["popularity"], *graph["relations"].values())} == {
        len(bundle.items)
    }
    served = load_state(trained.bundle).fusion
    assert isinstance(served, Boosted)
    assert served.graph.links is not None
    # Fitted on train and on all events channels have other scores; of each the fusion is told.
    measured, published = trained.report.fusion["head_factors"], bundle.fusion["head_factors"]
    assert set(measured) == set(published) == set(bundle.channels) == set(bundle.fusion["base"]["curves"])
    assert published["hot"] < measured["hot"] < 1
    answer = Engine.open(trained.bundle).recall(user="r1", k=10)
    assert len(answer.ids) == 10
    assert all(one.score >= after.score for one, after in pairwise(answer.items))
    assert all(one.channels for one in answer.items)


def calibrated_by_hand(engine: Engine, fusion: Mapping[str, Any], user: str, one: Recalled) -> float:
    """Return the sum of weighted rates that an answer's item should have, by what each channel says alone."""
    total = 0.0
    for name, place in one.channels.items():
        alone = engine.recall(user=user, k=N_BOOKS, channels=[name]).items
        head = sum(max(other.channels[name].score, 0.0) for other in alone if name in other.channels)
        curve = Curve(**fusion["curves"][name])
        total += fusion["weights"][name] * calibrated_rate(curve, place.score / head, place.rank)
    return total


def test_a_validation_part_is_held_out_of_train_alone(shelf: Path, tmp_path: Path) -> None:
    config = variant(tmp_path, (CONFIG[CONFIG.index("[channels.user-cf]") : CONFIG.index("[evaluate]")], ""))
    _, split, data = prepare(config, rejects=None, steps=Silent())
    inner = make_split(inner_section(config.settings.split), data.interactions, None, seed=config.settings.seed)
    assert len(inner.train.users) + len(inner.test.users) == len(data.interactions.users) == len(split.train.users)
    part = hold_out(config, data, inner_section(config.settings.split), max_users=None, seed=config.settings.seed)
    assert part.data.interactions.items.tolist() == inner.train.items.tolist()
    assert len(part.panel) == N_READERS
    answers = ask_all({"hot": config.recipes["hot"].fit(part.data)}, part.panel, 7)
    assert answers.lists["hot"].lengths.max() == 7
    known = histories(inner.train)
    for user, (items, _) in enumerate(answers.lists["hot"]):
        assert not set(items.tolist()) & set(known[user][0].tolist())
        assert not set(part.panel.truth[user][0].tolist()) & set(known[user][0].tolist())


def test_without_knowledge_the_rest_still_works(tmp_path: Path) -> None:
    knowledge = CONFIG[CONFIG.index("[data.knowledge]") : CONFIG.index("[split]")]
    light = CONFIG[CONFIG.index("[channels.tag]") : CONFIG.index("[evaluate]")]
    report = evaluate(variant(tmp_path, (knowledge, ""), (light, "")))
    assert list(report.channels) == ["hot", "user-cf", "item-cf"]


RDF = """
@prefix s: <https://schema.org/> .
@prefix u: <http://books.example/user/> .
@prefix b: <http://books.example/book/> .
"""


def _reads() -> str:
    return RDF + "".join(
        f"u:r{reader} s:read b:b{book} .\n" for reader in range(9) for book in range(reader % 3, N_BOOKS, 3 + reader)
    )


def test_interactions_from_rdf_that_the_graph_holds_too_are_a_leak(tmp_path: Path) -> None:
    knowledge = CONFIG[CONFIG.index("[data.knowledge]") : CONFIG.index("[split]")]
    light = CONFIG[CONFIG.index("[channels.hot]") : CONFIG.index("[evaluate]")]
    mapping = (
        'rdf = { direct = ["https://schema.org/read"], user_template = "http://books.example/user/{id}", '
        'item_template = "http://books.example/book/{id}" }'
    )
    shared = knowledge.replace('["books.ttl"]', '["books.ttl", "reads.ttl"]').replace('tags = ["genre"]', "")
    changes = [
        ('path = "ratings.csv"', 'path = "reads.ttl"'),
        (CONFIG[CONFIG.index("columns = ") : CONFIG.index("[data.knowledge]")], mapping + "\n\n"),
        (light, "[channels.hot]\n[channels.kg-neighbours]\n"),
    ]
    (tmp_path / "reads.ttl").write_text(_reads(), encoding="utf-8")
    template = 'user_template = "http://books.example/user/{id}"\n'
    with pytest.raises(LeakError, match="gives away held-out interactions through"):
        evaluate(variant(tmp_path, *changes, (knowledge, shared + template)))
    report = evaluate(variant(tmp_path, *changes, (knowledge, shared + template + 'exclude = ["read"]\n')))
    assert list(report.channels) == ["hot", "kg-neighbours"]


def test_a_broken_input_leaves_no_bundle(tmp_path: Path) -> None:
    config = variant(tmp_path)
    (tmp_path / "books.ttl").write_text("<a> <b> .", encoding="utf-8")
    with pytest.raises(DataError, match=r"books\.ttl"):
        train(config, tmp_path / "out")
    assert not (tmp_path / "out" / "current").exists()


def test_output_that_cannot_be_made(shelf: Path) -> None:
    with pytest.raises(GraphRecError, match=r"the output directory '.*ratings\.csv/x' cannot be written"):
        train(load_config(shelf), shelf.parent / "ratings.csv" / "x")


def test_an_item_without_events_is_found_by_what_the_graph_knows(trained: Trained) -> None:
    with Engine.open(trained.bundle) as engine:
        near = engine.neighbours("b30", k=5)
        assert near.ids
        # Of its genre, every third book, are all that share anything with it.
        assert {int(name[1:]) % 3 for name in near.ids} == {0}
        assert "b30" in engine.neighbours("b0", k=30).ids
        for channel in ("tag", "kg-neighbours", "node2vec"):
            assert "b30" in engine.recall(history=["b0", "b6"], k=31, channels=[channel]).ids, channel
