"""Small neighbourhoods of the catalogue as networkx graphs, for people to look at."""

from __future__ import annotations

import networkx as nx  # type: ignore[import-untyped]
import numpy as np

from graphrec.checks import typed
from graphrec.errors import ConfigError, DataError
from graphrec.graph.catalogue import CatalogueGraph


@typed
def to_networkx(catalogue: CatalogueGraph, node: int, *, hops: int = 1, max_nodes: int = 100) -> nx.MultiDiGraph:
    """Return the neighbourhood of ``node``: everything within ``hops`` edges, and all edges among it.

    Parameters
    ----------
    node : int
        A row of the catalogue: an item, or an entity.
    hops : int, default 1
        Edges from the centre, >= 0. Reverse relations make them count in both directions.
    max_nodes : int, default 100
        Nearest nodes are kept first, within one distance those of fewest edges (a hub says least), then lower rows.

    Returns
    -------
    networkx.MultiDiGraph
        Nodes are catalogue rows with ``id``, ``label``, ``type`` and ``distance``; edges have ``relation`` as key and
        as attribute. Reverse relations (``rev_…``) are left out: each edge stands once. ``graph["n_left_out"]`` counts
        the nodes beyond ``max_nodes``.

    Raises
    ------
    DataError
        If there is no such row.
    ConfigError
        If ``hops < 0`` or ``max_nodes < 1``.
    """
    adjacency = catalogue.adjacency
    if not 0 <= node < adjacency.n_nodes:
        raise DataError(f"node {node} is out of range; legal rows are 0 to {adjacency.n_nodes - 1}")
    if hops < 0 or max_nodes < 1:
        raise ConfigError(f"hops is {hops} and max_nodes {max_nodes}; hops must be >= 0 and max_nodes >= 1")
    distances, n_left_out = _within(catalogue, node, hops, max_nodes)
    graph = nx.MultiDiGraph(n_left_out=n_left_out)
    for row, distance in distances.items():
        kind = int(np.searchsorted(adjacency.type_offsets, row, side="right")) - 1
        graph.add_node(
            row,
            id=catalogue.node_id(row),
            label=catalogue.label(row),
            type=adjacency.node_types[kind],
            distance=distance,
        )
    for row in distances:
        edges = slice(adjacency.indptr[row], adjacency.indptr[row + 1])
        for other, number in zip(adjacency.indices[edges].tolist(), adjacency.relations[edges].tolist(), strict=True):
            relation = adjacency.relation_names[number]
            if other in distances and not relation.startswith("rev_"):
                graph.add_edge(row, other, key=relation, relation=relation)
    return graph


def _within(catalogue: CatalogueGraph, node: int, hops: int, max_nodes: int) -> tuple[dict[int, int], int]:
    """Return the distance of each kept node, nearest first, and how many were left out."""
    adjacency = catalogue.adjacency
    distances, front, n_left_out = {node: 0}, [node], 0
    for distance in range(1, hops + 1):
        reached = {
            int(other)
            for row in front
            for other in adjacency.indices[adjacency.indptr[row] : adjacency.indptr[row + 1]]
        }
        fresh = sorted(reached - distances.keys(), key=lambda row: (int(adjacency.degrees[row]), row))
        front = fresh[: max_nodes - len(distances)]
        n_left_out += len(fresh) - len(front)
        distances.update(dict.fromkeys(front, distance))
    return distances, n_left_out
