"""The report as one HTML page that needs nothing else."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from graphrec.errors import MissingExtraError

from ..evaluation.accumulator import STRATA
from . import numbers
from .advice import advice, amounts
from .plots import colour, latency_scatter, marginal_bars, popularity_panels, recall_curves
from .sentences import pool_lines, protocol, sentence

try:
    from markupsafe import Markup

    from .html import render
except ImportError as error:
    raise MissingExtraError("the HTML report", extra="report") from error

# What a page tells elsewhere; everything else is shown under "Settings".
_TOLD = (
    "channels",
    "fused",
    "definitions",
    "k",
    "dataset",
    "seed",
    "users",
    "pool",
    "pool_published",
    "selection",
    "notices",
)


def page(report: Mapping[str, Any]) -> str:
    """Return the whole page as text; every string of the report is escaped."""
    k = report["k"][-1]
    names = list(report["channels"])
    return render(
        "report.html.j2",
        report=report,
        title=report.get("dataset") or "evaluation",
        k=k,
        rows=_rows(report),
        sentence=sentence(report),
        protocol=protocol(report),
        facts=_facts(report),
        strata=STRATA,
        overlap=report[f"overlap@{k}"],
        names=names,
        # Matplotlib escapes the text that it draws.
        curves=Markup(recall_curves(report)),  # noqa: S704
        marginal=Markup(marginal_bars(report)),  # noqa: S704
        popularity=Markup(popularity_panels(report)),  # noqa: S704
        notices=report.get("notices", []),
        advice=advice(report),
        selection=report.get("selection"),
        costs_of=lambda name: {key: report["channels"][name][key] for key in ("query_us", "size_bytes")},
        latency=Markup(latency_scatter(report)),  # noqa: S704
        pools=[report[name] for name in ("pool", "pool_published") if report.get(name, {}).get("removals")],
        settings=_settings(report),
        size=numbers.size,
        microseconds=numbers.microseconds,
        pool_lines=pool_lines,
        amounts=amounts,
    )


def _rows(report: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return one mapping a channel, and the merged list last."""
    k = report["k"][-1]
    rows = [
        {"name": name, "colour": colour(position), "fused": False, **row}
        for position, (name, row) in enumerate(report["channels"].items())
    ]
    rows.append({"name": "fused", "colour": "currentColor", "fused": True, **report["fused"]})
    best = {cutoff: max(row[f"recall@{cutoff}"] for row in rows) for cutoff in report["k"]}
    for row in rows:
        row["best"] = {cutoff for cutoff in report["k"] if row[f"recall@{cutoff}"] == best[cutoff]}
        row["vs_hot"] = row.get(f"vs_hot@{k}")
    return rows


def _facts(report: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the numbers that stand at the top of the page."""
    k, users = report["k"][-1], report["users"]
    return [
        (f"Recall@{k}, fused", f"{numbers.percent(report['fused'][f'recall@{k}'], 1)} %"),
        ("in any channel", f"{numbers.percent(report['fused'][f'union_recall@{k}'], 1)} %"),
        ("users measured", f"{users['measured']:,}"),
        ("items in the pool", f"{users['pool']:,}"),
        ("one merged query", f"{report['fused']['query_us'] / 1000:.1f} ms"),
    ]


def _settings(report: Mapping[str, Any]) -> str:
    """Return everything that is no measurement, as JSON text."""
    rest = {key: value for key, value in report.items() if key not in _TOLD and "@" not in key}
    return json.dumps(rest, ensure_ascii=False, indent=2)
