"""The ways by which Pixie's walks came to the items that they visited: the walks of a request, taken once more."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from graphrec.data.lists import indptr_of
from graphrec.graph.counter_random import stream
from graphrec.graph.pixie import ABREAST, next_edge
from graphrec.graph.transitions import IntArray, RowArray, Transitions
from graphrec.kernels import kernel

# Steps of a way that are kept; a longer one says little.
MOST_STEPS = 6


class Ways(NamedTuple):
    """m ways through a graph, some of them empty.

    ``indptr`` (m + 1,) int64: way i has the nodes ``nodes[indptr[i]:indptr[i + 1]]``, int32; ``relations`` int16 lead
    to each node from that before, -1 to the first.
    """

    indptr: IntArray
    nodes: RowArray
    relations: npt.NDArray[np.int16]


def visiting_ways(
    walked: Transitions,
    sources: RowArray,
    steps: IntArray,
    wanted: RowArray,
    through: RowArray,
    *,
    restart: float,
    key: np.uint64,
    n_named: int,
) -> Ways:
    """Return the shortest way by which a walk from its source came to each wanted item, the first of equal ones.

    Parameters
    ----------
    walked : Transitions
        What was walked on.
    sources, steps : ndarray
        (h,) int32 distinct nodes that walks started from, and (h,) int64 the steps that were taken from each.
    wanted : ndarray
        (m,) int32 nodes.
    through : ndarray
        (m,) int32: the source whose walks are looked at for each; one that is none of ``sources`` has no way.
    restart, key
        Those of the walks.
    n_named : int
        The first nodes of the graph, which may be named: items and entities, not users.

    Returns
    -------
    Ways
        m, empty where no walk came in at most six steps, or all came through nodes that may not be named.

    Notes
    -----
    Time O(steps); memory 4 bytes a node of the graph and 90 a wanted item.
    """
    nodes = np.full((len(wanted), MOST_STEPS + 1), -1, np.int32)
    edges, lengths = np.full((len(wanted), MOST_STEPS), -1, np.int64), np.zeros(len(wanted), np.int64)
    places = np.full(len(walked.indptr) - 1, -1, np.int32)
    back = np.uint64(restart * 2.0**32)
    for source, taken in zip(sources.tolist(), steps.tolist(), strict=True):
        mine, own = np.flatnonzero(through == source), np.uint64(stream(key, np.uint64(source)))
        places[wanted[mine]] = mine
        _trace(*walked.arrays, source, taken, back, own, n_named, places, nodes, edges, lengths)
        places[wanted[mine]] = -1
    kept = np.arange(MOST_STEPS + 1) <= np.where(lengths > 0, lengths, -1)[:, None]  # (m, steps + 1)
    relations = np.full(nodes.shape, -1, np.int16)
    known = edges >= 0
    relations[:, 1:][known] = walked.relations[edges[known]]
    return Ways(indptr_of(kept.sum(axis=1)), nodes[kept], relations[kept])


@kernel
def _trace(
    indptr: IntArray,
    indices: RowArray,
    thresholds: npt.NDArray[np.uint32],
    aliases: RowArray,
    node: np.int64,
    steps: int,
    back: np.uint64,
    own: np.uint64,
    n_named: int,
    places: RowArray,
    nodes: RowArray,
    edges: IntArray,
    lengths: IntArray,
) -> None:  # pragma: no cover - compiled
    """Write the shortest named way to each node that has a place, walk by walk: each has draws of its own."""
    way, taken = np.empty(MOST_STEPS + 1, np.int32), np.empty(MOST_STEPS, np.int64)
    way[0] = node
    for a in range(min(ABREAST, steps)):
        state, here = stream(own, np.uint64(a)), np.int64(node)
        length, named = 0, True
        for _ in range(a, steps, min(ABREAST, steps)):
            state, begin, edge = next_edge(indptr, thresholds, aliases, here, np.int64(node), back, state)
            if begin == node:
                length, named = 0, True
            here = np.int64(indices[edge])
            if here == node:
                length, named = 0, True
                continue
            length += 1
            named = named and bool(here < n_named) and length <= MOST_STEPS
            if not named:
                continue
            way[length], taken[length - 1] = here, edge
            place = places[here]
            if place >= 0 and (lengths[place] == 0 or length < lengths[place]):
                lengths[place] = length
                nodes[place, : length + 1], edges[place, :length] = way[: length + 1], taken[:length]
