"""Meta-paths from items to items: whether their steps join, and where they pass through items.

How they are written stands in :mod:`graphrec.graph.relations`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from graphrec.data.interactions import Interactions
from graphrec.errors import DataError, nearest_names
from graphrec.graph.adjacency import Adjacency, adjacency_from_edges
from graphrec.graph.catalogue import INTERACTS, REVERSE_INTERACTS, USER, CatalogueGraph, walked_relations
from graphrec.graph.relations import parse_path, path_text, reverse_number


def path_graph(catalogue: CatalogueGraph, liked: Interactions) -> Adjacency:
    """Return the graph that meta-paths are walked on: the catalogue's nodes in their order, then the users.

    Relations ``interacts`` (user to item) and ``rev_interacts`` are appended to the catalogue's; each pair of ``liked``
    is an edge either way. Edges have no weights.
    """
    graph, n_users = catalogue.adjacency, liked.n_users
    users = liked.users + np.int32(graph.n_nodes)
    forward = np.full(len(users), len(graph.relation_names), dtype=np.int16)
    sources = np.repeat(np.arange(graph.n_nodes, dtype=np.int32), graph.degrees)
    return adjacency_from_edges(
        np.concatenate([sources, users, liked.items]),
        np.concatenate([graph.indices, liked.items, users]),
        np.concatenate([graph.relations, forward, forward + np.int16(1)]),
        type_offsets=[*graph.type_offsets, graph.n_nodes + n_users],
        node_types=[*graph.node_types, USER],
        relation_names=walked_relations(catalogue),
    )


@dataclass(frozen=True, slots=True)
class MetaPath:
    """A meta-path whose steps join in a graph.

    Parameters
    ----------
    text : str
        As it is written.
    segments : tuple of tuple of int
        Numbers of its relations, divided where every node between two steps is an item.
    through_users : bool
        Whether a step leads to or from users, who are never named.
    """

    text: str
    segments: tuple[tuple[int, ...], ...]
    through_users: bool

    @property
    def relations(self) -> tuple[int, ...]:
        """The numbers of its relations."""
        return tuple(relation for segment in self.segments for relation in segment)


class Steps:
    """The relations of a graph as sparse matrices, made when a meta-path first needs them.

    Parameters
    ----------
    graph : Adjacency
        Items are its first nodes; see :func:`path_graph`.
    n_items : int
        Number of items.
    """

    def __init__(self, graph: Adjacency, n_items: int) -> None:
        self.graph, self.n_items = graph, n_items
        self._matrices: dict[int, sp.csr_array] = {}

    def matrix(self, relation: int) -> sp.csr_array:
        """Return the edges of a relation as (n_nodes, n_nodes) float32 of ones; parallel edges are one."""
        if relation not in self._matrices:
            graph = self.graph
            places = np.flatnonzero(graph.relations == relation)
            sources = np.searchsorted(graph.indptr, places, side="right") - 1
            shape = (graph.n_nodes, graph.n_nodes)
            ends = (sources.astype(np.int32), graph.indices[places])
            matrix = sp.csr_array(sp.coo_array((np.ones(len(places), np.float32), ends), shape=shape))
            matrix.data[:] = 1.0
            self._matrices[relation] = matrix
        return self._matrices[relation]

    def between(self, before: int, after: int) -> npt.NDArray[np.int64]:
        """Return the nodes where one relation ends and another begins."""
        ends = np.zeros(self.graph.n_nodes, np.bool_)
        ends[self.matrix(before).indices] = True
        return np.flatnonzero(ends & (np.diff(self.matrix(after).indptr) > 0))

    def metapath(self, text: str) -> MetaPath:
        """Return the meta-path that ``text`` means in this graph.

        Raises
        ------
        ConfigError
            If the text is no meta-path.
        DataError
            If the graph lacks a relation (the nearest are named), or the steps do not lead from items to items (the
            position is named).
        """
        names = self.graph.relation_names
        relations = [self._number(text, place, name) for place, name in enumerate(parse_path(text), 1)]
        if not self.matrix(relations[0])[: self.n_items].nnz:
            raise DataError(f"the meta-path {text!r} does not begin at items: no item has an edge of step 1")
        segments, segment = [], [relations[0]]
        for place in range(1, len(relations)):
            nodes = self.between(relations[place - 1], relations[place])
            if len(nodes) == 0:
                raise DataError(
                    f"the meta-path {text!r} breaks between its steps {place} and {place + 1}: no node where "
                    f"{path_text([names[relations[place - 1]]])!r} ends has an edge of "
                    f"{path_text([names[relations[place]]])!r}{self._possible(relations[place - 1])}"
                )
            if nodes[-1] < self.n_items:
                segments.append(tuple(segment))
                segment = []
            segment.append(relations[place])
        if not (self.matrix(relations[-1]).indices < self.n_items).any():
            raise DataError(f"the meta-path {text!r} does not end at items: step {len(relations)} leads to none")
        users = any(names[relation] in (INTERACTS, REVERSE_INTERACTS) for relation in relations)
        return MetaPath(text, (*segments, tuple(segment)), users)

    def shared_entities(self) -> list[MetaPath]:
        """Return the paths ``r/^r`` over each relation r of the catalogue that leaves an item and has a reverse."""
        names, items = self.graph.relation_names, slice(0, int(self.graph.indptr[self.n_items]))
        present = [int(number) for number in np.unique(self.graph.relations[items])]
        pairs = [(number, reverse_number(self.graph, number)) for number in present]
        return [
            self.metapath(path_text([names[number], names[back]]))
            for number, back in pairs
            if back is not None and names[number] != REVERSE_INTERACTS
        ]

    def is_symmetric(self, path: MetaPath) -> bool:
        """Return whether each segment of a path reads the same backwards."""
        backwards = [tuple(reverse_number(self.graph, step) for step in reversed(part)) for part in path.segments]
        return backwards == list(path.segments)

    def _number(self, text: str, place: int, name: str) -> int:
        """Return the number of the relation at a step; DataError names the nearest where there is none."""
        names = self.graph.relation_names
        if name in names:
            return names.index(name)
        written = [path_text([other]) for other in names]
        shown = path_text([name])
        raise DataError(
            f"step {place} of the meta-path {text!r} is {shown!r}, which is no relation of the graph"
            f"{nearest_names(shown, written)}"
        )

    def _possible(self, relation: int) -> str:
        """Return what could follow a relation, for people."""
        ends = np.unique(self.matrix(relation).indices)
        graph = self.graph
        edges = np.repeat(np.isin(np.arange(graph.n_nodes), ends), graph.degrees)
        names = [path_text([graph.relation_names[number]]) for number in np.unique(graph.relations[edges])]
        return f"; the relations there: {', '.join(names)}" if names else "; no edge leaves it"
