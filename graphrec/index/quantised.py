"""Nearest rows by a sketch of them: int8 on leading principal axes first, then the float32 rows of the best."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from graphrec.checks import as_array, check_count
from graphrec.data.lists import ItemLists, lists_of, slice_lists
from graphrec.index.exact import ExactIndex
from graphrec.index.order import check_matrix, check_metric, check_search
from graphrec.index.protocol import Index, Metric
from graphrec.index.sidecar import Sidecar, matrix_sha256, write_sidecar
from graphrec.index.sketch import AUDITED, Sketch, choose_sketch, load_sketch
from graphrec.sparse.topk import FloatArray, Pushed, join, top_columns
from graphrec.threads import map_chunks

FORMAT = "quantised/1"

# Scores held at once by a thread (4 bytes each), and queries of a chunk.
_CHUNK_SCORES = 1 << 22
_CHUNK_QUERIES = 64


class QuantisedIndex:
    """Search by a sketch of the rows, with exact scores for what it finds. Made by :func:`build_quantised`.

    Parameters
    ----------
    matrix : array
        (n, dim) float32, finite; kept by reference.
    metric : {"cosine", "ip", "l2"}
        The score, as in :class:`graphrec.index.exact.ExactIndex`.
    sketch : Sketch
        Of ``matrix``; under cosine, of its rows at length 1.

    Notes
    -----
    A search takes O(n a + c dim) time a query, for a axes and c candidates, whatever is filtered; where it would take
    less, legal rows are few and are scored one by one. Scores come from the float32 rows, and a query's answer does not
    depend on those beside it.
    """

    def __init__(self, matrix: npt.ArrayLike, metric: str, sketch: Sketch) -> None:
        self._metric = check_metric(metric)
        self._matrix = check_matrix(matrix, metric)
        self._exact = ExactIndex(self._matrix, metric)
        self._sketch = sketch
        self._squares: FloatArray = np.einsum("ij,ij->i", self._matrix, self._matrix)
        norms = np.sqrt(self._squares)
        self._inverse: FloatArray = np.divide(1, norms, out=np.zeros_like(norms), where=norms > 0)

    @property
    def dim(self) -> int:
        """Width of the vectors."""
        return int(self._matrix.shape[1])

    @property
    def metric(self) -> Metric:
        """The similarity that scores are in."""
        return self._metric

    @property
    def sketch(self) -> Sketch:
        """What is read first."""
        return self._sketch

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
        """Return about the best k legal rows of each query; see :meth:`graphrec.index.protocol.Index.search`."""
        queries = check_search(vectors, k, allow, skip, n=len(self), dim=self.dim, metric=self._metric)
        n_allowed = len(self) if allow is None else int(np.count_nonzero(allow))
        if len(queries) == 0 or 4 * self.dim * n_allowed <= self._sketch.cost(k):
            return self._exact.search(queries, k, allow=allow, skip=skip)

        def work(start: int, stop: int) -> Pushed:
            own = queries[start:stop]
            base = self._base(len(own), allow, None if skip is None else slice_lists(skip, start, stop))
            rows, scores = self._sketch.shortlist(self._matrix, own, base, k)
            bounds, places, best = top_columns(self._scored(own, rows, scores), k)
            owners = np.repeat(np.arange(len(own)), np.diff(bounds))
            return bounds, rows[owners, places], best

        chunk = max(1, min(_CHUNK_QUERIES, _CHUNK_SCORES // len(self)))
        return lists_of(*join(list(map_chunks(work, len(queries), chunk=chunk))))

    def _base(self, q: int, allow: npt.NDArray[np.bool_] | None, skip: ItemLists | None) -> FloatArray:
        """Return (q, n) float32: what ranks a row besides its product, minus infinity for one that is not legal."""
        base = np.zeros((q, len(self)), dtype=np.float32)
        if self._metric == "l2":
            base -= self._squares / 2
        if allow is not None:
            base[:, ~allow] = -np.inf
        if skip is not None:
            base[np.repeat(np.arange(q), skip.lengths), skip.items] = -np.inf
        return base

    def _scored(self, queries: FloatArray, rows: npt.NDArray[np.int32], scores: FloatArray) -> FloatArray:
        """Return (q, c) scores in the metric, from base and products; minus infinity stays."""
        if self._metric == "ip":
            return scores
        squares = np.einsum("ij,ij->i", queries, queries)[:, None]
        if self._metric == "l2":
            away: FloatArray = np.minimum(2 * scores - squares, 0)
            return away
        factors = self._inverse[rows] / np.sqrt(np.where(squares > 0, squares, 1))
        np.multiply(scores, factors, out=scores, where=scores > -np.inf)
        return scores

    def save(self, directory: Path) -> None:
        """Write ``index.json`` and the sketch; the matrix is the caller's and is not written."""
        write_sidecar(
            directory,
            Sidecar(FORMAT, self.dim, self._metric, len(self), matrix_sha256=matrix_sha256(self._matrix)),
        )
        self._sketch.save(directory)


def build_quantised(
    matrix: npt.ArrayLike, *, metric: str = "cosine", queries: npt.ArrayLike | None = None, seed: int
) -> Index:
    """Return an index over the rows of ``matrix`` (n, dim) float32 that reads a sketch of them first.

    Where no sketch is worth it, as for a small matrix, the index is an exact one.

    Parameters
    ----------
    metric : {"cosine", "ip", "l2"}
        The score.
    queries : array or None
        (s, dim) float32: queries as they will be asked, for the audit that chooses the sketch; None takes rows.
    seed : int
        Draws the rows that serve as queries.
    """
    kind = check_metric(metric)
    vectors = check_matrix(matrix, kind)
    check_count("seed", seed, 0)
    drawn = np.random.default_rng(seed).choice(len(vectors), min(len(vectors), AUDITED), replace=False)
    asked = vectors[drawn] if queries is None else as_array(queries, np.float32, name="queries", ndim=2)
    squares = np.einsum("ij,ij->i", vectors, vectors)
    base = np.broadcast_to(-squares / 2, (len(asked), len(vectors))) if kind == "l2" else None
    sketch = choose_sketch(_sketched(vectors, kind), asked, base)
    return ExactIndex(vectors, kind) if sketch is None else QuantisedIndex(vectors, kind, sketch)


def load_quantised(directory: Path, matrix: FloatArray, sidecar: Sidecar) -> QuantisedIndex:
    """Return the index that ``save`` wrote for ``matrix``, whose agreement with ``sidecar`` the caller has checked.

    Raises
    ------
    BundleError
        If a file of the sketch is missing or damaged, or does not fit.
    """
    return QuantisedIndex(matrix, sidecar.metric, load_sketch(directory, n=len(matrix), dim=matrix.shape[1]))


def _sketched(matrix: FloatArray, metric: Metric) -> FloatArray:
    """Return the rows that the sketch is made of: at length 1 under cosine."""
    if metric != "cosine":
        return matrix
    norms = np.linalg.norm(matrix, axis=1, keepdims=True)
    unit: FloatArray = (matrix / np.where(norms > 0, norms, 1)).astype(np.float32)
    return unit
