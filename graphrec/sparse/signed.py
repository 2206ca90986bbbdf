"""Pushing a history with dislikes through a table: what is disliked takes away, and gives nothing of its own."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from graphrec.data.leave_out import leave_out
from graphrec.data.lists import ItemLists, empty_lists, indptr_of
from graphrec.data.neighbours import NeighbourTable
from graphrec.kernels import kernel
from graphrec.sparse.topk import FloatArray, Pushed, RowArray, select_top


def push_signed(
    indptr: npt.NDArray[np.int64],
    sources: RowArray,
    weights: npt.NDArray[np.float64],
    table: NeighbourTable,
    k: int,
    *,
    skip: ItemLists | None = None,
    allowed: npt.NDArray[np.bool_] | None = None,
    background: FloatArray | None = None,
) -> Pushed:
    r"""Return the k best columns of each list, entries below 0 taking away from what the others reach.

    .. math:: score(c) = \max\Big(0, \sum_{p} w_p \big(T[s_p, c] - b_c\big)\Big)

    over the columns that an entry with a weight above 0 reaches. Without weights below 0 this is
    :func:`graphrec.sparse.topk.push`.

    Parameters
    ----------
    indptr, sources, weights : ndarray
        n lists: (n + 1,) int64; (m,) int32 rows of the table, in range; (m,) float64 of either sign.
    table : NeighbourTable
        Scores <= 0 in it are skipped.
    k : int
        Columns kept a list; 0 keeps all.
    skip, allowed : ItemLists or None, ndarray or None
        n lists of columns that a list may not return, and (n_columns,) bool: columns that any list may return.
    background : ndarray or None
        (n_columns,) float32, b: what each column is expected to get from a unit of weight; None subtracts nothing.

    Returns
    -------
    indptr, rows, scores : tuple of ndarray
        (n + 1,) int64, (m',) int32, (m',) float32 > 0; best first, ties by row.

    Notes
    -----
    Time is the number of table entries touched; memory one accumulator of n_columns, and n * k entries.
    """
    n, width = len(indptr) - 1, table.n_columns
    limit = min(k, width) if k and skip is None and allowed is None else width
    counts = np.empty(n, dtype=np.int64)
    rows, scores = np.empty(n * limit, dtype=np.int32), np.empty(n * limit, dtype=np.float32)
    expected = np.zeros(width, dtype=np.float32) if background is None else background
    total = _push_signed(
        indptr, sources, weights, table.indptr, table.neighbours, table.scores, expected, np.zeros(width),
        np.zeros(width, dtype=np.bool_), np.empty(width, dtype=np.int32), limit, counts, rows, scores,
    )  # fmt: skip
    bounds = indptr_of(counts)
    positive = bounds, rows[:total], scores[:total]
    if skip is None and allowed is None:
        return positive
    everything = np.ones(width, dtype=np.bool_) if allowed is None else allowed
    kept = leave_out(ItemLists(*positive), k or width, exclude=skip or empty_lists(n), allowed=everything)
    return kept.indptr, kept.items, kept.scores


@kernel
def _push_signed(
    indptr: npt.NDArray[np.int64],
    sources: RowArray,
    weights: npt.NDArray[np.float64],
    table_indptr: npt.NDArray[np.int64],
    table_columns: RowArray,
    table_scores: FloatArray,
    background: FloatArray,
    accumulator: npt.NDArray[np.float64],
    reached: npt.NDArray[np.bool_],
    touched: RowArray,
    k: int,
    counts: npt.NDArray[np.int64],
    rows: RowArray,
    scores: FloatArray,
) -> int:  # pragma: no cover - compiled
    """Write the k best columns of each list; ``accumulator`` and ``reached`` arrive and leave as zeros."""
    total = 0
    for i in range(indptr.size - 1):
        n_touched, mass = 0, 0.0
        for liked in (True, False):  # dislikes only where a liking has been
            for p in range(indptr[i], indptr[i + 1]):
                if weights[p] == 0.0 or (weights[p] > 0.0) != liked:
                    continue
                mass += weights[p]
                for q in range(table_indptr[sources[p]], table_indptr[sources[p] + 1]):
                    column = table_columns[q]
                    if table_scores[q] <= 0.0 or not (liked or reached[column]):
                        continue
                    if not reached[column]:
                        reached[column] = True
                        touched[n_touched] = column
                        n_touched += 1
                    accumulator[column] += weights[p] * table_scores[q]
        kept = 0
        for t in range(n_touched):
            column = touched[t]
            accumulator[column] -= mass * background[column]
            if accumulator[column] > 0.0:
                # Swapped, not overwritten: every touched column must be reset below.
                touched[t], touched[kept] = touched[kept], column
                kept += 1
        counts[i] = select_top(accumulator, touched[:kept], k, rows[total:], scores[total:])
        total += counts[i]
        for t in range(n_touched):
            accumulator[touched[t]] = 0.0
            reached[touched[t]] = False
    return total
