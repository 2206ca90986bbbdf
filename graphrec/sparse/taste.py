"""What recipes count and scale before they multiply: taste matrices, degrees, popularity."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from graphrec.data.interactions import Interactions, coalesced_parts, take
from graphrec.data.lists import indptr_of
from graphrec.data.neighbours import NeighbourTable

Scale = npt.NDArray[np.float64]

# Entries that are looked at together, where float64 is worked in: 32 MiB an array.
_AT_ONCE = 1 << 22


def liked_parts(interactions: Interactions, max_items_per_user: int = 0) -> Iterator[Interactions]:
    """Yield what :func:`liked_pairs` returns in parts, those of the next users each; at least one part."""
    for merged in coalesced_parts(interactions):
        kept = merged.weights > 0
        if max_items_per_user:
            # Rows come by user, oldest first: count the liked ones from each user's end.
            liked_after = np.cumsum(kept[::-1])[::-1]
            ends = np.searchsorted(merged.users, np.arange(merged.n_users), side="right")
            after_user = np.append(liked_after, 0)[ends]
            kept &= liked_after - after_user[merged.users] <= max_items_per_user
        yield merged if kept.all() else take(merged, kept)


def liked_pairs(interactions: Interactions, max_items_per_user: int = 0) -> Interactions:
    """Return one event for each (user, item) pair that says something of taste, by user, oldest first.

    Repeated events are one pair: weights summed, the latest time. Pairs whose summed weight is 0 or below are left out.
    Of a user with more than ``max_items_per_user`` pairs the newest are kept (0: all): pairs of items are quadratic in
    a history, and a crawler's would take longer than all the others together.
    """
    parts = list(liked_parts(interactions, max_items_per_user))
    times = [part.times for part in parts if part.times is not None]
    return Interactions(
        np.concatenate([part.users for part in parts]),
        np.concatenate([part.items for part in parts]),
        np.concatenate([part.weights for part in parts]),
        np.concatenate(times) if times else None,
        n_users=interactions.n_users,
        n_items=interactions.n_items,
    )


def taste_matrix(interactions: Interactions, exponent: float = 0.0, *, max_items_per_user: int = 0) -> sp.csr_array:
    """Return (n_users, n_items) float32: each pair's summed weight to the power ``exponent``.

    Pairs whose summed weight is 0 or below say nothing of taste and are left out; exponent 0 gives ones. Of longer
    histories the newest ``max_items_per_user`` pairs are kept; 0 keeps all. Columns are sorted in each row.

    Notes
    -----
    Time O(m log m). The pairs come by user in parts and go where they stay: memory is 8 bytes a pair and one part.
    """
    shape = (interactions.n_users, interactions.n_items)
    # Pages of these that no pair reaches are never touched.
    items = np.empty(len(interactions), dtype=np.int32)
    values = np.empty(len(interactions), dtype=np.float32)
    indptr, n = np.zeros(shape[0] + 1, dtype=np.int64), 0
    for part in liked_parts(interactions, max_items_per_user):
        stop = n + len(part)
        items[n:stop], values[n:stop] = part.items, _powers(part.weights, exponent)
        indptr[1:] += np.bincount(part.users, minlength=shape[0])
        n = stop
    np.cumsum(indptr, out=indptr)
    # Bounds of int64 would have scipy copy the items into int64 as well.
    bounds = indptr.astype(np.int32) if n <= np.iinfo(np.int32).max else indptr
    taste = sp.csr_array((values[:n], items[:n], bounds), shape=shape)
    taste.sort_indices()
    taste.has_canonical_format = True
    return taste


def _powers(weights: npt.NDArray[np.float32], exponent: float) -> npt.NDArray[np.float32]:
    """Return the weights to a power, taken in float64; powers of 0 and 1 are not worked out."""
    if exponent == 0:
        return np.ones_like(weights)
    return weights if exponent == 1 else (weights.astype(np.float64) ** exponent).astype(np.float32)


def evenly_capped(matrix: sp.csr_array, cap: int) -> sp.csr_array:
    """Return the matrix with at most ``cap`` entries a row, taken at even distances in order of columns; 0 keeps all.

    The same ones every time; where columns are users, busy and quiet ones stay in their proportion.
    """
    ordered = sp.csr_array(matrix)
    ordered.sort_indices()
    lengths = np.diff(ordered.indptr).astype(np.int64)
    kept = np.minimum(lengths, cap or lengths.max(initial=0))
    bounds = indptr_of(kept)
    within = np.arange(bounds[-1]) - np.repeat(bounds[:-1], kept)
    places = np.repeat(ordered.indptr[:-1], kept) + within * np.repeat(lengths, kept) // np.repeat(kept, kept)
    bounds = bounds.astype(ordered.indptr.dtype)
    return sp.csr_array((ordered.data[places], ordered.indices[places], bounds), shape=matrix.shape)


def degrees(matrix: sp.csr_array, axis: int) -> Scale:
    """Return how many entries each column (axis 0) or row (axis 1) has, float64."""
    if axis == 1:
        return np.diff(matrix.indptr).astype(np.float64)
    counts = np.zeros(matrix.shape[1])
    # In slices: counting makes int64 of what it counts.
    for start in range(0, matrix.nnz, _AT_ONCE):
        counts += np.bincount(matrix.indices[start : start + _AT_ONCE], minlength=matrix.shape[1])
    return counts


def entry_slices(matrix: sp.csr_array) -> Iterator[tuple[slice, npt.NDArray[np.int64]]]:
    """Yield the places of the entries, some millions together (or those of one row), and the row of each."""
    indptr, start = matrix.indptr, 0
    while start < matrix.shape[0]:
        stop = int(np.searchsorted(indptr, int(indptr[start]) + _AT_ONCE, side="right")) - 1
        stop = min(max(stop, start + 1), matrix.shape[0])
        rows = np.repeat(np.arange(start, stop), np.diff(indptr[start : stop + 1]))
        yield slice(int(indptr[start]), int(indptr[stop])), rows
        start = stop


def inverse_power(counts: Scale, exponent: float) -> Scale:
    """Return ``counts ** -exponent``, with 0 where the count is 0."""
    safe = np.where(counts > 0, counts, 1.0)
    return np.where(counts > 0, safe**-exponent, 0.0)


def scaled(matrix: sp.csr_array, *, rows: Scale | None = None, columns: Scale | None = None) -> sp.csr_array:
    """Return the matrix with its rows and columns multiplied, in float64; entries that become 0 are dropped.

    It may share the places of its entries with ``matrix``.
    """
    values = np.empty(matrix.nnz, dtype=np.float32)
    for places, of_rows in entry_slices(matrix):
        part = matrix.data[places].astype(np.float64)
        if rows is not None:
            part *= rows[of_rows]
        if columns is not None:
            part *= columns[matrix.indices[places]]
        values[places] = part
    return with_values(matrix, values)


def with_values(matrix: sp.csr_array, values: npt.NDArray[np.float32]) -> sp.csr_array:
    """Return ``values`` (m,) at the places of the matrix's entries; those that are 0 are dropped.

    Where none is, the places are shared with ``matrix``: they cost half of a matrix.
    """
    shared = matrix.has_sorted_indices and np.count_nonzero(values) == values.size
    result = sp.csr_array((values, matrix.indices, matrix.indptr), shape=matrix.shape, copy=not shared)
    result.has_sorted_indices = matrix.has_sorted_indices
    if not shared:
        result.eliminate_zeros()
    return result


def popularity(interactions: Interactions) -> Scale:
    """Return (n_items,) float64: distinct users who took each item, whatever the weight."""
    counts = np.zeros(interactions.n_items)
    for pairs in coalesced_parts(interactions):
        counts += np.bincount(pairs.items, minlength=interactions.n_items)
    return counts


def expected_popularity(interactions: Interactions, cold_share: float) -> Scale:
    """Return :func:`popularity`, in which an item without events has ``cold_share`` of the mean of the others.

    What nobody took yet is not what nobody wants: as the least popular of all it would stand behind every other item.
    """
    counts = popularity(interactions)
    taken = counts > 0
    if taken.any():
        counts[~taken] = cold_share * counts[taken].mean()
    return counts


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
