"""What neighbour loaders are given, read out of PyG's data and checked: sizes, edges, times, weights, seeds, fan-outs.

A homogeneous ``Data`` is read as one node type and one edge type, both named None.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch_geometric.data import Data, HeteroData  # type: ignore[import-untyped]
from torch_geometric.sampler import NumNeighbors  # type: ignore[import-untyped]
from torch_geometric.typing import EdgeTypeStr  # type: ignore[import-untyped]

from graphrec.checks import check_finite
from graphrec.errors import ConfigError, DataError, brief, nearest_names
from graphrec.graph.sampling import InEdges, Times, in_edges

NodeType = str | None
EdgeType = tuple[str, str, str] | None


def check_data(data: object) -> None:
    """Raise ConfigError unless ``data`` is PyG's Data or HeteroData."""
    if not isinstance(data, Data | HeteroData):
        raise ConfigError(f"data is a {type(data).__name__}; it must be PyG's Data or HeteroData")


def type_names(data: Data | HeteroData) -> tuple[list[NodeType], list[EdgeType]]:
    """Return the node types and the edge types, in PyG's order."""
    if isinstance(data, HeteroData):
        return list(data.node_types), list(data.edge_types)
    return [None], [None]


def node_sizes(data: Data | HeteroData) -> list[int]:
    """Return the number of nodes of each type; raise DataError where it is not known."""
    sizes = [data[kind].num_nodes for kind in data.node_types] if isinstance(data, HeteroData) else [data.num_nodes]
    if None in sizes:
        place = f"data[{data.node_types[sizes.index(None)]!r}]" if isinstance(data, HeteroData) else "data"
        raise DataError(f"the number of nodes is not known; set {place}.num_nodes")
    return [int(size) for size in sizes]


def store_of(data: Data | HeteroData, kind: NodeType | EdgeType) -> Any:
    """Return the storage of a node type or an edge type."""
    return data if kind is None else data[kind]


def fan_outs(num_neighbors: Any, edge_types: Sequence[EdgeType]) -> npt.NDArray[np.int64]:
    """Return (n_edge_types, hops) int64 of PyG's ``num_neighbors``; raise ConfigError where it is illegal."""
    given = num_neighbors if isinstance(num_neighbors, NumNeighbors) else None
    values = num_neighbors if given is None else given.values
    if isinstance(values, Mapping):
        default = None if given is None else given.default
        rows = _by_edge_type(values, default, edge_types)
    else:
        rows = [values] * len(edge_types)
    table = [_fan_out(row) for row in rows]
    if len({len(row) for row in table}) > 1:
        raise ConfigError("num_neighbors gives edge types different numbers of hops; they must be equal")
    hops = len(table[0]) if table else 0
    return np.array(table, dtype=np.int64).reshape(len(edge_types), hops)


def _by_edge_type(values: Mapping[Any, Any], default: Any, edge_types: Sequence[EdgeType]) -> list[Any]:
    if edge_types == [None]:
        raise ConfigError("num_neighbors goes by edge type, but the graph has one alone; give a list")
    by_type = {}
    for key, row in values.items():
        try:
            by_type[EdgeTypeStr(key).to_tuple()] = row
        except (ValueError, IndexError, TypeError) as error:
            raise ConfigError(f"num_neighbors has the key {brief(key)}; legal is {_listed(edge_types)}") from error
    check_known(by_type, edge_types, what="edge type of num_neighbors")
    missing = [kind for kind in edge_types if kind not in by_type]
    if missing and default is None:
        raise ConfigError(
            f"num_neighbors says nothing of the edge type {missing[0]!r}; name it, with 0 to leave it out"
        )
    return [by_type.get(kind, default) for kind in edge_types]


def _fan_out(row: Any) -> list[int]:
    legal = "a list of whole numbers, one for each hop, each 0 or more, or -1 for all edges"
    several = isinstance(row, list | tuple) or (isinstance(row, np.ndarray | torch.Tensor) and row.ndim == 1)
    numbers = [] if not several else list(row) if isinstance(row, list | tuple) else row.tolist()
    if not numbers or not all(_is_fan_out(n) for n in numbers):
        raise ConfigError(f"num_neighbors is {brief(row)}; it must be {legal}")
    return [int(n) for n in numbers]


def _is_fan_out(n: Any) -> bool:
    return bool(isinstance(n, int | np.integer) and not isinstance(n, bool) and -1 <= n < 2**31)


def check_known(kinds: Any, known: Sequence[Any], *, what: str) -> None:
    """Raise ConfigError unless each of ``kinds`` is among the ``known``, with the nearest."""
    for kind in kinds:
        if kind not in known:
            names = {repr(name): name for name in known}
            hint = nearest_names(repr(kind), names).replace('"', "")
            raise ConfigError(f"the {what} {brief(kind, 100)} is not among {_listed(known)}{hint}")


def _listed(kinds: Sequence[Any]) -> str:
    shown = ", ".join(repr(kind) for kind in kinds[:8])
    return f"{shown} and {len(kinds) - 8} more" if len(kinds) > 8 else shown or "none"


def as_numpy(values: Any, name: str) -> npt.NDArray[Any]:
    """Return a tensor, array or list as an array on the CPU; raise DataError where it is none."""
    try:
        array = values.detach().cpu().numpy() if isinstance(values, torch.Tensor) else np.asarray(values)
    except (ValueError, TypeError, RuntimeError) as error:
        raise DataError(f"{name} is no array ({str(error).splitlines()[0]})") from error
    if array.dtype.kind not in "iufb":
        raise DataError(f"{name} holds {array.dtype}; it must hold numbers")
    return array


def moments(values: Any, n: int, *, name: str) -> Times:
    """Return (n,) int64 or, of fractions, float64 times; raise DataError where they are none."""
    array = as_numpy(values, name)
    if array.shape != (n,):
        raise DataError(f"{name} has the shape {array.shape}; it must be ({n},)")
    if array.dtype.kind == "b":
        raise DataError(f"{name} holds truth values; times are numbers")
    if array.dtype.kind != "f":
        return array.astype(np.int64)
    check_finite(array, name=name)
    return array.astype(np.float64)


class TimesOf:
    """The times of a graph: of nodes or of edges, by type, all of one dtype.

    Parameters
    ----------
    data : Data or HeteroData
    time_attr : str or None
        The attribute that holds them; None leaves all empty.

    Raises
    ------
    ConfigError
        If there is no such attribute, or both nodes and edges have it.
    DataError
        If times are of a wrong length, not numbers or not finite.
    """

    def __init__(self, data: Data | HeteroData, time_attr: str | None) -> None:
        self.nodes: dict[NodeType, Times] = {}
        self.edges: dict[EdgeType, Times] = {}
        self.dtype: np.dtype[Any] = np.dtype(np.int64)
        if time_attr is None:
            return
        node_types, edge_types = _holders(data, time_attr)
        for kind in node_types:
            store = store_of(data, kind)
            self.nodes[kind] = moments(store[time_attr], int(store.num_nodes), name=_named(kind, time_attr))
        for edge_type in edge_types:
            store = store_of(data, edge_type)
            self.edges[edge_type] = moments(store[time_attr], int(store.num_edges), name=_named(edge_type, time_attr))
        every = [*self.nodes.values(), *self.edges.values()]
        self.dtype = np.result_type(np.int64, *every)
        self.nodes = {kind: times.astype(self.dtype) for kind, times in self.nodes.items()}
        self.edges = {edge_type: times.astype(self.dtype) for edge_type, times in self.edges.items()}

    def __bool__(self) -> bool:
        return bool(self.nodes or self.edges)

    def of_edges(self, edge_type: EdgeType, sources: npt.NDArray[Any]) -> Times | None:
        """Return (m,) times of the edges of one type: their own, or those of their sources."""
        if edge_type in self.edges:
            return self.edges[edge_type]
        of_sources = self.nodes.get(None if edge_type is None else edge_type[0])
        return None if of_sources is None else of_sources[sources]


def _named(kind: NodeType | EdgeType, attribute: str) -> str:
    return f"data.{attribute}" if kind is None else f"data[{kind!r}].{attribute}"


def _holders(data: Data | HeteroData, attribute: str) -> tuple[list[NodeType], list[EdgeType]]:
    """Return the node types, or the edge types, that have an attribute."""
    if isinstance(data, HeteroData):
        nodes: list[NodeType] = [kind for kind in data.node_types if attribute in data[kind]]
        edges: list[EdgeType] = [kind for kind in data.edge_types if attribute in data[kind]]
        known = sorted({name for store in data.stores for name in store})
    else:
        present = attribute in data
        nodes = [None] if present and data.is_node_attr(attribute) else []
        edges = [None] if present and not nodes and data.is_edge_attr(attribute) else []
        known = sorted(name for name in data.keys() if data.is_node_attr(name) or data.is_edge_attr(name))  # noqa: SIM118
    if nodes and edges:
        raise ConfigError(f"time_attr {attribute!r} is an attribute of nodes and of edges; times must be of either")
    if not nodes and not edges:
        hint = nearest_names(attribute, known)
        raise ConfigError(f"time_attr {attribute!r} is no attribute of nodes or edges{hint}")
    return nodes, edges


def edges_of(
    data: Data | HeteroData, times: TimesOf, weight_attr: str | None, *, is_sorted: bool = False
) -> list[InEdges]:
    """Return the edges of each type by destination; raise an error in one sentence where they are illegal."""
    node_types, edge_types = type_names(data)
    sizes = dict(zip(node_types, node_sizes(data), strict=True))
    place = {kind: number for number, kind in enumerate(node_types)}
    if weight_attr is not None:
        _check_weight_attr(data, edge_types, weight_attr)
    graph = []
    for edge_type in edge_types:
        store = store_of(data, edge_type)
        head, tail = (None, None) if edge_type is None else (edge_type[0], edge_type[2])
        check_known([kind for kind in (head, tail) if kind not in place], node_types, what=f"node type of {edge_type}")
        edge_index = _edge_index(store, _named(edge_type, "edge_index"))
        graph.append(
            in_edges(
                edge_index,
                source=place[head],
                destination=place[tail],
                n_sources=sizes[head],
                n_destinations=sizes[tail],
                times=times.of_edges(edge_type, edge_index[0]),
                weights=None if weight_attr is None else as_numpy(store[weight_attr], _named(edge_type, weight_attr)),
                is_sorted=is_sorted,
                name=_named(edge_type, "edge_index"),
            )
        )
    return graph


def _edge_index(store: Any, name: str) -> npt.NDArray[Any]:
    if "edge_index" in store and store["edge_index"] is not None:
        return as_numpy(store["edge_index"], name)
    if "adj_t" in store or "adj" in store:
        raise DataError(f"{name} is missing, for the edges are a sparse matrix; keep them as edge_index")
    return np.empty((2, 0), dtype=np.int64)


def _check_weight_attr(data: Data | HeteroData, edge_types: Sequence[EdgeType], weight_attr: str) -> None:
    for edge_type in edge_types:
        store = store_of(data, edge_type)
        if weight_attr not in store:
            hint = nearest_names(weight_attr, list(store.keys()))
            raise ConfigError(f"weight_attr: there is no {_named(edge_type, weight_attr)}{hint}")


def seed_nodes(data: Data | HeteroData, input_nodes: Any) -> tuple[NodeType, int]:
    """Return the type of the seeds of a node loader and their number; raise an error where they are illegal."""
    kind, nodes = _seed_type(data, input_nodes)
    n = node_sizes(data)[type_names(data)[0].index(kind)]
    if nodes is None:
        return kind, n
    seeds = as_numpy(nodes, "input_nodes")
    if seeds.ndim != 1:
        raise DataError(f"input_nodes has the shape {seeds.shape}; it must have 1 dimension")
    if seeds.dtype.kind == "b":
        if len(seeds) != n:
            raise DataError(f"the mask input_nodes has {len(seeds)} entries for {n} nodes")
        return kind, int(seeds.sum())
    check_seeds(seeds, n, name="input_nodes")
    return kind, len(seeds)


def check_seeds(seeds: npt.NDArray[Any], n: int, *, name: str) -> None:
    """Raise DataError unless seeds are rows of ``n`` nodes."""
    if seeds.size and seeds.dtype.kind not in "iu":
        raise DataError(f"{name} holds {seeds.dtype}; it must hold rows (int64), or be a mask (bool)")
    if seeds.size and not 0 <= seeds.min() <= seeds.max() < n:
        illegal = seeds.min() if seeds.min() < 0 else seeds.max()
        legal = f"legal rows are 0 to {n - 1}" if n else "there are no nodes of this type"
        raise DataError(f"{name} holds {illegal}; {legal}")


def _seed_type(data: Data | HeteroData, input_nodes: Any) -> tuple[NodeType, Any]:
    if not isinstance(data, HeteroData):
        return None, input_nodes
    kind, nodes = (input_nodes, None) if isinstance(input_nodes, str) else (None, None)
    if kind is None:
        if not isinstance(input_nodes, tuple | list) or len(input_nodes) != 2 or not isinstance(input_nodes[0], str):
            raise ConfigError(
                "input_nodes of HeteroData must be a node type, or a pair of a node type and rows or a mask"
            )
        kind, nodes = input_nodes
    check_known([kind], data.node_types, what="node type")
    return kind, nodes


def seed_edges(data: Data | HeteroData, edge_label_index: Any) -> tuple[EdgeType, int]:
    """Return the type of the seeds of a link loader and their number; raise an error where they are illegal."""
    kind, pairs = _link_type(data, edge_label_index)
    if pairs is None:
        return kind, int(store_of(data, kind).num_edges)
    sizes = dict(zip(type_names(data)[0], node_sizes(data), strict=True))
    ends = (None, None) if kind is None else (kind[0], kind[2])
    array = as_numpy(pairs, "edge_label_index")
    if array.ndim != 2 or len(array) != 2:
        raise DataError(f"edge_label_index has the shape {array.shape}; it must be (2, number of links)")
    for row, end in enumerate(ends):
        check_seeds(array[row], sizes[end], name=f"edge_label_index[{row}]")
    return kind, array.shape[1]


def _link_type(data: Data | HeteroData, edge_label_index: Any) -> tuple[EdgeType, Any]:
    if not isinstance(data, HeteroData):
        return None, edge_label_index
    legal = "an edge type, or a pair of an edge type and (2, n) rows"
    if not isinstance(edge_label_index, tuple | list) or not edge_label_index:
        raise ConfigError(f"edge_label_index of HeteroData must be {legal}")
    alone = all(isinstance(part, str) for part in edge_label_index)
    if not alone and len(edge_label_index) != 2:
        raise ConfigError(f"edge_label_index of HeteroData must be {legal}")
    named, pairs = (edge_label_index, None) if alone else edge_label_index
    kind: Any = data._to_canonical(*named) if isinstance(named, tuple | list) else named
    if pairs is None:
        check_known([kind], data.edge_types, what="edge type")
    elif not isinstance(kind, tuple) or len(kind) != 3:
        raise ConfigError(f"edge_label_index names {brief(named)}; it must be {legal}")
    # Links of a type that is not in the graph may be labelled, between node types that are.
    check_known([kind[0], kind[2]], data.node_types, what="node type of edge_label_index")
    return kind, pairs
