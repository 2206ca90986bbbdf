"""A graph made ready for steps drawn by edge weight: CSR arrays, and an alias table where weights differ."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from graphrec.data.lists import indptr_of
from graphrec.errors import ConfigError
from graphrec.graph.adjacency import Adjacency, relation_number
from graphrec.kernels import kernel

IntArray = npt.NDArray[np.int64]
RowArray = npt.NDArray[np.int32]
FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Transitions:
    """CSR arrays of the edges that a step may take, with alias tables: a step by weight takes two draws.

    Parameters
    ----------
    indptr, indices, relations : ndarray
        (n + 1,) int64, (m,) int32 and (m,) int16.
    weights, thresholds, aliases : ndarray
        (m,) float32, uint32 and int32; all three are empty where every edge weighs the same.
    """

    indptr: IntArray
    indices: RowArray
    relations: npt.NDArray[np.int16]
    weights: FloatArray
    thresholds: npt.NDArray[np.uint32]
    aliases: RowArray

    @property
    def arrays(self) -> tuple[IntArray, RowArray, npt.NDArray[np.uint32], RowArray]:
        """What a first-order step reads: indptr, indices, thresholds, aliases."""
        return self.indptr, self.indices, self.thresholds, self.aliases


def transitions_of(adjacency: Adjacency, relation_weights: Mapping[str, float] | None = None) -> Transitions:
    """Return the steps of a graph; ``relation_weights`` as in :func:`graphrec.graph.walks.generate_walks`.

    Without weights the arrays are the graph's own. Time and memory O(m) with weights, else O(1).

    Raises
    ------
    ConfigError
        If the weight of a relation is negative or not finite.
    DataError
        If there is no such relation.
    """
    indptr, indices, relations, weights = _weighed(adjacency, relation_weights)
    thresholds, aliases = np.empty(len(weights), np.uint32), np.empty(len(weights), np.int32)
    if len(weights):
        build_alias(indptr, weights, thresholds, aliases)
    return Transitions(indptr, indices, relations, weights, thresholds, aliases)


def _weighed(
    adjacency: Adjacency, relation_weights: Mapping[str, float] | None
) -> tuple[IntArray, RowArray, npt.NDArray[np.int16], FloatArray]:
    """Return CSR arrays and relations with the weight that each edge has in a walk; no weights where all are equal."""
    if not relation_weights:
        weights = np.empty(0, np.float32) if adjacency.weights is None else adjacency.weights
        return adjacency.indptr, adjacency.indices, adjacency.relations, weights
    share = np.ones(len(adjacency.relation_names))
    for name, value in relation_weights.items():
        if not (value >= 0 and np.isfinite(value)):
            raise ConfigError(f"the weight of relation {name!r} is {value}; it must be 0 or more, and finite")
        share[relation_number(adjacency, name)] = value
    share /= max(share.max(initial=0.0), np.finfo(np.float64).tiny)
    edges = np.empty(0, np.float32) if adjacency.weights is None else adjacency.weights
    scaled = np.empty(adjacency.n_edges, np.float32)
    share_out(adjacency.indptr, adjacency.relations, edges, share, scaled)
    indptr, indices, weights = edges_where(adjacency.indptr, adjacency.indices, scaled > 0, scaled)
    return indptr, indices, adjacency.relations[scaled > 0], weights


def edges_where(
    indptr: IntArray, indices: RowArray, kept: npt.NDArray[np.bool_], weights: FloatArray
) -> tuple[IntArray, RowArray, FloatArray]:
    """Return the edges that the mask ``kept`` (m,) holds; ``weights`` may be empty."""
    return indptr_of(kept)[indptr], indices[kept], weights[kept] if len(weights) else weights


@kernel
def share_out(
    indptr: IntArray,
    relations: npt.NDArray[np.int16],
    weights: FloatArray,
    share: npt.NDArray[np.float64],
    scaled: FloatArray,
) -> None:  # pragma: no cover - compiled
    """Write to ``scaled`` (m,) the weights such that each relation's edges at a node sum to its share. O(m)."""
    sums = np.zeros(share.size)
    for node in range(indptr.size - 1):
        start, stop = indptr[node], indptr[node + 1]
        for edge in range(start, stop):
            sums[relations[edge]] += weights[edge] if weights.size else 1.0
        for edge in range(start, stop):
            weight = weights[edge] if weights.size else 1.0
            scaled[edge] = weight / sums[relations[edge]] * share[relations[edge]]
        for edge in range(start, stop):
            sums[relations[edge]] = 0.0


@kernel
def build_alias(
    indptr: IntArray, weights: FloatArray, thresholds: npt.NDArray[np.uint32], aliases: RowArray
) -> None:  # pragma: no cover - compiled
    """Fill each node's alias table (Vose 1991): slot j gives j with probability thresholds[j] / 2^32, or its alias."""
    widest = 0
    for node in range(indptr.size - 1):
        widest = max(widest, indptr[node + 1] - indptr[node])
    small, large = np.empty(widest, np.int64), np.empty(widest, np.int64)
    scaled = np.empty(widest, np.float64)
    for node in range(indptr.size - 1):
        start, size = indptr[node], indptr[node + 1] - indptr[node]
        total = 0.0
        for j in range(size):
            total += weights[start + j]
        n_small, n_large = 0, 0
        for j in range(size):
            scaled[j] = weights[start + j] * size / total
            aliases[start + j] = j
            thresholds[start + j] = np.uint32(0xFFFFFFFF)
            if scaled[j] < 1.0:
                small[n_small] = j
                n_small += 1
            else:
                large[n_large] = j
                n_large += 1
        while n_small > 0 and n_large > 0:
            n_small -= 1
            less, more = small[n_small], large[n_large - 1]
            thresholds[start + less] = np.uint32(scaled[less] * 4294967295.0)
            aliases[start + less] = more
            scaled[more] -= 1.0 - scaled[less]
            if scaled[more] < 1.0:
                n_large -= 1
                small[n_small] = more
                n_small += 1
