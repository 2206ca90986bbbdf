"""Putting scored candidates in order, and finding vectors that stand more than once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from graphrec.checks import as_array, check_finite, check_k, check_rows
from graphrec.data.lists import ItemLists, indptr_of, lists_of
from graphrec.errors import ConfigError, DataError
from graphrec.index.protocol import Metric

# Largest values of a row between which its squares, and products with another such row, keep all digits.
_SHORT, _LONG = 2.0**-40, 2.0**40
# Squares and products of such values stay finite, whatever the number of dimensions.
_MOST_VALUE = 1e15


def ordered_lists(
    lists: npt.NDArray[np.integer], rows: npt.NDArray[np.integer], scores: npt.NDArray[np.float32], *, n: int, k: int
) -> ItemLists:
    """Return candidates (m,), each with the list it belongs to, as n lists: best first, ties by row, cut to ``k``."""
    if not _in_order(lists, rows, scores):
        order = np.lexsort((rows, -scores, lists))
        lists, rows, scores = lists[order], rows[order], scores[order]
    starts = indptr_of(np.bincount(lists, minlength=n))
    keep = np.arange(len(rows)) - starts[lists] < k
    indptr = indptr_of(np.minimum(np.diff(starts), k))
    return lists_of(indptr, rows[keep].astype(np.int32), scores[keep])


def _in_order(lists: npt.NDArray[np.integer], rows: npt.NDArray[np.integer], scores: npt.NDArray[np.float32]) -> bool:
    """Tell whether the candidates stand in order as they are: what an index found, mostly; sorting costs far more."""
    same = lists[1:] == lists[:-1]
    better = (scores[1:] < scores[:-1]) | ((scores[1:] == scores[:-1]) & (rows[1:] > rows[:-1]))
    return bool(np.where(same, better, lists[1:] > lists[:-1]).all())


@dataclass(frozen=True, slots=True, eq=False)
class Duplicates:
    """Rows (d,) int32, ascending, whose vector already stands in an earlier row; ``firsts`` (d,) int32, that row."""

    rows: npt.NDArray[np.int32]
    firsts: npt.NDArray[np.int32]

    def distinct(self, n: int) -> npt.NDArray[np.int32]:
        """Return the rows of 0..n-1 that are the first of their vector."""
        keep = np.ones(n, dtype=np.bool_)
        keep[self.rows] = False
        return np.flatnonzero(keep).astype(np.int32)


def find_duplicates(matrix: npt.NDArray[np.float32]) -> Duplicates:
    """Return the rows of ``matrix`` (n, dim) that are equal, bit by bit, to an earlier one. Time O(n log n)."""
    n = len(matrix)
    if n == 0:
        return Duplicates(np.empty(0, np.int32), np.empty(0, np.int32))
    # Each row as one opaque value; adding 0 turns -0.0 into 0.0.
    keys = (np.ascontiguousarray(matrix) + np.float32(0)).view(np.dtype((np.void, matrix.shape[1] * 4))).ravel()
    _, first, inverse = np.unique(keys, return_index=True, return_inverse=True)
    earliest = first[inverse].astype(np.int32)
    rows = np.flatnonzero(earliest != np.arange(n)).astype(np.int32)
    return Duplicates(rows, earliest[rows])


def check_matrix(matrix: npt.ArrayLike, metric: str = "cosine") -> npt.NDArray[np.float32]:
    """Return ``matrix`` as (n, dim) float32, fit for the metric: see :func:`fit_rows`.

    Raises
    ------
    DataError
        If it is not two-dimensional, not finite, has no column or does not fit the metric.
    """
    array = as_array(matrix, np.float32, name="matrix", ndim=2)
    if array.shape[1] == 0:
        raise DataError("the matrix has 0 columns; vectors need at least 1 dimension")
    check_finite(array, name="matrix")
    return fit_rows(array, metric, name="matrix")


def fit_rows(vectors: npt.NDArray[np.float32], metric: str, *, name: str) -> npt.NDArray[np.float32]:
    """Return vectors (n, dim) whose squares and products stay within float32.

    A cosine does not depend on lengths: rows that are very long or short are brought near 1 by a power of two, which
    changes no digit; without any, the array itself comes back. Products and distances do depend on them: there a value
    above 1e15 is refused.

    Raises
    ------
    DataError
        If a value is too large for the metric.
    """
    largest = np.maximum(vectors.max(axis=1, initial=0), -vectors.min(axis=1, initial=0))
    if metric != "cosine":
        if (largest > _MOST_VALUE).any():
            row = int(np.argmax(largest > _MOST_VALUE))
            raise DataError(
                f"{name}[{row}] holds {largest[row]:g}; under {metric!r} values are at most {_MOST_VALUE:g}"
            )
        return vectors
    odd = (largest > 0) & ((largest < _SHORT) | (largest > _LONG))
    if not odd.any():
        return vectors
    near_one = vectors.copy()
    near_one[odd] = np.ldexp(vectors[odd], -np.frexp(largest[odd])[1][:, None])
    return near_one


def check_search(
    vectors: npt.ArrayLike,
    k: int,
    allow: npt.NDArray[np.bool_] | None,
    skip: ItemLists | None,
    *,
    n: int,
    dim: int,
    metric: str,
) -> npt.NDArray[np.float32]:
    """Return the queries as (q, dim) float32, fit for the metric.

    Raises as :meth:`graphrec.index.protocol.Index.search` does.
    """
    check_k(k)
    array = as_array(vectors, np.float32, name="vectors", ndim=2)
    if array.shape[1] != dim:
        raise DataError(f"the query vectors have {array.shape[1]} dimensions, the index {dim}")
    check_finite(array, name="vectors")
    array = fit_rows(array, metric, name="vectors")
    if allow is not None and (allow.dtype != np.bool_ or allow.shape != (n,)):
        raise DataError(f"allow is {allow.dtype} of shape {allow.shape}; the index needs bool of shape ({n},)")
    if skip is not None:
        if len(skip) != len(array):
            raise DataError(f"skip has {len(skip)} lists for {len(array)} query vectors; it needs one list a query")
        check_rows(skip.items, n, name="skip")
    return array


def check_metric(metric: str) -> Metric:
    """Return ``metric``; raise ConfigError unless it is one of the three."""
    for legal in ("cosine", "ip", "l2"):
        if isinstance(metric, str) and metric == legal:
            return legal
    raise ConfigError(f"metric is {metric!r}; legal are 'cosine', 'ip' and 'l2'")
