"""Names of the nodes of a catalogue graph, for people."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from graphrec.graph.catalogue import CatalogueGraph

# Names that are kept: some 5 MB of text.
_KEPT = 50_000


class NodeNames:
    """Names of nodes by row. Those looked up lately are kept: requests name the same entities and items all the time.

    Safe to use from several threads: a dictionary that is full is replaced, never emptied.
    """

    def __init__(self, graph: CatalogueGraph) -> None:
        self._graph = graph
        self._known: dict[int, str] = {}

    def look_up(self, nodes: Sequence[int]) -> list[str]:
        """Return the label of each node; the last part of its id where it has none."""
        known = self._known
        missing = [node for node in nodes if node not in known]
        if missing:
            if len(known) > _KEPT:
                known, missing = {}, list(nodes)
            graph = self._graph
            labels = graph.labels.take(np.array(missing)).to_pylist()
            known.update(
                (node, graph.label(node) if label is None else label)
                for node, label in zip(missing, labels, strict=True)
            )
            self._known = known
        return [known[node] for node in nodes]
