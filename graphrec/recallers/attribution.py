"""Which history item, and which middle row, gave a target most on the way through a chain of tables."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

import numba as nb
import numpy as np
import numpy.typing as npt

from graphrec.data.neighbours import NeighbourTable
from graphrec.sparse.topk import FloatArray, RowArray

Dense = npt.NDArray[np.float64]


@nb.njit(nogil=True, cache=True)
def _restrict(
    indptr: npt.NDArray[np.int64],
    neighbours: RowArray,
    scores: FloatArray,
    rows: RowArray,
    columns: RowArray,
    n_columns: int,
) -> Dense:  # pragma: no cover - compiled
    """Return the dense (rows, columns) part of a table; entries <= 0 become 0."""
    position = np.full(n_columns, -1, dtype=np.int32)
    for j in range(columns.size):
        position[columns[j]] = j
    part = np.zeros((rows.size, columns.size))
    for i in range(rows.size):
        for p in range(indptr[rows[i]], indptr[rows[i] + 1]):
            j = position[neighbours[p]]
            if j >= 0 and scores[p] > 0.0:
                part[i, j] = scores[p]
    return part


@nb.njit(nogil=True, cache=True)
def _product(a: Dense, b: Dense) -> Dense:  # pragma: no cover - compiled
    """Return ``a @ b``, skipping zeros of ``a``: both are mostly zeros, and a BLAS would wake threads of its own."""
    result = np.zeros((a.shape[0], b.shape[1]))
    for i in range(a.shape[0]):
        for h in range(a.shape[1]):
            if a[i, h] != 0.0:
                for j in range(b.shape[1]):
                    result[i, j] += a[i, h] * b[h, j]
    return result


def strongest(
    tables: Sequence[NeighbourTable], spaces: Sequence[RowArray], weights: Dense
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp], Dense]:
    """Return for each target the source that gave it most, the last middle row on the way, and how much it gave.

    Parameters
    ----------
    tables : sequence of NeighbourTable
        The chain.
    spaces : sequence of ndarray
        One more than tables, int32: h source rows, the middle rows that count after each table, m distinct target
        rows.
    weights : ndarray
        (h,) float64, > 0.

    Returns
    -------
    sources, through : ndarray
        (m,) positions in the first and in the last but one of ``spaces``; -1 where no source reaches the target.
        Ties go to the earlier position. With one table, ``through`` is the source itself.
    amounts : ndarray
        (m,) float64: what the source gave by all its ways; 0 where none reaches the target.
    """
    parts = [
        _restrict(table.indptr, table.neighbours, table.scores, rows, columns, table.n_columns)
        for table, rows, columns in zip(tables, spaces, spaces[1:], strict=False)
    ]
    parts[0] *= weights[:, None]
    if len(parts) == 1:
        given = parts[0]  # (h, m)
        best = through = given.argmax(axis=0)
    else:
        before = reduce(_product, parts[:-1])  # (h, last middle)
        given = _product(before, parts[-1])  # (h, m)
        best = given.argmax(axis=0)
        through = (before[best].T * parts[-1]).argmax(axis=0)  # (last middle, m) -> (m,)
    amounts = given[best, np.arange(len(spaces[-1]))]
    reached = amounts > 0
    return np.where(reached, best, -1), np.where(reached, through, -1), np.where(reached, amounts, 0.0)
