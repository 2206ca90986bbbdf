"""The catalogue (and interactions) as PyG HeteroData, and back to the CSR view that walks read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch_geometric.data import HeteroData  # type: ignore[import-untyped]

from graphrec.checks import check_count, check_length, typed
from graphrec.data.features import Features
from graphrec.data.interactions import Interactions, coalesce
from graphrec.data.vocabulary import Vocabulary
from graphrec.errors import DataError
from graphrec.graph.adjacency import Adjacency, adjacency_from_edges
from graphrec.graph.catalogue import INTERACTS, ITEM, REVERSE_INTERACTS, USER, CatalogueGraph
from graphrec.graph.edge_kernels import sorted_order
from graphrec.memory import release_free_memory
from graphrec.models.hetero_features import add_features


@typed
def to_hetero(
    catalogue: CatalogueGraph,
    interactions: Interactions | None = None,
    *,
    weighted: bool = False,
    attributes: Mapping[str, npt.NDArray[np.floating]] | None = None,
    users: Vocabulary | None = None,
    item_features: Features | None = None,
    user_features: Features | None = None,
    text_dim: int = 64,
    masks: Mapping[str, Interactions] | None = None,
) -> HeteroData:
    """Return users, items and entities as one HeteroData.

    Parameters
    ----------
    interactions : Interactions, optional
        Events; without them there is no node type ``user``.
    weighted : bool, default False
        Keep the summed weights of the events as ``edge_weight`` of the two interaction edge types (pairs whose
        weight is not > 0 are left out), as :func:`graphrec.graph.catalogue.with_users` does.
    attributes : mapping of str to ndarray, optional
        (n_items,) numbers, each kept as ``data["item"].NAME`` float32.
    users : Vocabulary, optional
        The ids of the users.
    item_features, user_features : Features, optional
        Columns become attributes of their names: numbers float32 (n,), NaN where not known; labels int64 (n,), 0 where
        not known, ``NAME_names[code - 1]`` otherwise; texts float32 (n, text_dim) of :func:`text_vectors`; vectors
        float32 (n, dim). Numbers, texts and vectors stand side by side in ``x`` float32 (n, d) as well: standardised,
        or at length 1, and 0 where not known. Tags become nodes of a type of that name, with weighted edges both ways.
    text_dim : int, default 64
        Width of the vectors of texts.
    masks : mapping of str to Interactions, optional
        Parts of ``interactions``, such as ``{"train": split.train, "test": split.test}``: each becomes ``NAME_mask``
        bool (m,) of the two interaction edge types. A model passes messages along training edges alone:
        ``data.edge_subgraph({kind: data[kind].train_mask, ...})``.

    Returns
    -------
    HeteroData
        Every node type has ``num_nodes`` and ``ids`` (a Vocabulary; users only where given, so that
        ``data["item"].ids.take(batch["item"].n_id)`` names the nodes of a mini-batch); every edge type (source type,
        relation, destination type) an ``edge_index`` int64 (2, m), sorted by source. Each relation has its reverse. Row
        ``i`` of a type is node ``type_offsets[type] + i`` of the catalogue. Interactions with times have ``time`` int64
        (m,), the last of each pair.

    Raises
    ------
    ConfigError
        If ``text_dim < 1``.
    DataError
        If the interactions, attributes, features or users are of another number, a mask holds other pairs than the
        interactions, or a feature has a name that stands for something else.
    """
    check_count("text_dim", text_dim, 1)
    if interactions is None and (users is not None or user_features is not None or masks):
        raise DataError("users, user_features and masks belong to interactions, and there are none")
    data = HeteroData()
    if interactions is not None:
        if interactions.n_items != catalogue.n_items:
            raise DataError(f"the interactions have {interactions.n_items} items, the catalogue {catalogue.n_items}")
        data[USER].num_nodes = interactions.n_users
        if users is not None:
            _check_users(users, interactions)
            data[USER].ids = users
    _add_nodes(data, catalogue)
    for name, values in (attributes or {}).items():
        check_length(values, catalogue.n_items, name=f"attribute {name!r}")
        data[ITEM][name] = torch.from_numpy(np.ascontiguousarray(values, dtype=np.float32))
    _add_edges(data, catalogue.adjacency)
    release_free_memory()
    if interactions is not None:
        _add_interactions(data, interactions, masks or {}, weighted=weighted)
    for kind, features in ((ITEM, item_features), (USER, user_features)):
        if features is not None:
            add_features(data, kind, features, text_dim=text_dim)
    return data


def _check_users(users: Vocabulary, interactions: Interactions) -> None:
    if len(users) != interactions.n_users:
        raise DataError(f"there are ids of {len(users)} users; the interactions have {interactions.n_users}")


def _add_nodes(data: HeteroData, catalogue: CatalogueGraph) -> None:
    """Add the node types of the catalogue, with their ids."""
    offsets = catalogue.adjacency.type_offsets
    for number, node_type in enumerate(catalogue.adjacency.node_types):
        start, stop = int(offsets[number]), int(offsets[number + 1])
        data[node_type].num_nodes = stop - start
        entities = slice(start - catalogue.n_items, stop - catalogue.n_items)
        data[node_type].ids = catalogue.items if number == 0 else catalogue.entities.pick(entities)


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


def _add_interactions(
    data: HeteroData, interactions: Interactions, masks: Mapping[str, Interactions], *, weighted: bool
) -> None:
    merged = coalesce(interactions)
    columns: dict[str, npt.NDArray[Any]] = {f"{name}_mask": _mask(name, part, merged) for name, part in masks.items()}
    if merged.times is not None:
        columns["time"] = merged.times
    if weighted:
        columns["edge_weight"] = merged.weights
    kept = _positions(len(merged))
    kept = kept[merged.weights > 0] if weighted else kept
    by_item = _sorted(merged.items, kept, merged.n_items)  # pairs come by user, so that the users of an item ascend
    for key, first, second, order in (
        ((USER, INTERACTS, ITEM), merged.users, merged.items, _sorted(merged.users, by_item, merged.n_users)),
        ((ITEM, REVERSE_INTERACTS, USER), merged.items, merged.users, by_item),
    ):
        edge_index = np.empty((2, len(order)), dtype=np.int64)
        edge_index[0], edge_index[1] = first[order], second[order]
        data[key].edge_index = torch.from_numpy(edge_index)
        for name, column in columns.items():
            data[key][name] = torch.from_numpy(column[order])


def _positions(n: int) -> npt.NDArray[Any]:
    """Return 0 to n - 1, in half the memory where they fit."""
    return np.arange(n, dtype=np.int32 if n < 1 << 31 else np.int64)


def _sorted(rows: npt.NDArray[np.int32], order: npt.NDArray[Any], n: int) -> npt.NDArray[Any]:
    """Return ``order``, some positions in ``rows``, sorted by the rows there; equals keep their order. O(m + n)."""
    ordered: npt.NDArray[Any] = order[sorted_order(rows[order], _positions(len(order)), n)]
    return ordered


def _mask(name: str, part: Interactions, whole: Interactions) -> npt.NDArray[np.bool_]:
    """Return (m,) bool: the pairs of ``whole`` that have an event in ``part``."""
    if not isinstance(part, Interactions):
        raise DataError(f"the mask {name!r} is a {type(part).__name__}; it must be Interactions")
    if (part.n_users, part.n_items) != (whole.n_users, whole.n_items):
        raise DataError(
            f"the mask {name!r} is of {part.n_users} users and {part.n_items} items; the interactions have "
            f"{whole.n_users} and {whole.n_items}"
        )
    pairs, chosen = (events.users.astype(np.int64) * whole.n_items + events.items for events in (whole, part))
    missing = np.setdiff1d(chosen, pairs)
    if missing.size:
        raise DataError(f"the mask {name!r} holds {missing.size} pairs that are not among the interactions; give all")
    inside: npt.NDArray[np.bool_] = np.isin(pairs, chosen)
    return inside


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
