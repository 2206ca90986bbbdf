"""The neighbour table: for each row of one space, scored rows of another, best first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from graphrec.checks import as_array, check_finite, check_indptr, check_length, check_rows

if TYPE_CHECKING:  # serving needs no sparse matrices, which are slow to load
    import scipy.sparse as sp


@dataclass(frozen=True, slots=True, init=False, eq=False)
class NeighbourTable:
    """A scored table from n rows to ``n_columns`` rows in CSR form.

    Item -> items (Item-CF, Swing, KG neighbours), item -> tags, tag -> items, item -> users: all are neighbour
    tables, and recall pushes a history through one or more of them (``recallers/neighbours.py``).

    Parameters
    ----------
    indptr : ndarray
        (n + 1,) int64.
    neighbours : ndarray
        (m,) int32 rows below ``n_columns``; within a row best first, ties by row.
    scores : ndarray
        (m,) float32, finite.
    n_columns : int
        Size of the space that ``neighbours`` point into.

    Raises
    ------
    DataError
        On a broken ``indptr``, a row out of range or a score that is not finite.
    """

    indptr: npt.NDArray[np.int64]
    neighbours: npt.NDArray[np.int32]
    scores: npt.NDArray[np.float32]
    n_columns: int

    def __init__(
        self, indptr: npt.ArrayLike, neighbours: npt.ArrayLike, scores: npt.ArrayLike, *, n_columns: int
    ) -> None:
        set_field = object.__setattr__
        set_field(self, "indptr", as_array(indptr, np.int64, name="indptr"))
        set_field(self, "neighbours", as_array(neighbours, np.int32, name="neighbours"))
        set_field(self, "scores", as_array(scores, np.float32, name="scores"))
        set_field(self, "n_columns", int(n_columns))
        check_indptr(self.indptr, len(self.neighbours), name="indptr")
        check_length(self.scores, len(self.neighbours), name="scores")
        check_rows(self.neighbours, self.n_columns, name="neighbours")
        check_finite(self.scores, name="scores")

    def __len__(self) -> int:
        return len(self.indptr) - 1

    def __getitem__(self, row: int) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.float32]]:
        if not 0 <= row < len(self):
            raise IndexError(f"row {row} is out of range; the table has {len(self)} rows")
        start, stop = self.indptr[row], self.indptr[row + 1]
        return self.neighbours[start:stop], self.scores[start:stop]


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
