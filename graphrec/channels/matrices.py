"""What recipes count and scale before they multiply: taste matrices, degrees, popularity."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from graphrec.errors import ConfigError, nearest_names
from graphrec.interactions import Interactions, coalesce, take
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


def check_choice(name: str, value: str, legal: Sequence[str]) -> None:
    """Raise ConfigError unless ``value`` is one of ``legal``, with the nearest of them."""
    if value not in legal:
        near = nearest_names(value, legal) if isinstance(value, str) else ""
        raise ConfigError(f"{name} is {value!r}; it must be one of {', '.join(legal)}{near}")


def liked_pairs(data: RecallData, max_items_per_user: int = 0) -> Interactions:
    """Return one event for each (user, item) pair that says something of taste, by user, oldest first.

    Repeated events are one pair: weights summed, the latest time. Pairs whose summed weight is 0 or below are left out.
    Of a user with more than ``max_items_per_user`` pairs the newest are kept (0: all): pairs of items are quadratic in
    a history, and a crawler's would take longer than all the others together.
    """
    merged = coalesce(data.interactions)
    kept = merged.weights > 0
    if max_items_per_user:
        # Rows come by user, oldest first: count the liked ones from each user's end.
        liked_after = np.cumsum(kept[::-1])[::-1]
        ends = np.searchsorted(merged.users, np.arange(merged.n_users), side="right")
        after_user = np.append(liked_after, 0)[ends]
        kept &= liked_after - after_user[merged.users] <= max_items_per_user
    return take(merged, kept)


def taste_matrix(data: RecallData, exponent: float = 0.0, *, max_items_per_user: int = 0) -> sp.csr_array:
    """Return (n_users, n_items) float32: each pair's summed weight to the power ``exponent``.

    Pairs whose summed weight is 0 or below say nothing of taste and are left out; exponent 0 gives ones. Of longer
    histories the newest ``max_items_per_user`` pairs are kept; 0 keeps all.
    """
    pairs = liked_pairs(data, max_items_per_user)
    values = (pairs.weights.astype(np.float64) ** exponent).astype(np.float32)
    shape = (pairs.n_users, pairs.n_items)
    return sp.csr_array(sp.coo_array((values, (pairs.users, pairs.items)), shape=shape).tocsr())


def evenly_capped(matrix: sp.csr_array, cap: int) -> sp.csr_array:
    """Return the matrix with at most ``cap`` entries a row, taken at even distances in order of columns; 0 keeps all.

    The same ones every time; where columns are users, busy and quiet ones stay in their proportion.
    """
    ordered = sp.csr_array(matrix)
    ordered.sort_indices()
    lengths = np.diff(ordered.indptr).astype(np.int64)
    kept = np.minimum(lengths, cap or lengths.max(initial=0))
    bounds = np.concatenate([[0], np.cumsum(kept)])
    within = np.arange(bounds[-1]) - np.repeat(bounds[:-1], kept)
    places = np.repeat(ordered.indptr[:-1], kept) + within * np.repeat(lengths, kept) // np.repeat(kept, kept)
    return sp.csr_array((ordered.data[places], ordered.indices[places], bounds), shape=matrix.shape)


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


def sums_by_row(rows: npt.NDArray[np.integer], amounts: Scale, n: int) -> Scale:
    """Return (n,) float64: the sum of ``amounts`` (m,) by row."""
    return np.bincount(rows, weights=amounts, minlength=n).astype(np.float64)


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
