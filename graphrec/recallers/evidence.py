"""The evidence that a channel returned, checked before anything reads a name or an edge by its rows."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from graphrec.contracts.recaller import Evidence, Paths
from graphrec.errors import DataError
from graphrec.graph.catalogue import CatalogueGraph
from graphrec.kernels import kernel
from graphrec.recallers.answers import Dtypes, check_arrays

_EVIDENCE: Dtypes = {"sources": np.dtype(np.int32), "via": np.dtype(np.int32), "contributions": np.dtype(np.float64)}
_PATHS: Dtypes = {"indptr": np.dtype(np.int64), "nodes": np.dtype(np.int32), "relations": np.dtype(np.int16)}
_SOURCE, _VIA, _AMOUNT = range(1, 4)
_BOUNDS, _NODE, _ENDS, _FIRST, _EDGE = range(1, 6)


def check_evidence(
    evidence: object, items: npt.NDArray[np.int32], catalogue: CatalogueGraph, *, n_via: int | None
) -> None:
    """Raise DataError unless ``evidence`` is about ``items`` (m,), and its rows and paths are those of the graph.

    Parameters
    ----------
    evidence : object
        What ``evidence`` of a channel returned.
    items : ndarray
        (m,) int32 item rows, the ones that the channel was given.
    catalogue : CatalogueGraph
        The graph that paths go through.
    n_via : int or None
        Middle rows that the channel has names for; None where it has no names, so that they are never looked up.

    Raises
    ------
    DataError
        If it is no Evidence, its arrays have other types or lengths, a row is out of range, a contribution is not
        finite, or a path does not lead from its source to its item over edges of the graph. The sentence names the
        first such entry.

    Notes
    -----
    Time O(m + p log d) for p nodes of paths with at most d edges each.
    """
    if not isinstance(evidence, Evidence):
        raise DataError(f"the evidence is of type {type(evidence).__name__}; a channel returns Evidence")
    check_arrays(evidence, _EVIDENCE, "the evidence")
    for name in _EVIDENCE:
        if len(getattr(evidence, name)) != len(items):
            raise DataError(
                f"the evidence has {len(getattr(evidence, name))} {name} for {len(items)} items; each item has one"
            )
    _check_values(evidence, catalogue.n_items, n_via)
    _check_paths(evidence, items, catalogue)


def _check_values(evidence: Evidence, n_items: int, n_via: int | None) -> None:
    """Raise DataError where a row is neither -1 nor, where their number is given, below it; or a number not finite."""
    most_via = np.iinfo(np.int32).max if n_via is None else n_via - 1
    fault, place = _first_value_fault(evidence.sources, n_items - 1, evidence.via, most_via, evidence.contributions)
    if fault:
        rows = f" to {most_via}" if n_via is not None else ""
        raise DataError(
            f"entry {place} of the evidence has the "
            + {
                _SOURCE: f"source {evidence.sources[place]}; legal item rows are 0 to {n_items - 1}, and -1 for none",
                _VIA: f"middle row {evidence.via[place]}; legal rows are 0{rows}, and -1 for none",
                _AMOUNT: f"contribution {evidence.contributions[place]}; it must be finite",
            }[fault]
        )


def _check_paths(evidence: Evidence, items: npt.NDArray[np.int32], catalogue: CatalogueGraph) -> None:
    """Raise DataError unless every path is empty, or leads from its source to its item over edges of the graph."""
    paths, graph = evidence.paths, catalogue.adjacency
    if not isinstance(paths, Paths):
        raise DataError(f"the paths of the evidence are of type {type(paths).__name__}; a channel returns Paths")
    check_arrays(paths, _PATHS, "the paths")
    if len(paths.indptr) != len(items) + 1:
        raise DataError(f"the evidence has {len(paths.indptr) - 1} paths for {len(items)} items; each item has one")
    if len(paths.relations) != len(paths.nodes):
        raise DataError(f"the paths have {len(paths.nodes)} nodes and {len(paths.relations)} relations; each has one")
    fault, path, place = _first_path_fault(
        paths.indptr,
        paths.nodes,
        paths.relations,
        evidence.sources,
        items,
        graph.indptr,
        graph.indices,
        graph.relations,
    )
    if fault:
        raise DataError(_path_sentence(evidence, fault, path, place, int(items[path]), graph.n_nodes))


def _path_sentence(evidence: Evidence, fault: int, path: int, place: int, item: int, n_nodes: int) -> str:
    """Say what is wrong with a path at the node in ``place``, or with the bound ``place`` of all paths."""
    paths = evidence.paths
    if fault == _BOUNDS:
        return (
            f"indptr of the paths is {paths.indptr[place]} at {place}; it starts at 0, never falls and ends at "
            f"{len(paths.nodes)}"
        )
    node, relation = int(paths.nodes[place]), int(paths.relations[place])
    return (
        f"path {path} of the evidence "
        + {
            _NODE: f"has the node {node}; legal nodes are 0 to {n_nodes - 1}",
            _ENDS: f"does not lead from the source {evidence.sources[path]} to the item {item}",
            _FIRST: f"begins with the relation {relation}; no relation leads to a first node, which is written as -1",
            _EDGE: f"goes to node {node} by relation {relation}, which is no edge of the catalogue graph",
        }[fault]
    )


@kernel
def _first_value_fault(
    sources: npt.NDArray[np.int32],
    most_source: int,
    via: npt.NDArray[np.int32],
    most_via: int,
    contributions: npt.NDArray[np.float64],
) -> tuple[int, int]:  # pragma: no cover - compiled
    """Return the kind of the first fault and its entry; zeros where there is none."""
    for i in range(sources.size):
        if sources[i] < -1 or sources[i] > most_source:
            return _SOURCE, i
    for i in range(via.size):
        if via[i] < -1 or via[i] > most_via:
            return _VIA, i
    for i in range(contributions.size):
        if not np.isfinite(contributions[i]):
            return _AMOUNT, i
    return 0, 0


@kernel
def _first_path_fault(
    indptr: npt.NDArray[np.int64],
    nodes: npt.NDArray[np.int32],
    relations: npt.NDArray[np.int16],
    sources: npt.NDArray[np.int32],
    items: npt.NDArray[np.int32],
    graph_indptr: npt.NDArray[np.int64],
    graph_indices: npt.NDArray[np.int32],
    graph_relations: npt.NDArray[np.int16],
) -> tuple[int, int, int]:  # pragma: no cover - compiled
    """Return the kind of the first fault, the path it is in and the place of its node; zeros where there is none."""
    n = indptr.size - 1
    if indptr[0] != 0:
        return _BOUNDS, 0, 0
    if indptr[n] != nodes.size:
        return _BOUNDS, 0, n
    for i in range(n):
        if indptr[i + 1] < indptr[i]:
            return _BOUNDS, 0, i + 1
    for i in range(n):
        first, stop = indptr[i], indptr[i + 1]
        for p in range(first, stop):
            if nodes[p] < 0 or nodes[p] >= graph_indptr.size - 1:
                return _NODE, i, p
        if first == stop:
            continue
        if nodes[first] != sources[i] or nodes[stop - 1] != items[i]:
            return _ENDS, i, first
        if relations[first] != -1:
            return _FIRST, i, first
        for p in range(first + 1, stop):
            start, end = graph_indptr[nodes[p - 1]], graph_indptr[nodes[p - 1] + 1]
            edge = start + np.searchsorted(graph_indices[start:end], nodes[p])
            while edge < end and graph_indices[edge] == nodes[p] and graph_relations[edge] != relations[p]:
                edge += 1
            if edge == end or graph_indices[edge] != nodes[p]:
                return _EDGE, i, p
    return 0, 0, 0
