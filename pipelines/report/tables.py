"""A report as tables and lines for a terminal of 80 columns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich import box
from rich.table import Table
from rich.text import Text

from .advice import advice
from .feature_table import CAPTION, FEATURES, feature_rows
from .numbers import DASH, microseconds, percent, points_interval, seconds, size
from .parts import FUSED, STRATA, ChannelReport, FusedReport
from .report import Report
from .sentences import pool_lines, protocol, sentence
from .training_table import TRAINING, training_rows
from .worth_table import WORTH, WORTH_CAPTION, worth_figures

# Cut-offs that fit beside the other columns.
_SHOWN_CUTOFFS = 5


def report_tables(report: Report) -> list[Table]:
    """Return the tables for a terminal of 80 columns: quality, reach, gains and costs, trainings, features, pool."""
    # Rounded like the files, so that a number reads the same everywhere.
    rounded = report.rounded()
    pools = [pool_table(rounded.pool)] if rounded.pool.get("removals") else []
    trainings = [_training(rounded)] if training_rows(rounded) else []
    reached = [_reached(rounded.catalogue)] if len(rounded.catalogue.get("reach", {}).get("groups", ())) > 1 else []
    worth = [_worth(rounded)] if rounded.fused.value or rounded.fused.exposure_recall else []
    known = [_features(rounded)] if feature_rows(rounded) else []
    return [
        _quality(rounded),
        _popularity(rounded),
        *worth,
        *reached,
        _contribution(rounded),
        *trainings,
        *known,
        *pools,
    ]


def report_lines(report: Report) -> list[str]:
    """Return what to know before reading the tables, and what to do after: notices and the advice for a budget."""
    return [*report.notices, *advice(report.rounded())]


def pool_table(pool: Mapping[str, Any]) -> Table:
    """Return what each rule of the pool removed."""
    table = _table(f"What each pool rule removed, of {pool['items']:,} items", ["alone", "only it", "in turn", "left"])
    for removal in pool["removals"]:
        counts = [f"{removal[name]:,}" for name in ("alone", "only", "in_turn", "left")]
        table.add_row(removal["rule"], *counts)
    table.columns[0].header, table.columns[0].max_width = "rule", 44
    table.columns[0].no_wrap = False
    table.caption = "\n".join(pool_lines(pool))
    return table


def _reached(catalogue: Mapping[str, Any]) -> Table:
    """Return which channels reach which items: those with events, and those without any by what else is known."""
    found = catalogue["reach"]
    table = _table("Items that each channel reaches", list(found["groups"]))
    table.add_row("(all)", *(f"{size:,}" for size in found["groups"].values()), style="bold")
    for name, counts in found["channels"].items():
        table.add_row(name, *(f"{counts[group]:,}" for group in found["groups"]))
    table.caption = (
        f"{catalogue['items']:,} items: {catalogue['with_events']:,} with events, {catalogue['with_edges']:,} with "
        f"edges, {catalogue['with_tags']:,} with tags, {catalogue['with_neither']:,} with neither.\n"
        f"Reached: in the list of any of {found['users']:,} users who ask for {found['depth']:,} of that group alone."
    )
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


def _quality(report: Report) -> Table:
    """How good the lists are."""
    cutoffs, k = report.k[-_SHOWN_CUTOFFS:], report.k[-1]
    table = _table(
        f"{report.dataset or 'evaluation'}: shares in %",
        [*(f"R@{cutoff}" for cutoff in cutoffs), f"NDCG@{k}", f"hit@{k}", f"cover@{k}", "bits"],
    )
    best = {cutoff: max(row.recall[cutoff] for row in report.rows.values()) for cutoff in cutoffs}
    for name, row in report.rows.items():
        if name == FUSED:
            table.add_section()
        recalls = [
            Text(percent(row.recall[cutoff]), style="bold")
            if row.recall[cutoff] == best[cutoff]
            else percent(row.recall[cutoff])
            for cutoff in cutoffs
        ]
        others = [percent(metric[k], 1) for metric in (row.ndcg, row.hit_rate, row.coverage)]
        novelty = row.novelty[k]
        table.add_row(name, *recalls, *others, DASH if novelty is None else f"{novelty:.1f}")
    table.caption = protocol(report)
    return table


def _contribution(report: Report) -> Table:
    """What each channel adds, and what it costs."""
    k = report.k[-1]
    table = _table(
        f"What each channel brings at {k}, in points of Recall@{k} [95 %]",
        ["only here", "marginal", "fit s", "size", "µs/query"],
    )
    for name, row in report.channels.items():
        gains = [f"{row.unique_hits[k]:,}", points_interval(row.marginal_recall[k])]
        table.add_row(name, *gains, *_costs(row))
    table.add_section()
    table.add_row(FUSED, "", "", *_costs(report.fused))
    table.caption = sentence(report)
    return table


def _training(report: Report) -> Table:
    """How trainings went."""
    table = _table("How channels were trained", list(TRAINING[1:]))
    for row in training_rows(report):
        table.add_row(*row)
    table.caption = "held-out: the best Recall of users held out of train, and when; per s: examples"
    return table


def _worth(report: Report) -> Table:
    """What the lists are worth, and what they hold of what was shown and of what never was."""
    k = report.k[-1]
    table = _table(f"Value and exposure at {k}", list(WORTH))
    for name, row in report.rows.items():
        if name == FUSED:
            table.add_section()
        table.add_row(name, *worth_figures(row, k))
    table.caption = WORTH_CAPTION
    return table


def _features(report: Report) -> Table:
    """What is known of items and users."""
    table = _table("What is known of items and users", list(FEATURES[1:]))
    for row in feature_rows(report):
        table.add_row(*row)
    table.columns[0].header = FEATURES[0]
    table.columns[-2].max_width, table.columns[-2].no_wrap = 24, False
    table.caption = CAPTION
    return table


def _popularity(report: Report) -> Table:
    """Who serves the tail."""
    k = report.k[-1]
    table = _table(
        f"Recall@{k} by popularity of the true item, in %", [*STRATA, "cover", "Gini", "popular", "returned"]
    )
    for name, row in report.rows.items():
        if name == FUSED:
            table.add_section()
        strata = [percent(getattr(row.strata_recall[k], stratum), 1) for stratum in STRATA]
        spread = [percent(row.coverage[k], 1), f"{row.gini[k]:.2f}", percent(row.popularity_overlap[k], 0)]
        returned = f"{row.returned[k]:,.0f}" if isinstance(row, ChannelReport) else ""
        table.add_row(name, *strata, *spread, returned)
    table.caption = (
        "head: the most popular items with a third of all (user, item) pairs; torso: the "
        f"next third; tail: the rest. popular: share of the list among the top {k} items"
    )
    return table


def _costs(row: ChannelReport | FusedReport) -> tuple[str, str, str]:
    return seconds(row.fit_s), size(row.size_bytes), microseconds(row.query_us)
