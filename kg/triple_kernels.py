"""Compiled passes over the triples of a graph: what stands at their ends, and which entities hang together."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from graphrec.kernels import kernel

Int32 = npt.NDArray[np.int32]
Int64 = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]


@kernel
def mark_ends(triples: Int32, relations: Mask, ends: Mask) -> None:  # pragma: no cover - compiled
    """Set ``ends`` (n,) at the heads and tails of the (m, 3) triples whose relation is among ``relations`` (r,)."""
    for row in range(len(triples)):
        if relations[triples[row, 1]]:
            ends[triples[row, 0]] = True
            ends[triples[row, 2]] = True


@kernel
def triples_of(triples: Int32, relations: Mask) -> tuple[Int32, Int32, Int32]:  # pragma: no cover - compiled
    """Return the columns, (m',) each, of the (m, 3) triples whose relation is among ``relations`` (r,)."""
    n = 0
    for row in range(len(triples)):
        n += relations[triples[row, 1]]
    heads, kinds, tails = np.empty(n, np.int32), np.empty(n, np.int32), np.empty(n, np.int32)
    n = 0
    for row in range(len(triples)):
        if relations[triples[row, 1]]:
            heads[n], kinds[n], tails[n] = triples[row, 0], triples[row, 1], triples[row, 2]
            n += 1
    return heads, kinds, tails


@kernel
def leading_relations(triples: Int32, relations: Mask, n: int) -> Int32:  # pragma: no cover - compiled
    """Return (n,) the relation that leads to each entity most often, the lowest of equals; -1 where none does.

    Only ``relations`` (r,) count. Time O(m + n); memory 8 bytes an entity and 4 a triple.
    """
    places = np.zeros(n + 1, np.int64)
    for row in range(len(triples)):
        if relations[triples[row, 1]]:
            places[triples[row, 2] + 1] += 1
    for entity in range(n):
        places[entity + 1] += places[entity]
    kinds = np.empty(places[n], np.int32)  # by tail; afterwards each place is where the next tail begins
    for row in range(len(triples)):
        if relations[triples[row, 1]]:
            kinds[places[triples[row, 2]]] = triples[row, 1]
            places[triples[row, 2]] += 1
    chosen, counts, start = np.full(n, -1, np.int32), np.zeros(len(relations), np.int64), 0
    for entity in range(n):
        best = -1
        for place in range(start, places[entity]):
            kind = kinds[place]
            counts[kind] += 1
            if best < 0 or counts[kind] > counts[best] or (counts[kind] == counts[best] and kind < best):
                best = kind
        for place in range(start, places[entity]):
            counts[kinds[place]] = 0
        chosen[entity], start = best, places[entity]
    return chosen


@kernel
def _root(parents, node):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    while parents[node] != node:
        parents[node] = parents[parents[node]]
        node = parents[node]
    return node


@kernel
def reachable(n: int, heads: Int32, tails: Int32, starts: Int32) -> Mask:  # pragma: no cover - compiled
    """Return (n,) whether a node is in one component with one of ``starts``; negative ``starts`` are passed over.

    By union-find with path halving (Tarjan and van Leeuwen 1984): O((m + n) log n) at worst, O(m + n) in practice.
    """
    parents = np.arange(n, dtype=np.int32)
    for edge in range(len(heads)):
        first, second = _root(parents, heads[edge]), _root(parents, tails[edge])
        if first != second:
            parents[max(first, second)] = min(first, second)
    reached = np.zeros(n, np.bool_)
    for start in starts:
        if start >= 0:
            reached[_root(parents, start)] = True
    for node in range(n):
        reached[node] = reached[_root(parents, node)]
    return reached


@kernel
def placed_edges(
    indptr: Int64, rows: Int32, heads: Int32, kinds: Int32, tails: Int32
) -> tuple[Int32, Int32, Int32]:  # pragma: no cover - compiled
    """Return the edges between rows: each edge once for every pair of rows that stand for its two ends.

    Node ``i`` is ``rows[indptr[i]:indptr[i + 1]]``, which may be none or several.
    """
    n = 0
    for edge in range(len(heads)):
        head, tail = heads[edge], tails[edge]
        n += (indptr[head + 1] - indptr[head]) * (indptr[tail + 1] - indptr[tail])
    sources, relations, destinations = np.empty(n, np.int32), np.empty(n, np.int32), np.empty(n, np.int32)
    n = 0
    for edge in range(len(heads)):
        head, tail = heads[edge], tails[edge]
        for p in range(indptr[head], indptr[head + 1]):
            for q in range(indptr[tail], indptr[tail + 1]):
                sources[n], relations[n], destinations[n] = rows[p], kinds[edge], rows[q]
                n += 1
    return sources, relations, destinations
