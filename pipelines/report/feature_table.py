"""What is known of items and users, a row a column, in text for the terminal and the page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .numbers import DASH, percent
from .report import Report

FEATURES = ("feature", "of", "kind", "known", "values", "rare", "range", "follows")
CAPTION = (
    "known: rows with a value, in %; rare: of these, rows with a category of a single row, in %; range: of tags, those "
    "of a row; follows: the partial rank correlation with what was held out, given training"
)


def feature_rows(report: Report) -> list[tuple[str, ...]]:
    """Return a row a column of items and of users, of the columns :data:`FEATURES`."""
    spaces = report.inputs.get("features", {})
    return [(column["name"], space, *_figures(column)) for space in spaces for column in spaces[space]]


def _figures(column: Mapping[str, Any]) -> tuple[str, ...]:
    unknown, follows = column["unknown"], column["follows_by"]
    return (
        column["kind"],
        percent(column["coverage"], 0),
        f"{column['values']:,}",
        DASH if unknown is None else percent(unknown, 0),
        column["left_out"] or column["range"] or DASH,
        DASH if follows is None else f"{follows:.2f}",
    )
