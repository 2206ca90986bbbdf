r"""Skip-gram over walks that are drawn while they are learnt from, by negative sampling or hierarchical softmax.

For each node b of a walk, each node a in a window around it, and K nodes n drawn at random,

.. math:: \log \sigma(in_a \cdot out_b) + \sum_{n} \log \sigma(-in_a \cdot out_n)

is raised by gradient steps. Objective, shrinking windows, negatives (by the count of a node in the walks to a power)
and the linearly falling rate are those of word2vec [1]_; the order of the work is not: the inputs of a window share
their negatives, and move together [2]_.

Hierarchical softmax [3]_ has a vector for each inner node of a Huffman tree over the nodes, in place of negatives and
of outputs, and raises the probability of the way from the root to b,

.. math:: \log P(b \mid a) = \sum_{v} \log \sigma(\pm in_a \cdot out_v)

over the inner nodes v on it, + where it goes to the left: P is a distribution over all nodes, of log2(n) products.

References
----------
.. [1] T. Mikolov, I. Sutskever, K. Chen, G. Corrado, J. Dean, "Distributed representations of words and phrases and
   their compositionality", NIPS 2013.
.. [2] S. Ji, N. Satish, S. Li, P. Dubey, "Parallelizing word2vec in shared and distributed memory", 2016,
   arXiv 1604.04661.
.. [3] F. Morin, Y. Bengio, "Hierarchical probabilistic neural network language model", AISTATS 2005; with a Huffman
   tree as in [1]_.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from graphrec.errors import ConfigError
from graphrec.graph.counter_random import key_of
from graphrec.graph.transitions import build_alias
from graphrec.graph.walks import WalkStream
from graphrec.models.node_embeddings.huffman import huffman_tree
from graphrec.models.node_embeddings.skip_gram_kernels import count_nodes, train_walks, train_walks_by_tree
from graphrec.threads import map_chunks

FloatArray = npt.NDArray[np.float32]
RowArray = npt.NDArray[np.int32]
Progress = Callable[[int, float], None]
Loss = Literal["negative", "hierarchical"]

# Nodes that a thread walks, and then learns from, at a time.
_BLOCK_NODES = 1 << 15
# The rate falls to this.
_LAST_RATE = 1e-4
# The walks of a seed and the numbers that learning draws are not to be the same.
_OTHER_KEY = 0x5EED_0F_5617


class Vectors(NamedTuple):
    """(n_nodes, dim) float32 each: what a node is as input (centre) and as output (context).

    Hierarchical softmax learns no outputs of nodes: they are 0.
    """

    inputs: FloatArray
    outputs: FloatArray


class NegativeTable(NamedTuple):
    """An alias table over the t nodes that stand in the walks; all three are (t,)."""

    nodes: RowArray
    thresholds: npt.NDArray[np.uint32]
    aliases: RowArray


@dataclass(frozen=True, slots=True, kw_only=True)
class SkipGram:
    """Settings of :func:`train_skip_gram`, with the meaning and the ranges that Node2Vec gives them."""

    dim: int
    window: int
    negative: int
    ns_exponent: float
    lr: float
    loss: Loss = "negative"


def train_skip_gram(
    walks: WalkStream,
    counts: npt.NDArray[np.int64],
    settings: SkipGram,
    *,
    seed: int,
    threads: int = 1,
    start: Vectors | None = None,
    fixed: npt.NDArray[np.bool_] | None = None,
    progress: Progress = lambda _walks, _loss: None,
) -> Vectors:
    """Return the vectors that the walks teach, one pass over them.

    Parameters
    ----------
    walks : WalkStream
        Of one thread and of small blocks (:func:`block_walks`): a thread walks a block and learns from it at once.
        Walks of a single node teach nothing.
    counts : ndarray
        (n_nodes,) int64: how often each node stands in the walks, or in a part of them (:func:`node_counts`). Nodes of
        count 0 are never drawn as negatives, and have no place in the tree of hierarchical softmax.
    settings : SkipGram
        What is learnt, and how fast.
    seed : int
        With one thread the vectors are a function of the walks, the counts, the settings and this, to the byte.
    threads : int, default 1
        More than one write to the same vectors without locks [1]_: quicker, and a little different on each run.
    start : Vectors or None
        Where to start, changed in place; None draws inputs as word2vec does and sets outputs to 0.
    fixed : ndarray or None
        (n_nodes,) bool: nodes whose vectors stay as they are, to the byte; by negative sampling alone.
    progress : callable
        Called with the number of walks done and the mean loss of a pair with its negatives, over the last of them.

    Raises
    ------
    ConfigError
        If the loss is no longer finite: ``lr`` is too large.

    Notes
    -----
    Time O(nodes in walks * window * negative * dim); memory 8 n_nodes dim bytes. No walk is kept.

    References
    ----------
    .. [1] F. Niu, B. Recht, C. Re, S. Wright, "Hogwild!: a lock-free approach to parallelizing stochastic gradient
       descent", NIPS 2011.
    """
    n_walks = walks.n_walks
    vectors = first_vectors(len(counts), settings.dim, seed) if start is None else start
    if not counts.any() or n_walks == 0:
        return vectors
    train, learnt = _learner(vectors, counts, settings, np.empty(0, np.bool_) if fixed is None else fixed)
    key = key_of(seed ^ _OTHER_KEY)
    fall = (settings.lr - min(_LAST_RATE, settings.lr)) / n_walks

    def work(block: int, _stop: int) -> float:
        return train(*walks[block], block * walks.block_walks, key, *learnt, settings.lr, fall)

    for block, loss in enumerate(map_chunks(work, len(walks), chunk=1, threads=threads)):
        done = min(n_walks, (block + 1) * walks.block_walks)
        if not np.isfinite(loss):
            raise ConfigError(
                f"the loss of skip-gram is {loss} within {done} of {n_walks} walks; lower lr, which is {settings.lr:g}"
            )
        progress(done, loss)
    return vectors


def _learner(
    vectors: Vectors, counts: npt.NDArray[np.int64], settings: SkipGram, fixed: npt.NDArray[np.bool_]
) -> tuple[Callable[..., float], tuple[Any, ...]]:
    """Return what trains on a block of walks, and the part of its arguments that is the same for each block."""
    if settings.loss == "negative":
        table = negative_table(counts, settings.ns_exponent)
        return train_walks, (*vectors, *table, fixed, settings.window, settings.negative)
    tree = huffman_tree(counts)
    # A tree of t leaves has t - 1 inner nodes.
    inner = np.zeros_like(vectors.inputs)
    return train_walks_by_tree, (vectors.inputs, inner, *tree, tree.depth, settings.window)


def first_vectors(n_nodes: int, dim: int, seed: int) -> Vectors:
    """Return the vectors that word2vec starts from: inputs uniform within 1 / (2 dim) of 0, outputs 0."""
    drawn = np.random.default_rng(seed).random((n_nodes, dim), dtype=np.float32)
    return Vectors((drawn - np.float32(0.5)) / np.float32(dim), np.zeros((n_nodes, dim), dtype=np.float32))


def block_walks(length: int) -> int:
    """Return how many walks of ``length`` nodes a thread takes at a time."""
    return max(1, _BLOCK_NODES // length)


def node_counts(walks: WalkStream, n_nodes: int, n_walks: int) -> npt.NDArray[np.int64]:
    """Return how often each node stands in the blocks that hold the first ``n_walks`` walks, (n_nodes,) int64.

    Lone nodes are left out.
    """
    counts = np.zeros(n_nodes, dtype=np.int64)

    def work(block: int, _stop: int) -> RowArray:
        nodes, lengths = walks[block]
        return nodes[(np.arange(walks.length) < lengths[:, None]) & (lengths > 1)[:, None]]

    for nodes in map_chunks(work, -(-n_walks // walks.block_walks), chunk=1):
        count_nodes(nodes, counts)
    return counts


def negative_table(counts: npt.NDArray[np.int64], exponent: float) -> NegativeTable:
    """Return the table that draws each node with a count above 0 by its count to the power ``exponent``."""
    nodes = np.flatnonzero(counts).astype(np.int32)
    powers = exponent * np.log(counts[nodes])
    weights = np.exp(powers - powers.max()).astype(np.float32)
    thresholds, aliases = np.empty(len(nodes), np.uint32), np.empty(len(nodes), np.int32)
    build_alias(np.array([0, len(nodes)]), weights, thresholds, aliases)
    return NegativeTable(nodes, thresholds, aliases)
