"""The report for programs (``report.json``), for people (``report.html``) and for the terminal."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich import box
from rich.markup import escape
from rich.table import Table

from ..evaluation.accumulator import STRATA
from .advice import advice
from .numbers import DASH, microseconds, percent, points_interval, seconds, size, verdict

_DIGITS = 6
# Cut-offs that fit beside the other columns.
_SHOWN_CUTOFFS = 5


def write_report(report: Mapping[str, Any], directory: Path) -> None:
    """Write ``report.json`` and ``report.html`` into a directory, each whole or not at all.

    Parameters
    ----------
    report : mapping
        What :func:`graphrec.pipelines.evaluation.evaluate.evaluate` returned; further keys are kept, and shown with the
        settings.
    directory : Path
        Made if it is missing.

    Raises
    ------
    MissingExtraError
        If matplotlib or jinja2 is not installed; ``report.json`` is written before that.
    """
    rounded = rounded_values(report)
    directory.mkdir(parents=True, exist_ok=True)
    text = json.dumps(rounded, ensure_ascii=False, indent=2, allow_nan=False)
    _replace(directory / "report.json", text + "\n")
    from .page import page

    _replace(directory / "report.html", page(rounded))


def _replace(path: Path, text: str) -> None:
    """Write a file under a temporary name and rename it."""
    part = path.with_name(path.name + ".part")
    part.write_text(text, encoding="utf-8")
    part.replace(path)


def rounded_values(value: Any) -> Any:
    """Return JSON values with floats rounded to 6 digits and without NaN (null); the order of keys is kept."""
    if isinstance(value, Mapping):
        return {str(key): rounded_values(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [rounded_values(one) for one in value]
    if isinstance(value, float):
        return round(value, _DIGITS) if math.isfinite(value) else None
    return value


def report_tables(report: Mapping[str, Any]) -> list[Table]:
    """Return the tables for a terminal of 80 columns: how good, for whom, what each brings, what the pool lost."""
    # Rounded like the files, so that a number reads the same everywhere.
    rounded = rounded_values(report)
    told = [pool_table(rounded["pool"])] if rounded.get("pool", {}).get("removals") else []
    return [_quality(rounded), _popularity(rounded), _contribution(rounded), *told]


def report_lines(report: Mapping[str, Any]) -> list[str]:
    """Return what to know before reading the tables, and what to do after: notices and the advice for a budget."""
    return [*report.get("notices", ()), *advice(rounded_values(report))]


def sentence(report: Mapping[str, Any]) -> str:
    """Return how the merged list compares with the best single channel, in one sentence."""
    k = report["k"][-1]
    against = report[f"fused_vs_best@{k}"]
    return (
        f"Recall@{k}: fused {percent(report['fused'][f'recall@{k}'])} %, best channel {against['channel']} "
        f"{percent(report['channels'][against['channel']][f'recall@{k}'])} %, difference "
        f"{points_interval(against['difference'])} points: {verdict(against['difference'])}"
    )


def protocol(report: Mapping[str, Any]) -> str:
    """Return split, seed and who was measured, in one line."""
    split = report.get("split", {})
    told = [f"{key} {split[key]}" for key in ("test_share", "n", "cut") if split.get(key) is not None]
    users = report["users"]
    return (
        f"split: {' '.join([str(split.get('kind', 'not stated')), *told])}; seed {report['seed']}; "
        f"{users['measured']:,} of {users['with_truth']:,} users with truth; pool {users['pool']:,} items; full ranking"
    )


def pool_table(pool: Mapping[str, Any]) -> Table:
    """Return what each rule of the pool removed."""
    table = _table(f"What each pool rule removed, of {pool['items']:,} items", ["alone", "only it", "in turn", "left"])
    for one in pool["removals"]:
        counts = [f"{one[name]:,}" for name in ("alone", "only", "in_turn", "left")]
        table.add_row(escape(one["rule"]), *counts)
    table.columns[0].header, table.columns[0].max_width = "rule", 44
    table.columns[0].no_wrap = False
    table.caption = escape("\n".join(pool_lines(pool)))
    return table


def pool_lines(pool: Mapping[str, Any]) -> list[str]:
    """Return the rest of what there is to say of a pool, a line each."""
    since = f" as of {pool['now']} ({pool['now_from']})" if pool["now"] else ""
    lines = [f"{pool['left']:,} of {pool['items']:,} items in the pool, judged on {pool['events']} events{since}"]
    for name, verb in (("allow", "brought back"), ("deny", "removed")):
        if (given := pool[name])["given"]:
            count = pool["brought_back" if name == "allow" else "denied"]
            strange = f"; {given['unknown']:,} are no items: {', '.join(given['unknown_examples'])}"
            lines.append(f"{name}: {given['given']:,} ids, {count:,} items {verb}{strange if given['unknown'] else ''}")
    for one in pool["removals"]:
        said = [f"{one['unknown']:,} with nothing known"] if one["unknown"] else []
        said += [f"{one['spared']:,} spared as new"] if one["spared"] else []
        lines += [f"{one['rule']}: {', '.join(said)}"] if said else []
    return lines + list(pool["notes"])


def _table(title: str, names: list[str]) -> Table:
    # Narrow gaps: in a terminal of 80 columns every digit is there.
    table = Table(
        title=escape(title),
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
            f"[bold]{percent(value)}[/bold]" if value == best[cutoff] else percent(value)
            for cutoff, value in ((cutoff, row[f"recall@{cutoff}"]) for cutoff in cutoffs)
        ]
        novelty = row[f"novelty@{k}"]
        others = [percent(row[f"{metric}@{k}"], 1) for metric in ("ndcg", "hit_rate", "coverage")]
        table.add_row(escape(name), *recalls, *others, DASH if novelty is None else f"{novelty:.1f}")
        if name == list(report["channels"])[-1]:
            table.add_section()
    table.caption = escape(protocol(report))
    return table


def _contribution(report: Mapping[str, Any]) -> Table:
    k = report["k"][-1]
    table = _table(
        f"What each channel brings at {k}, in points of Recall@{k} [95 %]",
        ["only here", "marginal", "fit s", "size", "µs/query"],
    )
    for name, row in report["channels"].items():
        told = [f"{row[f'unique_hits@{k}']:,}", points_interval(row[f"marginal_recall@{k}"])]
        table.add_row(escape(name), *told, *_costs(row))
    table.add_section()
    table.add_row("fused", "", "", *_costs(report["fused"]))
    table.caption = escape(sentence(report))
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
        table.add_row(escape(name), *strata, *spread, *told)
    table.caption = (
        "head: the most popular items with a third of all (user, item) pairs; torso: the "
        f"next third; tail: the rest. popular: share of the list among the top {k} items"
    )
    return table


def _costs(row: Mapping[str, Any]) -> tuple[str, str, str]:
    return seconds(row["fit_s"]), size(row["size_bytes"]), microseconds(row["query_us"])
