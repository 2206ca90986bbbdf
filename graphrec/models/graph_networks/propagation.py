"""Propagation of vectors over the graph of who took what: sparse products, in rows on several threads."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from graphrec.kernels import kernel
from graphrec.sparse.taste import Scale, inverse_power, scaled
from graphrec.sparse.topk import FloatArray
from graphrec.threads import map_chunks

# Rows that a thread takes at a time.
_ROWS = 1024

T = TypeVar("T")
Pair = tuple[FloatArray, FloatArray]


@dataclass(frozen=True, slots=True, eq=False)
class Bipartite:
    """Who took what (users x items), with entries > 0; symmetrically normalised, and the transpose of that."""

    taste: sp.csr_array
    to_users: sp.csr_array
    to_items: sp.csr_array
    user_degrees: Scale
    item_degrees: Scale

    @property
    def shape(self) -> tuple[int, int]:
        """Users and items."""
        return int(self.taste.shape[0]), int(self.taste.shape[1])


def bipartite(taste: sp.csr_array) -> Bipartite:
    """Return the graph of a taste matrix (n_users, n_items) whose entries are above 0."""
    by_user, by_item = (np.asarray(taste.sum(axis=axis), dtype=np.float64).ravel() for axis in (1, 0))
    normal = scaled(taste, rows=inverse_power(by_user, 0.5), columns=inverse_power(by_item, 0.5))
    return Bipartite(taste, normal, sp.csr_array(normal.T.tocsr()), by_user, by_item)


def propagate(graph: Bipartite, users: FloatArray, items: FloatArray, layers: int) -> Pair:
    """Return the mean over 0 to ``layers`` steps of propagation of users (n_users, dim) and items (n_items, dim).

    By Horner's rule, E0 + A (E0 + A (E0 + ...)): two sparse products a layer, and nothing kept between them.
    """
    up, down = users.copy(), items.copy()
    for _ in range(layers):
        up, down = spread(graph.to_users, down, users), spread(graph.to_items, up, items)
    share = np.float32(1 / (layers + 1))
    return up * share, down * share


def spread(matrix: sp.csr_array, vectors: FloatArray, start_from: FloatArray) -> FloatArray:
    """Return ``start_from + matrix @ vectors``."""
    result = start_from.copy()
    in_rows(
        lambda start, stop: _add_neighbours(matrix.indptr, matrix.indices, matrix.data, vectors, result, start, stop),
        len(result),
    )
    return result


def in_rows(work: Callable[[int, int], None], n: int) -> None:
    """Do ``work`` on all chunks of n rows."""
    for _ in map_rows(work, n):
        pass


def map_rows(work: Callable[[int, int], T], n: int) -> Iterator[T]:
    """Yield what ``work`` returns for each chunk of n rows, in order."""
    yield from map_chunks(work, n, chunk=_ROWS)


@kernel(fastmath={"reassoc", "contract"})
def _add_neighbours(
    indptr: npt.NDArray[np.integer],
    columns: npt.NDArray[np.integer],
    weights: FloatArray,
    vectors: FloatArray,
    result: FloatArray,
    start: int,
    stop: int,
) -> None:  # pragma: no cover - compiled
    for row in range(start, stop):
        line = result[row]
        for p in range(indptr[row], indptr[row + 1]):
            vector, weight = vectors[columns[p]], weights[p]
            for d in range(line.size):
                line[d] += weight * vector[d]
