"""The catalogue (and interactions) as PyG HeteroData, and back to the CSR view that walks read."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import torch
from torch_geometric.data import HeteroData  # type: ignore[import-untyped]

from graphrec.checks import check_length, typed
from graphrec.data.interactions import Interactions, coalesce
from graphrec.errors import DataError
from graphrec.graph.adjacency import Adjacency, adjacency_from_edges
from graphrec.graph.catalogue import INTERACTS, ITEM, REVERSE_INTERACTS, USER, CatalogueGraph


@typed
def to_hetero(
    catalogue: CatalogueGraph,
    interactions: Interactions | None = None,
    *,
    weighted: bool = False,
    attributes: Mapping[str, npt.NDArray[np.floating]] | None = None,
) -> HeteroData:
    """Return users, items and entities as one HeteroData.

    Parameters
    ----------
    interactions : Interactions, optional
        (Training) events; without them there is no node type ``user``.
    weighted : bool, default False
        Keep the summed weights of the events as ``edge_weight`` of the two interaction edge types (pairs whose
        weight is not > 0 are left out), as :func:`graphrec.graph.catalogue.with_users` does.
    attributes : mapping of str to ndarray, optional
        (n_items,) numbers, each kept as ``data["item"].NAME`` float32, such as those of
        ``graphrec.kg.attributes.numeric_attributes``.

    Returns
    -------
    HeteroData
        Every node type has ``num_nodes``; every edge type (source type, relation, destination type) an
        ``edge_index`` int64 (2, m), sorted by source. Each relation has its reverse. Row ``i`` of a type is node
        ``type_offsets[type] + i`` of the catalogue.

    Raises
    ------
    DataError
        If the interactions or attributes are of another number of items.
    """
    data = HeteroData()
    if interactions is not None:
        if interactions.n_items != catalogue.n_items:
            raise DataError(f"the interactions have {interactions.n_items} items, the catalogue {catalogue.n_items}")
        data[USER].num_nodes = interactions.n_users
    adjacency = catalogue.adjacency
    for node_type, size in zip(adjacency.node_types, np.diff(adjacency.type_offsets).tolist(), strict=True):
        data[node_type].num_nodes = size
    for name, values in (attributes or {}).items():
        check_length(values, catalogue.n_items, name=f"attribute {name!r}")
        data[ITEM][name] = torch.from_numpy(np.ascontiguousarray(values, dtype=np.float32))
    _add_edges(data, adjacency)
    if interactions is not None:
        _add_interactions(data, interactions, weighted=weighted)
    return data


def _add_edges(data: HeteroData, adjacency: Adjacency) -> None:
    """Part the edges of the catalogue by (relation, source type, destination type)."""
    if not adjacency.n_edges:
        return
    n_types = len(adjacency.node_types)
    kind = np.repeat(np.arange(n_types, dtype=np.int16), np.diff(adjacency.type_offsets))
    sources = np.repeat(np.arange(adjacency.n_nodes, dtype=np.int32), adjacency.degrees)
    group = (adjacency.relations.astype(np.int64) * n_types + kind[sources]) * n_types + kind[adjacency.indices]
    order = np.argsort(group, kind="stable").astype(np.int32 if len(group) < 1 << 31 else np.int64)
    group = group[order]
    starts = np.flatnonzero(np.append(True, group[1:] != group[:-1]))
    for start, stop in zip(starts, np.append(starts[1:], len(group)), strict=True):
        rest, destination_type = divmod(int(group[start]), n_types)
        relation, source_type = divmod(rest, n_types)
        edges = order[start:stop]
        edge_index = np.empty((2, len(edges)), dtype=np.int64)
        edge_index[0] = sources[edges] - adjacency.type_offsets[source_type]
        edge_index[1] = adjacency.indices[edges] - adjacency.type_offsets[destination_type]
        store = data[
            adjacency.node_types[source_type],
            adjacency.relation_names[relation],
            adjacency.node_types[destination_type],
        ]
        store.edge_index = torch.from_numpy(edge_index)
        if adjacency.weights is not None:
            store.edge_weight = torch.from_numpy(adjacency.weights[edges])


def _add_interactions(data: HeteroData, interactions: Interactions, *, weighted: bool) -> None:
    merged = coalesce(interactions)
    users, items, weights = merged.users, merged.items, merged.weights
    if weighted:
        positive = weights > 0
        users, items, weights = users[positive], items[positive], weights[positive]
    for key, first, second in (
        ((USER, INTERACTS, ITEM), users, items),
        ((ITEM, REVERSE_INTERACTS, USER), items, users),
    ):
        order = np.lexsort((second, first))
        data[key].edge_index = torch.from_numpy(np.stack([first[order], second[order]]).astype(np.int64))
        if weighted:
            data[key].edge_weight = torch.from_numpy(weights[order])


@typed
def adjacency_from_hetero(data: HeteroData) -> Adjacency:
    """Return the typed CSR view of ``data``: node types and relations in the order they were added.

    The inverse of :func:`to_hetero`: with interactions it equals :func:`graphrec.graph.catalogue.with_users` of the
    same parts. Edge weights are kept where any edge type has them (1 for a type without).

    Raises
    ------
    DataError
        If a node type has no size or an edge leads out of range.
    """
    sizes = [data[node_type].num_nodes for node_type in data.node_types]
    if None in sizes:
        nameless = data.node_types[sizes.index(None)]
        raise DataError(f"node type {nameless!r} has no num_nodes; set data[{nameless!r}].num_nodes")
    offsets = np.append(0, np.cumsum(np.asarray(sizes, dtype=np.int64)))
    place = {node_type: int(offset) for node_type, offset in zip(data.node_types, offsets[:-1], strict=True)}
    size = dict(zip(data.node_types, sizes, strict=True))
    names = list(dict.fromkeys(relation for _, relation, _ in data.edge_types))
    weighted = any("edge_weight" in data[key] for key in data.edge_types)
    sources, destinations, relations = [], [], []
    weights: list[npt.NDArray[np.float32]] = []
    for key in data.edge_types:
        head, relation, tail = key
        edge_index = data[key].edge_index.numpy()
        for row, end in ((0, head), (1, tail)):
            if edge_index.shape[1] and not 0 <= edge_index[row].min() <= edge_index[row].max() < size[end]:
                raise DataError(f"edges {key} have a row outside 0 to {size[end] - 1} of node type {end!r}")
        sources.append((edge_index[0] + place[head]).astype(np.int32))
        destinations.append((edge_index[1] + place[tail]).astype(np.int32))
        relations.append(np.full(edge_index.shape[1], names.index(relation), dtype=np.int16))
        if weighted:
            values = data[key].edge_weight.numpy() if "edge_weight" in data[key] else np.ones(edge_index.shape[1])
            weights.append(values.astype(np.float32))
    none = np.empty(0, dtype=np.int32)
    return adjacency_from_edges(
        np.concatenate([*sources, none]),
        np.concatenate([*destinations, none]),
        np.concatenate([*relations, none.astype(np.int16)]),
        np.concatenate([*weights, none.astype(np.float32)]) if weighted else None,
        type_offsets=offsets,
        node_types=data.node_types,
        relation_names=names,
    )
