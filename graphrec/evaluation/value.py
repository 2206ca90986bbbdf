r"""What true items are worth, and how much of it lists hold: revenue@K, margin@K, by whatever column says the worth.

With values :math:`v_i \ge 0` of the items and the truth :math:`T_u` of n users,

.. math::
    \mathrm{value@K} = \frac{1}{n} \sum_u \sum_{i \in \mathrm{top}_K(u) \cap T_u} v_i, \qquad
    \mathrm{value\_recall@K} = \frac{\sum_u \sum_{i \in \mathrm{top}_K(u) \cap T_u} v_i}{\sum_u \sum_{i \in T_u} v_i}
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from graphrec.checks import check_length
from graphrec.data.features import Features
from graphrec.data.lists import ItemLists, truncate
from graphrec.errors import ConfigError, DataError
from graphrec.evaluation.metrics import hit_mask

Values = npt.NDArray[np.float64]


def item_values(features: Features | None, column: str) -> Values:
    """Return (n,) float64: what each item is worth; 0 where the column says nothing.

    Raises
    ------
    ConfigError
        If there is no such column of numbers.
    DataError
        If a value is negative, or none is above 0.
    """
    if features is None:
        raise ConfigError(
            f"evaluate.value = {column!r} needs a column of numbers of the items; name it in [data.items]"
        )
    values = np.asarray(features.number(column), dtype=np.float64)
    if (values < 0).any():
        row = int(np.argmax(values < 0))
        raise DataError(
            f"the {column} of item row {row} is {values[row]:g} ({int((values < 0).sum()):,} are below 0); what a true "
            "item is worth is 0 or more: leave losses out of the column, or raise them to 0"
        )
    known = np.nan_to_num(values, nan=0.0)
    if not known.any():
        raise DataError(f"no item has a {column} above 0; nothing can be weighed by it")
    return known


def worth(truth: ItemLists, values: Values) -> Values:
    """Return (n,) what the truth of each query is worth; items beyond ``values`` (n_items,) are worth nothing."""
    return _sums(truth, np.where(truth.scores > 0, _of(truth.items, values), 0.0))


def value_at(lists: ItemLists, truth: ItemLists, cutoffs: Sequence[int], values: Values) -> dict[int, Values]:
    """Return by cut-off (n,) what the true items in the top k of each list are worth.

    Raises
    ------
    DataError
        If ``truth`` has another number of lists.
    """
    check_length(truth.lengths, len(lists), name="truth")
    top = truncate(lists, max(cutoffs))
    gains = np.where(hit_mask(top, truth), _of(top.items, values), 0.0)
    places = np.arange(len(top.items)) - np.repeat(top.indptr[:-1], top.lengths)
    return {k: _sums(top, np.where(places < k, gains, 0.0)) for k in cutoffs}


def _of(items: npt.NDArray[np.int32], values: Values) -> Values:
    known = items < len(values)
    gains: Values = np.where(known, values[np.where(known, items, 0)], 0.0)
    return gains


def _sums(lists: ItemLists, gains: Values) -> Values:
    owners = np.repeat(np.arange(len(lists)), lists.lengths)
    sums: Values = np.bincount(owners, weights=gains, minlength=len(lists)).astype(np.float64)
    return sums
