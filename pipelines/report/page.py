"""The report as an HTML page that needs no other file."""

from __future__ import annotations

from dataclasses import dataclass

from graphrec.errors import MissingExtraError
from graphrec.escapes import json_text

from . import numbers
from .advice import advice, amounts
from .feature_table import CAPTION, FEATURES, feature_rows
from .parts import FUSED, ChannelReport, FusedReport
from .plots import colour, item_map, latency_scatter, marginal_bars, popularity_panels, recall_curves, training_curves
from .report import Report
from .sentences import pool_lines, protocol, sentence
from .training_table import TRAINING, training_rows
from .worth_table import WORTH, WORTH_CAPTION, worth_figures

try:
    from .html import drawing, render
except ImportError as error:
    raise MissingExtraError("the HTML report", extra="report") from error

# What the page shows under "Settings": everything that is no measurement and stands nowhere else on it.
_SETTINGS = ("split", "fusion", "bootstrap", "versions", "machine", "fusion_fit", "inputs", "catalogue")


def page(report: Report) -> str:
    """Return the whole page as text; every string of the report is escaped."""
    k, training = report.k[-1], training_rows(report)
    return render(
        "report.html.j2",
        report=report,
        title=report.dataset or "evaluation",
        k=k,
        rows=_rows(report),
        sentence=sentence(report),
        protocol=protocol(report),
        facts=_facts(report),
        curves=drawing(recall_curves(report)),
        marginal=drawing(marginal_bars(report)),
        popularity=drawing(popularity_panels(report)),
        latency=drawing(latency_scatter(report)),
        training=drawing(training_curves(report)) if training else "",
        trainings=training,
        features=feature_rows(report),
        feature_columns=FEATURES,
        feature_caption=CAPTION,
        worth=_worth(report),
        worth_columns=WORTH,
        worth_caption=WORTH_CAPTION,
        maps=[(shown, drawing(item_map(shown, position))) for position, shown in enumerate(report.maps)],
        advice=advice(report),
        pools=[pool for pool in (report.pool, report.pool_published) if pool and pool.get("removals")],
        settings=_settings(report),
        costs_of=lambda name: _costs(report.channels[name]),
        size=numbers.size,
        microseconds=numbers.microseconds,
        pool_lines=pool_lines,
        training_columns=TRAINING,
        amounts=amounts,
    )


@dataclass(frozen=True, slots=True)
class _Row:
    """A channel or the merged list in the tables; ``best`` are the cut-offs at which nothing has a higher recall."""

    name: str
    colour: str
    fused: bool
    best: frozenset[int]
    metrics: ChannelReport | FusedReport


def _rows(report: Report) -> list[_Row]:
    best = {k: max(row.recall[k] for row in report.rows.values()) for k in report.k}
    return [
        _Row(
            name,
            "currentColor" if name == FUSED else colour(position),
            name == FUSED,
            frozenset(k for k in report.k if row.recall[k] == best[k]),
            row,
        )
        for position, (name, row) in enumerate(report.rows.items())
    ]


def _worth(report: Report) -> list[tuple[str, tuple[str, ...]]]:
    """Return what each channel's lists are worth at the largest cut-off; nothing where no values and exposures are."""
    if not (report.fused.value or report.fused.exposure_recall):
        return []
    return [(name, worth_figures(row, report.k[-1])) for name, row in report.rows.items()]


def _costs(row: ChannelReport) -> dict[str, float]:
    return {"query_us": row.query_us, "size_bytes": row.size_bytes}


def _facts(report: Report) -> list[tuple[str, str]]:
    """Return the numbers that stand at the top of the page."""
    k, users, fused = report.k[-1], report.users, report.fused
    return [
        (f"Recall@{k}, fused", f"{numbers.percent(fused.recall[k], 1)} %"),
        ("in any channel", f"{numbers.percent(fused.union_recall[k], 1)} %"),
        ("users measured", f"{users.measured:,}"),
        ("items in the pool", f"{users.pool:,}"),
        ("one merged query", f"{fused.query_us / 1000:.1f} ms"),
    ]


def _settings(report: Report) -> str:
    """Return everything that is no measurement, as JSON text."""
    values = report.to_dict()
    return json_text({key: values[key] for key in _SETTINGS if key in values}, indent=2)
