"""A report as tables and lines for a terminal of 80 columns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich import box
from rich.table import Table
from rich.text import Text

from ..evaluation.accumulator import STRATA
from .advice import advice
from .numbers import DASH, microseconds, percent, points_interval, rounded_values, seconds, size
from .sentences import pool_lines, protocol, sentence

# Cut-offs that fit beside the other columns.
_SHOWN_CUTOFFS = 5


def report_tables(report: Mapping[str, Any]) -> list[Table]:
    """Return the tables for a terminal of 80 columns: how good, for whom, what each brings, what the pool lost."""
    # Rounded like the files, so that a number reads the same everywhere.
    rounded = rounded_values(report)
    told = [pool_table(rounded["pool"])] if rounded.get("pool", {}).get("removals") else []
    return [_quality(rounded), _popularity(rounded), _contribution(rounded), *told]


def report_lines(report: Mapping[str, Any]) -> list[str]:
    """Return what to know before reading the tables, and what to do after: notices and the advice for a budget."""
    return [*report.get("notices", ()), *advice(rounded_values(report))]


def pool_table(pool: Mapping[str, Any]) -> Table:
    """Return what each rule of the pool removed."""
    table = _table(f"What each pool rule removed, of {pool['items']:,} items", ["alone", "only it", "in turn", "left"])
    for one in pool["removals"]:
        counts = [f"{one[name]:,}" for name in ("alone", "only", "in_turn", "left")]
        table.add_row(one["rule"], *counts)
    table.columns[0].header, table.columns[0].max_width = "rule", 44
    table.columns[0].no_wrap = False
    table.caption = "\n".join(pool_lines(pool))
    return table


def _table(title: str, names: list[str]) -> Table:
    # Narrow gaps: in a terminal of 80 columns every digit is there.
    table = Table(
        title=title,
        title_justify="left",
        caption_justify="left",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        padding=(0, 1, 0, 0),
    )
    table.add_column("channel", no_wrap=True, max_width=22)
    for name in names:
        table.add_column(name, justify="right", no_wrap=True)
    return table


def _quality(report: Mapping[str, Any]) -> Table:
    cutoffs, k = report["k"][-_SHOWN_CUTOFFS:], report["k"][-1]
    table = _table(
        f"{report.get('dataset') or 'evaluation'}: shares in %",
        [*(f"R@{cutoff}" for cutoff in cutoffs), f"NDCG@{k}", f"hit@{k}", f"cover@{k}", "bits"],
    )
    rows = {**report["channels"], "fused": report["fused"]}
    best = {cutoff: max(row[f"recall@{cutoff}"] for row in rows.values()) for cutoff in cutoffs}
    for name, row in rows.items():
        recalls = [
            Text(percent(value), style="bold") if value == best[cutoff] else percent(value)
            for cutoff, value in ((cutoff, row[f"recall@{cutoff}"]) for cutoff in cutoffs)
        ]
        novelty = row[f"novelty@{k}"]
        others = [percent(row[f"{metric}@{k}"], 1) for metric in ("ndcg", "hit_rate", "coverage")]
        table.add_row(name, *recalls, *others, DASH if novelty is None else f"{novelty:.1f}")
        if name == list(report["channels"])[-1]:
            table.add_section()
    table.caption = protocol(report)
    return table


def _contribution(report: Mapping[str, Any]) -> Table:
    k = report["k"][-1]
    table = _table(
        f"What each channel brings at {k}, in points of Recall@{k} [95 %]",
        ["only here", "marginal", "fit s", "size", "µs/query"],
    )
    for name, row in report["channels"].items():
        told = [f"{row[f'unique_hits@{k}']:,}", points_interval(row[f"marginal_recall@{k}"])]
        table.add_row(name, *told, *_costs(row))
    table.add_section()
    table.add_row("fused", "", "", *_costs(report["fused"]))
    table.caption = sentence(report)
    return table


def _popularity(report: Mapping[str, Any]) -> Table:
    """Who serves the tail."""
    k = report["k"][-1]
    table = _table(
        f"Recall@{k} by popularity of the true item, in %", [*STRATA, "cover", "Gini", "popular", "returned"]
    )
    for name, row in {**report["channels"], "fused": report["fused"]}.items():
        if name == "fused":
            table.add_section()
        strata = [percent(row[f"strata_recall@{k}"][stratum], 1) for stratum in STRATA]
        spread = [percent(row[f"coverage@{k}"], 1), f"{row[f'gini@{k}']:.2f}"]
        returned = row.get(f"returned@{k}")
        told = [percent(row[f"popularity_overlap@{k}"], 0), "" if returned is None else f"{returned:,.0f}"]
        table.add_row(name, *strata, *spread, *told)
    table.caption = (
        "head: the most popular items with a third of all (user, item) pairs; torso: the "
        f"next third; tail: the rest. popular: share of the list among the top {k} items"
    )
    return table


def _costs(row: Mapping[str, Any]) -> tuple[str, str, str]:
    return seconds(row["fit_s"]), size(row["size_bytes"]), microseconds(row["query_us"])
