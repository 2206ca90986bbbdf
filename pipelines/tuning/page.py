"""The result of a search as an HTML page that needs no other file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from graphrec.errors import MissingExtraError
from graphrec.escapes import json_text

from .report import changed_settings, gain, protocol, setting_text

try:
    from ..report.html import drawing, render
    from .plots import history_plot, importance_bars, slice_plots
except ImportError as error:
    raise MissingExtraError("the HTML page of a search", extra="report") from error

# What stands elsewhere on the page; everything else is shown under "Settings".
_SHOWN_ABOVE = ("channels", "left", "note", "dataset", "metric")


def page(report: Mapping[str, Any]) -> str:
    """Return the whole page as text; every string of the report is escaped."""
    return render(
        "tune.html.j2",
        report=report,
        protocol=protocol(report),
        plots={name: _plots(row, report["metric"], name) for name, row in report["channels"].items()},
        settings=_settings(report),
        gain=gain,
        changed_settings=changed_settings,
        setting_text=setting_text,
    )


def _plots(row: Mapping[str, Any], metric: str, name: str) -> dict[str, Any]:
    """Return the drawings of one channel; importances only where there are enough trials."""
    drawn = {
        "history": history_plot(row, metric, name),
        "slices": slice_plots(row, metric, name),
        "importances": importance_bars(row, name) if row["importances"] else "",
    }
    return {plot: drawing(text) for plot, text in drawn.items()}


def _settings(report: Mapping[str, Any]) -> str:
    """Return everything that is no result, as JSON text."""
    rest = {key: value for key, value in report.items() if key not in _SHOWN_ABOVE}
    spaces = {name: row["space"] for name, row in report["channels"].items()}
    return json_text({**rest, "spaces": spaces}, indent=2)
