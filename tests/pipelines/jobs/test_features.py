"""Columns of tables on their way into a run: the table in the report, and the refusal of what leaks."""

from __future__ import annotations

import io
import tomllib
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from graphrec.errors import LeakError
from graphrec.pipelines.config.load import load_config
from graphrec.pipelines.jobs.train import prepare
from graphrec.pipelines.progress import Silent
from graphrec.pipelines.report.page import page
from graphrec.pipelines.report.report import Report
from graphrec.pipelines.report.tables import report_tables
from graphrec.pipelines.terminal import Terminal
from tests.pipelines.report.reports import report as made
from tests.pipelines.shelf import write_shelf


def shelf(directory: Path, **catalogue: Any) -> dict[str, Any]:
    """Return a configuration of the shelf with a table of books, whose column ``sold`` counts all events."""
    write_shelf(directory)
    ratings = pl.read_csv(directory / "ratings.csv")
    books = ratings.group_by("book").agg(pl.len().alias("sold")).sort("book").with_row_index("shelf")
    books.with_columns(pl.lit("paper").alias("cover"), pl.lit("2020-05-01").alias("printed")).write_csv(
        directory / "books.csv"
    )
    raw = tomllib.loads((directory / "config.toml").read_text(encoding="utf-8"))
    columns = {"numbers": ["sold", "shelf"], "labels": ["cover"], "times": ["printed"]}
    raw["data"]["interactions"]["path"] = str(directory / "ratings.csv")
    raw["data"]["knowledge"]["paths"] = [str(directory / "books.ttl")]
    items = {"path": str(directory / "books.csv"), "columns": {"item_id": "book"}, **columns}
    raw["data"]["items"] = items
    return {**raw, "channels": {"hot": {}}, "catalogue": catalogue}


def test_a_column_that_counts_held_out_events_stops_the_run_unless_it_is_named(tmp_path: Path) -> None:
    with pytest.raises(LeakError, match=r"item column 'sold' follows a figure of the items \(\w+, in all\)"):
        prepare(load_config(shelf(tmp_path)), rejects=None, steps=Silent())
    inputs, _, data = prepare(load_config(shelf(tmp_path, derived=["sold"])), rejects=None, steps=Silent())
    columns = {column["name"]: column for column in inputs.report["features"]["items"]}
    assert columns["sold"]["follows_by"] > 0.9
    assert abs(columns["shelf"]["follows_by"]) < 0.7
    assert columns["cover"]["values"] == 1
    assert columns["printed"]["kind"] == "moment"
    assert columns["tags"]["kind"] == "tag"
    assert {"author", "title"} <= columns.keys()
    assert data.item_features is not None
    assert data.item_features.moments == ("printed",)


FEATURES = {
    "items": [
        {
            "name": "price<b>", "kind": "number", "coverage": 0.5, "values": 1200, "unknown": None, "range": "0 to 9",
            "left_out": "", "figure": "", "follows": "events, in all", "follows_by": -0.125,
        },
    ],
    "users": [
        {
            "name": "town", "kind": "label", "coverage": 1.0, "values": 3, "unknown": 0.25, "range": "Rome 40%",
            "left_out": "all rows are equal", "follows": "", "follows_by": None,
        },
    ],
}  # fmt: skip


def test_the_report_has_a_row_a_column() -> None:
    report = Report.from_json(made(inputs={"features": FEATURES}).to_json())
    console = Terminal(width=100, file=io.StringIO(), color_system=None)
    (table,) = [table for table in report_tables(report) if "What is known" in str(table.title)]
    console.print(table)
    assert isinstance(console.file, io.StringIO)
    lines = [line.split() for line in console.file.getvalue().splitlines()]
    assert ["price<b>", "items", "number", "50", "1,200"] in [line[:5] for line in lines]
    assert ["town", "users", "label", "100", "3", "25", "all", "rows", "are", "equal"] in [line[:10] for line in lines]
    assert "<td>all rows are equal</td>" in page(report)
    assert "price&lt;b&gt;" in page(report)
