r"""Second-order random walks (node2vec) over a typed graph.

A walk that came from t to v goes on to x with

.. math:: P(x \mid t, v) \propto w_{vx} \cdot
    \begin{cases} 1/p & x = t \\ 1 & (t, x) \text{ is an edge} \\ 1/q & \text{otherwise} \end{cases}

Candidates are drawn by edge weight and accepted or refused [2]_, so that nothing is stored beyond the graph (and an
alias table where edges have weights). Where going back is the likeliest, that excess is drawn separately (the
"outliers" of [2]_). Where the node types admit no triangle (users - items - authors), "(t, x) is an edge" never
holds: it is not looked for, and only the ratio p / q matters.

A walk visits nodes about in proportion to their degree: hubs are seen most often, whatever the starts are.

References
----------
.. [1] A. Grover, J. Leskovec, "node2vec: Scalable feature learning for networks", KDD 2016, section 3.2.
.. [2] K. Yang et al., "KnightKing: a fast distributed graph random walk engine", SOSP 2019, section 4.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from graphrec.checks import as_array, check_rows, typed_late
from graphrec.errors import ConfigError, DataError
from graphrec.graph.adjacency import Adjacency
from graphrec.graph.counter_random import key_of
from graphrec.graph.transitions import Transitions, transitions_of
from graphrec.graph.walk_kernels import goes_both_ways, walk, write_text
from graphrec.threads import default_threads, map_chunks

# Walks that one thread takes at a time, and nodes held at once by the streaming form.
_CHUNK = 2048
_BLOCK_NODES = 1 << 23


class Walks(NamedTuple):
    """``nodes`` (n_walks, length) int32, -1 beyond the end of a walk; ``lengths`` (n_walks,) int32, >= 1."""

    nodes: npt.NDArray[np.int32]
    lengths: npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True, eq=False)
class Corpus:
    """What :func:`write_corpus` wrote: how often each node stands in it (n_nodes,) int64, and the number of walks."""

    counts: npt.NDArray[np.int64]
    n_walks: int


@dataclass(frozen=True, slots=True, eq=False)
class _Walker:
    """A graph made ready for walking, with every setting of the walks."""

    steps: Transitions
    starts: npt.NDArray[np.int32]
    biases: npt.NDArray[np.float64]
    fold: bool
    key: np.uint64
    n_walks: int
    length: int

    def fill(self, first: int, nodes: npt.NDArray[np.int32], lengths: npt.NDArray[np.int32]) -> None:
        """Write the walks from number ``first`` on."""
        steps = self.steps
        arrays = (steps.indptr, steps.indices, steps.weights, steps.thresholds, steps.aliases)
        walk(*arrays, self.starts, first, self.key, self.biases, self.fold, nodes, lengths)


@typed_late
def generate_walks(
    adjacency: Adjacency,
    *,
    walks_per_node: int = 10,
    length: int = 40,
    p: float = 1.0,
    q: float = 1.0,
    seed: int,
    starts: npt.ArrayLike | None = None,
    relation_weights: Mapping[str, float] | None = None,
    threads: int | None = None,
) -> Walks:
    """Return second-order random walks.

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
    seed : int
        The walks are a function of the graph, the settings and this; the number of threads plays no part.
    starts : ndarray or None
        (s,) int32 rows. None starts from every node.
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
        On counts below 1, p or q not above 0, or relation weights below 0.
    DataError
        On starts out of range or a relation that the graph does not have.

    Notes
    -----
    Expected time O(1) a step for moderate p and q; a step that is refused 64 times is drawn exactly, O(deg log deg).
    """
    walker = _prepare(adjacency, walks_per_node, length, p, q, seed, starts, relation_weights)
    nodes = np.empty((walker.n_walks, length), dtype=np.int32)
    lengths = np.empty(walker.n_walks, dtype=np.int32)
    _fill(walker, 0, nodes, lengths, threads)
    return Walks(nodes, lengths)


def write_corpus(
    adjacency: Adjacency,
    path: Path,
    *,
    walks_per_node: int = 10,
    length: int = 40,
    p: float = 1.0,
    q: float = 1.0,
    seed: int,
    starts: npt.ArrayLike | None = None,
    relation_weights: Mapping[str, float] | None = None,
    threads: int | None = None,
) -> Corpus:
    """Write the walks of :func:`generate_walks` as text, one a line, rows in decimal, and return the counts.

    This is the LineSentence form of gensim's ``corpus_file``. Memory is bounded (about 150 MB), however many walks
    there are.
    """
    walker = _prepare(adjacency, walks_per_node, length, p, q, seed, starts, relation_weights)
    counts = np.zeros(adjacency.n_nodes, dtype=np.int64)
    width = len(str(max(adjacency.n_nodes - 1, 0))) + 1
    text = np.empty(_block_walks(walker) * length * width, dtype=np.uint8)
    with path.open("wb") as file:
        for nodes, lengths in _blocks(walker, threads):
            file.write(text[: write_text(nodes, lengths, text, counts)].data)
    return Corpus(counts, walker.n_walks)


def _block_walks(walker: _Walker) -> int:
    return min(walker.n_walks, max(1, _BLOCK_NODES // walker.length))


def _blocks(walker: _Walker, threads: int | None) -> Iterator[Walks]:
    """Yield all walks in blocks; the arrays are used again for the next block."""
    size = _block_walks(walker)
    nodes, lengths = np.empty((size, walker.length), np.int32), np.empty(size, np.int32)
    for first in range(0, walker.n_walks, max(size, 1)):
        n = min(size, walker.n_walks - first)
        _fill(walker, first, nodes[:n], lengths[:n], threads)
        yield Walks(nodes[:n], lengths[:n])


def _fill(
    walker: _Walker, first: int, nodes: npt.NDArray[np.int32], lengths: npt.NDArray[np.int32], threads: int | None
) -> None:
    def work(start: int, stop: int) -> None:
        walker.fill(first + start, nodes[start:stop], lengths[start:stop])

    # The walks do not depend on the chunks; one chunk a thread and more keeps all busy to the end.
    chunk = max(_CHUNK, len(nodes) // (16 * (threads or default_threads())))
    for _ in map_chunks(work, len(nodes), chunk=chunk, threads=threads):
        pass


def _prepare(
    adjacency: Adjacency,
    walks_per_node: int,
    length: int,
    p: float,
    q: float,
    seed: int,
    starts: npt.ArrayLike | None,
    relation_weights: Mapping[str, float] | None,
) -> _Walker:
    """Return the walker, every setting checked."""
    check_walk_settings(walks_per_node, length, p, q)
    n = adjacency.n_nodes
    rows = as_array(np.arange(n, dtype=np.int32) if starts is None else starts, np.int32, name="starts")
    check_rows(rows, n, name="starts")
    steps = transitions_of(adjacency, relation_weights)
    near = 1.0 if _may_have_triangles(adjacency) else 1 / q
    biases = np.array([1 / p, near, 1 / q])
    likely_back = len(steps.weights) == 0 and 1 / p > max(near, 1 / q)
    fold = likely_back and bool(goes_both_ways(steps.indptr, steps.indices))
    return _Walker(steps, rows, biases, fold, key_of(seed), walks_per_node * len(rows), length)


def check_walk_settings(walks_per_node: int, length: int, p: float, q: float) -> None:
    """Raise ConfigError unless the settings of a walk are legal."""
    for name, count in (("walks_per_node", walks_per_node), ("length", length)):
        if count < 1:
            raise ConfigError(f"{name} is {count}; it must be at least 1")
    for name, value in (("p", p), ("q", q)):
        if not 1e-9 <= value <= 1e9:
            raise ConfigError(f"{name} is {value}; it must be above 0 and finite (1e-9 to 1e9)")


def _may_have_triangles(adjacency: Adjacency) -> bool:
    """Tell whether edges t -> v -> x and t -> x can occur, going by the node types that edges join."""
    offsets = adjacency.type_offsets
    n_types = len(offsets) - 1
    joined = np.zeros((n_types, n_types), dtype=np.bool_)
    for left in range(n_types):
        out = adjacency.indices[adjacency.indptr[offsets[left]] : adjacency.indptr[offsets[left + 1]]]
        joined[left] = [bool(((out >= offsets[t]) & (out < offsets[t + 1])).any()) for t in range(n_types)]
    two_steps = (joined.astype(np.int64) @ joined.astype(np.int64)) > 0
    return bool((two_steps & joined).any())


__all__ = ["Corpus", "DataError", "Walks", "check_walk_settings", "generate_walks", "write_corpus"]
