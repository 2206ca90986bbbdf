"""Slow, obvious versions: a graph's steps as a dense matrix, and what follows from it."""

from __future__ import annotations

import numpy as np

from graphrec.graph.adjacency import Adjacency
from tests.oracles.sparse import Dense


def step_matrix(graph: Adjacency, home: int) -> Dense:
    """Return (n, n) float64: the probability of each step; a node without out-edges leads to ``home``."""
    steps = np.zeros((graph.n_nodes, graph.n_nodes))
    weights = np.ones(graph.n_edges) if graph.weights is None else graph.weights.astype(np.float64)
    for node in range(graph.n_nodes):
        for edge in range(graph.indptr[node], graph.indptr[node + 1]):
            steps[node, graph.indices[edge]] += weights[edge]
        if steps[node].sum() == 0:
            steps[node, home] = 1.0
    steps /= steps.sum(axis=1, keepdims=True)
    return steps


def expected_visits(graph: Adjacency, start: int, length: int, restart: float) -> Dense:
    """Return (n,) float64: how often a walk with restart of ``length`` steps visits each node after its start."""
    steps, home, dead = step_matrix(graph, start), np.eye(graph.n_nodes)[start], graph.degrees == 0
    if dead[start]:
        return np.zeros(graph.n_nodes)
    place, visits = home, np.zeros(graph.n_nodes)
    for _ in range(length):
        staying = np.where(dead, 0.0, (1 - restart) * place)
        place = (staying + (1 - staying.sum()) * home) @ steps
        visits += place
    return visits


def exact_pagerank(graph: Adjacency, seed: int, restart: float) -> Dense:
    """Return (n,) float64: the solution of pi = restart e + (1 - restart) pi P."""
    n = graph.n_nodes
    left = np.eye(n) - (1 - restart) * step_matrix(graph, seed).T
    solved: Dense = np.linalg.solve(left, restart * np.eye(n)[seed])
    return solved
