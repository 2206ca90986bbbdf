"""The meta-paths between the items of a pair: short ones all, longer ones where random steps from both ends meet."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from graphrec.graph.adjacency import Adjacency
from graphrec.graph.counter_random import GAMMA, below, key_of, mix, stream
from graphrec.graph.relations import path_text, reverse_numbers
from graphrec.kernels import kernel

RowArray = npt.NDArray[np.int32]
IntArray = npt.NDArray[np.int64]
# Different meta-paths that are remembered of a pair.
_KINDS = 1024


def paths_of_pairs(
    graph: Adjacency,
    first: RowArray,
    second: RowArray,
    *,
    max_length: int,
    trials: int,
    hub_cap: int,
    walked: npt.NDArray[np.bool_],
    seed: int,
) -> dict[str, IntArray]:
    """Return the meta-paths that join pairs of items, each with the positions of the pairs.

    Parameters
    ----------
    graph : Adjacency
        Items are its first nodes.
    first, second : ndarray
        (n,) int32 item rows; a pair of one item has no path.
    max_length : int
        Most steps, up to 4. Paths of one or two steps are all found; of longer ones those that random steps from both
        ends, ``trials`` times, bring within two steps of each other.
    trials : int
        See above.
    hub_cap : int
        Nodes with more edges of one relation are not walked through; 0 walks through all.
    walked : ndarray
        (n_relations,) bool: the relations that steps may follow.
    seed : int
        Of the steps.

    Returns
    -------
    dict
        In ascending order of the texts; positions (m,) int64 ascend. No path leads back over the items of its pair.

    Notes
    -----
    Time O(n * trials * degree); memory 8 kB a pair.
    """
    codes = np.full((len(first), _KINDS), -1, np.int64)
    _paths_of_pairs(
        graph.indptr, graph.indices, graph.relations, reverse_numbers(graph), walked, first, second, max_length, trials,
        _hubs(graph, hub_cap), key_of(seed), codes,
    )  # fmt: skip
    by_code = _pairs_by_path(codes)
    return dict(sorted((path_text(_names(graph, code)), pairs) for code, pairs in by_code.items()))


def _pairs_by_path(codes: IntArray) -> dict[int, IntArray]:
    """Return the pairs that each path joins, by the path's code."""
    pairs, places = np.nonzero(codes >= 0)
    found = codes[pairs, places]
    order = np.argsort(found, kind="stable")
    kinds, starts = np.unique(found[order], return_index=True)
    return dict(zip(kinds.tolist(), np.split(pairs[order], starts[1:]), strict=True)) if len(kinds) else {}


def _hubs(graph: Adjacency, cap: int) -> npt.NDArray[np.bool_]:
    """Return (n_nodes,) bool: the nodes that more than ``cap`` edges of one relation leave."""
    hubs = np.zeros(graph.n_nodes, np.bool_)
    for node in np.flatnonzero(graph.degrees > cap) if cap else ():
        edges = slice(int(graph.indptr[node]), int(graph.indptr[node + 1]))
        hubs[node] = np.bincount(graph.relations[edges]).max() > cap
    return hubs


def _names(graph: Adjacency, code: int) -> list[str]:
    """Return the relations of a path's code: digits of base n_relations + 1, each a number plus 1."""
    names, base = [], len(graph.relation_names) + 1
    while code:
        code, digit = divmod(code, base)
        names.append(graph.relation_names[digit - 1])
    return names[::-1]


@kernel
def _step(
    indptr: IntArray,
    relations: npt.NDArray[np.int16],
    walked: npt.NDArray[np.bool_],
    node: int,
    z: np.uint64,
    counts: IntArray,
) -> int:  # pragma: no cover - compiled
    """Return a random edge of a random relation of a node, -1 where it has none that may be walked."""
    start, stop, n = indptr[node], indptr[node + 1], 0
    counts[:] = 0
    for edge in range(start, stop):
        if walked[relations[edge]]:
            n += counts[relations[edge]] == 0
            counts[relations[edge]] += 1
    if n == 0:
        return -1
    turn, wanted = below(z, np.int64(n)), 0
    for relation in range(counts.size):
        if counts[relation] > 0:
            if turn == 0:
                wanted = relation
                break
            turn -= 1
    left = below(mix(z), counts[wanted])
    for edge in range(start, stop):
        if relations[edge] == wanted:
            if left == 0:
                return int(edge)
            left -= 1
    return -1


@kernel
def _note(kinds: IntArray, n: int, code: int) -> int:  # pragma: no cover - compiled
    """Add a code to the first ``n`` of ``kinds`` unless it is there or there is no place; return how many they are."""
    for place in range(n):
        if kinds[place] == code:
            return n
    if n == kinds.size:
        return n
    kinds[n] = code
    return n + 1


@kernel
def _join(
    indptr: IntArray,
    indices: RowArray,
    relations: npt.NDArray[np.int16],
    reverses: npt.NDArray[np.int16],
    walked: npt.NDArray[np.bool_],
    x: int,
    y: int,
    a: int,
    b: int,
    hubs: npt.NDArray[np.bool_],
    head: int,
    tail: int,
    shift: int,
    kinds: IntArray,
    n: int,
) -> int:  # pragma: no cover - compiled
    """Note the codes of all paths x - m - y, with ``head`` before and ``tail`` (below ``shift``) after."""
    base = walked.size + 1
    p, stop = indptr[x], indptr[x + 1]
    q, last = indptr[y], indptr[y + 1]
    while p < stop and q < last:
        if indices[p] < indices[q]:
            p += 1
        elif indices[q] < indices[p]:
            q += 1
        else:
            middle = indices[p]
            fit = middle != a and middle != b and not hubs[middle]
            at = q
            while at < last and indices[at] == middle:
                if fit and walked[relations[p]] and walked[relations[at]]:
                    code = (head * base + relations[p] + 1) * base + reverses[relations[at]] + 1
                    n = _note(kinds, n, code * shift + tail)
                at += 1
            p += 1
    return n


@kernel
def _paths_of_pairs(
    indptr: IntArray,
    indices: RowArray,
    relations: npt.NDArray[np.int16],
    reverses: npt.NDArray[np.int16],
    walked: npt.NDArray[np.bool_],
    first: RowArray,
    second: RowArray,
    max_length: int,
    trials: int,
    hubs: npt.NDArray[np.bool_],
    key: np.uint64,
    codes: IntArray,
) -> None:  # pragma: no cover - compiled
    """Write the codes of the meta-paths of each pair to ``codes`` (n, kinds)."""
    base, counts = walked.size + 1, np.empty(walked.size, np.int64)
    for i in range(first.size):
        a, b, kinds, n = first[i], second[i], codes[i], 0
        state = stream(key, np.uint64(i))
        if a == b:
            continue
        for p in range(indptr[a], indptr[a + 1]):
            if indices[p] == b and walked[relations[p]]:
                n = _note(kinds, n, relations[p] + 1)
        if max_length >= 2:
            n = _join(indptr, indices, relations, reverses, walked, a, b, a, b, hubs, 0, 0, 1, kinds, n)
        for length in range(3, max_length + 1):
            for _ in range(trials):
                state += GAMMA
                p = _step(indptr, relations, walked, a, mix(state), counts)
                if p < 0 or indices[p] == b or hubs[indices[p]]:
                    continue
                y, tail, shift = b, 0, 1
                if length == 4:
                    state += GAMMA
                    q = _step(indptr, relations, walked, b, mix(state), counts)
                    if q < 0 or indices[q] == a or hubs[indices[q]]:
                        continue
                    y, tail, shift = indices[q], reverses[relations[q]] + 1, base
                head = relations[p] + 1
                n = _join(
                    indptr, indices, relations, reverses, walked, indices[p], y, a, b, hubs, head, tail, shift,
                    kinds, n,
                )  # fmt: skip
