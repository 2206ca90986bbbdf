"""One predicate in numbers: degrees, domain and range, kinds of literals, and what is odd about it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from graphrec.graph.iris import local_name

from ..knowledge_graph import KnowledgeGraph
from ..terms import SUBCLASS_OF, TYPE
from .statements import Int32, Int64, Statements, value_text
from .values import (
    FUNCTIONAL,
    HUB,
    INTERACTIONS,
    INVERSE_FUNCTIONAL,
    MIXED,
    NEAR_CONSTANT,
    NEAR_UNIQUE,
    Degrees,
    PredicateSummary,
    Share,
)

# Below this many statements nothing is called unique or constant.
_FEW = 10
_ALMOST = 0.9
# A value is a hub from this degree on, if it also has this share of the statements.
_HUB_DEGREE, _HUB_SHARE = 100, 0.05
_SHARES = 5


def predicate_summaries(
    kg: KnowledgeGraph, statements: Statements, classes: Int32, interactions: Sequence[int]
) -> tuple[PredicateSummary, ...]:
    """Return every predicate that has statements, those with most first.

    Parameters
    ----------
    classes : ndarray
        (n_entities,) int32 class of each entity, -1 without.
    interactions : sequence of int
        Predicates that say who took what.
    """
    names = predicate_names(kg)
    summaries = [
        _summary(kg, statements, classes, relation, names[relation], is_interaction=relation in set(interactions))
        for relation, subjects, _ in statements
        if len(subjects)
    ]
    return tuple(sorted(summaries, key=lambda entry: (-entry.n_statements, entry.iri)))


def predicate_names(kg: KnowledgeGraph) -> list[str]:
    """Return the last part of each predicate's IRI, or the whole where two have the same last part."""
    iris = kg.relations.ids.to_pylist()
    names = [local_name(iri) for iri in iris]
    seen: dict[str, int] = {}
    for name in names:
        seen[name] = seen.get(name, 0) + 1
    return [name if seen[name] == 1 else iri for name, iri in zip(names, iris, strict=True)]


def _summary(
    kg: KnowledgeGraph, statements: Statements, classes: Int32, relation: int, name: str, *, is_interaction: bool
) -> PredicateSummary:
    subjects, values = statements.of(relation)
    _, per_subject = np.unique(subjects, return_counts=True)
    distinct, per_value = np.unique(values, return_counts=True)
    is_edge = values < statements.n_entities
    top = int(per_value.argmax())
    iri = kg.relations[relation]
    flags = _flags(per_subject, per_value, n_edges=int(is_edge.sum()), structural=iri in (TYPE, SUBCLASS_OF))
    return PredicateSummary(
        iri=iri,
        name=name,
        kind=_kind(int(is_edge.sum()), len(values)),
        n_statements=len(values),
        n_subjects=len(per_subject),
        n_values=len(distinct),
        domain=_class_shares(kg, classes[subjects]),
        range=_class_shares(kg, classes[values[is_edge]]),
        datatypes=_code_shares(kg.literals.datatypes, values[~is_edge] - statements.n_entities),
        languages=_code_shares(kg.literals.languages, values[~is_edge] - statements.n_entities),
        out_degrees=_degrees(per_subject),
        in_degrees=_degrees(per_value),
        top_value=value_text(kg, int(distinct[top])),
        top_share=float(per_value[top] / len(values)),
        flags=(*flags, INTERACTIONS) if is_interaction else flags,
        example=(kg.entities[int(subjects[0])], value_text(kg, int(values[0]))),
    )


def _kind(n_edges: int, n: int) -> Literal["entity", "literal", "mixed"]:
    if n_edges == n:
        return "entity"
    return "mixed" if n_edges else "literal"


def _flags(per_subject: Int64, per_value: Int64, *, n_edges: int, structural: bool) -> tuple[str, ...]:
    """Return what the degrees say; ``structural`` predicates (rdf:type) are never suspicious."""
    n = int(per_subject.sum())
    most = int(per_value.max())
    constant = n >= _FEW and most >= _ALMOST * n and not structural
    unique = n >= _FEW and n_edges == n and np.count_nonzero(per_value == 1) >= _ALMOST * len(per_value)
    claims = {
        FUNCTIONAL: per_subject.max() == 1,
        INVERSE_FUNCTIONAL: most == 1,
        HUB: n_edges == n and most >= max(_HUB_DEGREE, _HUB_SHARE * n) and not constant,
        MIXED: 0 < n_edges < n,
        NEAR_UNIQUE: unique and not constant and not structural,
        NEAR_CONSTANT: constant,
    }
    return tuple(name for name, holds in claims.items() if holds)


def _degrees(counts: Int64) -> Degrees:
    median, p90 = np.quantile(counts, (0.5, 0.9))
    return Degrees(float(counts.mean()), float(median), float(p90), int(counts.max()))


def _class_shares(kg: KnowledgeGraph, classes: Int32) -> tuple[Share, ...]:
    """Return the largest shares of (m,) classes, by IRI; -1 has no entry."""
    kinds, counts = np.unique(classes, return_counts=True)
    named = kinds >= 0
    return _shares([kg.entities[int(kind)] for kind in kinds[named]], counts[named], len(classes))


def _code_shares(column: pa.DictionaryArray, rows: Int64) -> tuple[Share, ...]:
    """Return the largest shares of the texts that stand in ``column`` at ``rows``; null has no entry."""
    chosen = column.take(pa.array(rows))
    if not len(rows) or chosen.null_count == len(rows):
        return ()
    codes, counts = np.unique(chosen.indices.drop_null().to_numpy(), return_counts=True)
    return _shares([str(column.dictionary[int(code)].as_py()) for code in codes], counts, len(rows))


def _shares(names: Sequence[str], counts: npt.NDArray[np.int64], n: int) -> tuple[Share, ...]:
    ranked = sorted(zip(names, counts.tolist(), strict=True), key=lambda pair: (-pair[1], pair[0]))
    return tuple(Share(name, count / n) for name, count in ranked[:_SHARES])
