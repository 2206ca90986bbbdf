"""The catalogue as a graph: items and the entities they are linked to, with the names that people read."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from graphrec.checks import typed, typed_fields
from graphrec.data.interactions import Interactions, coalesce
from graphrec.data.vocabulary import Vocabulary
from graphrec.errors import DataError
from graphrec.graph.adjacency import Adjacency, adjacency_from_edges
from graphrec.graph.iris import readable_name

ITEM = "item"
USER = "user"
INTERACTS = "interacts"
REVERSE_INTERACTS = "rev_interacts"


@typed_fields
@dataclass(frozen=True, slots=True, init=False, eq=False)
class CatalogueGraph:
    """Items and entities as one typed graph. It holds no users: interactions are joined by :func:`with_users`.

    Keeping events out of it makes it safe to share between splits: whatever is held out cannot be in here.

    Parameters
    ----------
    adjacency : Adjacency
        Node type 0 is ``"item"`` and its rows are the item rows; the other types are entities. Every relation that
        starts at an item has its reverse among the relations.
    items : Vocabulary
        (n_items,) ids of the items: nodes ``0..n_items-1``.
    entities : Vocabulary
        (n_entities,) IRIs of the entities (blank nodes by their skolem IRI): entity ``e`` is node ``n_items + e``.
    labels : Arrow string array or sequence of str or None
        (n_nodes,) names for people; None inside means "has none" (the id, or the last part of the IRI, is shown).

    Raises
    ------
    DataError
        If sizes disagree or node type 0 is not ``"item"``.
    """

    adjacency: Adjacency
    items: Vocabulary
    entities: Vocabulary
    labels: pa.LargeStringArray

    def __init__(
        self,
        adjacency: Adjacency,
        items: Vocabulary,
        entities: Vocabulary,
        labels: pa.Array | list[str | None] | None = None,
    ) -> None:
        if not adjacency.node_types or adjacency.node_types[0] != ITEM:
            raise DataError(f"the first node type is {adjacency.node_types[:1]}; a catalogue graph starts with 'item'")
        n_items = int(adjacency.type_offsets[1])
        for what, n, vocabulary in (("items", n_items, items), ("entities", adjacency.n_nodes - n_items, entities)):
            if len(vocabulary) != n:
                raise DataError(f"the graph has {n} {what}, their vocabulary {len(vocabulary)} ids")
        names = pa.nulls(adjacency.n_nodes, pa.large_string()) if labels is None else labels
        array = names if isinstance(names, pa.Array) else pa.array(names, pa.large_string())
        if len(array) != adjacency.n_nodes:
            raise DataError(f"the graph has {adjacency.n_nodes} nodes, but there are {len(array)} labels")
        set_field = object.__setattr__
        set_field(self, "adjacency", adjacency)
        set_field(self, "items", items)
        set_field(self, "entities", entities)
        set_field(self, "labels", array.cast(pa.large_string()))

    @property
    def n_items(self) -> int:
        """Number of items: rows ``0..n_items-1``."""
        return int(self.adjacency.type_offsets[1])

    def node_id(self, node: int) -> str:
        """Return the id of an item, or the IRI of an entity."""
        return self.items[node] if node < self.n_items else self.entities[node - self.n_items]

    def label(self, node: int) -> str:
        """Return the name of a node for people: its label, else the item id or what its IRI says."""
        label = self.labels[int(node)].as_py()
        if label is not None:
            return str(label)
        name = self.node_id(int(node))
        return name if node < self.n_items else readable_name(name)


@typed
def items_only(items: Vocabulary, labels: list[str | None] | pa.Array | None = None) -> CatalogueGraph:
    """Return the catalogue graph of items without any knowledge: no entities, no edges."""
    n = len(items)
    empty = np.empty(0, dtype=np.int32)
    adjacency = adjacency_from_edges(empty, empty, empty, type_offsets=[0, n], node_types=[ITEM], relation_names=[])
    return CatalogueGraph(adjacency, items, Vocabulary([]), labels)


def with_titles(graph: CatalogueGraph, titles: pa.LargeStringArray) -> CatalogueGraph:
    """Return the graph with ``titles`` (n_items,) of items in the place of their labels; null leaves a label.

    Raises
    ------
    DataError
        If the number of titles is not the number of items.
    """
    if len(titles) != graph.n_items:
        raise DataError(
            f"there are {len(titles)} titles for {graph.n_items} items; give a title for each item, null where unknown"
        )
    own, rest = graph.labels[: graph.n_items], graph.labels[graph.n_items :]
    labels = pa.concat_arrays([titles.cast(pa.large_string()).fill_null(own), rest])
    return CatalogueGraph(graph.adjacency, graph.items, graph.entities, labels)


def walked_relations(graph: CatalogueGraph) -> tuple[str, ...]:
    """Return the relations of the catalogue joined with users, in their order."""
    return (*graph.adjacency.relation_names, INTERACTS, REVERSE_INTERACTS)


@typed
def with_users(graph: CatalogueGraph, interactions: Interactions, *, weighted: bool = False) -> Adjacency:
    """Return the graph of users, items and entities: the catalogue joined with (training) interactions.

    Users come first (rows ``0..n_users-1``), then the catalogue's nodes in their order, shifted by ``n_users``.
    Relations ``interacts`` and ``rev_interacts`` are appended to the catalogue's. Each (user, item) pair is one edge
    either way.

    Parameters
    ----------
    weighted : bool, default False
        Use the summed interaction weights as edge weights (pairs whose weight is not > 0 are left out).

    Raises
    ------
    DataError
        If the interactions have another number of items.
    """
    if interactions.n_items != graph.n_items:
        raise DataError(f"the interactions have {interactions.n_items} items, the catalogue has {graph.n_items}")
    merged = coalesce(interactions)
    users, items, pair_weights = merged.users, merged.items, merged.weights
    if weighted:
        positive = pair_weights > 0
        users, items, pair_weights = users[positive], items[positive], pair_weights[positive]
    n_users, catalogue = interactions.n_users, graph.adjacency
    shifted_items = items + np.int32(n_users)
    catalogue_sources = np.repeat(np.arange(catalogue.n_nodes, dtype=np.int32), catalogue.degrees) + np.int32(n_users)
    catalogue_destinations = catalogue.indices + np.int32(n_users)
    forward = np.int16(len(catalogue.relation_names))
    weights: npt.NDArray[np.float32] | None = None
    if weighted or catalogue.weights is not None:
        pairs = pair_weights if weighted else np.ones(len(users), dtype=np.float32)
        edges = np.ones(catalogue.n_edges, np.float32) if catalogue.weights is None else catalogue.weights
        weights = np.concatenate([pairs, pairs, edges])
    return adjacency_from_edges(
        np.concatenate([users, shifted_items, catalogue_sources]),
        np.concatenate([shifted_items, users, catalogue_destinations]),
        np.concatenate(
            [
                np.full(len(users), forward, dtype=np.int16),
                np.full(len(users), forward + 1, dtype=np.int16),
                catalogue.relations,
            ]
        ),
        weights,
        type_offsets=np.concatenate([[0], catalogue.type_offsets + n_users]),
        node_types=[USER, *catalogue.node_types],
        relation_names=walked_relations(graph),
    )
