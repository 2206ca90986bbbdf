"""Top-k selection, and sparse products of which only the k best entries of each row are kept.

One kernel does both jobs of neighbour recall: at fit time it multiplies two sparse matrices row by row and keeps each
row's best (an item-item table), online it pushes histories through such a table. Neither ever holds a dense matrix:
each call has one accumulator as wide as the result's rows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from graphrec.data.lists import ItemLists, indptr_of, lists_of
from graphrec.data.neighbours import NeighbourTable
from graphrec.errors import ConfigError, DataError
from graphrec.sparse.topk_kernels import FloatArray, IntArray, RowArray, best_of_rows, push_rows, read_keys, select_top
from graphrec.threads import map_chunks

if TYPE_CHECKING:  # serving needs no sparse matrices, which are slow to load
    import scipy.sparse as sp

# Entries that one chunk's result may hold (8 bytes each); rows a chunk holds at most.
_CHUNK_ENTRIES = 1 << 22
_CHUNK_ROWS = 256
_NO_BOUNDS, _NO_ROWS = np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int32)
_NO_FLAGS, _NO_SCORES = np.empty(0, dtype=np.bool_), np.empty(0, dtype=np.float32)

__all__ = [
    "FloatArray",
    "Pushed",
    "RowArray",
    "best_columns",
    "chunk_rows",
    "join",
    "one_each",
    "push",
    "select_top",
    "top_columns",
    "top_products",
]

Pushed = tuple[IntArray, RowArray, FloatArray]


def push(
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
    skip : ItemLists or None
        n lists of columns that a list may not return; what is no column is ignored. None skips nothing.
    allowed : ndarray or None
        (n_columns,) bool: columns that any list may return. None allows all.
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
    width = table.n_columns
    pushed: Pushed = push_rows(
        indptr,
        sources,
        weights,
        table.indptr,
        table.neighbours,
        table.scores,
        _NO_BOUNDS if skip is None else skip.indptr,
        _NO_ROWS if skip is None else skip.items,
        _NO_FLAGS if allowed is None else allowed,
        _NO_SCORES if background is None else background,
        # calloc gives pages when they are first touched.
        np.zeros(width, dtype=np.float64),
        min(k, width) if k else width,
    )
    return pushed


def top_columns(values: FloatArray, k: int) -> Pushed:
    """Return the k best columns of each row of ``values`` (n, n_columns), C-contiguous: best first, ties by column.

    A score of minus infinity says that the column may not come back. Time O(n_columns + k log k) a row on average.
    """
    n, width = values.shape[0], min(k, values.shape[1])
    keys = np.empty((n, width), dtype=np.int64)
    if width:
        best_of_rows(values, keys)
    keys.sort(axis=1)  # numpy's sort of integers works on several at once, and is far ahead of a compiled quicksort
    rows, scores = np.empty(n * width, dtype=np.int32), np.empty(n * width, dtype=np.float32)
    if read_keys(keys.ravel(), rows, scores) == len(rows):
        return np.arange(n + 1) * width, rows, scores
    kept = scores > -np.inf
    return indptr_of(kept)[::width], rows[kept], scores[kept]


def best_columns(values: FloatArray, k: int) -> RowArray:
    """Return (n, min(k, n_columns)) int32: the k best columns of each row of ``values``, in the order of columns.

    Ties go to the lower column. ``values`` (n, n_columns) is C-contiguous. Time O(n_columns + k log k) a row.
    """
    keys = np.empty((values.shape[0], min(k, values.shape[1])), dtype=np.int64)
    if keys.size:
        best_of_rows(values, keys)
    columns: RowArray = (keys & 0xFFFFFFFF).astype(np.int32)
    columns.sort(axis=1)
    return columns


def one_each(rows: RowArray) -> ItemLists:
    """Return n lists of one row each."""
    return lists_of(np.arange(len(rows) + 1), rows, np.ones(len(rows), dtype=np.float32))


def chunk_rows(width: int) -> int:
    """Return how many lists of up to ``width`` entries make one chunk."""
    return max(1, min(_CHUNK_ROWS, _CHUNK_ENTRIES // max(1, width)))


def join(parts: list[Pushed]) -> Pushed:
    """Return the lists of all parts, in order."""
    if len(parts) == 1:
        return parts[0]
    lengths = [np.diff(indptr) for indptr, _, _ in parts]
    indptr = indptr_of(np.concatenate([np.empty(0, np.int64), *lengths]))
    rows = np.concatenate([np.empty(0, np.int32), *(part[1] for part in parts)])
    scores = np.concatenate([np.empty(0, np.float32), *(part[2] for part in parts)])
    return indptr, rows, scores


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
    table = NeighbourTable(b.indptr, b.indices, b.data, n_columns=int(b.shape[1]))
    indptr, sources = a.indptr.astype(np.int64), a.indices.astype(np.int32, copy=False)

    def work(start: int, stop: int) -> Pushed:
        first, last = indptr[start], indptr[stop]
        weights = a.data[first:last].astype(np.float64)
        skip = one_each(np.arange(start, stop, dtype=np.int32)) if drop_self else None
        return push(indptr[start : stop + 1] - first, sources[first:last], weights, table, k, skip=skip)

    chunk = chunk_rows(min(k, table.n_columns))
    bounds, rows, scores = join(list(map_chunks(work, int(a.shape[0]), chunk=chunk, threads=threads)))
    return NeighbourTable(bounds, rows, scores, n_columns=table.n_columns)
