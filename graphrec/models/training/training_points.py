"""What a training measured as a table of numbers, for checkpoints."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from graphrec.contracts.progress import TrainingPoint, TrainingUnit


def table_of(points: Sequence[TrainingPoint]) -> npt.NDArray[np.float64]:
    """Return points as rows of five numbers; NaN for what a point does not have."""
    rows = [[point.step, point.loss, point.validation, point.lr, point.examples_per_s] for point in points]
    return np.array([[math.nan if number is None else number for number in row] for row in rows]).reshape(-1, 5)


def points_of(table: npt.NDArray[np.float64], unit: TrainingUnit) -> list[TrainingPoint]:
    """Return the points that :func:`table_of` made rows of."""
    return [
        TrainingPoint(unit, int(step), loss, *(None if math.isnan(number) else number for number in others))
        for step, loss, *others in table.tolist()
    ]
