"""What items are worth to the business, as factors of losses and of vectors."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from graphrec.data.features import Features
from graphrec.errors import ConfigError, DataError, nearest_names

# An item counts at most so many times as much as an average item, and at least so small a part of it.
_MOST = 64.0


def item_worth(features: Features | None, column: str) -> npt.NDArray[np.float64]:
    """Return (n,) float64 above 0: the value of each item over the median of the values above 0, from 1/64 to 64.

    Items whose value is not known count as the median.

    Raises
    ------
    ConfigError
        If there is no such column of numbers.
    DataError
        If a value is below 0, or none above it.
    """
    numbers = {} if features is None else features.numbers
    if column not in numbers:
        raise ConfigError(
            f"value is {column!r}, and the items have no such column of numbers{nearest_names(column, numbers)}; name "
            "a column of [data.items], or leave value empty"
        )
    values = np.asarray(numbers[column], dtype=np.float64)
    if (values < 0).any():
        row = int(np.argmax(values < 0))
        raise DataError(
            f"the {column} of item row {row} is {values[row]:g}; what an item is worth is 0 or more: raise losses to 0"
        )
    if not (values > 0).any():
        raise DataError(f"no item has a {column} above 0; nothing can be weighed by it")
    median = float(np.median(values[values > 0]))
    return np.clip(np.nan_to_num(values / median, nan=1.0), 1 / _MOST, _MOST)
