"""Edges that tables name by ids, joined to a catalogue graph: the same typed graph as RDF gives, beside it or alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import scipy.sparse as sp
from scipy.sparse.csgraph import connected_components

from graphrec.checks import as_array, check_length, check_rows
from graphrec.data.vocabulary import Vocabulary
from graphrec.errors import DataError
from graphrec.graph.adjacency import Adjacency, adjacency_from_edges
from graphrec.graph.catalogue import ITEM, CatalogueGraph
from graphrec.graph.relations import REVERSE

ENTITY = "entity"
_MAX_RELATIONS = (1 << 15) - 1
Int32 = npt.NDArray[np.int32]
Int64 = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class NamedEdges:
    """Edges between nodes that are known by name.

    Parameters
    ----------
    nodes : Vocabulary
        (n,) ids: of items, of entities that a graph may hold already, of entities of their own.
    types : sequence of str or None
        (n,) node types; ``"item"`` is an item. None: the item of that id, else the entity of that id, else a new entity
        whose type is the relation that most edges lead to it by.
    labels : sequence of str or None
        (n,) names for people; None where there is none.
    heads, relations, tails : ndarray
        (m,) int32: head node, position in ``relation_names``, tail node.
    relation_names : sequence of str
        Short names, no reverses.

    Raises
    ------
    DataError
        If lengths disagree or a row is out of range.
    """

    nodes: Vocabulary
    types: Sequence[str | None]
    labels: Sequence[str | None]
    heads: Int32
    relations: Int32
    tails: Int32
    relation_names: Sequence[str]

    def __post_init__(self) -> None:
        for name, bound in (
            ("heads", len(self.nodes)),
            ("relations", len(self.relation_names)),
            ("tails", len(self.nodes)),
        ):
            rows = as_array(getattr(self, name), np.int32, name=name)
            check_rows(rows, bound, name=name)
            check_length(rows, len(self.heads), name=name)
            object.__setattr__(self, name, rows)
        for name in ("types", "labels"):
            check_length(getattr(self, name), len(self.nodes), name=name)


def concatenated(parts: Sequence[NamedEdges]) -> NamedEdges:
    """Return the edges of all parts; of a node that several name, the first type and the first label count."""
    nodes, names = Vocabulary([]), list(dict.fromkeys(name for part in parts for name in part.relation_names))
    for part in parts:
        nodes = nodes.extend(part.nodes.ids)
    types: list[str | None] = [None] * len(nodes)
    labels: list[str | None] = [None] * len(nodes)
    columns: list[tuple[Int32, Int32, Int32]] = []
    for part in parts:
        rows = nodes.rows(part.nodes.ids)
        numbers = np.array([names.index(name) for name in part.relation_names], dtype=np.int32)
        columns.append((rows[part.heads], numbers[part.relations], rows[part.tails]))
        for row, kind, label in zip(rows.tolist(), part.types, part.labels, strict=True):
            types[row], labels[row] = types[row] or kind, labels[row] or label
    heads, relations, tails = (
        np.concatenate([np.empty(0, np.int32), *(part[column] for part in columns)]) for column in range(3)
    )
    return NamedEdges(nodes, types, labels, heads, relations, tails, names)


def with_edges(graph: CatalogueGraph, edges: NamedEdges) -> CatalogueGraph:
    """Return the catalogue graph with further edges, each with its reverse, and the entities that they bring.

    Items keep their rows. Behind them stand the types in order of their names, inside one the entities in order of
    their ids. A relation that the graph has by the same name gets further edges; an edge that is there twice is there
    once. Only what is connected to an item, by any number of edges, is kept.

    Raises
    ------
    DataError
        If a node of type ``"item"`` is no item, or there are too many relations.

    Notes
    -----
    Time O(E log E) for all edges.
    """
    places, fresh = _places(graph, edges)
    n = graph.adjacency.n_nodes + len(fresh)
    sources, destinations, relations, weights, names = _all_edges(graph.adjacency, edges, places)
    ids = pa.concat_arrays([graph.entities.ids, edges.nodes.ids.take(pa.array(fresh))])
    labels = pa.array([edges.labels[row] for row in fresh.tolist()], pa.large_string())
    types = [*_types(graph), *_fresh_types(edges, fresh)]
    kept = _joined_to_items(n, graph.n_items, sources, destinations)
    order, offsets, node_types = _ordered(ids, types, kept[graph.n_items :])
    place = np.full(n, -1, dtype=np.int32)
    place[: graph.n_items] = np.arange(graph.n_items)
    place[graph.n_items + order] = np.arange(graph.n_items, graph.n_items + len(order))
    inside = kept[sources] & kept[destinations]
    adjacency = adjacency_from_edges(
        place[sources[inside]],
        place[destinations[inside]],
        relations[inside],
        None if weights is None else weights[inside],
        type_offsets=np.append(0, offsets + graph.n_items),
        node_types=[ITEM, *node_types],
        relation_names=names,
    )
    chosen = pa.array(order)
    own = pa.concat_arrays([graph.labels[graph.n_items :], labels]).take(chosen)
    return CatalogueGraph(
        adjacency, graph.items, Vocabulary(ids.take(chosen)), pa.concat_arrays([graph.labels[: graph.n_items], own])
    )


def _places(graph: CatalogueGraph, edges: NamedEdges) -> tuple[Int32, Int64]:
    """Return (n,) int32 the node of each name, new ones behind those of the graph, and the names that are new."""
    kinds = np.array([ITEM if kind == ITEM else kind or "" for kind in edges.types], dtype=object)
    as_items = graph.items.rows(edges.nodes.ids, missing="mark").astype(np.int32)
    as_items[(kinds != ITEM) & (kinds != "")] = -1
    if len(strange := np.flatnonzero((kinds == ITEM) & (as_items < 0))):
        raise DataError(
            f"{edges.nodes[int(strange[0])]!r} is not among the {graph.n_items:,} items; leave its edges out"
        )
    as_entities = graph.entities.rows(edges.nodes.ids, missing="mark")
    places = np.where(as_items >= 0, as_items, np.where(as_entities >= 0, as_entities + graph.n_items, -1)).astype(
        np.int32
    )
    fresh = np.flatnonzero(places < 0)
    places[fresh] = graph.adjacency.n_nodes + np.arange(len(fresh))
    return places, fresh


def _types(graph: CatalogueGraph) -> list[str]:
    """Return the type of each entity of a graph."""
    adjacency = graph.adjacency
    sizes = np.diff(adjacency.type_offsets)[1:]
    return np.repeat(np.array(adjacency.node_types[1:], dtype=object), sizes).tolist()


def _fresh_types(edges: NamedEdges, fresh: Int64) -> list[str]:
    """Return the type of each new entity: that given, else the relation that leads to it most often."""
    n_names = max(len(edges.relation_names), 1)
    keys, counts = np.unique(edges.tails.astype(np.int64) * n_names + edges.relations, return_counts=True)
    order = np.lexsort((keys % n_names, -counts, keys // n_names))
    tails, relations = keys[order] // n_names, keys[order] % n_names
    first = np.append(True, tails[1:] != tails[:-1])[: len(tails)]
    by_range = dict(zip(tails[first].tolist(), relations[first].tolist(), strict=True))
    ranges = {row: edges.relation_names[relation] for row, relation in by_range.items()}
    return [edges.types[row] or ranges.get(row, ENTITY) for row in fresh.tolist()]


def _all_edges(
    known: Adjacency, edges: NamedEdges, places: Int32
) -> tuple[Int32, Int32, npt.NDArray[np.int16], npt.NDArray[np.float32] | None, list[str]]:
    """Return sources, destinations, relations, weights and relation names of both graphs, each edge once."""
    names = [*known.relation_names]
    for name in edges.relation_names:
        names += [way for way in (name, f"{REVERSE}{name}") if way not in names]
    if len(names) > _MAX_RELATIONS:
        raise DataError(f"{len(names):,} relations, reverses among them, are too many; at most {_MAX_RELATIONS:,} fit")
    forward = np.array([names.index(name) for name in edges.relation_names], dtype=np.int16)[edges.relations]
    backward = np.array([names.index(f"{REVERSE}{name}") for name in edges.relation_names], dtype=np.int16)[
        edges.relations
    ]
    heads, tails = places[edges.heads], places[edges.tails]
    rows = np.repeat(np.arange(known.n_nodes, dtype=np.int32), known.degrees)
    sources = np.concatenate([rows, heads, tails])
    destinations = np.concatenate([known.indices, tails, heads])
    relations = np.concatenate([known.relations, forward, backward])
    new = np.arange(known.n_edges, len(sources))
    # Edges of tables may repeat each other and those of the graph; the first of a kind stays.
    order = np.lexsort((np.arange(len(sources)), relations, destinations, sources))
    same = (np.diff(sources[order]) == 0) & (np.diff(destinations[order]) == 0) & (np.diff(relations[order]) == 0)
    repeated = np.zeros(len(sources), dtype=np.bool_)
    repeated[order[1:][same]] = True
    repeated[: known.n_edges] = False
    kept = np.append(np.arange(known.n_edges), new[~repeated[new]])
    weights = None
    if known.weights is not None:
        weights = np.append(known.weights, np.ones(len(new), np.float32))[kept].astype(np.float32)
    return sources[kept], destinations[kept], relations[kept], weights, names


def _joined_to_items(n: int, n_items: int, sources: Int32, destinations: Int32) -> npt.NDArray[np.bool_]:
    """Return (n,) bool: items, and nodes in one component with an item."""
    graph = sp.coo_array((np.ones(len(sources), np.int8), (sources, destinations)), shape=(n, n))
    _, component = connected_components(graph, directed=False)
    wanted = np.zeros(n, dtype=np.bool_)
    wanted[component[:n_items]] = True
    reached: npt.NDArray[np.bool_] = wanted[component]
    return reached


def _ordered(
    ids: pa.LargeStringArray, types: Sequence[str], kept: npt.NDArray[np.bool_]
) -> tuple[Int64, Int64, list[str]]:
    """Return the entities that stay, by type and id, the offsets of their types without the items, and these types."""
    rows = np.flatnonzero(kept)
    own = pa.array([types[row] for row in rows.tolist()], pa.large_string())
    table = pa.table({"type": own, "id": ids.take(pa.array(rows))})
    order = pc.sort_indices(table, sort_keys=[("type", "ascending"), ("id", "ascending")]).to_numpy().astype(np.int64)
    counts = pc.value_counts(own).to_pylist()
    sizes = {entry["values"]: entry["counts"] for entry in counts}
    names = sorted(sizes)
    return rows[order], np.append(0, np.cumsum([sizes[name] for name in names], dtype=np.int64)), names
