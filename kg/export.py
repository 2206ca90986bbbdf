"""The catalogue, whole or near a node, as networkx graphs, for people to look at."""

from __future__ import annotations

from collections.abc import Iterable

import networkx as nx  # type: ignore[import-untyped]
import numpy as np

from graphrec.checks import typed
from graphrec.errors import ConfigError, DataError
from graphrec.graph.catalogue import CatalogueGraph
from graphrec.graph.relations import is_reverse


@typed
def to_networkx(
    catalogue: CatalogueGraph, node: int | str | None = None, *, hops: int = 1, max_nodes: int = 100
) -> nx.MultiDiGraph:
    """Return the neighbourhood of ``node``: everything within ``hops`` edges, and all edges among it.

    Parameters
    ----------
    node : int, str or None
        An item id or the IRI of an entity (where both have a name, the item), or a row of the catalogue. None returns
        the whole catalogue, however large; ``hops`` and ``max_nodes`` then play no part.
    hops : int, default 1
        Edges from the centre, >= 0. Reverse relations make them count in both directions.
    max_nodes : int, default 100
        Nearest nodes are kept first, within one distance those of fewest edges (a hub says least), then lower rows.

    Returns
    -------
    networkx.MultiDiGraph
        Nodes are catalogue rows with ``id``, ``label`` and ``type``, near a node with ``distance``; edges have
        ``relation`` as key and as attribute, and ``weight`` where the catalogue has weights. Reverse relations
        (``rev_…``) are left out: each edge stands once. ``graph["n_left_out"]`` counts the nodes beyond ``max_nodes``.

    Raises
    ------
    UnknownIdError
        If there is no such id, with the nearest.
    DataError
        If there is no such row.
    ConfigError
        If ``hops < 0`` or ``max_nodes < 1``.

    Notes
    -----
    ``networkx.relabel_nodes(graph, networkx.get_node_attributes(graph, "id"))`` names the nodes by id.
    """
    adjacency = catalogue.adjacency
    if hops < 0 or max_nodes < 1:
        raise ConfigError(f"hops is {hops} and max_nodes {max_nodes}; hops must be >= 0 and max_nodes >= 1")
    if node is None:
        graph = _with_nodes(catalogue, range(adjacency.n_nodes), n_left_out=0)
    else:
        distances, n_left_out = _within(catalogue, _row_of(catalogue, node), hops, max_nodes)
        graph = _with_nodes(catalogue, distances, n_left_out=n_left_out)
        nx.set_node_attributes(graph, distances, "distance")
    _add_edges(graph, catalogue)
    return graph


def _row_of(catalogue: CatalogueGraph, node: int | str) -> int:
    """Return the row of a node by its id; of a row, itself."""
    if not isinstance(node, str):
        n_nodes = catalogue.adjacency.n_nodes
        if not 0 <= node < n_nodes:
            raise DataError(f"node {node} is out of range; legal rows are 0 to {n_nodes - 1}")
        return int(node)
    if node in catalogue.entities and node not in catalogue.items:
        return catalogue.n_items + catalogue.entities.row(node)
    return catalogue.items.row(node, kind="item")


def _with_nodes(catalogue: CatalogueGraph, rows: Iterable[int], *, n_left_out: int) -> nx.MultiDiGraph:
    """Return a graph of the nodes at ``rows``, without edges."""
    adjacency = catalogue.adjacency
    graph = nx.MultiDiGraph(n_left_out=n_left_out)
    for row in rows:
        kind = adjacency.node_types[int(np.searchsorted(adjacency.type_offsets, row, side="right")) - 1]
        graph.add_node(row, id=catalogue.node_id(row), label=catalogue.label(row), type=kind)
    return graph


def _add_edges(graph: nx.MultiDiGraph, catalogue: CatalogueGraph) -> None:
    """Add the edges among the nodes of a graph."""
    adjacency = catalogue.adjacency
    for row in list(graph):
        for edge in range(adjacency.indptr[row], adjacency.indptr[row + 1]):
            other, relation = int(adjacency.indices[edge]), adjacency.relation_names[adjacency.relations[edge]]
            if other in graph and not is_reverse(relation):
                weight = {} if adjacency.weights is None else {"weight": float(adjacency.weights[edge])}
                graph.add_edge(row, other, key=relation, relation=relation, **weight)


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
