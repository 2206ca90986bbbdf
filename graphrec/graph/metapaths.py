"""Walks along a meta-path: a pattern of node types or of relations that is followed again and again [1]_.

References
----------
.. [1] Y. Dong, N. Chawla, A. Swami, "metapath2vec: scalable representation learning for heterogeneous networks", KDD
   2017, section 3.2. Differs: a pattern may also name relations, and edges may have weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from graphrec.errors import DataError, nearest_names
from graphrec.graph.adjacency import Adjacency
from graphrec.graph.counter_random import GAMMA, LOW, S32, below, mix, stream
from graphrec.graph.transitions import IntArray, RowArray, build_alias, edges_where
from graphrec.kernels import kernel

# Walks that one call takes abreast: while a walk waits for memory, the others go on.
_ABREAST = 32


@dataclass(frozen=True, slots=True, eq=False)
class Pattern:
    """A meta-path over one graph: for each of its S distinct steps the edges that it may take.

    Parameters
    ----------
    indptr : ndarray
        (S, n + 1) int64 into the edges of all steps.
    indices, thresholds, aliases : ndarray
        (m',) int32, uint32 and int32: edges and their alias tables, empty where every edge weighs the same.
    order : ndarray
        (L,) int64: the step, below S, at each place of the pattern.
    starts : ndarray
        (s,) int32: the nodes that have an edge for the first step.
    """

    indptr: IntArray
    indices: RowArray
    thresholds: npt.NDArray[np.uint32]
    aliases: RowArray
    order: IntArray
    starts: RowArray

    @property
    def arrays(self) -> tuple[IntArray, RowArray, npt.NDArray[np.uint32], RowArray, IntArray]:
        """What the kernel reads."""
        return self.indptr, self.indices, self.thresholds, self.aliases, self.order


def pattern_of(adjacency: Adjacency, metapath: Sequence[str]) -> Pattern:
    """Return the steps of a meta-path.

    Parameters
    ----------
    adjacency : Adjacency
        The graph; a step goes by its edge weights, where it has any, among the edges that fit.
    metapath : sequence of str
        Names of relations, one a step: ``("by", "rev_by")``. Or types of nodes, of which the last is the first again:
        ``("item", "author", "item")`` takes any edge from an item to an author, and any back. After the last step the
        pattern begins again. A name that is both is a relation if all are.

    Raises
    ------
    DataError
        If a name is neither a relation nor a node type, a pattern of types does not end where it began, or no walk can
        follow the pattern: some step has no edge from the nodes that the steps before lead to.

    Notes
    -----
    Time O(L m), memory O(m) for the edges of the pattern.
    """
    names = list(metapath)
    keys = _steps(adjacency, names)
    distinct = list(dict.fromkeys(keys))
    masks = {key: _mask(adjacency, key) for key in distinct}
    starts = _follow(adjacency, names, keys, masks)
    parts = [_edges(adjacency, masks[key]) for key in distinct]
    offsets = np.cumsum([0, *(len(part[1]) for part in parts)])
    indptr = np.stack([part[0] + offset for part, offset in zip(parts, offsets, strict=False)])
    columns = (np.concatenate(column) for column in list(zip(*parts, strict=True))[1:])
    indices, thresholds, aliases = columns
    order = np.array([distinct.index(key) for key in keys], dtype=np.int64)
    return Pattern(indptr, indices, thresholds, aliases, order, starts)


# A step: the number of a relation and -1 twice, or -1 and the types that it joins.
_Step = tuple[int, int, int]


def _steps(adjacency: Adjacency, names: Sequence[object]) -> list[_Step]:
    """Return the steps that the names of a meta-path mean."""
    relations, types = list(adjacency.relation_names), list(adjacency.node_types)
    unknown = [name for name in names if name not in relations and name not in types]
    if unknown:
        hint = nearest_names(str(unknown[0]), [*relations, *types])
        raise DataError(f"metapath names {unknown[0]!r}, which is neither a relation nor a type of node{hint}")
    if names and all(name in relations for name in names):
        return [(relations.index(str(name)), -1, -1) for name in names]
    if mixed := [name for name in names if name not in types]:
        raise DataError(f"metapath mixes types of nodes with the relation {mixed[0]!r}; it must be of one kind")
    if len(names) < 2 or names[0] != names[-1]:
        shown = " - ".join(map(str, names)) or "empty"
        raise DataError(f"metapath is {shown}; types of nodes must end where they begin, as in item - author - item")
    numbers = [types.index(str(name)) for name in names]
    return [(-1, before, after) for before, after in pairwise(numbers)]


def _mask(adjacency: Adjacency, step: _Step) -> npt.NDArray[np.bool_]:
    """Return (m,) bool: the edges that a step may take."""
    relation, before, after = step
    if relation >= 0:
        fitting: npt.NDArray[np.bool_] = adjacency.relations == relation
        return fitting
    offsets = adjacency.type_offsets
    fitting = np.zeros(adjacency.n_edges, np.bool_)
    rows = slice(adjacency.indptr[offsets[before]], adjacency.indptr[offsets[before + 1]])
    leads = adjacency.indices[rows]
    fitting[rows] = (leads >= offsets[after]) & (leads < offsets[after + 1])
    return fitting


def _follow(
    adjacency: Adjacency, names: Sequence[object], keys: list[_Step], masks: dict[_Step, npt.NDArray[np.bool_]]
) -> RowArray:
    """Return the nodes where the pattern can begin; raise DataError where no walk can follow it once and go on."""
    sources = np.repeat(np.arange(adjacency.n_nodes, dtype=np.int32), adjacency.degrees)
    reached = np.zeros(adjacency.n_nodes, np.bool_)
    before = keys[0][1]
    reached[slice(None) if before < 0 else slice(*adjacency.type_offsets[before : before + 2])] = True
    # Once more the first step: what the last leads to must be where the pattern can begin.
    for place, key in enumerate([*keys, keys[0]]):
        taken = masks[key] & reached[sources]
        if not taken.any():
            after = f" after {names[place - 1]!r}" if place and key[0] >= 0 else ""
            step = f"relation {names[place % len(names)]!r}" if key[0] >= 0 else _between(adjacency, key)
            raise DataError(
                f"metapath {' - '.join(map(str, names))} leads nowhere at step {place % len(keys) + 1}: "
                f"no edge of {step}{after}; {_possible(adjacency, reached)}"
            )
        reached = np.zeros(adjacency.n_nodes, np.bool_)
        reached[adjacency.indices[taken]] = True
    starts: RowArray = np.unique(sources[masks[keys[0]]])
    return starts


def _between(adjacency: Adjacency, step: _Step) -> str:
    return f"{adjacency.node_types[step[1]]!r} to {adjacency.node_types[step[2]]!r}"


def _possible(adjacency: Adjacency, reached: npt.NDArray[np.bool_]) -> str:
    """Return what the nodes reached could do instead."""
    edges = np.repeat(reached, adjacency.degrees)
    names = [adjacency.relation_names[number] for number in np.unique(adjacency.relations[edges])]
    return f"the relations there: {', '.join(names)}" if names else "there is no edge at all"


def _edges(
    adjacency: Adjacency, mask: npt.NDArray[np.bool_]
) -> tuple[IntArray, RowArray, npt.NDArray[np.uint32], RowArray]:
    """Return the edges of a mask as CSR, with their alias table."""
    weights = np.empty(0, np.float32) if adjacency.weights is None else adjacency.weights
    indptr, indices, kept = edges_where(adjacency.indptr, adjacency.indices, mask, weights)
    thresholds, aliases = np.empty(len(kept), np.uint32), np.empty(len(kept), np.int32)
    if len(kept):
        build_alias(indptr, kept, thresholds, aliases)
    return indptr, indices, thresholds, aliases


@kernel
def walk_pattern(
    indptr: IntArray,
    indices: RowArray,
    thresholds: npt.NDArray[np.uint32],
    aliases: RowArray,
    order: IntArray,
    starts: RowArray,
    first: int,
    key: np.uint64,
    back: np.uint64,
    walks: RowArray,
    lengths: RowArray,
) -> None:  # pragma: no cover - compiled
    """Fill ``walks`` (n, length) and ``lengths`` (n,) with the walks ``first..first+n-1`` along a pattern.

    A step from elsewhere goes to the walk's start, and to the pattern's, with probability ``back`` / 2^32, and surely
    where there is no edge, unless ``back`` is 0.
    """
    n, length = walks.shape
    abreast = min(_ABREAST, n)
    states, here = np.empty(abreast, np.uint64), np.empty(abreast, np.int64)
    edges, phase = np.empty(abreast, np.int64), np.empty(abreast, np.int64)
    for group in range(0, n, abreast):
        active = min(abreast, n - group)
        for a in range(active):
            states[a] = stream(key, np.uint64(first + group + a))
            here[a], phase[a] = starts[(first + group + a) % starts.size], 0
            walks[group + a, 0], lengths[group + a] = here[a], 1
        for place in range(1, length):
            for a in range(active):  # draw an edge for each walk; -1 goes back, -2 ends
                if here[a] < 0:
                    continue
                states[a] += GAMMA
                z = mix(states[a])
                step = order[phase[a]]
                begin = indptr[step, here[a]]
                degree = indptr[step, here[a] + 1] - begin
                edges[a] = begin + below(z, degree) if degree > 0 else -2
                elsewhere = phase[a] > 0 or here[a] != walks[group + a, 0]
                if back > 0 and elsewhere and ((z & LOW) < back or degree == 0):
                    edges[a] = -1
            if thresholds.size > 0:
                for a in range(active):
                    if here[a] < 0 or edges[a] < 0:
                        continue
                    states[a] += GAMMA
                    if (mix(states[a]) >> S32) > np.uint64(thresholds[edges[a]]):
                        edges[a] = indptr[order[phase[a]], here[a]] + np.int64(aliases[edges[a]])
            for a in range(active):  # take it
                if here[a] < 0 or edges[a] == -2:
                    here[a] = -1
                    walks[group + a, place] = -1
                    continue
                if edges[a] == -1:
                    here[a], phase[a] = walks[group + a, 0], 0
                else:
                    here[a] = indices[edges[a]]
                    phase[a] = phase[a] + 1 if phase[a] + 1 < order.size else 0
                walks[group + a, place] = here[a]
                lengths[group + a] += 1
