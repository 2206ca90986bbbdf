"""Small graphs that the tests of this room share: undirected and directed, with and without weights and types."""

from __future__ import annotations

import networkx as nx  # type: ignore[import-untyped]
import numpy as np

from graphrec.graph.adjacency import Adjacency, adjacency_from_edges


def graph_of(
    edges: list[tuple[int, int, float]],
    n: int,
    *,
    weighted: bool = False,
    relations: list[int] | None = None,
    split: int | None = None,
) -> Adjacency:
    """Return the undirected graph of ``edges``; ``split`` makes two node types, the second from that row on."""
    numbers = relations or [0] * len(edges)
    both = [(a, b, w, r) for (a, b, w), r in zip(edges, numbers, strict=True)]
    both += [(b, a, w, r) for a, b, w, r in both]
    a, b, w, r = (np.array(column) for column in zip(*both, strict=True))
    names = ["knows", "likes"]
    offsets, types = ([0, n], ["person"]) if split is None else ([0, split, n], ["user", "item"])
    weights = w.astype(np.float32) if weighted else None
    return adjacency_from_edges(a, b, r, weights, type_offsets=offsets, node_types=types, relation_names=names)


def unit(graph: nx.Graph) -> list[tuple[int, int, float]]:
    """Return the edges of a networkx graph, each of weight 1."""
    return [(a, b, 1.0) for a, b in graph.edges]


HOUSE = [(0, 1, 1.0), (1, 2, 3.0), (2, 3, 1.0), (3, 0, 2.0), (0, 4, 0.5), (1, 4, 1.0)]
BIPARTITE = [(0, 3, 1.0), (0, 4, 1.0), (1, 3, 1.0), (1, 5, 1.0), (2, 4, 1.0), (2, 5, 1.0), (0, 6, 1.0), (2, 6, 1.0)]
GRAPHS: dict[str, Adjacency] = {
    "K5": graph_of(unit(nx.complete_graph(5)), 5),
    "path": graph_of(unit(nx.path_graph(4)), 4),
    "star": graph_of(unit(nx.star_graph(4)), 5),
    "house": graph_of(HOUSE, 5),
    "bipartite": graph_of(BIPARTITE, 7, split=3),
    "weighted house": graph_of(HOUSE, 5, weighted=True),
    "house with parallel edges": graph_of([*HOUSE, (0, 1, 1.0), (1, 4, 1.0)], 5, relations=[0] * 6 + [1, 1]),
    "weighted, parallel": graph_of([*HOUSE, (0, 1, 4.0)], 5, relations=[0] * 6 + [1], weighted=True),
    "directed": adjacency_from_edges(
        [0, 0, 1, 1, 2, 2, 3], [1, 2, 2, 3, 0, 3, 0], [0] * 7,
        type_offsets=[0, 4], node_types=["n"], relation_names=["to"],
    ),
}  # fmt: skip
# A dead end (3), a node that stands alone (4), a self loop (1), an edge twice (0, 1), weights of 1e-30 to 1e30.
ODD = adjacency_from_edges(
    [0, 0, 0, 1, 1, 2, 2], [1, 1, 2, 1, 0, 3, 0], [0] * 7, [1e-30, 2e-30, 1e-30, 1e30, 3e30, 5.0, 1.0],
    type_offsets=[0, 5], node_types=["n"], relation_names=["to"],
)  # fmt: skip
