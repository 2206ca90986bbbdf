"""What recipes count and scale before they multiply: taste matrices, degrees, popularity."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from graphrec.errors import ConfigError
from graphrec.interactions import coalesce
from graphrec.neighbours import NeighbourTable
from graphrec.recall import RecallData

Scale = npt.NDArray[np.float64]


def check_at_least(name: str, value: float, least: float) -> None:
    """Raise ConfigError unless ``value`` is a finite number of at least ``least``."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value < float("inf"):
        raise ConfigError(f"{name} is {value!r}; it must be a number of {least} or more")


def check_count(name: str, value: int, least: int) -> None:
    """Raise ConfigError unless ``value`` is a whole number of at least ``least``."""
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise ConfigError(f"{name} is {value!r}; it must be a whole number of {least} or more")


def check_flag(name: str, value: bool) -> None:
    """Raise ConfigError unless ``value`` is true or false."""
    if not isinstance(value, bool):
        raise ConfigError(f"{name} is {value!r}; it must be true or false")


def taste_matrix(data: RecallData, exponent: float = 0.0) -> sp.csr_array:
    """Return (n_users, n_items) float32: each pair's summed weight to the power ``exponent``.

    Pairs whose summed weight is 0 or below say nothing of taste and are left out; exponent 0 gives ones.
    """
    merged = coalesce(data.interactions)
    liked = merged.weights > 0
    values = merged.weights[liked].astype(np.float64) ** exponent
    shape = (merged.n_users, merged.n_items)
    return sp.csr_array(
        sp.coo_array((values.astype(np.float32), (merged.users[liked], merged.items[liked])), shape=shape).tocsr()
    )


def degrees(matrix: sp.csr_array, axis: int) -> Scale:
    """Return how many entries each column (axis 0) or row (axis 1) has, float64."""
    if axis == 1:
        return np.diff(matrix.indptr).astype(np.float64)
    return np.bincount(matrix.indices, minlength=matrix.shape[1]).astype(np.float64)


def inverse_power(counts: Scale, exponent: float) -> Scale:
    """Return ``counts ** -exponent``, with 0 where the count is 0."""
    safe = np.where(counts > 0, counts, 1.0)
    return np.where(counts > 0, safe**-exponent, 0.0)


def scaled(matrix: sp.csr_array, *, rows: Scale | None = None, columns: Scale | None = None) -> sp.csr_array:
    """Return the matrix with its rows and columns multiplied; entries that become 0 are dropped."""
    data = matrix.data.astype(np.float64)
    if rows is not None:
        data = data * np.repeat(rows, np.diff(matrix.indptr))
    if columns is not None:
        data = data * columns[matrix.indices]
    result = sp.csr_array((data.astype(np.float32), matrix.indices.copy(), matrix.indptr.copy()), shape=matrix.shape)
    result.eliminate_zeros()
    return result


def popularity(data: RecallData) -> Scale:
    """Return (n_items,) float64: distinct users who took each item, whatever the weight."""
    return np.bincount(coalesce(data.interactions).items, minlength=len(data.items)).astype(np.float64)


def rows_sum_to_one(table: NeighbourTable) -> NeighbourTable:
    """Return the table with each row's scores divided by their sum; rows without a positive sum stay as they are."""
    sources = np.repeat(np.arange(len(table)), np.diff(table.indptr))
    sums = np.bincount(sources, weights=table.scores, minlength=len(table))
    shares = table.scores / np.where(sums > 0, sums, 1.0)[sources]
    return NeighbourTable(table.indptr, table.neighbours, shares.astype(np.float32), n_columns=table.n_columns)


def as_matrix(table: NeighbourTable) -> sp.csr_array:
    """Return a neighbour table as a sparse matrix with sorted columns."""
    shape = (len(table), table.n_columns)
    matrix = sp.csr_array((table.scores, table.neighbours, table.indptr), shape=shape, copy=True)
    matrix.sum_duplicates()
    return matrix
