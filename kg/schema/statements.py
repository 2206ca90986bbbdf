"""All statements of a graph in one numbering, grouped by predicate."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from graphrec.data.lists import indptr_of

from ..knowledge_graph import KnowledgeGraph

Int32 = npt.NDArray[np.int32]
Int64 = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Statements:
    """Subjects and values by predicate; literal values are numbered after the entities.

    Parameters
    ----------
    subjects, values : ndarray
        (m,) int32 entity rows, and (m,) int64 rows of entities (below ``n_entities``) or literals.
    indptr : ndarray
        (n_relations + 1,) int64: where the statements of each predicate begin.
    """

    subjects: Int32
    values: Int64
    indptr: Int64
    n_entities: int

    def of(self, relation: int) -> tuple[Int32, Int64]:
        """Return the subjects and values of one predicate, in order of the subjects."""
        start, stop = self.indptr[relation : relation + 2]
        return self.subjects[start:stop], self.values[start:stop]

    def edges_of(self, relation: int) -> tuple[Int32, Int64]:
        """Return the subjects and values of those statements whose value is an entity."""
        subjects, values = self.of(relation)
        is_edge = values < self.n_entities
        return subjects[is_edge], values[is_edge]

    def __iter__(self) -> Iterator[tuple[int, Int32, Int64]]:
        for relation in range(len(self.indptr) - 1):
            yield relation, *self.of(relation)


def statements_of(kg: KnowledgeGraph) -> Statements:
    """Return all statements of ``kg``; time and memory O(m)."""
    facts = kg.literals.statements
    relations = np.concatenate([kg.triples[:, 1], facts[:, 1]])
    subjects = np.concatenate([kg.triples[:, 0], facts[:, 0]])
    values = np.concatenate([kg.triples[:, 2].astype(np.int64), facts[:, 2].astype(np.int64) + len(kg.entities)])
    order = np.lexsort((subjects, relations))
    return Statements(
        subjects[order], values[order], indptr_of(np.bincount(relations, minlength=len(kg.relations))), len(kg.entities)
    )


def value_text(kg: KnowledgeGraph, value: int) -> str:
    """Return the IRI of an entity or the text of a literal, by its number among the values."""
    n = len(kg.entities)
    return kg.entities[value] if value < n else str(kg.literals.texts[value - n].as_py())


def distinct(rows: npt.NDArray[np.integer], n: int) -> Int64:
    """Return the distinct of (m,) rows below ``n``, sorted; many by a mask, few by sorting."""
    if len(rows) * 8 < n:
        return np.unique(rows).astype(np.int64)
    mask = np.zeros(n, dtype=np.bool_)
    mask[rows] = True
    return np.flatnonzero(mask)
