r"""Random walks over a typed graph: second-order (node2vec), with restart, along a meta-path.

A second-order walk that came from t to v goes on to x with

.. math:: P(x \mid t, v) \propto w_{vx} \cdot
    \begin{cases} 1/p & x = t \\ 1 & (t, x) \text{ is an edge} \\ 1/q & \text{otherwise} \end{cases}

Candidates are drawn by edge weight and accepted or refused [2]_, so that nothing is stored beyond the graph (and an
alias table where edges have weights). Where going back is the likeliest, that excess is drawn separately (the
"outliers" of [2]_). Where the node types admit no triangle (users - items - authors), "(t, x) is an edge" never
holds: it is not looked for, and only the ratio p / q matters. Walks along a meta-path are in
:mod:`graphrec.graph.metapaths`.

A walk visits nodes about in proportion to their degree: hubs are seen most often, whatever the starts are.

Walk ``i`` is a function of the graph, the settings, the seed and ``i``. So the walks are the same on any number of
threads, and a stream of them goes on at any block after a stop.

References
----------
.. [1] A. Grover, J. Leskovec, "node2vec: Scalable feature learning for networks", KDD 2016, section 3.2.
.. [2] K. Yang et al., "KnightKing: a fast distributed graph random walk engine", SOSP 2019, section 4.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from graphrec.checks import as_array, check_count, check_rows, typed
from graphrec.errors import ConfigError, DataError
from graphrec.graph.adjacency import Adjacency
from graphrec.graph.counter_random import key_of
from graphrec.graph.importance import check_restart
from graphrec.graph.metapaths import Pattern, pattern_of, walk_pattern
from graphrec.graph.transitions import Transitions, transitions_of
from graphrec.graph.walk_kernels import edges_go_both_ways, joined_types, walk, write_text
from graphrec.memory import check_memory
from graphrec.threads import default_threads, map_chunks

# Walks that one thread takes at a time, and nodes held at once by the streaming form.
_CHUNK = 2048
_BLOCK_NODES = 1 << 23
# A walk's length is kept in 32 bits.
_LONGEST = 2**31 - 1
_SMALLER = "take fewer or shorter walks, or a block at a time (stream_walks, write_corpus)"


class Walks(NamedTuple):
    """``nodes`` (n_walks, length) int32, -1 beyond the end of a walk; ``lengths`` (n_walks,) int32, >= 1."""

    nodes: npt.NDArray[np.int32]
    lengths: npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True, eq=False)
class Corpus:
    """What :func:`write_corpus` wrote: how often each node stands in it (n_nodes,) int64, and the number of walks."""

    counts: npt.NDArray[np.int64]
    n_walks: int


class _Walker(Protocol):
    """A graph made ready for walking, with the settings of a step."""

    def fill(self, starts: npt.NDArray[np.int32], first: int, walks: Walks) -> None:
        """Write the walks from number ``first`` on; walk ``i`` starts at ``starts[i % len(starts)]``."""


@dataclass(frozen=True, slots=True, eq=False)
class _SecondOrder:
    steps: Transitions
    biases: npt.NDArray[np.float64]
    fold: bool
    back: np.uint64
    key: np.uint64

    def fill(self, starts: npt.NDArray[np.int32], first: int, walks: Walks) -> None:
        steps = self.steps
        arrays = (steps.indptr, steps.indices, steps.weights, steps.thresholds, steps.aliases)
        walk(*arrays, starts, first, self.key, self.biases, self.fold, self.back, *walks)


@dataclass(frozen=True, slots=True, eq=False)
class _Along:
    pattern: Pattern
    back: np.uint64
    key: np.uint64

    def fill(self, starts: npt.NDArray[np.int32], first: int, walks: Walks) -> None:
        walk_pattern(*self.pattern.arrays, starts, first, self.key, self.back, *walks)


@dataclass(frozen=True, slots=True, eq=False)
class WalkStream:
    """Walks by blocks: ``stream[17]`` computes block 17, a loop over the stream computes each, again in each loop.

    Made by :func:`stream_walks`. A walk is a function of its number, so going on after a stop is starting at a block::

        for number in range(done, len(stream)):
            model.train(stream[number].nodes)

    Parameters
    ----------
    starts : ndarray
        (s,) int32: walk ``i`` starts at ``starts[i % s]``.
    n_walks, length, block_walks : int
        Walks in all, nodes in each, and walks in a block; the last block may have fewer.
    """

    _walker: _Walker
    starts: npt.NDArray[np.int32]
    n_walks: int
    length: int
    block_walks: int
    _threads: int | None

    def __len__(self) -> int:
        return -(-self.n_walks // self.block_walks)

    def __getitem__(self, block: int) -> Walks:
        if not 0 <= block < len(self):
            raise IndexError(f"block {block} is out of range; there are {len(self)} blocks")
        first = block * self.block_walks
        return self._walks(first, min(self.block_walks, self.n_walks - first))

    def __iter__(self) -> Iterator[Walks]:
        for block in range(len(self)):
            yield self[block]

    def _walks(self, first: int, n: int) -> Walks:
        """Return the walks ``first..first + n - 1``."""
        walks = Walks(np.empty((n, self.length), np.int32), np.empty(n, np.int32))

        def work(start: int, stop: int) -> None:
            self._walker.fill(self.starts, first + start, Walks(walks.nodes[start:stop], walks.lengths[start:stop]))

        # The walks do not depend on the chunks; several chunks a thread keep all busy to the end.
        chunk = max(_CHUNK, n // (16 * (self._threads or default_threads())))
        for _ in map_chunks(work, n, chunk=chunk, threads=self._threads):
            pass
        return walks


@typed
def generate_walks(
    adjacency: Adjacency,
    *,
    walks_per_node: int = 10,
    length: int = 40,
    p: float = 1.0,
    q: float = 1.0,
    restart: float = 0.0,
    metapath: Sequence[str] | None = None,
    seed: int,
    starts: npt.ArrayLike | None = None,
    relation_weights: Mapping[str, float] | None = None,
    threads: int | None = None,
) -> Walks:
    """Return random walks: second-order, with restart, or along a meta-path.

    Parameters
    ----------
    adjacency : Adjacency
        The graph. Its edge weights, where it has any, are the w of the formula; parallel edges add up.
    walks_per_node : int, default 10
        Walks from each start. Walk ``i`` starts at ``starts[i % len(starts)]``.
    length : int, default 40
        Nodes in a walk, the start included. A node without out-edges ends a walk early.
    p, q : float, default 1.0
        Larger p: less going back. Larger q: stays closer to where it came from. > 0.
    restart : float, default 0.0
        Probability that a step from elsewhere goes back to the walk's start instead, below 1; the start is then written
        again. Above 0, a node without out-edges leads back to the start, and ends no walk.
    metapath : sequence of str or None
        Types of nodes (``("user", "item", "author", "item", "user")``) or relations
        (``("interacts", "rev_interacts")``) that walks follow again and again [3]_: see
        :func:`graphrec.graph.metapaths.pattern_of`. Such walks have no p, q and relation weights.
    seed : int
        The walks are a function of the graph, the settings and this; the number of threads plays no part.
    starts : ndarray or None
        (s,) int32 rows. None starts from every node, with a meta-path from every node that has its first step.
    relation_weights : mapping of str to float, or None
        Share of steps along each relation, >= 0: at a node, the relations that it has are taken in proportion to
        these, however many edges each has there. Relations left out weigh 1; 0 takes a relation out of the graph.
        None goes by edges alone (a relation with many edges at a node is then taken most of the time).
    threads : int or None
        None takes every processor.

    Returns
    -------
    Walks
        ``nodes`` (walks_per_node * s, length) and ``lengths``.

    Raises
    ------
    ConfigError
        On counts below 1, p or q not above 0, a restart out of range, relation weights below 0, or more walks than
        there is memory for (estimated first).
    DataError
        On starts out of range, a relation that the graph does not have, or a meta-path that it cannot follow.

    Notes
    -----
    Expected time O(1) a step for moderate p and q; a step that is refused 64 times is drawn exactly, O(deg log deg).

    References
    ----------
    .. [3] Y. Dong, N. Chawla, A. Swami, "metapath2vec: scalable representation learning for heterogeneous networks",
       KDD 2017, section 3.2.
    """
    stream = _stream(
        adjacency, walks_per_node, length, p, q, restart, metapath, seed, starts, relation_weights, threads, None
    )
    _check_memory(stream, stream.n_walks)
    return stream._walks(0, stream.n_walks)


@typed
def stream_walks(
    adjacency: Adjacency,
    *,
    walks_per_node: int = 10,
    length: int = 40,
    p: float = 1.0,
    q: float = 1.0,
    restart: float = 0.0,
    metapath: Sequence[str] | None = None,
    seed: int,
    starts: npt.ArrayLike | None = None,
    relation_weights: Mapping[str, float] | None = None,
    threads: int | None = None,
    block_walks: int | None = None,
) -> WalkStream:
    """Return the walks of :func:`generate_walks` by blocks, computed when they are read: memory holds one block.

    Parameters
    ----------
    block_walks : int or None
        Walks in a block. None takes as many as have 8 million nodes (32 MB).

    Raises
    ------
    ConfigError, DataError
        As :func:`generate_walks`; the memory is that of a block.
    """
    stream = _stream(
        adjacency, walks_per_node, length, p, q, restart, metapath, seed, starts, relation_weights, threads, block_walks
    )
    _check_memory(stream, stream.block_walks)
    return stream


@typed
def write_corpus(
    adjacency: Adjacency,
    path: Path,
    *,
    walks_per_node: int = 10,
    length: int = 40,
    p: float = 1.0,
    q: float = 1.0,
    restart: float = 0.0,
    metapath: Sequence[str] | None = None,
    seed: int,
    starts: npt.ArrayLike | None = None,
    relation_weights: Mapping[str, float] | None = None,
    threads: int | None = None,
) -> Corpus:
    """Write the walks of :func:`generate_walks` as text, one a line, rows in decimal, and return the counts.

    This is the LineSentence form of gensim's ``corpus_file``. Memory is bounded (about 150 MB), however many walks
    there are.

    Raises
    ------
    ConfigError, DataError
        As :func:`generate_walks`; the memory is that of a block, and the text must fit the disk.
    """
    stream = _stream(
        adjacency, walks_per_node, length, p, q, restart, metapath, seed, starts, relation_weights, threads, None
    )
    _check_memory(stream, stream.block_walks)
    width = len(str(max(adjacency.n_nodes - 1, 0))) + 1
    _check_disk(stream.n_walks * length * width, Path(path))
    counts = np.zeros(adjacency.n_nodes, dtype=np.int64)
    text = np.empty(stream.block_walks * length * width, dtype=np.uint8)
    with Path(path).open("wb") as file:
        for nodes, lengths in stream:
            file.write(text[: write_text(nodes, lengths, text, counts)].data)
    return Corpus(counts, stream.n_walks)


def _stream(
    adjacency: Adjacency,
    walks_per_node: int,
    length: int,
    p: float,
    q: float,
    restart: float,
    metapath: Sequence[str] | None,
    seed: int,
    starts: npt.ArrayLike | None,
    relation_weights: Mapping[str, float] | None,
    threads: int | None,
    block_walks: int | None,
) -> WalkStream:
    """Return the stream of walks, every setting checked."""
    check_walk_settings(walks_per_node, length, p, q)
    check_restart(restart)
    back, key = np.uint64(restart * 2.0**32), key_of(seed)
    walker: _Walker
    if metapath is None:
        walker = _second_order(adjacency, p, q, back, key, relation_weights, threads)
        every = np.arange(adjacency.n_nodes, dtype=np.int32)
    else:
        if p != 1 or q != 1 or relation_weights:
            raise ConfigError("metapath says where each step goes; leave p, q and relation_weights out")
        pattern = pattern_of(adjacency, metapath)
        walker, every = _Along(pattern, back, key), pattern.starts
    rows = as_array(every if starts is None else starts, np.int32, name="starts")
    check_rows(rows, adjacency.n_nodes, name="starts")
    n_walks = int(walks_per_node) * len(rows)
    fitting = max(1, min(n_walks, _BLOCK_NODES // length))
    if block_walks is not None:
        check_count("block_walks", block_walks, 1)
    return WalkStream(walker, rows, n_walks, length, block_walks or fitting, threads)


def _second_order(
    adjacency: Adjacency,
    p: float,
    q: float,
    back: np.uint64,
    key: np.uint64,
    relation_weights: Mapping[str, float] | None,
    threads: int | None,
) -> _SecondOrder:
    steps = transitions_of(adjacency, relation_weights)
    near = 1.0 if q == 1 or _may_have_triangles(adjacency) else 1 / q
    likely_back = len(steps.weights) == 0 and 1 / p > max(near, 1 / q)
    fold = likely_back and _goes_both_ways(steps, threads)
    return _SecondOrder(steps, np.array([1 / p, near, 1 / q]), fold, back, key)


def _goes_both_ways(steps: Transitions, threads: int | None) -> bool:
    """Return whether every edge has exactly one reverse edge, and none is repeated.

    By parts of the nodes, a few a thread: what a part looks up stays in cache, and no thread waits for a large one.
    """
    parts = 4 * (threads or default_threads())
    wanted = np.arange(parts + 1) * len(steps.indices) // parts
    bounds = np.searchsorted(steps.indptr, wanted)
    # Nodes at the end that no edge starts from may have edges to them.
    bounds[-1] = len(steps.indptr) - 1

    def work(part: int, _: int) -> bool:
        return bool(edges_go_both_ways(steps.indptr, steps.indices, bounds[part], bounds[part + 1]))

    return all(map_chunks(work, parts, chunk=1, threads=threads))


def check_walk_settings(walks_per_node: int, length: int, p: float, q: float) -> None:
    """Raise ConfigError unless the settings of a walk are legal."""
    check_count("walks_per_node", walks_per_node, 1)
    check_count("length", length, 1, _LONGEST)
    for name, value in (("p", p), ("q", q)):
        if not 1e-9 <= value <= 1e9:
            raise ConfigError(f"{name} is {value}; it must be above 0 and finite (1e-9 to 1e9)")


def _check_memory(stream: WalkStream, n: int) -> None:
    """Raise ConfigError if ``n`` walks take more memory than there is."""
    check_memory(4 * n * (stream.length + 1), f"{n:,} walks of {stream.length:,} nodes", _SMALLER)


def _check_disk(n_bytes: int, path: Path) -> None:
    """Raise ConfigError if the text of all walks takes more than the disk has."""
    folder = path.absolute().parent
    free = shutil.disk_usage(folder).free if folder.exists() else n_bytes
    if n_bytes > free:
        raise ConfigError(
            f"the text of the walks takes up to {n_bytes / 1e9:,.1f} GB, and {folder} has {free / 1e9:,.1f} GB; "
            "take fewer or shorter walks, or stream_walks, which writes nothing"
        )


def _may_have_triangles(adjacency: Adjacency) -> bool:
    """Tell whether edges t -> v -> x and t -> x can occur, going by the node types that edges join."""
    joined = joined_types(adjacency.indptr, adjacency.indices, adjacency.type_offsets)
    two_steps = (joined.astype(np.int64) @ joined.astype(np.int64)) > 0
    return bool((two_steps & joined).any())


__all__ = [
    "Corpus", "DataError", "WalkStream", "Walks", "check_walk_settings", "generate_walks", "stream_walks",
    "write_corpus",
]  # fmt: skip
