"""Which history item, and which middle row, gave a target most on the way through a chain of tables."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

import numpy as np
import numpy.typing as npt

from graphrec.data.neighbours import NeighbourTable
from graphrec.kernels import kernel
from graphrec.sparse.topk import FloatArray, RowArray

Dense = npt.NDArray[np.float64]


@kernel
def _positions(columns: RowArray, n_columns: int) -> RowArray:  # pragma: no cover - compiled
    """Return (n_columns,) int32: where each column stands in ``columns`` (m,), or m where it does not."""
    position = np.full(n_columns, columns.size, dtype=np.int32)
    for j in range(columns.size):
        position[columns[j]] = j
    return position


@kernel
def _restrict(
    indptr: npt.NDArray[np.int64],
    neighbours: RowArray,
    scores: FloatArray,
    rows: RowArray,
    columns: RowArray,
    n_columns: int,
) -> Dense:  # pragma: no cover - compiled
    """Return the dense part of a table, (rows, columns + 1); entries <= 0 become 0.

    Its last column takes what is in none of ``columns``: to skip it would be a branch that is often guessed wrong.
    """
    position = _positions(columns, n_columns)
    part = np.zeros((rows.size, columns.size + 1))
    for i in range(rows.size):
        for p in range(indptr[rows[i]], indptr[rows[i] + 1]):
            part[i, position[neighbours[p]]] = max(scores[p], 0.0)
    return part


@kernel
def _greatest(
    indptr: npt.NDArray[np.int64],
    neighbours: RowArray,
    scores: FloatArray,
    rows: RowArray,
    weights: Dense,
    columns: RowArray,
    n_columns: int,
) -> tuple[npt.NDArray[np.intp], Dense]:  # pragma: no cover - compiled
    """Return for each column the first of ``rows`` whose weighted entry is greatest, -1 where none is > 0, and it."""
    position = _positions(columns, n_columns)
    sources, amounts = np.full(columns.size + 1, -1, dtype=np.intp), np.zeros(columns.size + 1)
    for i in range(rows.size):
        for p in range(indptr[rows[i]], indptr[rows[i] + 1]):
            j, amount = position[neighbours[p]], weights[i] * scores[p]
            greater = amount > amounts[j]
            sources[j] = i if greater else sources[j]
            amounts[j] = amount if greater else amounts[j]
    return sources[: columns.size], amounts[: columns.size]


@kernel
def _product(a: Dense, b: Dense) -> Dense:  # pragma: no cover - compiled
    """Return ``a[:, :-1] @ b``, skipping zeros: both are mostly zeros, and a BLAS would wake threads of its own."""
    result = np.zeros((a.shape[0], b.shape[1]))
    for i in range(a.shape[0]):
        for h in range(b.shape[0]):
            if a[i, h] != 0.0:
                for j in range(b.shape[1]):
                    result[i, j] += a[i, h] * b[h, j]
    return result


@kernel
def _best_ways(
    before: Dense, last: Dense
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp], Dense]:  # pragma: no cover - compiled
    """Return what :func:`strongest` does, of ``before`` (h, middle + 1) and ``last`` (middle, m + 1)."""
    given = _product(before, last)
    m = last.shape[1] - 1
    sources, through, amounts = np.zeros(m, dtype=np.intp), np.full(m, -1, dtype=np.intp), given[0, :m].copy()
    for i in range(1, given.shape[0]):
        for j in range(m):
            greater = given[i, j] > amounts[j]
            sources[j] = i if greater else sources[j]
            amounts[j] = given[i, j] if greater else amounts[j]
    for j in range(m):
        if amounts[j] > 0.0:
            highest = -1.0
            for h in range(last.shape[0]):
                amount = before[sources[j], h] * last[h, j]
                if amount > highest:
                    highest, through[j] = amount, h
        else:
            sources[j], amounts[j] = -1, 0.0
    return sources, through, amounts


def strongest(
    tables: Sequence[NeighbourTable], spaces: Sequence[RowArray], weights: Dense
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp], Dense]:
    """Return for each target the source that gave it most, the last middle row on the way, and how much it gave.

    Parameters
    ----------
    tables : sequence of NeighbourTable
        The chain.
    spaces : sequence of ndarray
        One more than tables, int32: h source rows, the middle rows that count after each table, m target rows; of
        these alone a row may stand more than once.
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
    targets, last = spaces[-1], tables[-1]
    if len(tables) == 1:
        sources, amounts = _greatest(
            last.indptr, last.neighbours, last.scores, spaces[0], weights, targets, last.n_columns
        )
        through = sources
    else:
        parts = [
            _restrict(table.indptr, table.neighbours, table.scores, rows, columns, table.n_columns)
            for table, rows, columns in zip(tables, spaces, spaces[1:], strict=False)
        ]
        parts[0] *= weights[:, None]
        sources, through, amounts = _best_ways(reduce(_product, parts[:-1]), parts[-1])
    # A target that stands more than once was worked out where it stands last.
    own = _positions(targets, last.n_columns)[targets]
    return sources[own], through[own], amounts[own]


def amounts_between(
    tables: Sequence[NeighbourTable],
    sources: RowArray,
    weights: Dense,
    spaces: Sequence[RowArray],
    background: FloatArray | None,
) -> tuple[Dense, bool]:
    """Return what each source gave a target by each row of the last space but one, and whether a liked source did.

    Parameters
    ----------
    tables : sequence of NeighbourTable
        The chain.
    sources : ndarray
        (h,) int32, rows of the first table.
    weights : ndarray
        (h,) float64, of either sign.
    spaces : sequence of ndarray
        As many as tables, int32: the middle rows that count after each table, and last the one target row.
    background : ndarray or None
        What a column of the first table gets from a unit of weight; it is subtracted.

    Returns
    -------
    amounts : ndarray
        (h, last middle) float64, or (h, 1) with one table.
    liked : bool
        Whether a source of a weight above 0 reaches the target.
    """
    parts = [
        _restrict(table.indptr, table.neighbours, table.scores, rows, columns, table.n_columns)[:, :-1]
        for table, rows, columns in zip(tables, [sources, *spaces[:-1]], spaces, strict=True)
    ]
    expected = 0.0 if background is None else background[spaces[0]].astype(np.float64)
    first = weights[:, None] * (parts[0] - expected)
    if len(parts) == 1:
        return first, bool((parts[0][weights > 0] > 0).any())
    before: Dense = reduce(np.matmul, [first, *parts[1:-1]])
    given = before * parts[-1][:, 0]
    return given, bool((given[weights > 0] != 0).any())
