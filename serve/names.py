"""Names and ids of the nodes of a catalogue graph, for people and for callers."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from graphrec.graph.catalogue import CatalogueGraph

# Texts that are kept: some 5 MB. Those of a graph of no more nodes are read in one go.
_KEPT = 50_000


class NodeTexts:
    """A text for each of n nodes, by row. Those looked up lately are kept: requests name the same nodes all the time.

    Safe to use from several threads: a dictionary that is full is replaced, never emptied.

    Parameters
    ----------
    read : callable
        Returns the texts of some nodes.
    n_nodes : int
        Nodes that there are.
    """

    def __init__(self, read: Callable[[Sequence[int]], list[str]], n_nodes: int) -> None:
        self._read = read
        self._n_nodes = n_nodes
        self._known: dict[int, str] = {}

    def look_up(self, nodes: Sequence[int]) -> list[str]:
        """Return the text of each node."""
        known = self._known
        try:
            return list(map(known.__getitem__, nodes))
        except KeyError:
            known = {} if len(known) > _KEPT else known
        small = self._n_nodes <= _KEPT
        missing = range(self._n_nodes) if small else [node for node in nodes if node not in known]
        known.update(zip(missing, self._read(missing), strict=True))
        self._known = known
        return [known[node] for node in nodes]


def node_names(graph: CatalogueGraph) -> NodeTexts:
    """Return the labels of nodes; the last part of its id for a node that has none."""

    def read(nodes: Sequence[int]) -> list[str]:
        labels = graph.labels.take(np.array(nodes)).to_pylist()
        return [graph.label(node) if label is None else label for node, label in zip(nodes, labels, strict=True)]

    return NodeTexts(read, len(graph.labels))


def node_ids(graph: CatalogueGraph) -> NodeTexts:
    """Return the ids of items and the IRIs of entities."""
    return NodeTexts(lambda nodes: [graph.node_id(node) for node in nodes], len(graph.labels))
