"""One type for each entity: chosen among its rdf:type statements, else by the predicate that leads to it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from graphrec.errors import DataError, nearest_names
from graphrec.graph.iris import local_name

from .knowledge_graph import KnowledgeGraph, relation_mask
from .terms import SUBCLASS_OF, TYPE, UNSPECIFIC_TYPES
from .triple_kernels import leading_relations, triples_of


def entity_types(kg: KnowledgeGraph, *, max_types: int = 64) -> npt.NDArray[np.int32]:
    """Return (n_entities,) int32: the entity row of each entity's class, -1 where it has none.

    Of several types the most specific count: a class is dropped where the entity also has a class that the graph says
    is below it (``rdfs:subClassOf``, any number of steps), and so are classes that say nothing (``owl:Thing``). Of
    those left, the one with the most members wins; ties go to the lower row. Classes beyond the ``max_types`` largest
    count as none.
    """
    chosen = np.full(len(kg.entities), -1, dtype=np.int32)
    holders, _, own_classes = triples_of(kg.triples, relation_mask(kg, kg.relations.rows([TYPE], missing="drop")))
    pairs = np.column_stack([holders, own_classes])  # (m, 2)
    vague = kg.entities.rows(UNSPECIFIC_TYPES, missing="drop")
    pairs = pairs[~np.isin(pairs[:, 1], vague)] if len(vague) else pairs
    if not len(pairs):
        return chosen
    pairs = _without_superclasses(kg, pairs)
    members = np.bincount(pairs[:, 1], minlength=len(kg.entities))
    begins = np.flatnonzero(np.append(True, pairs[1:, 0] != pairs[:-1, 0]))  # triples stand in order of their heads
    # The least number of each: that of the class with the most members, the lower row of equals.
    best = np.minimum.reduceat((len(pairs) - members[pairs[:, 1]]) << 32 | pairs[:, 1], begins)
    chosen[pairs[begins, 0]] = best & 0xFFFFFFFF
    counts = np.bincount(chosen[chosen >= 0], minlength=len(kg.entities))
    classes = np.flatnonzero(counts)
    kept = np.zeros(len(kg.entities), dtype=np.bool_)
    kept[classes[np.lexsort((classes, -counts[classes]))[:max_types]]] = True
    chosen[~kept[chosen]] = -1
    return chosen


def entity_ranges(kg: KnowledgeGraph, relations: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
    """Return (n_entities,) int32: the relation that leads to each entity most often, -1 where none does.

    Where a dump has no ``rdf:type``, this keeps directors, actors and categories apart: each is what its predicate
    says. Ties go to the lower row.

    Parameters
    ----------
    relations : ndarray
        (r,) int32 rows of the relations that count.
    """
    chosen: npt.NDArray[np.int32] = leading_relations(kg.triples, relation_mask(kg, relations), len(kg.entities))
    return chosen


def members(kg: KnowledgeGraph, name: str) -> npt.NDArray[np.bool_]:
    """Return (n_entities,) bool: the entities of a class, or of one below it (``rdfs:subClassOf``, any steps).

    Parameters
    ----------
    name : str
        IRI of the class, or the last part of it; a last part that several classes share means all of them.

    Raises
    ------
    DataError
        If no entity has a class of that name; the nearest are named.
    """
    pairs = kg.triples[kg.triples[:, 1] == kg.relations.get(TYPE)][:, [0, 2]]  # (m, 2)
    below = kg.triples[kg.triples[:, 1] == kg.relations.get(SUBCLASS_OF)][:, [0, 2]]
    classes = np.union1d(pairs[:, 1], below)
    iris = {int(row): kg.entities[int(row)] for row in classes}
    wanted = {row for row, iri in iris.items() if name in (iri, local_name(iri))}
    if not wanted:
        known = [text for iri in iris.values() for text in (local_name(iri), iri)]
        raise DataError(
            f"no entity has a type {name!r}; the graph has {len(iris):,} classes{nearest_names(name, known)}"
        )
    reached = np.fromiter(wanted, np.int32)
    while len(fresh := np.setdiff1d(below[np.isin(below[:, 1], reached), 0], reached)):
        reached = np.union1d(reached, fresh)
    chosen = np.zeros(len(kg.entities), dtype=np.bool_)
    chosen[pairs[np.isin(pairs[:, 1], reached), 0]] = True
    return chosen


def _without_superclasses(kg: KnowledgeGraph, pairs: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
    """Return the (entity, class) pairs whose class is not above another class of the same entity."""
    relation = kg.relations.get(SUBCLASS_OF)
    if relation < 0:
        return pairs
    rows = kg.triples[kg.triples[:, 1] == relation]
    parents: dict[int, list[int]] = {}
    for child, _, parent in rows.tolist():
        if child != parent:
            parents.setdefault(child, []).append(parent)
    n = np.int64(len(kg.entities))
    known = set(np.unique(pairs[:, 1]).tolist())
    dropped = []
    for child in sorted(known & parents.keys()):
        above = np.asarray(sorted(_ancestors(child, parents) & known), dtype=np.int64)
        holders = pairs[pairs[:, 1] == child, 0].astype(np.int64)
        dropped.append((holders[:, None] * n + above[None, :]).ravel())
    if not dropped:
        return pairs
    keys = pairs[:, 0].astype(np.int64) * n + pairs[:, 1]
    return pairs[~np.isin(keys, np.concatenate(dropped))]


def _ancestors(child: int, parents: dict[int, list[int]]) -> set[int]:
    """Return all classes above ``child``; classes that are above each other (a cycle) count as equal."""
    above: set[int] = set()
    waiting = list(parents.get(child, ()))
    while waiting:
        kind = waiting.pop()
        if kind not in above:
            above.add(kind)
            waiting.extend(parents.get(kind, ()))
    if child not in above:
        return above
    # In a cycle: only what cannot lead back to the child is really above it.
    return {kind for kind in above if kind != child and not _leads_to(kind, child, parents)}


def _leads_to(start: int, goal: int, parents: dict[int, list[int]]) -> bool:
    seen: set[int] = set()
    waiting = [start]
    while waiting:
        kind = waiting.pop()
        if kind == goal:
            return True
        if kind not in seen:
            seen.add(kind)
            waiting.extend(parents.get(kind, ()))
    return False
