import dataclasses
import importlib.metadata
import math
from importlib.metadata import PackageNotFoundError
from typing import Any

import numpy as np
import pytest

from graphrec.channels.behaviour.item_cf import ItemCF
from graphrec.channels.content.tag import Tag
from graphrec.channels.popular.hot import Hot
from graphrec.contracts.panel import Panel
from graphrec.contracts.queries import Queries, known_queries
from graphrec.contracts.recall_data import RecallData
from graphrec.contracts.recaller import Recaller
from graphrec.contracts.recipe import Recipe
from graphrec.data.interactions import Interactions, histories
from graphrec.data.lists import ItemLists, item_lists, take_lists
from graphrec.data.neighbours import NeighbourTable
from graphrec.data.splits import Split, held_out, split_by_ratio, split_by_time
from graphrec.errors import ConfigError, DataError
from graphrec.evaluation.bootstrap import Interval
from graphrec.evaluation.held_out import held_out_panel
from graphrec.evaluation.metrics import rank_metrics
from graphrec.fusion.priority import Priority
from graphrec.fusion.settings import Fusion, Quota, Rrf
from graphrec.fusion.snake import Snake
from graphrec.operations.recipe import Operations
from graphrec.pipelines.evaluation import panel_lists
from graphrec.pipelines.evaluation.accumulator import evaluator
from graphrec.pipelines.evaluation.evaluate import EvaluationSettings, evaluate
from graphrec.pipelines.evaluation.panel_lists import PanelLists, ask_all
from graphrec.pipelines.evaluation.validation import measured
from graphrec.pipelines.jobs.fitting import Fitted
from graphrec.pipelines.report.parts import Comparison
from graphrec.pipelines.report.report import Report
from graphrec.recallers.neighbours import NeighbourRecaller
from graphrec.recallers.ranked import RankedRecaller
from graphrec.version import __version__
from tests.worlds import checkerboard, ruled, skewed

K = [3, 8]
NOTHING = Interval(0.0, 0.0, 0.0)


def world(split: Split | None = None) -> tuple[RecallData, Split, dict[str, Recaller]]:
    whole = skewed()
    held = split or split_by_ratio(whole.interactions, test_share=0.3, seed=1)
    data = dataclasses.replace(whole, interactions=held.train)
    recipes: dict[str, Recipe] = {"hot": Hot(), "item-cf": ItemCF(), "tag": Tag()}
    return data, held, {name: recipe.fit(data) for name, recipe in recipes.items()}


def fitted(channels: dict[str, Recaller]) -> Fitted:
    return Fitted(channels, dict.fromkeys(channels, 0.5), dict.fromkeys(channels, 1000), {}, {})


def run(data: RecallData, held: Split, channels: dict[str, Recaller], **options: Any) -> Report:
    others = {name: options.pop(name) for name in ("validation", "progress") if name in options}
    fusion = options.pop("fusion", Rrf())
    settings = EvaluationSettings(**{"k": K, "seed": 3, "bootstrap_rounds": 100, **options})
    return evaluate(fitted(channels), fusion, data, held.test, settings, **others)


def slow_lists(data: RecallData, channel: Recaller, users: list[int], k: int) -> list[list[int]]:
    """Everything the channel has, filtered in plain Python."""
    history = histories(data.interactions)
    answers = []
    for user in users:
        ranked, _ = channel.recall(known_queries(history, [user]), len(data.items))[0]
        seen = set(history[user][0].tolist())
        answers.append([i for i in ranked.tolist() if data.pool[i] and i not in seen][:k])
    return answers


def truth_sets(data: RecallData, split: Split) -> dict[int, set[int]]:
    truth = {
        user: {i for i in items.tolist() if data.pool[i]}
        for user, (items, _) in enumerate(held_out(split.train, split.test))
    }
    return {user: items for user, items in truth.items() if items}


def ndcg(answer: list[int], truth: set[int]) -> float:
    return sum(1 / math.log2(p + 2) for p, item in enumerate(answer) if item in truth)


def test_every_number_against_the_slow_way() -> None:
    data, split, channels = world()
    report = run(data, split, channels)
    truth = truth_sets(data, split)
    lists = {name: slow_lists(data, channel, list(truth), len(data.items)) for name, channel in channels.items()}
    lists["fused"] = [
        items.tolist() for items, _ in Rrf().merge({n: item_lists(part) for n, part in lists.items()}, K[-1]).lists
    ]
    for name, row in report.rows.items():
        for k in K:
            tops = [answer[:k] for answer in lists[name]]
            hits = [len(set(top) & true) for top, true in zip(tops, truth.values(), strict=True)]
            recall = np.mean([h / len(true) for h, true in zip(hits, truth.values(), strict=True)])
            assert row.recall[k] == pytest.approx(recall)
            assert row.hit_rate[k] == pytest.approx(np.mean([h > 0 for h in hits]))
            assert row.coverage[k] == pytest.approx(len({i for top in tops for i in top}) / data.pool.sum())
            ideals = [sum(1 / math.log2(p + 2) for p in range(min(k, len(true)))) for true in truth.values()]
            gains = [ndcg(top, true) / best for top, true, best in zip(tops, truth.values(), ideals, strict=True)]
            assert row.ndcg[k] == pytest.approx(np.mean(gains))
    for k in K:
        for a in channels:
            others = [set().union(*(lists[b][i][:k] for b in channels if b != a)) for i in range(len(truth))]
            alone = [(set(lists[a][i][:k]) & true) - others[i] for i, true in enumerate(truth.values())]
            assert report.channels[a].unique_hits[k] == sum(map(len, alone))
            for b in channels:
                both = sum(len(set(x[:k]) & set(y[:k])) for x, y in zip(lists[a], lists[b], strict=True))
                assert report.overlap[k][a][b] == pytest.approx(both / sum(len(x[:k]) for x in lists[a]))


def test_marginal_recall_and_comparisons() -> None:
    data, split, channels = world()
    report = run(data, split, channels)
    for k in K:
        for name, row in report.channels.items():
            others = {other: channel for other, channel in channels.items() if other != name}
            without = run(data, split, others, k=K).fused.recall[k]
            gain = row.marginal_recall[k]
            assert gain.estimate == pytest.approx(report.fused.recall[k] - without)
            assert gain.low <= gain.estimate <= gain.high
            if name != "hot":
                against = row.recall[k] - report.channels["hot"].recall[k]
                assert row.vs_hot is not None
                assert row.vs_hot[k].estimate == pytest.approx(against)
        best = max(report.channels, key=lambda name: report.channels[name].recall[k])
        assert report.fused_vs_best[k].channel == best
        difference = report.fused.recall[k] - report.channels[best].recall[k]
        assert report.fused_vs_best[k].difference.estimate == pytest.approx(difference)


@pytest.mark.parametrize("name", ["without hot", "without without hot", "", "all channels", "minus", "Whole.ALL"])
@pytest.mark.parametrize("limits", [{}, {"channels": 1}])
def test_no_name_of_a_channel_is_that_of_another_column(name: str, limits: dict[str, float]) -> None:
    data, split, channels = world()
    settings = {"limits": limits, "bootstrap_rounds": 20}
    plain = run(data, split, {"hot": channels["hot"], "item-cf": channels["item-cf"], "x": channels["tag"]}, **settings)
    named = run(
        data, split, {"hot": channels["hot"], "item-cf": channels["item-cf"], name: channels["tag"]}, **settings
    )

    def figures(report: Report, own: str) -> list[object]:
        rows = [report.channels[key] for key in ("hot", "item-cf", own)]
        choice = report.selection
        return [
            *((row.recall, row.marginal_recall, row.vs_hot) for row in rows),
            report.fused.recall,
            {k: best.difference for k, best in report.fused_vs_best.items()},
            choice and (choice.recall, choice.recall_of_all, choice.against_all),
            choice and [row.adds for row in choice.dropped.values()],
        ]

    assert figures(named, name) == figures(plain, "x")


def test_the_strata_add_up_to_the_hits() -> None:
    data, split, channels = world()
    report, truth = run(data, split, channels), truth_sets(data, split)
    answers = slow_lists(data, channels["hot"], list(truth), 8)
    found = sum(len(set(answer) & true) for answer, true in zip(answers, truth.values(), strict=True))
    measure = evaluator(data.interactions, data.pool, K)
    sizes = np.bincount([measure.strata[i] for true in truth.values() for i in true], minlength=3)
    shares = report.channels["hot"].strata_recall[8]
    hits = sum(share * size for share, size in zip(dataclasses.astuple(shares), sizes, strict=True))
    assert hits == pytest.approx(found)


def test_rows_are_in_order_and_say_what_channels_cost() -> None:
    data, split, channels = world()
    report = run(data, split, channels)
    assert (report.seed, report.k, list(report.channels)) == (3, (3, 8), ["hot", "item-cf", "tag"])
    assert all(row.query_us > 0 for row in report.rows.values())
    assert (report.channels["tag"].fit_s, report.channels["tag"].size_bytes) == (0.5, 1000)
    assert (report.fused.fit_s, report.fused.size_bytes) == (1.5, 3000)


def without_seconds(report: Report) -> Report:
    channels = {name: dataclasses.replace(row, query_us=0.0) for name, row in report.channels.items()}
    return dataclasses.replace(report, channels=channels, fused=dataclasses.replace(report.fused, query_us=0.0))


def test_chunks_do_not_change_anything(monkeypatch: pytest.MonkeyPatch) -> None:
    data, split, channels = world()
    whole = without_seconds(run(data, split, channels))
    calls: list[tuple[int, int]] = []
    monkeypatch.setattr(panel_lists, "CHUNK", 7)
    parts = without_seconds(run(data, split, channels, progress=lambda done, total: calls.append((done, total))))
    assert parts == whole
    n = whole.users.measured
    assert calls[0] == (7, n)
    assert calls[-1] == (n, n)


def test_a_sample_of_users_is_that_of_the_seed() -> None:
    data, split, channels = world()
    first = without_seconds(run(data, split, channels, max_users=10))
    assert first.users.measured == 10
    assert first == without_seconds(run(data, split, channels, max_users=10))
    assert first != without_seconds(run(data, split, channels, max_users=10, seed=4))


def test_users_without_history_are_measured_and_counted() -> None:
    split = split_by_time(skewed().interactions, test_share=0.6)
    data, _, channels = world(split)
    report = run(data, split, channels)
    truth = truth_sets(data, split)
    history = histories(split.train)
    assert report.users.measured == len(truth)
    assert report.users.measured_without_history == sum(history.lengths[user] == 0 for user in truth) > 0
    outside = sum(not data.pool[i] for items, _ in held_out(split.train, split.test) for i in items)
    assert report.users.true_items_outside_pool == outside > 0


def test_a_personal_channel_beats_popularity_on_the_checkerboard() -> None:
    whole = checkerboard()
    split = split_by_ratio(whole.interactions, test_share=0.25, seed=0)
    data = dataclasses.replace(whole, interactions=split.train)
    channels: dict[str, Recaller] = {"hot": Hot().fit(data), "item-cf": ItemCF().fit(data)}
    report = run(data, split, channels, k=[5])
    assert report.channels["item-cf"].recall[5] == 1.0
    gain = report.channels["item-cf"].vs_hot
    assert gain is not None
    assert gain[5].low > 0


def test_one_channel_and_quota() -> None:
    data, split, channels = world()
    alone = run(data, split, {"tag": channels["tag"]})
    assert alone.fused.recall[8] == alone.channels["tag"].recall[8]
    assert alone.channels["tag"].marginal_recall[8].estimate == pytest.approx(alone.fused.recall[8])
    assert alone.channels["tag"].vs_hot is None
    quota = run(data, split, channels, fusion=Quota({"hot": 4, "tag": 4}))
    assert quota.fusion == {"kind": "quota", "quotas": {"hot": 4, "tag": 4}}


FUSIONS: list[Fusion] = [Rrf(), Quota({"hot": 4, "none": 4}), Snake(), Priority(["none"], {"none": 3})]


@pytest.mark.parametrize("fusion", FUSIONS, ids=lambda fusion: fusion.kind)
def test_a_channel_that_returns_nothing_is_named_and_breaks_nothing(fusion: Fusion) -> None:
    data, split, channels = world()
    n = len(data.items)
    nothing: dict[str, Recaller] = {"none": NeighbourRecaller([NeighbourTable([0] * (n + 1), [], [], n_columns=n)])}
    report = run(data, split, {**channels, **nothing}, fusion=fusion, limits={"channels": 2})
    (notice,) = report.notices
    assert notice.startswith("Channel 'none' returned nothing for any of the 57 users measured")
    row = report.channels["none"]
    assert row.returned[8] == row.recall[8] == row.coverage[8] == 0
    assert row.novelty[8] is None
    assert row.marginal_recall[8] == NOTHING
    assert set(report.overlap[8]["none"].values()) == {0.0}
    assert report.selection is not None
    assert "none" not in report.selection.kept
    assert Report.from_json(report.to_json()) == report
    assert report.channels["hot"].returned[8] == 8
    alone = run(data, split, nothing, limits={"query_us": 1e9})
    assert alone.fused.recall[8] == 0
    assert alone.selection is not None
    assert alone.selection.kept == ()


def merged_recall(data: RecallData, split: Split, channels: dict[str, Recaller], users: list[int], k: int) -> float:
    lists = {name: item_lists(slow_lists(data, channel, users, 200)) for name, channel in channels.items()}
    truth = truth_sets(data, split)
    merged = Rrf().merge(lists, k).lists
    return float(
        np.mean([len(set(i.tolist()) & truth[u]) / len(truth[u]) for u, (i, _) in zip(users, merged, strict=True)])
    )


def test_channels_chosen_on_validation_are_measured_on_everybody() -> None:
    data, split, channels = world()
    history, truth = histories(data.interactions), truth_sets(data, split)
    lists = {name: item_lists(slow_lists(data, channel, list(truth), 200)) for name, channel in channels.items()}
    # "Validation" where only the channel tag finds anything.
    liked = item_lists([items[:2] for items, _ in lists["tag"]])
    panel = Panel(list(truth), take_lists(history, list(truth)), liked, data.pool)
    validation = PanelLists(panel, channels, lists)
    choice = run(data, split, channels, limits={"channels": 1}, validation=validation).selection
    assert choice is not None
    assert choice.kept == ("tag",)
    assert choice.budget == {"channels": 1}
    assert choice.chosen_on == f"{len(history.lengths[list(truth)])} users of the validation part"
    assert choice.users == len(truth)
    users = list(truth)
    kept = merged_recall(data, split, {"tag": channels["tag"]}, users, 8)
    whole = merged_recall(data, split, channels, users, 8)
    assert choice.recall.estimate == pytest.approx(kept)
    assert choice.recall_of_all.estimate == pytest.approx(whole)
    assert choice.against_all.estimate == pytest.approx(kept - whole)
    for name, row in choice.dropped.items():
        both = {key: channels[key] for key in channels if key in ("tag", name)}
        assert row.adds.estimate == pytest.approx(merged_recall(data, split, both, users, 8) - kept)
        assert not row.fits
    assert choice.costs["size_bytes"] == 1000
    assert choice.costs_of_all["size_bytes"] == 3000
    assert choice.costs_of_all["channels"] == 3


def test_without_validation_users_of_the_choice_are_not_reported() -> None:
    data, split, channels = world()
    report = run(data, split, channels, limits={"size_bytes": 2000})
    choice, n = report.selection, report.users.measured
    assert choice is not None
    assert choice.users == n // 2
    assert choice.chosen_on.startswith(f"{n - n // 2} of the measured users")
    assert 1 <= len(choice.kept) <= 2
    assert choice.steps[-1].recall > 0
    assert run(data, split, channels).selection is None
    single = run(data, split, channels, limits={"size_bytes": 2000}, max_users=1).selection
    assert single is not None
    assert single.users == 1


def test_channels_are_chosen_and_reported_by_the_lists_that_would_be_served() -> None:
    """Pins and boosts included: the figures of kept channels are those of evaluating these channels alone."""
    whole = ruled(skewed())
    split = split_by_ratio(whole.interactions, test_share=0.3, seed=1)
    data = dataclasses.replace(whole, interactions=split.train)
    recipes: dict[str, Recipe] = {"hot": Hot(), "tag": Tag(), "operations": Operations()}
    channels = {name: recipe.fit(data) for name, recipe in recipes.items()}
    panel = held_out_panel(data, split.test).panel
    answers = ask_all(channels, panel, Rrf().channel_depth(8))
    for limit in (1, 2, 3):
        report = run(data, split, channels, limits={"channels": limit}, validation=answers)
        choice = report.selection
        assert choice is not None
        alone = run(data, split, {name: channels[name] for name in choice.kept})
        assert choice.recall.estimate == pytest.approx(alone.fused.recall[8])
        assert choice.steps[-1].recall == pytest.approx(alone.fused.recall[8])
        assert choice.recall_of_all.estimate == pytest.approx(report.fused.recall[8])
        for name, row in choice.dropped.items():
            more = run(data, split, {key: channels[key] for key in channels if key in (*choice.kept, name)})
            assert row.adds.estimate == pytest.approx(more.fused.recall[8] - alone.fused.recall[8])
    # The pins count: without them the merged list is another.
    plain = Rrf().merge(answers.lists, 8).lists
    assert rank_metrics(plain, panel.truth, 8).recall.mean() != pytest.approx(report.fused.recall[8])


def test_every_measurement_asks_at_the_moment_of_the_panel() -> None:
    """For evaluation, latency, the choice of channels and validation alike: the last moment of the training part."""
    data, split, channels = world(split_by_time(skewed().interactions, test_share=0.3))
    hot = channels["hot"]
    assert isinstance(hot, RankedRecaller)
    assert split.train.times is not None
    moments: list[float | None] = []

    class Scheduled(RankedRecaller):
        def recall(self, queries: Queries, k: int) -> ItemLists:
            moments.append(queries.now)
            return super().recall(queries, k)

    scheduled = Scheduled(hot.items, hot.scores)
    run(data, split, {"scheduled": scheduled, "tag": channels["tag"]}, limits={"channels": 1})
    measured(scheduled, held_out_panel(data, split.test).panel, "recall", 5)
    assert set(moments) == {float(split.train.times.max())}


def test_a_difference_of_equal_lists_is_exactly_nothing() -> None:
    """A second channel that returns what the first does, and a fusion that takes the first alone."""
    data, split, channels = world()
    twins = {"hot": channels["hot"], "twin": channels["hot"]}
    report = run(data, split, twins, fusion=Quota({"hot": 8, "twin": 0}))
    assert report.channels["twin"].vs_hot == {3: NOTHING, 8: NOTHING}
    assert report.channels["twin"].marginal_recall[8] == NOTHING
    assert report.fused_vs_best[8] == Comparison("hot", NOTHING)


def test_it_runs_from_a_source_tree_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> str:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", missing)
    data, split, channels = world()
    assert run(data, split, channels).versions == {"graphrec": __version__}


def test_bad_arguments() -> None:
    data, split, channels = world()
    with pytest.raises(ConfigError, match=r"cut-offs are \[0\]"):
        run(data, split, channels, k=[0])
    with pytest.raises(ConfigError, match="no channel"):
        run(data, split, {})
    with pytest.raises(ConfigError, match="'fused'"):
        run(data, split, {"fused": channels["hot"]})
    other = Interactions([0], [0], n_users=1, n_items=2)
    with pytest.raises(DataError, match="same vocabularies"):
        evaluate(fitted(channels), Rrf(), data, other, EvaluationSettings(K, seed=0))
    with pytest.raises(DataError, match="nobody has a held-out item"):
        evaluate(fitted(channels), Rrf(), data, split.train, EvaluationSettings(K, seed=0))
