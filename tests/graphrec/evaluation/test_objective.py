"""The mean metric of a channel over a panel."""

from __future__ import annotations

import pytest

from graphrec.channels.behaviour.item_cf import ItemCF
from graphrec.channels.popular.hot import Hot
from graphrec.contracts.training_part import training_part
from graphrec.data.leave_out import leave_out
from graphrec.data.splits import split_by_ratio
from graphrec.errors import ConfigError
from graphrec.evaluation.held_out import held_out_panel
from graphrec.evaluation.metrics import rank_metrics
from graphrec.evaluation.objective import MeanMetric, Metric
from tests.worlds import skewed, without_knowledge


@pytest.mark.parametrize("metric", ["recall", "ndcg", "hit_rate"])
def test_it_is_the_mean_of_the_lists_that_users_would_get(metric: Metric, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("graphrec.evaluation.objective._CHUNK", 7)
    data = without_knowledge(skewed())
    split = split_by_ratio(data.interactions, test_share=0.3, seed=1)
    part = training_part(data, split)
    panel = held_out_panel(part, split.test).panel
    for recipe in (Hot(), ItemCF()):
        channel = recipe.fit(part)
        lists = leave_out(channel.recall(panel.queries, 10_000), 4, exclude=panel.history, allowed=panel.pool)
        values = getattr(rank_metrics(lists, panel.truth, 4), metric)
        assert MeanMetric(metric, 4).by_user(channel, panel) == pytest.approx(values)
        assert MeanMetric(metric, 4)(channel, panel) == pytest.approx(values.mean())


@pytest.mark.parametrize(
    ("settings", "problem"),
    [(("recal", 3), "metric is 'recal'; it must be one of .*'recall'"), (("recall", 0), "k is 0")],
)
def test_illegal_settings_are_refused(settings: tuple[Metric, int], problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        MeanMetric(*settings)
