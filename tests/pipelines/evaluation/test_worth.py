"""Value and exposure in a report: each figure against the slow way, and what a fusion makes of it."""

from __future__ import annotations

import dataclasses
import io
import tomllib
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from graphrec.data.features import Features
from graphrec.data.splits import split_by_ratio
from graphrec.errors import ConfigError
from graphrec.pipelines.config.load import load_config
from graphrec.pipelines.jobs.evaluate import evaluate
from graphrec.pipelines.report.page import page
from graphrec.pipelines.report.report import Report
from graphrec.pipelines.report.tables import report_tables
from graphrec.pipelines.terminal import Terminal
from tests.pipelines.evaluation.test_evaluate import K, run, slow_lists, truth_sets, world
from tests.pipelines.shelf import write_shelf
from tests.worlds import described, skewed


def test_value_and_exposure_against_the_slow_way() -> None:
    data, split, channels = world(split_by_ratio(described(skewed()).interactions, test_share=0.3, seed=1))
    exposures = described(data).exposures
    prices = np.square(np.arange(len(data.items), dtype=np.float64))
    prices[3] = np.nan
    data = dataclasses.replace(
        data, item_features=Features(len(data.items), numbers={"price": prices}), exposures=exposures
    )
    report = run(data, split, channels, value="price")
    truth, worth = truth_sets(data, split), np.nan_to_num(prices)
    assert exposures is not None
    shown = set(exposures.items.tolist())
    total = sum(worth[list(items)].sum() for items in truth.values())
    for name, channel in channels.items():
        lists = slow_lists(data, channel, list(truth), max(K))
        for k in K:
            row = report.channels[name]
            hits = [item for own, user in zip(lists, truth, strict=True) for item in own[:k] if item in truth[user]]
            assert row.value is not None
            assert row.value_recall is not None
            assert row.exposure_recall is not None
            assert row.value[k].estimate == pytest.approx(worth[hits].sum() / len(truth))
            assert row.value_recall[k].estimate == pytest.approx(worth[hits].sum() / total)
            for interval in (row.value[k], row.value_recall[k]):
                assert interval.low <= interval.estimate <= interval.high
            true_items = [item for items in truth.values() for item in items]
            for among, share in (
                (shown, row.exposure_recall[k].exposed),
                (set(true_items) - shown, row.exposure_recall[k].never_exposed),
            ):
                n = sum(item in among for item in true_items)
                assert share == (pytest.approx(sum(item in among for item in hits) / n) if n else None)
    assert Report.from_json(report.to_json()) == report
    columns = report.to_arrow().column_names
    assert {"value", "value_low", "value_recall_high", "exposed_recall", "never_exposed_recall"} <= set(columns)
    console = Terminal(width=100, file=io.StringIO(), color_system=None)
    (table,) = [table for table in report_tables(report) if "Value and exposure" in str(table.title)]
    console.print(table)
    assert f"Value and exposure at {max(K)}" in page(report)


def test_without_values_and_exposures_a_report_says_nothing_of_them() -> None:
    report = run(*world())
    assert report.fused.value is None
    assert report.fused.exposure_recall is None
    assert "value@3" not in report.to_json()
    assert "Value and exposure" not in page(report)


def test_a_fusion_maximises_value_where_it_is_told_to(tmp_path: Path) -> None:
    write_shelf(tmp_path)
    # The books of one genre cost a hundred times the others.
    frame = pl.DataFrame(
        {"item_id": [f"b{i}" for i in range(30)], "price": [100.0 if i % 3 else 1.0 for i in range(30)]}
    )
    frame.write_csv(tmp_path / "prices.csv")
    raw = tomllib.loads((tmp_path / "config.toml").read_text(encoding="utf-8"))
    raw["data"]["interactions"]["path"] = str(tmp_path / "ratings.csv")
    del raw["data"]["knowledge"]
    raw["data"]["items"] = {"path": str(tmp_path / "prices.csv"), "numbers": ["price"]}
    raw |= {"channels": {"hot": {}, "item-cf": {}}, "fusion": {"kind": "fitted-rrf", "objective": "value"}}
    with pytest.raises(ConfigError, match=r"fusion.objective = 'value' needs evaluate.value"):
        evaluate(load_config(raw), tmp_path / "none")
    raw["evaluate"]["value"] = "price"
    report = evaluate(load_config(raw), tmp_path / "out")
    assert report.fusion_fit is not None
    assert report.fusion_fit["objective"] == "value"
    assert report.fused.value is not None
