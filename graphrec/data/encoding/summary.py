"""What each column of features holds, and what an encoder makes of it: the table of a report."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
import numpy.typing as npt

from graphrec.data.encoding.encoded import RARE
from graphrec.data.encoding.encoder import FeatureEncoder, column_kinds
from graphrec.data.features import Features


@dataclass(frozen=True, slots=True)
class ColumnSummary:
    """A column of features.

    Parameters
    ----------
    name, kind : str
        The column; number, moment, label, tag, text or vector.
    coverage : float
        Share of the rows of which something is known.
    values : int
        Different numbers, categories or texts; of vectors the width.
    unknown : float or None
        Share of the rows, of those known, that have a category which is rare in train or unknown to it; None where the
        column has no categories by vocabulary.
    range : str
        The least and largest number, moment (days, UTC) or count of tags a row; of labels the largest and its share.
    left_out : str
        Why the encoder has no field of it; empty where it has.
    """

    name: str
    kind: str
    coverage: float
    values: int
    unknown: float | None
    range: str
    left_out: str


def summarise_features(features: Features, encoder: FeatureEncoder) -> list[ColumnSummary]:
    """Return a summary of each column, in the encoder's order of kinds; ``encoder`` was fitted on their columns."""
    # Texts are long, and a summary does not count their words.
    encoded = encoder.encode(Features(features.n, labels=features.labels, tags=features.tags))
    summaries = []
    for name, kind in column_kinds(features).items():
        known, values, spread = _described(features, name, kind)
        unknown = None
        if kind in ("label", "tag") and name in encoded.categories:
            indptr, codes = encoded.categories[name]
            owners = np.repeat(np.arange(features.n), np.diff(indptr))
            unknown = len(np.unique(owners[codes == RARE])) / max(int(known.sum()), 1)
        coverage = float(known.mean()) if len(known) else 0.0
        summaries.append(ColumnSummary(name, kind, coverage, values, unknown, spread, encoder.left_out.get(name, "")))
    return summaries


def _described(features: Features, name: str, kind: str) -> tuple[npt.NDArray[np.bool_], int, str]:
    """Return which rows are known, how many values differ, and the range in words."""
    column: Any = getattr(features, f"{'number' if kind == 'moment' else kind}s")[name]
    if kind in ("number", "moment"):
        known = ~np.isnan(column)
        return known, len(np.unique(column[known])), _span(column[known], kind)
    if kind == "label":
        known = column.codes >= 0
        counts = np.bincount(column.codes[known], minlength=1)
        largest = int(counts.argmax())
        share = counts[largest] / max(int(known.sum()), 1)
        return known, int((counts > 0).sum()), f"{column.names[largest]} {share:.0%}" if known.any() else ""
    if kind == "tag":
        lengths = np.diff(column.table.indptr)
        own = lengths[lengths > 0]
        return lengths > 0, len(np.unique(column.table.neighbours)), _span(own.astype(np.float64), "number")
    if kind == "text":
        texts = column.to_pylist()
        known = np.array([bool(text) for text in texts], dtype=np.bool_)
        return known, len({text for text in texts if text}), ""
    known = ~np.isnan(column).any(axis=1)
    return known, column.shape[1], ""


def _span(values: npt.NDArray[np.float64], kind: str) -> str:
    if not len(values):
        return ""
    ends = [float(values.min()), float(values.max())]
    return " to ".join(_day(end) if kind == "moment" else f"{end:g}" for end in ends)


def _day(seconds: float) -> str:
    try:
        return datetime.fromtimestamp(seconds, UTC).date().isoformat()
    except (OverflowError, ValueError, OSError):
        return f"{seconds:g} s"
