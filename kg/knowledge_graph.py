"""The knowledge graph: entity-valued triples as int32 rows, literals apart, names for people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from urllib.parse import unquote

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from graphrec.checks import as_array, check_length, check_rows, typed_fields
from graphrec.data.vocabulary import Vocabulary
from graphrec.errors import DataError, nearest_names
from graphrec.graph.iris import local_name, readable_name

from .literals import Literals, no_literals


@dataclass(frozen=True, slots=True)
class ReadReport:
    """What was read, and what was left out.

    In N-Triples and N-Quads each line is one statement, so
    ``n_lines == n_blank + n_rejected + n_triple_terms + n_other_graphs + n_statements``.

    Parameters
    ----------
    files : tuple of str
        In the order in which they were read.
    n_statements : int
        Statements of the graph, repeated ones included.
    n_rejected, first_reject : int, str
        Bad lines (in JSON-LD: statements without an absolute IRI), and what is wrong with the first.
    n_triple_terms : int
        Statements left out because their object is a triple term (RDF 1.2).
    n_reified : int
        Statements added to say the triple terms that were kept as nodes.
    n_other_graphs : int
        Statements of named graphs that were not chosen.
    n_unmapped : int
        Statements of JSON-LD whose key no context gives an IRI: by the standard they say nothing.
    n_lines, n_blank : int
        Lines of N-Triples and N-Quads files, and those that are blank or a comment alone.
    """

    files: tuple[str, ...] = ()
    n_statements: int = 0
    n_rejected: int = 0
    n_triple_terms: int = 0
    first_reject: str = ""
    n_other_graphs: int = 0
    n_unmapped: int = 0
    n_lines: int = 0
    n_blank: int = 0
    n_reified: int = 0

    def to_dict(self) -> dict[str, object]:
        """Return the counts as JSON can hold them."""
        return {**asdict(self), "files": list(self.files)}


@typed_fields
@dataclass(frozen=True, slots=True, init=False, eq=False)
class KnowledgeGraph:
    """An RDF graph in rows. The order in which it was written down leaves no trace.

    Parameters
    ----------
    triples : ndarray
        (m, 3) int32 head entity, relation, tail entity; sorted, no duplicate.
    entities : Vocabulary
        IRIs of all subjects and of all objects that are not literals, in order of their UTF-8 bytes. Blank nodes have
        IRIs too: see :func:`graphrec.kg.reading.rdf.read_rdf`.
    relations : Vocabulary
        IRIs of all predicates, in the same order.
    labels : Arrow string array or None
        (n_entities,) names for people, null where there is none.
    literals : Literals or None
        Values with datatype and language.
    report : ReadReport
        What reading counted; no part of the graph.

    Raises
    ------
    DataError
        On a row out of range, triples that are not sorted, or a duplicate.
    """

    triples: npt.NDArray[np.int32]
    entities: Vocabulary
    relations: Vocabulary
    labels: pa.LargeStringArray
    literals: Literals
    report: ReadReport = field(default_factory=ReadReport)

    def __init__(
        self,
        triples: npt.ArrayLike,
        entities: Vocabulary,
        relations: Vocabulary,
        labels: pa.Array | None = None,
        literals: Literals | None = None,
        report: ReadReport | None = None,
    ) -> None:
        rows = as_array(triples, np.int32, name="triples", ndim=2)
        values = literals if literals is not None else no_literals()
        names = pa.nulls(len(entities), pa.large_string()) if labels is None else labels
        check_length(rows.T, 3, name="a triple")
        for name, statements in (("triples", rows), ("literals.statements", values.statements)):
            check_rows(statements[:, 0], len(entities), name=f"{name}[:, 0]")
            check_rows(statements[:, 1], len(relations), name=f"{name}[:, 1]")
            _check_sorted(statements, name)
        check_rows(rows[:, 2], len(entities), name="triples[:, 2]")
        check_length(names, len(entities), name="labels")
        for attribute, value in (
            ("triples", rows),
            ("entities", entities),
            ("relations", relations),
            ("labels", names.cast(pa.large_string())),
            ("literals", values),
            ("report", report if report is not None else ReadReport()),
        ):
            object.__setattr__(self, attribute, value)

    def __repr__(self) -> str:
        return (
            f"KnowledgeGraph({len(self.triples):,} triples, {len(self.entities):,} entities, "
            f"{len(self.relations):,} relations, {len(self.literals):,} literal statements)"
        )


def _check_sorted(rows: npt.NDArray[np.int32], name: str) -> None:
    if len(rows) < 2:
        return
    pairs = rows[:, 0].astype(np.int64) << 32 | rows[:, 1]
    rises = (pairs[:-1] < pairs[1:]) | ((pairs[:-1] == pairs[1:]) & (rows[:-1, 2] < rows[1:, 2]))
    if not rises.all():
        where = int(np.argmin(rises)) + 1
        raise DataError(f"{name}[{where}] does not follow the row before it; rows must be sorted and unique")


def relation_mask(kg: KnowledgeGraph, rows: npt.ArrayLike) -> npt.NDArray[np.bool_]:
    """Return (n_relations,) whether each relation is among ``rows``."""
    mask = np.zeros(len(kg.relations), dtype=np.bool_)
    mask[np.asarray(rows, dtype=np.int64)] = True
    return mask


def relation_rows(kg: KnowledgeGraph, names: str | Sequence[str]) -> npt.NDArray[np.int32]:
    """Return the rows of one or more relations, given as IRIs or last parts of IRIs (``"author"``), (r,) int32.

    A last part that several relations share means all of them (``schema:name`` over http and https).

    Raises
    ------
    DataError
        On a name that no relation has, with the nearest ones.
    """
    iris = kg.relations.ids.to_pylist()
    by_local: dict[str, list[int]] = {}
    for row, iri in enumerate(iris):
        by_local.setdefault(local_name(iri), []).append(row)
    rows_of_all: list[int] = []
    for name in [names] if isinstance(names, str) else names:
        row = kg.relations.get(name)
        rows = [row] if row >= 0 else by_local.get(unquote(name), [])
        if not rows:
            hint = nearest_names(name, [*by_local, *iris])
            raise DataError(f"relation {name!r} is not among the {len(iris):,} of this graph{hint}")
        rows_of_all.extend(rows)
    return np.unique(np.asarray(rows_of_all, dtype=np.int32))


def entity_label(kg: KnowledgeGraph, entity: int) -> str:
    """Return the name of an entity for people: its label, else what its IRI says."""
    label = kg.labels[int(entity)].as_py()
    return str(label) if label is not None else readable_name(kg.entities[int(entity)])
