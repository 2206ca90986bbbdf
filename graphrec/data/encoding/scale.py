"""The scale of a number: where it stands among the numbers of train."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from graphrec.errors import DataError

Float = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Scale:
    r"""A monotone map of numbers to [-1, 1] by the distribution of train.

    .. math:: g(x) = 2 F(x) - 1, \qquad F(x) = P(X < x) + P(X = x) / 2

    at ``knots``, quantiles of equal mass of train, straight lines between them and flat beyond the ends. Outliers and
    units thus do not matter, and a value that half of the rows have takes the middle of its own mass.

    ``knots`` (q,) float64 ascend strictly, q >= 2; ``grades`` (q,) float64 never fall.
    """

    knots: Float
    grades: Float

    def __post_init__(self) -> None:
        knots, grades = self.knots, self.grades
        shaped = knots.ndim == 1 and knots.shape == grades.shape and len(knots) >= 2
        if not (shaped and np.isfinite(knots).all() and np.isfinite(grades).all() and np.abs(grades).max() <= 1):
            raise DataError("a scale has two knots and more, all finite, and grades from -1 to 1")
        if (knots[1:] <= knots[:-1]).any() or (grades[1:] < grades[:-1]).any():
            raise DataError("knots of a scale ascend strictly, and its grades never fall")

    def __call__(self, values: Float) -> npt.NDArray[np.float32]:
        """Return (n,) float32 in [-1, 1]; 0, the middle, where a value is NaN."""
        graded = np.interp(values, self.knots, self.grades)
        return np.where(np.isnan(values), 0.0, graded).astype(np.float32)

    def document(self) -> dict[str, Any]:
        """Return what JSON holds."""
        return {"knots": self.knots.tolist(), "grades": self.grades.tolist()}

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> Scale:
        """Return the scale of :meth:`document`."""
        return cls(np.array(document["knots"], np.float64), np.array(document["grades"], np.float64))


def fit_scale(values: Float, intervals: int) -> Scale | None:
    """Return the scale of the values that are known; None where fewer than two of them differ.

    Time O(n log n). The knots are values of train, so that no mean of huge numbers overflows.
    """
    known = np.sort(values[~np.isnan(values)])
    if not len(known) or known[0] == known[-1]:
        return None
    places = np.linspace(0, len(known) - 1, min(intervals + 1, len(known))).round().astype(np.int64)
    knots = np.unique(known[places])
    below, upto = np.searchsorted(known, knots, "left"), np.searchsorted(known, knots, "right")
    return Scale(knots, (below + upto) / len(known) - 1.0)
