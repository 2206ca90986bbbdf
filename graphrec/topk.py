"""Top-k selection, and sparse products of which only the k best entries of each row are kept.

One kernel does both jobs of neighbour recall: at fit time it multiplies two sparse matrices row by row and keeps each
row's best (an item-item table), online it pushes histories through such a table. Neither ever holds a dense matrix:
each call has one accumulator as wide as the result's rows.
"""

from __future__ import annotations

import numba as nb
import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from graphrec.errors import ConfigError, DataError
from graphrec.neighbours import NeighbourTable
from graphrec.threads import map_chunks

# Entries that one chunk's result may hold (8 bytes each); rows a chunk holds at most.
_CHUNK_ENTRIES = 1 << 22
_CHUNK_ROWS = 256

FloatArray = npt.NDArray[np.float32]
Number = float | np.floating
RowArray = npt.NDArray[np.int32]
Pushed = tuple[npt.NDArray[np.int64], RowArray, FloatArray]


@nb.njit(nogil=True, cache=True, inline="always")
def _worse(score: Number, row: int, other_score: Number, other_row: int) -> bool:  # pragma: no cover - compiled
    """Tell whether (score, row) stands behind (other_score, other_row): lower score, or the same and a higher row."""
    return bool(score < other_score or (score == other_score and row > other_row))


@nb.njit(nogil=True, cache=True)
def _sift_down(scores: FloatArray, rows: RowArray, root: int, n: int) -> None:  # pragma: no cover - compiled
    """Restore the heap (worst on top) in the first n places below ``root``."""
    score, row = scores[root], rows[root]
    while True:
        child = 2 * root + 1
        if child >= n:
            break
        if child + 1 < n and _worse(scores[child + 1], rows[child + 1], scores[child], rows[child]):
            child += 1
        if not _worse(scores[child], rows[child], score, row):
            break
        scores[root], rows[root] = scores[child], rows[child]
        root = child
    scores[root], rows[root] = score, row


@nb.njit(nogil=True, cache=True)
def select_top(
    values: npt.NDArray[np.float64], candidates: RowArray, k: int, rows: RowArray, scores: FloatArray
) -> int:  # pragma: no cover - compiled
    """Write the k best of ``candidates`` (c,), by ``values[candidate]``, to ``rows`` and ``scores``; return how many.

    Best first, ties to the lower row. Values are rounded to float32 *before* they are compared, so that the order
    agrees with the scores that come back. Time O(c + k log k log c) on average.
    """
    size = min(k, candidates.size)
    if size == 0:
        return 0
    for p in range(size):
        rows[p] = candidates[p]
        scores[p] = values[candidates[p]]
    for p in range(size // 2 - 1, -1, -1):
        _sift_down(scores, rows, p, size)
    for p in range(size, candidates.size):
        row = candidates[p]
        score = np.float32(values[row])
        if _worse(scores[0], rows[0], score, row):
            scores[0], rows[0] = score, row
            _sift_down(scores, rows, 0, size)
    for last in range(size - 1, 0, -1):  # the worst goes to the end
        scores[0], scores[last] = scores[last], scores[0]
        rows[0], rows[last] = rows[last], rows[0]
        _sift_down(scores, rows, 0, last)
    return size


@nb.njit(nogil=True, cache=True)
def _push(
    indptr: npt.NDArray[np.int64],
    sources: RowArray,
    weights: npt.NDArray[np.float64],
    table_indptr: npt.NDArray[np.int64],
    table_columns: RowArray,
    table_scores: FloatArray,
    skip: RowArray,
    background: FloatArray,
    accumulator: npt.NDArray[np.float64],
    touched: RowArray,
    k: int,
    counts: npt.NDArray[np.int64],
    rows: RowArray,
    scores: FloatArray,
) -> int:  # pragma: no cover - compiled
    """Push each weighted list through the table and write its k best columns; return how many entries there are.

    ``accumulator`` arrives and leaves as zeros; only products > 0 are added, so that 0 means untouched.
    """
    total = 0
    for i in range(indptr.size - 1):
        n_touched, mass = 0, 0.0
        for p in range(indptr[i], indptr[i + 1]):
            weight, source = weights[p], sources[p]
            if weight <= 0.0:
                continue
            mass += weight
            for q in range(table_indptr[source], table_indptr[source + 1]):
                added = weight * table_scores[q]
                if added > 0.0:
                    column = table_columns[q]
                    if accumulator[column] == 0.0:
                        touched[n_touched] = column
                        n_touched += 1
                    accumulator[column] += added
        kept = 0
        for p in range(n_touched):
            column = touched[p]
            if background.size:
                accumulator[column] -= mass * background[column]
            if column != skip[i] and (background.size == 0 or accumulator[column] > 0.0):
                # Swapped, not overwritten: every touched column must be reset below.
                touched[p], touched[kept] = touched[kept], column
                kept += 1
        taken = select_top(accumulator, touched[:kept], k, rows[total:], scores[total:])
        for p in range(n_touched):
            accumulator[touched[p]] = 0.0
        counts[i] = taken
        total += taken
    return total


def push(
    indptr: npt.NDArray[np.int64],
    sources: RowArray,
    weights: npt.NDArray[np.float64],
    table: NeighbourTable,
    k: int,
    *,
    skip: RowArray | None = None,
    background: FloatArray | None = None,
) -> Pushed:
    r"""Return the k best columns of each list pushed through a table.

    .. math:: score(c) = \max\Big(0, \sum_{p} w_p \big(T[s_p, c] - b_c\big)\Big)

    Parameters
    ----------
    indptr, sources, weights : ndarray
        n lists: (n + 1,) int64; (m,) int32 rows of the table, in range; (m,) float64, entries <= 0 are skipped.
    table : NeighbourTable
        Scores <= 0 in it are skipped.
    k : int
        Columns kept a list; 0 keeps all.
    skip : ndarray or None
        (n,) int32: a column that list may not return, -1 for none.
    background : ndarray or None
        (n_columns,) float32, what each column is expected to get from a unit of weight; subtracted, and columns
        that are left with 0 or less go. None subtracts nothing.

    Returns
    -------
    indptr, rows, scores : tuple of ndarray
        (n + 1,) int64, (m',) int32, (m',) float32; best first, ties by row.

    Notes
    -----
    Time is the number of table entries touched; memory one accumulator of n_columns, and n * k entries: callers
    bring lists in chunks. Sums run in the order of the lists in float64, so a list's answer does not depend on what
    stands beside it.
    """
    n, width = len(indptr) - 1, table.n_columns
    limit = min(k, width) if k else width
    counts = np.empty(n, dtype=np.int64)
    # calloc and malloc give pages when they are first touched: a wide table costs a narrow query nothing.
    rows, scores = np.empty(n * limit, dtype=np.int32), np.empty(n * limit, dtype=np.float32)
    total = _push(
        indptr,
        sources,
        weights,
        table.indptr,
        table.neighbours,
        table.scores,
        np.full(n, -1, dtype=np.int32) if skip is None else skip,
        np.empty(0, dtype=np.float32) if background is None else background,
        np.zeros(width, dtype=np.float64),
        np.empty(width, dtype=np.int32),
        limit,
        counts,
        rows,
        scores,
    )
    bounds = np.zeros(n + 1, dtype=np.int64)
    np.cumsum(counts, out=bounds[1:])
    return bounds, rows[:total], scores[:total]


def chunk_rows(width: int) -> int:
    """Return how many lists of up to ``width`` entries make one chunk."""
    return max(1, min(_CHUNK_ROWS, _CHUNK_ENTRIES // max(1, width)))


def join(parts: list[Pushed]) -> Pushed:
    """Return the lists of all parts, one after the other."""
    lengths = [np.diff(indptr) for indptr, _, _ in parts]
    indptr = np.zeros(sum(map(len, lengths)) + 1, dtype=np.int64)
    np.cumsum(np.concatenate([np.empty(0, np.int64), *lengths]), out=indptr[1:])
    rows = np.concatenate([np.empty(0, np.int32), *(part[1] for part in parts)])
    scores = np.concatenate([np.empty(0, np.float32), *(part[2] for part in parts)])
    return indptr, rows, scores


def csr_table(matrix: sp.csr_array, *, k: int = 0) -> NeighbourTable:
    """Return a sparse matrix as a neighbour table: each row best first, ties by column, cut to ``k`` (0: whole).

    Entries <= 0 are left out. Time O(m log m).
    """
    lengths = np.diff(matrix.indptr)
    sources = np.repeat(np.arange(matrix.shape[0]), lengths)
    positive = np.flatnonzero(matrix.data > 0)
    columns, scores = matrix.indices[positive], matrix.data[positive].astype(np.float32)
    order = np.lexsort((columns, -scores, sources[positive]))
    sources, columns, scores = sources[positive][order], columns[order], scores[order]
    indptr = np.zeros(matrix.shape[0] + 1, dtype=np.int64)
    np.cumsum(np.bincount(sources, minlength=matrix.shape[0]), out=indptr[1:])
    if k:
        keep = np.arange(len(sources)) - indptr[sources] < k
        sources, columns, scores = sources[keep], columns[keep], scores[keep]
        np.cumsum(np.bincount(sources, minlength=matrix.shape[0]), out=indptr[1:])
    return NeighbourTable(indptr, columns.astype(np.int32), scores, n_columns=int(matrix.shape[1]))


def top_products(
    a: sp.csr_array, b: sp.csr_array, k: int, *, drop_self: bool = False, threads: int | None = None
) -> NeighbourTable:
    """Return the k best entries of each row of ``a @ b``, without ever making the product.

    Parameters
    ----------
    a, b : scipy.sparse.csr_array
        (n, h) and (h, n_columns). Entries <= 0 count as absent.
    k : int
        Entries kept a row, >= 1.
    drop_self : bool, default False
        Leave out the diagonal: an item is not its own neighbour.
    threads : int or None
        Threads; the result does not depend on it. None takes every processor.

    Returns
    -------
    NeighbourTable
        n rows, best first, ties by column; scores > 0.

    Raises
    ------
    ConfigError
        If ``k < 1``.
    DataError
        If the inner sizes differ.

    Notes
    -----
    Time O(sum over entries (i, h) of ``a`` of the length of row h of ``b``); memory O(n * k) and one accumulator of
    n_columns a thread. Entries whose float32 value underflows to 0 stay, with score 0.
    """
    if k < 1:
        raise ConfigError(f"k is {k}; a table keeps at least 1 entry a row")
    if a.shape[1] != b.shape[0]:
        raise DataError(f"a has {a.shape[1]} columns and b {b.shape[0]} rows; a product needs as many of either")
    table = NeighbourTable(
        b.indptr.astype(np.int64), b.indices.astype(np.int32), b.data.astype(np.float32), n_columns=int(b.shape[1])
    )
    indptr, sources = a.indptr.astype(np.int64), a.indices.astype(np.int32)
    weights = a.data.astype(np.float64)

    def work(start: int, stop: int) -> Pushed:
        first, last = indptr[start], indptr[stop]
        skip = np.arange(start, stop, dtype=np.int32) if drop_self else None
        return push(indptr[start : stop + 1] - first, sources[first:last], weights[first:last], table, k, skip=skip)

    chunk = chunk_rows(min(k, table.n_columns))
    bounds, rows, scores = join(list(map_chunks(work, int(a.shape[0]), chunk=chunk, threads=threads)))
    return NeighbourTable(bounds, rows, scores, n_columns=table.n_columns)
