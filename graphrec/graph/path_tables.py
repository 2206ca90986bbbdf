"""Products of sparse tables that remember, for each entry kept, the middle node of the path that gave it most."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from graphrec.data.lists import indptr_of
from graphrec.kernels import kernel
from graphrec.sparse.topk import chunk_rows, select_top
from graphrec.threads import map_chunks

IntArray = npt.NDArray[np.int64]
RowArray = npt.NDArray[np.int32]
FloatArray = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]

_NONE = np.empty(0, np.float64)


@dataclass(frozen=True, slots=True, eq=False)
class PathTable:
    """Scored pairs of nodes in CSR form, each with the best of the paths that it sums.

    Parameters
    ----------
    indptr : ndarray
        (n + 1,) int64.
    columns : ndarray
        (m,) int32 rows below ``n_columns``.
    scores : ndarray
        (m,) float32 > 0: the sum over all paths of the pair.
    best : ndarray
        (m,) float32: what the best of them gives; 0 where none may be shown.
    n_columns : int
        Size of the space of columns.
    middles : ndarray or None
        (m,) int32: the node where the best path goes from ``left`` to ``right``, -1 where none may be shown. None for
        pairs joined by an edge.
    left, right : PathTable or None
        The tables of which this is the product.
    right_reversed : bool
        Whether ``right`` leads from columns to middles.
    """

    indptr: IntArray
    columns: RowArray
    scores: FloatArray
    best: FloatArray
    n_columns: int
    middles: RowArray | None = None
    left: PathTable | None = None
    right: PathTable | None = None
    right_reversed: bool = False

    def __len__(self) -> int:
        return len(self.indptr) - 1


def edge_table(matrix: sp.csr_array) -> PathTable:
    """Return scored edges (n, n_columns) as a table of paths of one step; entries <= 0 are left out by products."""
    data = matrix.data.astype(np.float32)
    return PathTable(
        matrix.indptr.astype(np.int64), matrix.indices.astype(np.int32), data, data, n_columns=int(matrix.shape[1])
    )


def as_csr(table: PathTable) -> sp.csr_array:
    """Return the scores of a table as a sparse matrix; columns are in the order of the table."""
    return sp.csr_array((table.scores, table.columns, table.indptr), shape=(len(table), table.n_columns))


def take_rows(table: PathTable, rows: npt.NDArray[np.integer]) -> PathTable:
    """Return the rows ``rows`` (m,) of a table as paths of one step: what is between their ends is not kept."""
    picked = as_csr(table)[rows]
    return edge_table(sp.csr_array(picked))


def scaled_columns(table: PathTable, scale: Doubles) -> PathTable:
    """Return the table with its columns multiplied by ``scale`` (n_columns,)."""
    factors = scale[table.columns]
    return _with_scores(table, table.scores * factors, table.best * factors)


def scaled_rows(table: PathTable, scale: Doubles) -> PathTable:
    """Return the table with its rows multiplied by ``scale`` (n,)."""
    factors = np.repeat(scale, np.diff(table.indptr))
    return _with_scores(table, table.scores * factors, table.best * factors)


def rows_to_one(table: PathTable) -> PathTable:
    """Return the table with each row's scores divided by their sum, and what the best paths gave with them."""
    rows = np.repeat(np.arange(len(table)), np.diff(table.indptr))
    sums = np.bincount(rows, weights=table.scores, minlength=len(table))
    return scaled_rows(table, 1.0 / np.where(sums > 0, sums, 1.0))


def _with_scores(table: PathTable, scores: Doubles, best: Doubles) -> PathTable:
    return PathTable(
        table.indptr, table.columns, scores.astype(np.float32), best.astype(np.float32), table.n_columns,
        table.middles, table.left, table.right, table.right_reversed,
    )  # fmt: skip


def product(
    left: PathTable,
    right: PathTable,
    k: int,
    *,
    right_reversed: bool = False,
    drop_self: bool = False,
    halves: tuple[Doubles, Doubles] | None = None,
) -> PathTable:
    r"""Return the k best entries of each row of the product of two tables, with the best path of each.

    Parameters
    ----------
    left : PathTable
        (n, h).
    right : PathTable
        (h, n_columns), or (n_columns, h) where ``right_reversed``.
    k : int
        Entries kept a row.
    right_reversed : bool, default False
        Multiply by the transpose of ``right``.
    drop_self : bool, default False
        Leave out the diagonal.
    halves : tuple of ndarray or None
        (n,) and (n_columns,) float64 :math:`a, b`: entry (i, j) is divided by :math:`(a_i + b_j) / 2` before the best
        are taken.

    Notes
    -----
    Time O(sum over entries (i, h) of ``left`` of the length of row h of ``right``); memory 16 bytes an entry kept, and
    three accumulators of n_columns a thread. Ties go to the lower column, ties of paths to the lower middle that stands
    first in the row of ``left``. The result does not depend on the number of threads.
    """
    other = _transposed(right) if right_reversed else right
    width = other.n_columns
    limit = min(k, width)
    above, below = (_NONE, _NONE) if halves is None else halves

    def work(start: int, stop: int) -> tuple[IntArray, RowArray, FloatArray, FloatArray, RowArray]:
        n = stop - start
        counts = np.empty(n, np.int64)
        columns, middles = np.empty(n * limit, np.int32), np.empty(n * limit, np.int32)
        scores, best = np.empty(n * limit, np.float32), np.empty(n * limit, np.float32)
        total = _multiply(
            left.indptr, left.columns, left.scores, left.best,
            other.indptr, other.columns, other.scores, other.best,
            above, below, start, stop, drop_self, limit,
            np.zeros(width), np.zeros(width), np.full(width, -1, np.int32), np.empty(width, np.int32),
            counts, columns, scores, best, middles,
        )  # fmt: skip
        return counts, columns[:total].copy(), scores[:total].copy(), best[:total].copy(), middles[:total].copy()

    parts = list(map_chunks(work, len(left), chunk=chunk_rows(limit)))
    counts, columns, scores, best, middles = (np.concatenate(column) for column in zip(*parts, strict=True))
    return PathTable(indptr_of(counts), columns, scores, best, width, middles, left, right, right_reversed)


def _transposed(table: PathTable) -> PathTable:
    shape = (len(table), table.n_columns)
    places = sp.csr_array((np.arange(1, len(table.columns) + 1), table.columns, table.indptr), shape=shape).T.tocsr()
    at = places.data - 1
    return PathTable(
        places.indptr.astype(np.int64), places.indices.astype(np.int32), table.scores[at], table.best[at], shape[0]
    )


def nodes_between(table: PathTable, rows: RowArray, columns: RowArray) -> RowArray:
    """Return (m, steps - 1) int32: the nodes between the ends of the best path of each pair, which the table must hold.

    Time O(m * steps * length of a row).
    """
    if table.middles is None or table.left is None or table.right is None:
        return np.empty((len(rows), 0), np.int32)
    at = np.empty(len(rows), np.int64)
    _locate(table.indptr, table.columns, rows, columns, at)
    middles = table.middles[at]
    if table.right_reversed:
        after = nodes_between(table.right, columns, middles)[:, ::-1]
    else:
        after = nodes_between(table.right, middles, columns)
    return np.hstack([nodes_between(table.left, rows, middles), middles[:, None], after])


@kernel
def _locate(
    indptr: IntArray, columns: RowArray, rows: RowArray, wanted: RowArray, places: IntArray
) -> None:  # pragma: no cover - compiled
    for i in range(rows.size):
        place = indptr[rows[i]]
        while columns[place] != wanted[i]:
            place += 1
        places[i] = place


@kernel
def _multiply(
    left_indptr: IntArray,
    left_columns: RowArray,
    left_scores: FloatArray,
    left_best: FloatArray,
    right_indptr: IntArray,
    right_columns: RowArray,
    right_scores: FloatArray,
    right_best: FloatArray,
    above: Doubles,
    below: Doubles,
    start: int,
    stop: int,
    drop_self: bool,
    limit: int,
    sums: Doubles,
    best: Doubles,
    through: RowArray,
    touched: RowArray,
    counts: IntArray,
    columns: RowArray,
    scores: FloatArray,
    best_scores: FloatArray,
    middles: RowArray,
) -> int:  # pragma: no cover - compiled
    """Write the best entries of the rows ``start..stop-1`` of a product; return how many they are."""
    place = 0
    for i in range(start, stop):
        n_touched = 0
        for p in range(left_indptr[i], left_indptr[i + 1]):
            weight, middle = np.float64(left_scores[p]), left_columns[p]
            if weight <= 0.0:
                continue
            shown = np.float64(left_best[p])
            for q in range(right_indptr[middle], right_indptr[middle + 1]):
                amount, column = weight * right_scores[q], right_columns[q]
                if amount <= 0.0:
                    continue
                if sums[column] == 0.0:
                    touched[n_touched] = column
                    n_touched += 1
                sums[column] += amount
                value = shown * right_best[q]
                if value > best[column]:
                    best[column], through[column] = value, middle
        if above.size > 0:
            for t in range(n_touched):
                column = touched[t]
                half = 2.0 / (above[i] + below[column])
                sums[column] *= half
                best[column] *= half
        n_left = n_touched
        if drop_self and sums[min(i, sums.size - 1)] > 0.0:
            n_left = 0
            for t in range(n_touched):
                if touched[t] != i:
                    touched[n_left] = touched[t]
                    n_left += 1
            touched[n_left] = i
            n_left = n_touched - 1
        n = select_top(sums, touched[:n_left], limit, columns[place:], scores[place:])
        for t in range(n):
            column = columns[place + t]
            best_scores[place + t], middles[place + t] = best[column], through[column]
        for t in range(n_touched):
            column = touched[t]
            sums[column], best[column], through[column] = 0.0, 0.0, -1
        counts[i - start] = n
        place += n
    return place
