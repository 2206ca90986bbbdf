"""Exact nearest rows by matrix product: the truth that HNSW is audited against, and the index of small tables."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from graphrec.data.lists import ItemLists, empty_lists, lists_of, places_among
from graphrec.index.order import (
    Duplicates,
    check_matrix,
    check_metric,
    check_search,
    find_duplicates,
)
from graphrec.index.protocol import Metric
from graphrec.index.sidecar import Sidecar, matrix_sha256, write_sidecar
from graphrec.sparse.topk import Pushed, join, top_columns
from graphrec.threads import map_chunks

FORMAT = "exact/1"

# Scores held at once (4 bytes each).
_BLOCK_SCORES = 1 << 23


def copies_allowed(n_allowed: int, n: int) -> bool:
    """Tell whether exact search copies the ``n_allowed`` rows of ``n`` first: half of all, or fewer."""
    return 2 * n_allowed <= n


class ExactIndex:
    """Exact search over the rows of a matrix.

    Parameters
    ----------
    matrix : array
        (n, dim) float32, finite; kept by reference, so a memory-mapped file stays one.
    metric : {"cosine", "ip", "l2"}
        The score: cosine similarity (0 where either vector is zero), inner product, or minus the squared distance.
    duplicates : Duplicates or None
        Rows that repeat an earlier vector, where the caller knows them; found otherwise.

    Raises
    ------
    DataError
        If the matrix is not two-dimensional or not finite.
    ConfigError
        If the metric is unknown.

    Notes
    -----
    A search takes O(q * n * dim) time and 32 MB of scores at once a thread; blocks of queries are spread over all
    processors, so a batch is fastest where BLAS itself has one thread. Equal vectors get equal scores, so their order
    is that of their rows.
    """

    def __init__(self, matrix: npt.ArrayLike, metric: str = "cosine", *, duplicates: Duplicates | None = None) -> None:
        self._metric = check_metric(metric)
        self._matrix = check_matrix(matrix, metric)
        self._duplicates = find_duplicates(self._matrix) if duplicates is None else duplicates
        squares = np.einsum("ij,ij->i", self._matrix, self._matrix)
        self._squares: npt.NDArray[np.float32] = squares
        norms = np.sqrt(squares)
        self._inverse: npt.NDArray[np.float32] = np.divide(1, norms, out=np.zeros_like(norms), where=norms > 0)

    @property
    def dim(self) -> int:
        """Width of the vectors."""
        return int(self._matrix.shape[1])

    @property
    def metric(self) -> Metric:
        """The similarity that scores are in."""
        return self._metric

    def __len__(self) -> int:
        return len(self._matrix)

    def search(
        self,
        vectors: npt.ArrayLike,
        k: int,
        *,
        allow: npt.NDArray[np.bool_] | None = None,
        skip: ItemLists | None = None,
    ) -> ItemLists:
        """Return the best k legal rows of each query; see :meth:`graphrec.index.protocol.Index.search`."""
        queries = check_search(vectors, k, allow, skip, n=len(self), dim=self.dim, metric=self._metric)
        rows, banned = self._scope(allow)
        n = len(self) if rows is None else len(rows)
        if n == 0 or len(queries) == 0:
            return empty_lists(len(queries))
        part = self._matrix if rows is None else self._matrix[rows]  # (n, dim)
        hidden = skip if skip is None or rows is None else places_among(skip, rows)

        def work(start: int, stop: int) -> Pushed:
            scores = self._scores(queries[start:stop], part, rows)
            scores[:, banned] = -np.inf
            if hidden is not None:
                bounds = hidden.indptr[start : stop + 1]
                scores[
                    np.repeat(np.arange(stop - start), np.diff(bounds)), hidden.items[bounds[0] : bounds[-1]]
                ] = -np.inf
            bounds, columns, best = top_columns(scores, k)
            return bounds, columns if rows is None else rows[columns].astype(np.int32), best

        block = max(1, _BLOCK_SCORES // n)
        return lists_of(*join(list(map_chunks(work, len(queries), chunk=block))))

    def _scope(self, allow: npt.NDArray[np.bool_] | None) -> tuple[npt.NDArray[np.intp] | None, npt.NDArray[np.intp]]:
        """Return the rows to be scored, None for all, and those of them whose scores do not count.

        Where most rows are allowed, scoring the others costs less than a copy without them.
        """
        if allow is None:
            return None, np.empty(0, dtype=np.intp)
        banned = np.flatnonzero(~allow)
        if not copies_allowed(len(self) - len(banned), len(self)):
            return None, banned
        return np.flatnonzero(allow), banned[:0]

    def _scores(
        self, queries: npt.NDArray[np.float32], part: npt.NDArray[np.float32], rows: npt.NDArray[np.intp] | None
    ) -> npt.NDArray[np.float32]:
        """Return (q, n) scores of the queries against ``part``, which holds the vectors of ``rows``."""
        products: npt.NDArray[np.float32] = queries @ part.T  # (q, n)
        if self._metric == "cosine":
            norms = np.linalg.norm(queries, axis=1, keepdims=True)
            products /= np.where(norms > 0, norms, 1)
            products *= self._inverse if rows is None else self._inverse[rows]
        elif self._metric == "l2":
            products *= 2
            products -= self._squares if rows is None else self._squares[rows]
            products -= np.einsum("ij,ij->i", queries, queries)[:, None]
            np.minimum(products, 0, out=products)
        self._even_out(products, rows)
        return products

    def _even_out(self, scores: npt.NDArray[np.float32], rows: npt.NDArray[np.intp] | None) -> None:
        """Give equal vectors equal scores: the product's last bit depends on where a row stands."""
        repeated, firsts = self._duplicates.rows, self._duplicates.firsts
        if len(repeated) == 0:
            return
        if rows is None:
            scores[:, repeated] = scores[:, firsts]
            return
        # Within a subset, the first of a group may be missing: any present member may speak for it.
        leader = np.arange(len(self))
        leader[repeated] = firsts
        _, first, inverse = np.unique(leader[rows], return_index=True, return_inverse=True)
        moved = np.flatnonzero(first[inverse] != np.arange(len(rows)))
        scores[:, moved] = scores[:, first[inverse][moved]]

    def save(self, directory: Path) -> None:
        """Write ``index.json``; the matrix is the caller's and is not written."""
        write_sidecar(
            directory,
            Sidecar(FORMAT, self.dim, self._metric, len(self), matrix_sha256=matrix_sha256(self._matrix)),
        )
