"""A typed graph over one row space, in CSR form: what walks, samplers and explanations read."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from graphrec.checks import as_array, check_finite, check_indptr, check_length, check_rows
from graphrec.data.lists import indptr_of
from graphrec.errors import DataError, nearest_names
from graphrec.graph.edge_kernels import first_fall, sorted_order


@dataclass(frozen=True, slots=True, init=False, eq=False)
class Adjacency:
    """Out-edges of every node, with relation and weight; nodes of one type are one run of rows.

    Parameters
    ----------
    indptr : ndarray
        (n + 1,) int64.
    indices : ndarray
        (m,) int32 destination rows, ascending within a node (so that adjacency is a binary search).
        Two nodes may be joined by several edges of different relations.
    relations : ndarray
        (m,) int16, an index into ``relation_names``.
    weights : ndarray or None
        (m,) float32, > 0. None means 1 each.
    type_offsets : ndarray
        (T + 1,) int64: nodes of type ``node_types[t]`` are the rows ``type_offsets[t]:type_offsets[t + 1]``.
    node_types, relation_names : sequence of str
        Names in the order of their numbers. A relation and its reverse have names of their own.

    Raises
    ------
    DataError
        On rows, relations or offsets out of range, indices that fall within a node, or weights that are not
        finite and positive.
    """

    indptr: npt.NDArray[np.int64]
    indices: npt.NDArray[np.int32]
    relations: npt.NDArray[np.int16]
    weights: npt.NDArray[np.float32] | None
    type_offsets: npt.NDArray[np.int64]
    node_types: tuple[str, ...]
    relation_names: tuple[str, ...]

    def __init__(
        self,
        indptr: npt.ArrayLike,
        indices: npt.ArrayLike,
        relations: npt.ArrayLike,
        weights: npt.ArrayLike | None = None,
        *,
        type_offsets: npt.ArrayLike,
        node_types: Sequence[str],
        relation_names: Sequence[str],
    ) -> None:
        set_field = object.__setattr__
        set_field(self, "indptr", as_array(indptr, np.int64, name="indptr"))
        set_field(self, "indices", as_array(indices, np.int32, name="indices"))
        set_field(self, "relations", as_array(relations, np.int16, name="relations"))
        set_field(self, "weights", None if weights is None else as_array(weights, np.float32, name="weights"))
        set_field(self, "type_offsets", as_array(type_offsets, np.int64, name="type_offsets"))
        set_field(self, "node_types", tuple(node_types))
        set_field(self, "relation_names", tuple(relation_names))
        m, n = len(self.indices), len(self.indptr) - 1
        check_indptr(self.indptr, m, name="indptr")
        check_indptr(self.type_offsets, n, name="type_offsets")
        check_length(self.type_offsets, len(self.node_types) + 1, name="type_offsets")
        check_rows(self.indices, n, name="indices")
        check_length(self.relations, m, name="relations")
        check_rows(self.relations, len(self.relation_names), name="relations")
        if (edge := first_fall(self.indptr, self.indices)) >= 0:
            raise DataError(f"indices fall at edge {edge}; they must ascend within a node")
        if self.weights is not None:
            check_length(self.weights, m, name="weights")
            check_finite(self.weights, name="weights")
            if m and float(self.weights.min()) <= 0:
                edge = int(np.argmin(self.weights))
                raise DataError(f"weights[{edge}] is {self.weights[edge]}; weights must be > 0")

    @property
    def n_nodes(self) -> int:
        """Number of nodes."""
        return len(self.indptr) - 1

    @property
    def n_edges(self) -> int:
        """Number of directed edges."""
        return len(self.indices)

    @property
    def degrees(self) -> npt.NDArray[np.int64]:
        """(n,) int64 out-degrees."""
        return np.diff(self.indptr)


def relation_number(adjacency: Adjacency, relation: str) -> int:
    """Return the number of a relation.

    Raises
    ------
    DataError
        If there is no such relation, with the nearest names.
    """
    check_relation_names([relation], adjacency.relation_names)
    return adjacency.relation_names.index(relation)


def check_relation_names(relations: Iterable[str], known: Sequence[str]) -> None:
    """Raise DataError unless all ``relations`` are among the known ones, with the nearest names."""
    for relation in relations:
        if relation not in known:
            hint = nearest_names(relation, known)
            raise DataError(f"relation {relation!r} is not among {', '.join(known) or 'none'}{hint}")


def adjacency_from_edges(
    sources: npt.ArrayLike,
    destinations: npt.ArrayLike,
    relations: npt.ArrayLike,
    weights: npt.ArrayLike | None = None,
    *,
    type_offsets: npt.ArrayLike,
    node_types: Sequence[str],
    relation_names: Sequence[str],
) -> Adjacency:
    """Return the Adjacency of (m,) directed edges in any order.

    Edges are sorted by source, destination, relation; nothing is merged or reversed. Time O(m); memory 16 bytes an edge
    beyond the graph.

    Raises
    ------
    DataError
        As :class:`Adjacency`, or if the columns have different lengths.
    """
    offsets = as_array(type_offsets, np.int64, name="type_offsets")
    n = int(offsets[-1]) if len(offsets) else 0
    source = as_array(sources, np.int32, name="sources")
    destination = as_array(destinations, np.int32, name="destinations")
    relation = as_array(relations, np.int16, name="relations")
    check_rows(source, n, name="sources")
    check_rows(destination, n, name="destinations")
    check_rows(relation, len(relation_names), name="relations")
    for column, name in ((destination, "destinations"), (relation, "relations")):
        check_length(column, len(source), name=name)
    order = np.arange(len(source))
    for column, n_keys in ((relation, len(relation_names)), (destination, n), (source, n)):
        order = order if n_keys == 1 else sorted_order(column, order, n_keys)
    indptr = indptr_of(np.bincount(source, minlength=n))
    return Adjacency(
        indptr,
        destination[order],
        relation[order],
        None if weights is None else as_array(weights, np.float32, name="weights")[order],
        type_offsets=offsets,
        node_types=node_types,
        relation_names=relation_names,
    )
