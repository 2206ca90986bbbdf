"""Graphs of any shape: nodes alone, dead ends, self loops, edges that stand twice, weights from 1e-38 to 1e38."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from graphrec.data.lists import item_lists
from graphrec.graph.adjacency import Adjacency, adjacency_from_edges
from graphrec.graph.importance import importance_neighbours
from graphrec.graph.pixie import pixie
from graphrec.graph.ppr import personalised_pagerank, push_pagerank
from graphrec.graph.walks import generate_walks
from tests.graphrec.graph.test_importance import dense
from tests.oracles.graph import exact_pagerank


@st.composite
def graphs(draw: st.DrawFn) -> Adjacency:
    n = draw(st.integers(1, 7))
    edges = draw(st.lists(st.tuples(*[st.integers(0, n - 1)] * 2, st.integers(0, 1)), max_size=20))
    sources, destinations, relations = (np.array([edge[place] for edge in edges], np.int64) for place in range(3))
    some = st.floats(2.0**-126, 2.0**126, width=32)
    weights = draw(st.none() | st.lists(some, min_size=len(edges), max_size=len(edges)))
    return adjacency_from_edges(
        sources, destinations, relations, weights,
        type_offsets=[0, n], node_types=["n"], relation_names=["a", "b"],
    )  # fmt: skip


def joined(graph: Adjacency) -> set[tuple[int, int]]:
    return set(zip(np.repeat(np.arange(graph.n_nodes), graph.degrees).tolist(), graph.indices.tolist(), strict=True))


@given(graphs(), st.floats(1e-3, 1e3), st.floats(1e-3, 1e3), st.sampled_from([0.0, 0.3]), st.integers(0, 2**70))
@settings(max_examples=60, deadline=None)
def test_walks_follow_edges_to_a_dead_end_or_to_their_length(
    graph: Adjacency, p: float, q: float, restart: float, seed: int
) -> None:
    edges = joined(graph)
    for relation_weights in (None, {"a": 1e30, "b": 1e-30}):
        walks = generate_walks(
            graph, walks_per_node=3, length=7, p=p, q=q, restart=restart, seed=seed, relation_weights=relation_weights
        )
        for nodes, length in zip(walks.nodes.tolist(), walks.lengths.tolist(), strict=True):
            assert nodes[length:] == [-1] * (7 - length)
            for here, after in pairwise(nodes[:length]):
                assert (here, after) in edges or (restart > 0 and after == nodes[0])
            if length < 7 and relation_weights is None:
                assert graph.degrees[nodes[length - 1]] == 0


@given(graphs(), st.sampled_from([0.05, 0.15, 0.9]))
@settings(max_examples=60, deadline=None)
def test_pagerank_lacks_what_it_says(graph: Adjacency, restart: float) -> None:
    seeds = range(graph.n_nodes)
    wanted = np.array([exact_pagerank(graph, seed, restart) for seed in seeds])
    for table, missing in (
        personalised_pagerank(graph, seeds, restart=restart, tolerance=1e-3),
        push_pagerank(graph, seeds, restart=restart, epsilon=1e-3),
    ):
        lacking = wanted - dense(table)
        assert lacking.min() > -1e-6
        assert np.allclose(lacking.sum(axis=1), missing, atol=1e-5)


@given(graphs(), st.integers(0, 2**70))
@settings(max_examples=60, deadline=None)
def test_neighbours_are_reached_and_their_shares_sum_to_one(graph: Adjacency, seed: int) -> None:
    table = importance_neighbours(graph, walks=20, length=4, seed=seed)
    reached = (np.linalg.matrix_power(np.eye(graph.n_nodes) + _edges(graph), graph.n_nodes) > 0).astype(int)
    for node in range(graph.n_nodes):
        neighbours, shares = table[node]
        assert node not in neighbours
        assert reached[node, neighbours].all()
        assert len(shares) == 0 or abs(shares.sum() - 1) < 1e-5
    visited = pixie(graph, item_lists([range(graph.n_nodes), [0]]), steps=50, seed=seed)
    assert len(visited.table[0][0]) == 0  # every node is asked about
    assert reached[0, visited.table[1][0]].all()


def _edges(graph: Adjacency) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    matrix = np.zeros((graph.n_nodes, graph.n_nodes))
    for here, after in joined(graph):
        matrix[here, after] = 1
    return matrix
