"""Greatest products by a tree: nodes with vectors of their own lead a beam from few nodes down to the rows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from graphrec.checks import check_count, check_finite
from graphrec.data.files import read_array, write_array
from graphrec.data.lists import ItemLists, empty_lists, indptr_of, lists_of, slice_lists
from graphrec.errors import BundleError, DataError
from graphrec.index.exact import ExactIndex
from graphrec.index.order import check_matrix, check_search, ordered_lists
from graphrec.index.protocol import Metric
from graphrec.index.sidecar import Sidecar, matrix_sha256, write_sidecar
from graphrec.index.tree_kernels import FloatArray, Places, descend, halved
from graphrec.sparse.topk import Pushed, join
from graphrec.threads import map_chunks

FORMAT = "tree/1"

# Rounds of 2-means for each cut; most settle in fewer.
_ROUNDS = 12
# Queries of a chunk.
_CHUNK = 64


def tree_depth(n: int, leaf: int = 2) -> int:
    """Return the levels of a tree over ``n`` rows whose lowest nodes stand for at most ``leaf`` >= 2 rows each."""
    return max(-(-n // leaf) - 1, 0).bit_length() + 1 if n > 1 else 0


def first_tree_level(beam: int, depth: int) -> int:
    """Return the first of ``depth`` levels with more nodes than a ``beam`` holds: nodes above it decide nothing."""
    return min(beam.bit_length(), depth)


def tree_order(vectors: npt.ArrayLike, depth: int) -> npt.NDArray[np.int32]:
    """Return (n,) int32: rows of ``vectors`` (n, dim) in the order of a balanced tree, by 2-means of halves."""
    return halved(np.array(check_matrix(vectors, "ip")), depth, _ROUNDS).astype(np.int32)


def node_of(places: Places, level: int, n: int) -> Places:
    """Return the nodes of a ``level`` that places (m,) of a tree over ``n`` rows fall under."""
    return -(-((places + 1) << level) // n) - 1


def mean_nodes(vectors: FloatArray, order: npt.NDArray[np.int32], first_level: int, depth: int) -> FloatArray:
    """Return the nodes' vectors as means of their rows', (m, dim) float32: levels ``first_level`` to ``depth - 1``."""
    n = len(order)
    sums = np.zeros((n + 1, vectors.shape[1]))
    np.cumsum(vectors[order], axis=0, dtype=np.float64, out=sums[1:])
    levels = [np.zeros((0, vectors.shape[1]))]
    for level in range(first_level, depth):
        ends = (np.arange((1 << level) + 1) * n) >> level
        levels.append(np.diff(sums[ends], axis=0) / np.maximum(np.diff(ends), 1)[:, None])
    return np.concatenate(levels).astype(np.float32)


class TreeIndex:
    """Search by a beam over a tree whose leaves hold a few rows, each node with a vector that stands for those below.

    Parameters
    ----------
    matrix : array
        (n, dim) float32, finite: the rows; kept by reference.
    order : ndarray
        (n,) int32: each row once, in the order of the tree (:func:`tree_order`). Node p of level j stands for the
        places ``p * n >> j`` to ``(p + 1) * n >> j``.
    nodes : ndarray
        (m, dim) float32, finite: vectors of the nodes of whole levels, from ``first_tree_level(beam, depth)`` to
        ``depth - 1``, level by level; how many there are says what the depth is. All rows below the nodes that are
        kept of the last are scored.
    beam : int
        Nodes that are kept of a level, >= 1; more where more rows are wanted.

    Raises
    ------
    DataError
        If the parts do not fit each other, or a value is not finite.
    ConfigError
        If ``beam < 1``.

    Notes
    -----
    A search takes O(beam dim (log(n / (beam leaf)) + leaf)) time a query, ``leaf`` the rows below a lowest node. Scores
    are the exact products with the rows, and a query's answer does not depend on those beside it; what may be missing
    is a row below a node that lost. Where few rows are legal they are scored one by one, and so are all rows for a
    query of zeros.

    References
    ----------
    .. [1] Zhu et al., "Learning tree-based deep model for recommender systems", KDD 2018, algorithm 1.
    """

    def __init__(self, matrix: npt.ArrayLike, order: npt.NDArray[np.int32], nodes: FloatArray, beam: int) -> None:
        self._matrix = check_matrix(matrix, "ip")
        check_count("beam", beam, 1)
        n, dim = self._matrix.shape
        self._order, self._nodes, self._beam = np.ascontiguousarray(order, dtype=np.int32), nodes, beam
        if len(order) != n or not (np.bincount(np.clip(order, 0, max(n - 1, 0)), minlength=n) == 1).all():
            raise DataError(f"the order of a tree holds each of its {n} rows once; this one has {len(order)} entries")
        first = beam.bit_length()
        self._depth = min((len(nodes) + (1 << first)).bit_length() - 1, tree_depth(n))
        self._first = first_tree_level(beam, self._depth)
        if nodes.shape != ((1 << self._depth) - (1 << self._first), dim):
            raise DataError(
                f"a tree over {n} rows of dim {dim} with a beam of {beam} has vectors for all nodes of the levels from "
                f"{first} on, 2^depth - 2^{first} for a depth of at most {tree_depth(n)}; these are {nodes.shape}"
            )
        check_finite(nodes, name="nodes")
        self._exact = ExactIndex(self._matrix, "ip")
        # Legal rows before each place, where all are legal.
        self._places = np.arange(n + 1)

    @property
    def dim(self) -> int:
        """Width of the vectors."""
        return int(self._matrix.shape[1])

    @property
    def metric(self) -> Metric:
        """The inner product."""
        return "ip"

    @property
    def beam(self) -> int:
        """Nodes that are kept of a level."""
        return self._beam

    @property
    def order(self) -> npt.NDArray[np.int32]:
        """(n,) int32: the rows in the order of the tree."""
        return self._order

    def with_beam(self, beam: int) -> TreeIndex:
        """Return the same tree with a wider ``beam``; ConfigError for a narrower, whose levels have no vectors."""
        check_count("beam", beam, self._beam)
        first = (1 << first_tree_level(beam, self._depth)) - (1 << self._first)
        return TreeIndex(self._matrix, self._order, self._nodes[first:], beam)

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
        queries = check_search(vectors, k, allow, skip, n=len(self), dim=self.dim, metric="ip")
        n_allowed = len(self) if allow is None else int(np.count_nonzero(allow))
        if len(queries) == 0 or n_allowed <= 2 * max(self._beam, k):
            return self._exact.search(queries, k, allow=allow, skip=skip)
        skipped = empty_lists(len(queries)) if skip is None else skip

        def work(start: int, stop: int) -> Pushed:
            own = slice_lists(skipped, start, stop)
            bounds, rows, scores, _ = self._descend(queries[start:stop], k, allow, own)
            owners = np.repeat(np.arange(stop - start), np.diff(bounds))
            best = ordered_lists(owners, rows, scores, n=stop - start, k=k)
            return best.indptr, best.items, best.scores

        return lists_of(*join(list(map_chunks(work, len(queries), chunk=_CHUNK))))

    def products(self, vectors: npt.ArrayLike, k: int) -> Places:
        """Return (q,) int64: how many products the search of each query (q, dim) takes."""
        queries = check_search(vectors, k, None, None, n=len(self), dim=self.dim, metric="ip")
        return self._descend(queries, k, None, empty_lists(len(queries)))[3]

    def _descend(
        self, queries: FloatArray, k: int, allow: npt.NDArray[np.bool_] | None, skip: ItemLists
    ) -> tuple[Places, npt.NDArray[np.int32], FloatArray, Places]:
        """Return what :func:`graphrec.index.tree_kernels.descend` does, with beams that are wide enough for k rows."""
        # Lowest nodes with twice as many rows as are wanted; of legal rows each that is kept may have no more than one.
        wanted = k + skip.lengths
        enough = np.maximum(self._beam, -(-(wanted << self._depth) // max(len(self), 1)))
        if allow is not None:
            enough = np.maximum(enough, wanted)
        # A query of zeros has no direction to follow.
        wide = np.where((queries != 0).any(axis=1), enough, len(self))
        before = self._places if allow is None else indptr_of(allow[self._order])
        return descend(
            queries, self._nodes, self._matrix, self._order, self._first, self._depth, wide.astype(np.int64), before,
            skip.indptr, skip.items,
        )  # fmt: skip

    def save(self, directory: Path) -> None:
        """Write ``index.json`` and the arrays as ``tree-NAME.npy``; the matrix is the caller's and is not written."""
        write_sidecar(
            directory,
            Sidecar(FORMAT, self.dim, "ip", len(self), ef_search=self._beam, matrix_sha256=matrix_sha256(self._matrix)),
        )
        write_array(directory / "tree-order.npy", self._order)
        write_array(directory / "tree-nodes.npy", self._nodes)


def load_tree(directory: Path, matrix: FloatArray, sidecar: Sidecar) -> TreeIndex:
    """Return the index that ``save`` wrote for ``matrix``, whose agreement with ``sidecar`` the caller has checked.

    Raises
    ------
    BundleError
        If a file is missing or damaged, or does not fit.
    ConfigError
        If the beam is below 1.
    """
    order = read_array(directory / "tree-order.npy", np.int32)
    nodes = read_array(directory / "tree-nodes.npy", np.float32, ndim=2)
    try:
        return TreeIndex(matrix, order, nodes, sidecar.ef_search)
    except DataError as error:
        raise BundleError(f"{directory}: {error}; rebuild the index") from error
