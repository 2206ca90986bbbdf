"""Neighbourhoods of seeds, sampled hop by hop over one or several edge types: the mini-batches of graph networks.

Edges are followed against their direction: what is sampled for a node are edges that lead to it, which is what a graph
network gathers from. Each hop takes, for every edge type, up to a fan-out of edges of each node that the hop before
brought. Nodes are numbered by type in the order in which they come, seeds first.

All randomness is a function of a key and of a node's place in the sample, so the number of threads plays no part.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from graphrec.checks import as_array, check_choice, check_length, check_rows, check_weights
from graphrec.data.lists import indptr_of
from graphrec.errors import ConfigError, DataError
from graphrec.graph.counter_random import key_of
from graphrec.graph.sampling_kernels import (
    cumulate,
    draw_edges,
    edges_within,
    legal_edges,
    move_keys,
    number_nodes,
    number_sources,
    order_by,
)
from graphrec.threads import map_chunks

IntArray = npt.NDArray[np.int64]
Times = npt.NDArray[Any]
TemporalStrategy = Literal["uniform", "last"]
TEMPORAL_STRATEGIES: tuple[TemporalStrategy, ...] = ("uniform", "last")

# Nodes whose edges one thread draws at a time.
_CHUNK = 1 << 13
# A type of up to this many nodes is numbered through an array as long as it.
_DIRECT = 1 << 16
_NONE = np.empty(0, dtype=np.int64)
_NO_SUMS = np.empty(0, dtype=np.float64)


@dataclass(frozen=True, slots=True, eq=False)
class InEdges:
    """The edges of one type, by destination. Made by :func:`in_edges`.

    Parameters
    ----------
    source, destination : int
        Numbers of the node types at their ends.
    indptr : ndarray
        (n_destinations + 1,) int64.
    sources : ndarray
        (m,) int32 or int64 rows; the times of a destination's edges never fall.
    edges : ndarray
        (m,) int64: the number that each edge was given with.
    times : ndarray
        (m,) int64 or float64; empty where edges have no time.
    sums : ndarray
        (m,) float64 running sums of the weights within each destination; empty where edges weigh the same.
    """

    source: int
    destination: int
    indptr: IntArray
    sources: npt.NDArray[Any]
    edges: IntArray
    times: Times
    sums: npt.NDArray[np.float64]


def in_edges(
    edge_index: npt.NDArray[Any],
    *,
    source: int = 0,
    destination: int = 0,
    n_sources: int,
    n_destinations: int,
    times: Times | None = None,
    weights: npt.ArrayLike | None = None,
    is_sorted: bool = False,
    name: str = "edge_index",
) -> InEdges:
    """Return the edges of one type by destination.

    Parameters
    ----------
    edge_index : ndarray
        (2, m) integers: sources and destinations.
    source, destination : int
        Numbers of the node types at the ends of the edges.
    n_sources, n_destinations : int
        Sizes of those types.
    times : ndarray, optional
        (m,) int64 or float64 moments of the edges, or of their sources.
    weights : ndarray, optional
        (m,) >= 0, at most 1e15; an edge of weight 0 is not in the graph.
    is_sorted : bool, default False
        The destinations ascend, and the times within each: edges are taken as they stand.
    name : str
        What errors call the edges.

    Raises
    ------
    DataError
        If the shape or a row is illegal, a length differs, a time or weight is not finite, a weight is negative, or
        ``is_sorted`` is not so.

    Notes
    -----
    Time O(m + n), with ``times`` O(m log m).
    """
    if edge_index.ndim != 2 or len(edge_index) != 2:
        raise DataError(f"{name} has the shape {edge_index.shape}; it must be (2, number of edges)")
    rows = as_array(edge_index[0], np.int64, name=f"sources of {name}")
    columns = as_array(edge_index[1], np.int64, name=f"destinations of {name}")
    check_rows(rows, n_sources, name=f"sources of {name}")
    check_rows(columns, n_destinations, name=f"destinations of {name}")
    if times is not None:
        check_length(times, len(rows), name=f"times of {name}")
    kept = np.arange(len(rows), dtype=np.int64)
    if weights is not None:
        weights = _checked_weights(weights, len(rows), name=name)
        kept = np.flatnonzero(weights)
    indptr = indptr_of(np.bincount(columns[kept], minlength=n_destinations))
    if is_sorted:
        _check_sorted(columns, times, name=name)
    else:
        if times is not None:
            kept = kept[np.argsort(times[kept], kind="stable")]
        kept = order_by(columns, kept, indptr)
    small = np.int32 if n_sources <= np.iinfo(np.int32).max else np.int64
    return InEdges(
        source,
        destination,
        indptr,
        rows[kept].astype(small),
        kept,
        _NONE if times is None else times[kept],
        _NO_SUMS if weights is None else cumulate(indptr, weights[kept]),
    )


def _checked_weights(weights: npt.ArrayLike, m: int, *, name: str) -> npt.NDArray[np.float64]:
    values: npt.NDArray[np.float64] = as_array(weights, np.float64, name=f"weights of {name}")
    check_length(values, m, name=f"weights of {name}")
    check_weights(values, name=f"weights of {name}")
    if m and values.min() < 0:
        raise DataError(f"weights of {name} go down to {values.min():g}; a weight must be 0 or more")
    return values


def _check_sorted(columns: IntArray, times: Times | None, *, name: str) -> None:
    """Raise DataError unless destinations ascend, and times within each destination."""
    steps = np.diff(columns)
    if (steps < 0).any():
        raise DataError(f"destinations of {name} fall at edge {int(np.argmax(steps < 0)) + 1}; leave is_sorted out")
    falls = _NONE if times is None else np.flatnonzero((np.diff(times) < 0) & (steps == 0))
    if falls.size:
        raise DataError(f"times of {name} fall at edge {int(falls[0]) + 1} of one destination; leave is_sorted out")


class Sample(NamedTuple):
    """A sampled neighbourhood; lists go by node type (nodes, trees) or by edge type (the rest).

    ``nodes`` are (n,) int64 rows of the graph, seeds first; ``trees`` (n,) int64 the seed that each belongs to, where
    subgraphs are disjoint; ``rows`` and ``columns`` (m,) int64 the places in ``nodes`` of an edge's source and
    destination; ``edges`` (m,) int64 their numbers. ``nodes_per_hop`` start with the seeds; ``edges_per_hop`` with the
    first hop.
    """

    nodes: list[IntArray]
    trees: list[IntArray] | None
    rows: list[IntArray]
    columns: list[IntArray]
    edges: list[IntArray]
    nodes_per_hop: list[list[int]]
    edges_per_hop: list[list[int]]


def _longer(values: IntArray, room: int) -> IntArray:
    """Return an array with room for more, of which the first are ``values``."""
    longer = np.empty(room, dtype=np.int64)
    longer[: len(values)] = values
    return longer


@dataclass(slots=True, eq=False)
class _Numbering:
    """The nodes of one type that a sample holds, in order, and a hash table from (tree, node) to their places."""

    size: int
    disjoint: bool
    count: int = 0
    direct: bool = False
    nodes: IntArray = field(default_factory=lambda: _NONE)
    trees: IntArray = field(default_factory=lambda: _NONE)
    table: IntArray = field(default_factory=lambda: _NONE)

    def __post_init__(self) -> None:
        self.direct = not self.disjoint and self.size <= _DIRECT
        self.table = np.full((max(1, self.size) if self.direct else 64, 2), -1, dtype=np.int64)

    def reserve(self, n: int) -> None:
        """Make room for ``n`` more nodes."""
        if self.count + n > len(self.nodes):
            room = max(self.count + n, 2 * len(self.nodes))
            self.nodes = _longer(self.nodes[: self.count], room)
            self.trees = _longer(self.trees[: self.count], room) if self.disjoint else _NONE
        # Not disjoint, there are no more keys than nodes of the type, however often each is drawn.
        keys = self.count + n if self.disjoint else min(self.count + n, self.size)
        if not self.direct and 2 * keys > len(self.table):
            wider = np.full((1 << (2 * keys - 1).bit_length(), 2), -1, dtype=np.int64)
            move_keys(self.table, wider)
            self.table = wider

    def add_seeds(self, seeds: IntArray, trees: IntArray) -> None:
        """Append seeds, repeated ones too."""
        self.reserve(len(seeds))
        self.count = number_nodes(seeds, trees, self.size, self.table, self.direct, self.nodes, self.trees, self.count)

    def trees_of(self, first: int, stop: int) -> IntArray:
        return self.trees[first:stop] if self.disjoint else _NONE


def sample_neighbours(
    graph: Sequence[InEdges],
    sizes: Sequence[int],
    seeds: Mapping[int, npt.ArrayLike],
    fan_outs: npt.ArrayLike,
    *,
    key: int,
    replace: bool = False,
    disjoint: bool = False,
    induced: bool = False,
    strategy: TemporalStrategy = "uniform",
    limits: Times | None = None,
    threads: int | None = None,
) -> Sample:
    """Return the sampled neighbourhood of seeds.

    Parameters
    ----------
    graph : sequence of InEdges
        The edge types.
    sizes : sequence of int
        Number of nodes of each node type.
    seeds : mapping of int to ndarray
        Rows of seeds by node type. With ``disjoint``, tree ``i`` belongs to the ``i``-th seed in this order.
    fan_outs : ndarray
        (n_edge_types, hops) int64: edges for each node of a hop; -1 takes all.
    key : int
        The sample is a function of the graph, the seeds, the settings and this.
    replace : bool, default False
        Draw a node's edges with replacement.
    disjoint : bool, default False
        Give every seed a subgraph of its own: a node may then stand in several.
    induced : bool, default False
        Return all edges among the sampled nodes (of one tree) in place of those drawn.
    strategy : {"uniform", "last"}
        With times: draw among all edges that are early enough, or take the latest of them.
    limits : ndarray, optional
        (n_trees,) of the dtype of the times: the latest time of an edge for each seed. Needs ``disjoint``; edge types
        without times are not limited.
    threads : int or None
        None takes every processor.

    Returns
    -------
    Sample
        Without ``replace`` an edge stands once; with it as often as it was drawn.

    Raises
    ------
    ConfigError
        If a fan-out is below -1, the strategy unknown, or limits are given without ``disjoint``.
    DataError
        If a seed is out of range, or the number of limits differs from that of seeds.

    Notes
    -----
    Expected time O(log degree) an edge by weight, else O(1), and O(1) a node.
    """
    widths: IntArray = as_array(fan_outs, np.int64, name="fan_outs", ndim=2)
    check_length(widths, len(graph), name="fan_outs")
    if widths.size and widths.min() < -1:
        raise ConfigError(f"a fan-out is {widths.min()}; it must be 0 or more, or -1 for all edges")
    check_choice("strategy", strategy, TEMPORAL_STRATEGIES)
    numberings = _number_seeds(sizes, seeds, disjoint=disjoint)
    if limits is not None:
        _check_limits(limits, sum(numbering.count for numbering in numberings), disjoint=disjoint)
    sampler = _Sampler(graph, numberings, key, replace, disjoint, strategy == "last", limits, threads)
    for hop in range(widths.shape[1]):
        sampler.hop(widths[:, hop])
    return sampler.induced() if induced else sampler.sample()


def _number_seeds(sizes: Sequence[int], seeds: Mapping[int, npt.ArrayLike], *, disjoint: bool) -> list[_Numbering]:
    numberings = [_Numbering(size, disjoint) for size in sizes]
    n_trees = 0
    for kind, rows in seeds.items():
        nodes: IntArray = as_array(rows, np.int64, name="seeds")
        check_rows(nodes, sizes[kind], name="seeds")
        trees = np.arange(n_trees, n_trees + len(nodes)) if disjoint else _NONE
        numberings[kind].add_seeds(nodes, trees)
        n_trees += len(nodes)
    return numberings


def _check_limits(limits: Times, n_trees: int, *, disjoint: bool) -> None:
    if not disjoint:
        raise ConfigError("limits are given without disjoint subgraphs; set disjoint, for each seed has its own limit")
    check_length(limits, n_trees, name="limits")


@dataclass(slots=True, eq=False)
class _Sampler:
    """A sample in the making."""

    graph: Sequence[InEdges]
    numberings: list[_Numbering]
    key: int
    replace: bool
    disjoint: bool
    last: bool
    limits: Times | None
    threads: int | None
    frontier: list[int] = field(default_factory=list)
    parts: list[list[tuple[IntArray, IntArray, IntArray]]] = field(default_factory=list)
    nodes_per_hop: list[list[int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.frontier = [0] * len(self.numberings)
        self.nodes_per_hop = [[numbering.count] for numbering in self.numberings]
        self.parts = [[] for _ in self.graph]

    def hop(self, fan_outs: IntArray) -> None:
        """Draw the edges of the nodes that the last hop brought."""
        stops = [numbering.count for numbering in self.numberings]
        for number, edges in enumerate(self.graph):
            first, stop = self.frontier[edges.destination], stops[edges.destination]
            self.parts[number].append(self._draw(number, edges, first, stop, int(fan_outs[number])))
        for numbering, counts, stop in zip(self.numberings, self.nodes_per_hop, stops, strict=True):
            counts.append(numbering.count - stop)
        self.frontier = stops

    def _draw(
        self, number: int, edges: InEdges, first: int, stop: int, fan_out: int
    ) -> tuple[IntArray, IntArray, IntArray]:
        """Return rows, columns and numbers of the edges drawn for the nodes ``first..stop-1`` of their type."""
        if first == stop or fan_out == 0 or not len(edges.sources):
            return _NONE, _NONE, _NONE
        starts, stops, counts = self._legal(edges, first, stop, fan_out)
        offsets = indptr_of(counts)
        rows, names = self._choose(number, edges, (starts, stops, offsets), first, fan_out)
        owner, source = self.numberings[edges.destination], self.numberings[edges.source]
        source.reserve(len(rows))
        columns = np.empty_like(rows)
        source.count = number_sources(
            offsets, first, owner.trees_of(first, stop), source.size, source.table, source.direct, source.nodes,
            source.trees, source.count, rows, columns,
        )  # fmt: skip
        return rows, columns, names

    def _legal(self, edges: InEdges, first: int, stop: int, fan_out: int) -> tuple[IntArray, IntArray, IntArray]:
        """Return the run of edges of each node, and how many of them it is given."""
        owner = self.numberings[edges.destination]
        starts, stops, counts = (np.empty(stop - first, dtype=np.int64) for _ in range(3))
        limits = _NONE if self.limits is None else self.limits
        # Without limits there is nothing to be early for.
        times = limits[:0] if self.limits is None or not edges.times.size else edges.times
        settings = (fan_out, self.replace, self.last)
        nodes, trees = owner.nodes[first:stop], owner.trees_of(first, stop)
        legal_edges(edges.indptr, times, nodes, trees, limits, *settings, starts, stops, counts)
        return starts, stops, counts

    def _choose(
        self, number: int, edges: InEdges, runs: tuple[IntArray, IntArray, IntArray], first: int, fan_out: int
    ) -> tuple[IntArray, IntArray]:
        """Return the sources and the numbers of the edges drawn."""
        starts, stops, offsets = runs
        sources, names = (np.empty(int(offsets[-1]), dtype=np.int64) for _ in range(2))
        bases = _NO_SUMS
        if edges.sums.size:
            nodes = self.numberings[edges.destination].nodes[first : first + len(starts)]
            bases = np.where(starts > edges.indptr[nodes], edges.sums[starts - 1], 0.0)
        with_repeats = self.replace and fan_out >= 0
        stream = key_of(self.key * 0x9E3779B97F4A7C15 + number)

        def work(begin: int, end: int) -> None:
            draw_edges(
                starts, stops, offsets, bases, edges.sums, with_repeats, stream, first, begin, end,
                edges.sources, edges.edges, sources, names,
            )  # fmt: skip

        for _ in map_chunks(work, len(starts), chunk=_CHUNK, threads=self.threads):
            pass
        return sources, names

    def sample(self) -> Sample:
        """Return the nodes, and the edges drawn."""
        joined = [[np.concatenate(column or [_NONE]) for column in zip(*parts, strict=True)] for parts in self.parts]
        return self._sample([tuple(columns) if columns else (_NONE,) * 3 for columns in joined])

    def induced(self) -> Sample:
        """Return the nodes, and all edges among them."""
        return self._sample([self._within(edges) for edges in self.graph])

    def _sample(self, edges: Sequence[tuple[IntArray, ...]]) -> Sample:
        rows, columns, names = ([part[k] for part in edges] for k in range(3))
        return Sample(
            [numbering.nodes[: numbering.count] for numbering in self.numberings],
            [numbering.trees_of(0, numbering.count) for numbering in self.numberings] if self.disjoint else None,
            rows,
            columns,
            names,
            self.nodes_per_hop,
            [[len(part[0]) for part in parts] for parts in self.parts],
        )

    def _within(self, edges: InEdges) -> tuple[IntArray, IntArray, IntArray]:
        """Return rows, columns and numbers of the edges among sampled nodes."""
        owner, source = self.numberings[edges.destination], self.numberings[edges.source]
        starts, stops, _ = self._legal(edges, 0, owner.count, -1)
        offsets = np.zeros(owner.count + 1, dtype=np.int64)
        table = (owner.trees_of(0, owner.count), edges.sources, source.size, source.table, source.direct)

        def scan(rows: IntArray, columns: IntArray, chosen: IntArray) -> None:
            def work(begin: int, end: int) -> None:
                edges_within(starts, stops, *table, begin, end, offsets, rows, columns, chosen)

            for _ in map_chunks(work, owner.count, chunk=_CHUNK, threads=self.threads):
                pass

        scan(_NONE, _NONE, _NONE)
        np.cumsum(offsets, out=offsets)
        rows, columns, chosen = (np.empty(int(offsets[-1]), dtype=np.int64) for _ in range(3))
        if len(chosen):
            scan(rows, columns, chosen)
        return rows, columns, edges.edges[chosen]
