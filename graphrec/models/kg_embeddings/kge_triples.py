"""Triples of a typed graph: what embeddings of it are trained on, in batches whose negatives are of the right type."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from graphrec.checks import as_array, check_length, check_rows
from graphrec.data.lists import indptr_of
from graphrec.graph.adjacency import Adjacency
from graphrec.graph.relations import is_reverse, reverse_number
from graphrec.kernels import kernel

Rows = npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True, init=False, eq=False)
class Triples:
    """Edges (head, relation, tail) of a graph whose nodes of one type are one run of rows.

    Parameters
    ----------
    heads, relations, tails : ndarray
        (m,) int32.
    type_offsets : ndarray
        (T + 1,) int64: nodes of type t are the rows ``type_offsets[t]:type_offsets[t + 1]``.
    n_relations : int
        Number of relations.

    Raises
    ------
    DataError
        If lengths differ, or a node or relation is out of range.
    """

    heads: Rows
    relations: Rows
    tails: Rows
    type_offsets: npt.NDArray[np.int64]
    n_relations: int

    def __init__(
        self,
        heads: npt.ArrayLike,
        relations: npt.ArrayLike,
        tails: npt.ArrayLike,
        *,
        type_offsets: npt.ArrayLike,
        n_relations: int,
    ) -> None:
        set_field = object.__setattr__
        set_field(self, "type_offsets", as_array(type_offsets, np.int64, name="type_offsets"))
        set_field(self, "n_relations", n_relations)
        for name, column, size in (
            ("heads", heads, self.n_nodes), ("relations", relations, n_relations), ("tails", tails, self.n_nodes),
        ):  # fmt: skip
            rows = as_array(column, np.int32, name=name)
            check_rows(rows, size, name=name)
            set_field(self, name, rows)
        check_length(self.relations, len(self.heads), name="relations")
        check_length(self.tails, len(self.heads), name="tails")

    def __len__(self) -> int:
        """Return m."""
        return len(self.heads)

    @property
    def n_nodes(self) -> int:
        """Number of nodes."""
        return int(self.type_offsets[-1])

    def types_of(self, nodes: Rows) -> npt.NDArray[np.int64]:
        """Return the number of each node's type."""
        return np.searchsorted(self.type_offsets, nodes, side="right") - 1


def triples_of(graph: Adjacency) -> Triples:
    """Return the edges of a graph once each: those of a relation whose reverse is there are left to the reverse.

    Relations keep the numbers that they have in the graph.
    """
    doubled = [
        number
        for number, name in enumerate(graph.relation_names)
        if is_reverse(name) and reverse_number(graph, number) is not None
    ]
    kept = ~np.isin(graph.relations, doubled)
    heads = np.repeat(np.arange(graph.n_nodes, dtype=np.int32), graph.degrees)[kept]
    return Triples(
        heads,
        graph.relations[kept],
        graph.indices[kept],
        type_offsets=graph.type_offsets,
        n_relations=len(graph.relation_names),
    )


@dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """The nodes that complete each (anchor, relation): the tails of a head, or the heads of a tail.

    Parameters
    ----------
    keys : ndarray
        (p,) int64, ascending: anchor * n_relations + relation.
    indptr : ndarray
        (p + 1,) int64.
    nodes : ndarray
        int32, ascending within a key.
    n_relations, n_nodes : int
        Sizes.
    """

    keys: npt.NDArray[np.int64]
    indptr: npt.NDArray[np.int64]
    nodes: Rows
    n_relations: int
    n_nodes: int

    def among(self, anchors: Rows, relations: Rows, candidates: Rows) -> npt.NDArray[np.bool_]:
        """Return (n, c) bool: whether each of the ``candidates`` (c,), which are distinct, completes each pair (n,).

        Time O(sum over pairs of min(answers, c log answers)).
        """
        keys = anchors.astype(np.int64) * self.n_relations + relations
        places = np.searchsorted(self.keys, keys)
        places[places == len(self.keys)] = 0
        places[self.keys[places] != keys] = -1
        return _among(self.indptr, self.nodes, places, candidates, self.n_nodes)


def answers_of(*parts: Triples, side: str) -> Answers:
    """Return the ``"tails"`` of every head and relation of all the triples, or the ``"heads"`` of every tail."""
    first = parts[0]
    given, wanted = ("heads", "tails") if side == "tails" else ("tails", "heads")
    anchors, nodes = (np.concatenate([getattr(part, name) for part in parts]) for name in (given, wanted))
    relations = np.concatenate([part.relations for part in parts])
    keys = anchors.astype(np.int64) * first.n_relations + relations
    order = np.lexsort((nodes, keys))
    distinct, counts = np.unique(keys, return_counts=True)
    return Answers(distinct, indptr_of(counts), nodes[order], first.n_relations, first.n_nodes)


@kernel
def _among(
    indptr: npt.NDArray[np.int64],
    nodes: Rows,
    places: npt.NDArray[np.int64],
    candidates: Rows,
    n_nodes: int,
) -> npt.NDArray[np.bool_]:  # pragma: no cover - compiled
    column = np.full(n_nodes, -1, dtype=np.int64)
    for c in range(candidates.size):
        column[candidates[c]] = c
    found = np.zeros((places.size, candidates.size), dtype=np.bool_)
    for i in range(places.size):
        if places[i] < 0:
            continue
        known = nodes[indptr[places[i]] : indptr[places[i] + 1]]
        if known.size <= 8 * candidates.size:
            for p in range(known.size):
                c = column[known[p]]
                if c >= 0:
                    found[i, c] = True
        else:
            for c in range(candidates.size):
                p = np.searchsorted(known, candidates[c])
                found[i, c] = p < known.size and known[p] == candidates[c]
    return found


@dataclass(frozen=True, slots=True, eq=False)
class TripleBatch:
    """Triples (n,) by row whose heads are of one type and whose tails are of one type, and negatives of those types.

    ``other_heads`` (c,) and ``other_tails`` (c',) are distinct nodes, ascending.
    """

    rows: npt.NDArray[np.int64]
    other_heads: Rows
    other_tails: Rows


class TripleBatches:
    """Batches of all triples, each with one type of heads and one of tails, in random order.

    Parameters
    ----------
    triples : Triples
        To learn from.
    batch : int
        Triples of a batch, at most.
    negatives : int
        Nodes drawn on either side of a batch; where a type has no more, all of them are taken.
    """

    def __init__(self, triples: Triples, batch: int, negatives: int) -> None:
        self._triples, self._batch, self._negatives = triples, batch, negatives
        n_types = len(triples.type_offsets) - 1
        kinds = triples.types_of(triples.heads) * n_types + triples.types_of(triples.tails)
        order = np.argsort(kinds, kind="stable")
        self._kinds, starts = np.unique(kinds[order], return_index=True)
        self._groups = np.split(order, starts[1:]) if len(order) else []

    def __len__(self) -> int:
        """Return the number of batches of an epoch."""
        return sum(-(-len(group) // self._batch) for group in self._groups)

    def epoch(self, rng: np.random.Generator) -> Iterator[TripleBatch]:
        """Yield every triple once; the batches of all types in a random order, of even sizes within a type."""
        parts = []
        for kind, group in zip(self._kinds.tolist(), self._groups, strict=True):
            n = -(-len(group) // self._batch)
            parts += [(kind, part) for part in np.array_split(rng.permutation(group), n)]
        n_types = len(self._triples.type_offsets) - 1
        for place in rng.permutation(len(parts)).tolist():
            kind, rows = parts[place]
            head_type, tail_type = divmod(kind, n_types)
            yield TripleBatch(rows, self._drawn(head_type, rng), self._drawn(tail_type, rng))

    def _drawn(self, node_type: int, rng: np.random.Generator) -> Rows:
        """Return negatives of a type, ascending."""
        start, stop = self._triples.type_offsets[node_type : node_type + 2].tolist()
        if stop - start <= self._negatives:
            return np.arange(start, stop, dtype=np.int32)
        drawn = rng.choice(stop - start, self._negatives, replace=False, shuffle=False)
        return np.sort(start + drawn).astype(np.int32)
