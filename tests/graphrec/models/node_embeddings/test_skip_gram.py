from __future__ import annotations

from dataclasses import replace
from itertools import product
from typing import get_args

import networkx as nx  # type: ignore[import-untyped]
import numpy as np
import numpy.typing as npt
import pytest
from scipy.optimize import approx_fprime
from scipy.stats import chisquare

from graphrec.errors import ConfigError
from graphrec.graph.adjacency import Adjacency, adjacency_from_edges
from graphrec.graph.counter_random import key_of
from graphrec.graph.walks import WalkStream, generate_walks, stream_walks
from graphrec.models.node_embeddings.huffman import huffman_tree
from graphrec.models.node_embeddings.skip_gram import (
    Loss,
    SkipGram,
    Vectors,
    first_vectors,
    negative_table,
    node_counts,
    train_skip_gram,
)
from graphrec.models.node_embeddings.skip_gram_kernels import train_walks, train_walks_by_tree, train_window
from tests.oracles import skip_gram as oracle

SETTINGS = SkipGram(dim=16, window=3, negative=5, ns_exponent=0.75, lr=0.05)
MOVING = np.empty(0, np.bool_)
COMMUNITIES, SIZE = 5, 20


def graph_of(graph: nx.Graph) -> Adjacency:
    """Return an undirected graph of one node type."""
    a, b = np.array(graph.edges).T
    n = graph.number_of_nodes()
    return adjacency_from_edges(
        np.r_[a, b], np.r_[b, a], np.zeros(2 * len(a), np.int16), type_offsets=[0, n], node_types=["node"],
        relation_names=["to"],
    )  # fmt: skip


def planted() -> Adjacency:
    """Return communities of rows 0-19, 20-39, …: half of the pairs inside are joined, a hundredth of those between."""
    return graph_of(nx.planted_partition_graph(COMMUNITIES, SIZE, 0.5, 0.01, seed=3))


def walks_of(
    graph: Adjacency, *, walks_per_node: int = 10, length: int = 12, seed: int = 1, block: int = 500
) -> WalkStream:
    return stream_walks(graph, walks_per_node=walks_per_node, length=length, seed=seed, threads=1, block_walks=block)


def learn(
    graph: Adjacency, settings: SkipGram = SETTINGS, *, seed: int = 1, threads: int = 1, rounds: int = 10
) -> Vectors:
    walks = walks_of(graph, walks_per_node=rounds, seed=seed)
    counts = node_counts(walks, graph.n_nodes, walks.n_walks)
    return train_skip_gram(walks, counts, settings, seed=seed, threads=threads)


def purity(vectors: npt.NDArray[np.float32]) -> float:
    """Return the share of each node's five nearest by cosine that are of its own community."""
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    cosines = unit @ unit.T
    np.fill_diagonal(cosines, -1)
    nearest = np.argsort(-cosines, axis=1)[:, :5]
    return float((nearest // SIZE == np.arange(len(vectors))[:, None] // SIZE).mean())


@pytest.mark.parametrize(("n", "m", "dim"), list(product([1, 3, 4, 6, 9], [1, 2, 6, 8], [1, 7, 64])))
def test_a_step_with_a_window_is_a_step_down_the_gradient(n: int, m: int, dim: int) -> None:
    rng = np.random.default_rng(n * m * dim)
    inputs, outputs = (rng.normal(size=(20, dim)).astype(np.float32) for _ in range(2))
    rows, drawn = rng.integers(0, 20, n).astype(np.int32), rng.permutation(20)[:m].astype(np.int32)
    labels = rng.integers(0, 2, m).astype(np.float32)
    expected = inputs.astype(np.float64), outputs.astype(np.float64)
    oracle.window_step(*expected, rows.tolist(), drawn.tolist(), labels.tolist(), 0.1)
    buffers = np.empty(n * m, np.float32), np.empty((m, dim), np.float32), np.empty((m, dim), np.float32)
    loss = oracle.window_loss(inputs[rows].astype(np.float64), outputs[drawn].astype(np.float64), labels.tolist())
    measured = train_window(inputs, outputs, rows, n, drawn, labels, m, MOVING, 0.1, buffers, True)
    np.testing.assert_allclose(measured, loss / n, rtol=1e-4)
    for ours, theirs in zip((inputs, outputs), expected, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-4)


@pytest.mark.parametrize("labels", [(1, 0), (0, 1), (1, 1)])
def test_the_oracle_s_step_is_the_gradient_of_its_loss(labels: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    inputs, outputs = rng.normal(size=(3, 4)), rng.normal(size=(2, 4))
    moved = inputs.copy(), outputs.copy()
    oracle.window_step(*moved, [0, 1, 2], [0, 1], labels, 1e-3)

    def loss(flat: npt.NDArray[np.float64]) -> float:
        both = flat.reshape(5, 4)
        return oracle.window_loss(both[:3], both[3:], labels)

    gradient = approx_fprime(np.concatenate([inputs, outputs]).ravel(), loss, 1e-7).reshape(5, 4)
    np.testing.assert_allclose(np.concatenate(moved) - np.concatenate([inputs, outputs]), -1e-3 * gradient, atol=1e-8)


@pytest.mark.parametrize("loss", get_args(Loss))
def test_training_on_walks_is_what_the_definition_says(loss: Loss) -> None:
    walks = generate_walks(graph_of(nx.lollipop_graph(6, 9)), walks_per_node=4, length=9, seed=3)
    counts = np.bincount(walks.nodes[walks.nodes >= 0], minlength=15)
    table, tree, key = negative_table(counts, 0.75), huffman_tree(counts), key_of(11)
    inputs, outputs = first_vectors(15, 10, 2)
    expected = inputs.astype(np.float64), outputs.astype(np.float64)

    def way(middle: int, _draw: object) -> tuple[list[int], list[float]]:
        here = slice(*tree.indptr[middle : middle + 2])
        return tree.points[here].tolist(), tree.labels[here].tolist()

    oracle.train(
        [walk[:n].tolist() for walk, n in zip(walks.nodes, walks.lengths, strict=True)], *expected, key=key, window=4,
        rate=0.2, fall=0.002, outputs_of=oracle.negatives_of(table, 3) if loss == "negative" else way,
    )  # fmt: skip
    if loss == "negative":
        train_walks(walks.nodes, walks.lengths, 0, key, inputs, outputs, *table, MOVING, 4, 3, 0.2, 0.002)
    else:
        train_walks_by_tree(walks.nodes, walks.lengths, 0, key, inputs, outputs, *tree, tree.depth, 4, 0.2, 0.002)
    for ours, theirs in zip((inputs, outputs), expected, strict=True):
        assert np.abs(theirs).max() > 0.3
        np.testing.assert_allclose(ours, theirs, atol=2e-4)


def test_hierarchical_softmax_recovers_communities_and_repeats_itself() -> None:
    by_tree = replace(SETTINGS, loss="hierarchical")
    first, again = (learn(planted(), by_tree, rounds=60) for _ in range(2))
    assert purity(first.inputs) > 0.9
    assert first.inputs.tobytes() == again.inputs.tobytes()
    assert not first.outputs.any()  # the vectors of the tree are not those of nodes


@pytest.mark.parametrize("exponent", [0.0, 0.75, 1.0, -0.5])
def test_negatives_are_drawn_by_a_power_of_the_counts(exponent: float) -> None:
    counts = np.array([9, 0, 1, 4, 0, 25, 2])
    nodes, thresholds, aliases = negative_table(counts, exponent)
    assert nodes.tolist() == [0, 2, 3, 5, 6]
    rng = np.random.default_rng(1)
    slots = rng.integers(0, 5, 40_000)
    chosen = np.where(rng.integers(0, 1 << 32, len(slots)) < thresholds[slots], slots, aliases[slots])
    expected = counts[nodes].astype(np.float64) ** exponent
    assert chisquare(np.bincount(chosen, minlength=5), expected * len(slots) / expected.sum()).pvalue > 1e-4


def test_extreme_exponents_stay_finite() -> None:
    nodes, thresholds, _ = negative_table(np.array([1, 10**9]), 5.0)
    assert nodes.tolist() == [0, 1]
    assert thresholds[0] == 0


def test_communities_are_recovered() -> None:
    """Drawn at random, a fifth of the nearest would be of the own community."""
    vectors = learn(planted(), rounds=30)
    assert purity(vectors.inputs) > 0.9
    own = np.repeat(np.arange(COMMUNITIES), SIZE)
    scores = vectors.inputs @ vectors.outputs.T
    assert scores[own[:, None] == own].mean() > scores[own[:, None] != own].mean() + 1


def test_the_loss_falls() -> None:
    graph, losses = planted(), []
    walks = walks_of(graph, walks_per_node=200)
    counts = node_counts(walks, graph.n_nodes, 1000)
    train_skip_gram(walks, counts, SETTINGS, seed=1, progress=lambda _walks, loss: losses.append(loss))
    # Outputs of 0 score 0: log 2 for the pair and each of its negatives that is another node.
    assert losses[0] < 6 * np.log(2)
    assert losses[-1] < losses[0] - 0.3


def test_one_thread_gives_the_same_bytes_and_another_seed_others() -> None:
    graph = planted()
    first, again, other = (learn(graph, seed=seed) for seed in (1, 1, 2))
    assert first.inputs.tobytes() == again.inputs.tobytes()
    assert first.outputs.tobytes() == again.outputs.tobytes()
    assert first.inputs.tobytes() != other.inputs.tobytes()


def test_several_threads_learn_as_well() -> None:
    assert purity(learn(planted(), rounds=300, threads=2).inputs) > 0.9


def test_progress_ends_with_all_walks() -> None:
    graph, done = planted(), list[int]()
    walks = walks_of(graph, walks_per_node=100)
    counts = node_counts(walks, graph.n_nodes, walks.n_walks)
    train_skip_gram(walks, counts, SETTINGS, seed=1, progress=lambda walks, _loss: done.append(walks))
    assert len(done) > 2
    assert done == sorted(set(done))
    assert done[-1] == walks.n_walks


def test_counts_are_those_of_the_walks_without_lone_nodes() -> None:
    graph = nx.path_graph(4)
    graph.add_node(4)
    adjacency = graph_of(graph)
    walks = walks_of(adjacency, walks_per_node=3, length=5)
    nodes, lengths = generate_walks(adjacency, walks_per_node=3, length=5, seed=1)
    assert lengths.min() == 1
    expected = np.bincount(nodes[lengths > 1].ravel(), minlength=5)
    np.testing.assert_array_equal(node_counts(walks, 5, walks.n_walks), expected)
    assert expected[4] == 0


def test_lone_nodes_learn_nothing_and_are_no_negatives() -> None:
    graph = nx.path_graph(4)
    graph.add_node(4)
    vectors = learn(graph_of(graph))
    start = first_vectors(5, SETTINGS.dim, 1)
    assert vectors.inputs[4].tobytes() == start.inputs[4].tobytes()
    assert (vectors.outputs[4] == 0).all()
    assert (vectors.outputs[:4] != 0).any(axis=1).all()


def test_a_graph_without_edges_gives_the_vectors_of_the_start() -> None:
    graph = adjacency_from_edges([], [], [], type_offsets=[0, 3], node_types=["node"], relation_names=["to"])
    assert (learn(graph).outputs == 0).all()
    empty = adjacency_from_edges([], [], [], type_offsets=[0, 0], node_types=["node"], relation_names=["to"])
    assert learn(empty).inputs.shape == (0, SETTINGS.dim)


def test_fixed_nodes_keep_their_vectors_to_the_byte() -> None:
    graph = planted()
    old = learn(graph)
    fixed = np.arange(graph.n_nodes) < 2 * SIZE
    before = [part.copy() for part in old]
    walks = walks_of(graph, seed=5)
    counts = node_counts(walks, graph.n_nodes, walks.n_walks)
    after = train_skip_gram(walks, counts, SETTINGS, seed=5, start=old, fixed=fixed)
    for was, now in zip(before, after, strict=True):
        assert was[fixed].tobytes() == now[fixed].tobytes()
        assert (was[~fixed] != now[~fixed]).any(axis=1).all()


def test_a_rate_that_is_too_large_is_named() -> None:
    graph = planted()
    with pytest.raises(
        ConfigError, match=r"the loss of skip-gram is (nan|inf) within 500 of 1000 walks; lower lr, which is 1e\+30"
    ):
        learn(graph, replace(SETTINGS, lr=1e30))
