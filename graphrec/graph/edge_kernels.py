"""Compiled parts of making a graph: sorting and transposing edges by counting, in memory or in mapped files."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from graphrec.kernels import kernel

IntArray = npt.NDArray[np.int64]
RowArray = npt.NDArray[np.int32]


@kernel
def first_fall(indptr: IntArray, indices: RowArray) -> int:  # pragma: no cover - compiled
    """Return the first edge whose destination is below that of the edge before it at its node, or -1. O(m)."""
    for node in range(indptr.size - 1):
        for edge in range(indptr[node] + 1, indptr[node + 1]):
            if indices[edge] < indices[edge - 1]:
                return int(edge)
    return -1


@kernel
def sorted_order(keys: npt.NDArray[np.integer], order: IntArray, n: int) -> IntArray:  # pragma: no cover - compiled
    """Return ``order`` (m,) sorted by ``keys[order]`` < ``n``; what is equal keeps its order. O(m + n)."""
    places = np.zeros(n + 1, np.int64)
    for p in range(keys.size):
        places[keys[p] + 1] += 1
    for key in range(n):
        places[key + 1] += places[key]
    result = np.empty_like(order)
    for p in range(order.size):
        key = keys[order[p]]
        result[places[key]] = order[p]
        places[key] += 1
    return result


@kernel
def count_rows(rows: RowArray, counts: IntArray) -> None:  # pragma: no cover - compiled
    """Add to ``counts`` (n,) how often each row stands in ``rows``."""
    for p in range(rows.size):
        counts[rows[p]] += 1


@kernel
def scatter(rows: RowArray, others: RowArray, places: IntArray, lists: RowArray) -> None:  # pragma: no cover - compiled
    """Append each of ``others`` to the list of its row in ``lists``; ``places`` (n,) is where each list goes on."""
    for p in range(rows.size):
        lists[places[rows[p]]] = others[p]
        places[rows[p]] += 1


@kernel
def transpose(
    indptr: IntArray, lists: RowArray, places: IntArray, turned: RowArray
) -> None:  # pragma: no cover - compiled
    """Append each list's row to the lists of its entries in ``turned``: they come out ascending.

    ``places`` (n',) is where each list of ``turned`` goes on.
    """
    for row in range(indptr.size - 1):
        for p in range(indptr[row], indptr[row + 1]):
            turned[places[lists[p]]] = row
            places[lists[p]] += 1


@kernel
def drop_repeats(indptr: IntArray, lists: RowArray) -> int:  # pragma: no cover - compiled
    """Close up ascending lists over repeated entries, in place, and mend ``indptr``; return how many are left."""
    kept, start = 0, 0
    for row in range(indptr.size - 1):
        stop = indptr[row + 1]
        for p in range(start, stop):
            if p == start or lists[p] != lists[p - 1]:
                lists[kept] = lists[p]
                kept += 1
        start, indptr[row + 1] = stop, kept
    return kept
