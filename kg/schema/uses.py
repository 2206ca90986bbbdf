"""What a graph can do for the items: predicates to walk along, literals to make nodes of, tags, attributes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow.compute as pc

from ..knowledge_graph import KnowledgeGraph
from ..literal_values import literal_table, moments, numbers
from ..terms import EDGELESS, LABELS, OWL
from .statements import Int32, Int64, Statements, distinct

Mask = npt.NDArray[np.bool_]
# A predicate counts where this share of the items has it,
_OF_ITEMS = 0.01
# and this share of the statements leads to a value that another subject has as well.
_JOINING = 0.2
_CONSTANT = 0.9
# Texts become nodes where they are short, and a value stands for several items.
_TEXT, _REPEATED = 40, 0.2
# Tags: several an item, each of several items, and no items themselves.
_TAGS_EACH, _ITEMS_EACH, _ARE_ITEMS = 1.5, 3.0, 0.05
# Whole numbers of which this share stands once are identifiers (an ISBN), and say nothing of an item.
_IDENTIFIES = 0.9
_NEVER = (*EDGELESS, *LABELS, OWL + "sameAs")


@dataclass(frozen=True, slots=True)
class Roles:
    """Predicates by what they are good for, as rows, those that most items have first."""

    relations: tuple[int, ...]
    literal_nodes: tuple[int, ...]
    tags: tuple[int, ...]
    attributes: tuple[int, ...]


def roles(kg: KnowledgeGraph, statements: Statements, items: Mask, left_out: Sequence[int]) -> Roles:
    """Return what the predicates are good for.

    Parameters
    ----------
    items : ndarray
        (n_entities,) bool, the entities that are items.
    left_out : sequence of int
        Predicates that say who took what.

    Notes
    -----
    A relation joins what it leads to: its values stand for several subjects, and no value for nearly all. It starts
    or ends at items, or at what another relation leads to. O(m log m) over the statements.
    """
    never = {*left_out, *kg.relations.rows(_NEVER, missing="drop").tolist()}
    share: dict[int, float] = {}
    relations: list[int] = []
    near = items.copy()
    # The second round finds what leads on from what the first has reached.
    for _ in range(2):
        reached = near.copy()
        for relation, _, _ in statements:
            if relation in never or relation in relations:
                continue
            of_near = _share_near(statements, relation, near)
            if of_near >= _OF_ITEMS and _joins(statements, relation):
                relations.append(relation)
                share[relation] = _share_near(statements, relation, items)
                subjects, values = statements.edges_of(relation)
                reached[subjects], reached[values] = True, True
        near = reached
    ranked = tuple(sorted(relations, key=lambda relation: (-share[relation], relation)))
    nodes = [r for r, _, _ in statements if r not in never and _is_node(kg, statements, r, items)]
    tags = [r for r in ranked if _is_tag(statements, r, items)]
    attributes = [r for r, _, _ in statements if r not in never and _is_attribute(kg, statements, r, items)]
    return Roles(ranked, tuple(nodes), tuple(tags), tuple(attributes))


def _share_near(statements: Statements, relation: int, near: Mask) -> float:
    """Return the share of the entities in ``near`` that are at either end of the predicate's edges."""
    subjects, values = statements.edges_of(relation)
    ends = np.concatenate([subjects, values])
    return len(distinct(ends[near[ends]], len(near))) / max(int(near.sum()), 1)


def _joining(values: Int64) -> tuple[float, float]:
    """Return the share of statements whose value is not of one subject alone, and the share of the commonest value."""
    if not len(values):
        return 0.0, 0.0
    ranked = np.sort(values)
    counts = np.diff(np.flatnonzero(np.concatenate([[True], ranked[1:] != ranked[:-1], [True]])))
    return float(counts[counts > 1].sum() / len(values)), float(counts.max() / len(values))


def _joins(statements: Statements, relation: int) -> bool:
    subjects, values = statements.edges_of(relation)
    forward, backward = _joining(values), _joining(subjects.astype(np.int64))
    # Either end may be the shared one: book -> author, or author -> book.
    return max(forward[0], backward[0]) >= _JOINING and forward[1] < _CONSTANT and backward[1] < _CONSTANT


def _literals(statements: Statements, relation: int, items: Mask) -> Int64:
    """Return the rows of the literals that a predicate gives items, one a statement; none where few items have any."""
    subjects, values = statements.of(relation)
    of_items = (values >= statements.n_entities) & items[subjects]
    if len(distinct(subjects[of_items], len(items))) < 10 * _OF_ITEMS * items.sum():
        return np.empty(0, np.int64)
    return values[of_items] - statements.n_entities


def _is_node(kg: KnowledgeGraph, statements: Statements, relation: int, items: Mask) -> bool:
    """Return whether the literals of a predicate are categories: a year, a language, a format."""
    literals = _literals(statements, relation, items)
    if not len(literals):
        return False
    joining, most = _joining(literals)
    rows = np.unique(literals)
    longest = pc.mean(pc.utf8_length(kg.literals.texts.take(rows))).as_py()
    return joining >= 1 - _REPEATED and len(rows) <= _REPEATED * len(literals) and most < _CONSTANT and longest <= _TEXT


def _is_attribute(kg: KnowledgeGraph, statements: Statements, relation: int, items: Mask) -> bool:
    """Return whether the literals of a predicate say something of items: numbers, dates, sentences; no identifiers."""
    literals = _literals(statements, relation, items)
    if not len(literals):
        return False
    rows, counts = np.unique(literals, return_counts=True)
    if counts.max() >= _CONSTANT * len(literals):
        return False
    table = literal_table(kg, rows.astype(np.int32))
    is_number, is_moment = (values(table).is_not_null().to_numpy() for values in (numbers, moments))
    if 2 * counts[is_number | is_moment].sum() >= len(literals):
        whole = table["text"].str.contains(r"^[+-]?[0-9]+$").to_numpy()
        return not counts[whole & (counts == 1)].sum() >= _IDENTIFIES * len(literals)
    words = table["text"].str.contains(r"\S\s+\S") & (table["text"].str.len_chars() > _TEXT)
    return bool(2 * counts[words.to_numpy()].sum() >= len(literals))


def _is_tag(statements: Statements, relation: int, items: Mask) -> bool:
    """Return whether items carry several values of a predicate, and values stand for several items."""
    subjects, values = statements.edges_of(relation)
    of_items = items[subjects]
    if not of_items.any() or items[values[of_items]].mean() > _ARE_ITEMS:
        return False
    n = int(of_items.sum())
    return bool(
        n >= _TAGS_EACH * len(distinct(subjects[of_items], len(items)))
        and n >= _ITEMS_EACH * len(distinct(values[of_items], len(items)))
    )


def likely_items(
    kg: KnowledgeGraph, statements: Statements, classes: Int32, left_out: Sequence[int]
) -> tuple[int, Mask]:
    """Return the class whose members say most (-1 where there are no classes), and (n_entities,) bool its members.

    Where predicates say who took what, the items are their values.
    """
    n = len(kg.entities)
    taken = np.zeros(n, dtype=np.bool_)
    for relation in left_out:
        taken[statements.edges_of(relation)[1]] = True
    relations = np.repeat(np.arange(len(kg.relations)), np.diff(statements.indptr))
    says = np.bincount(statements.subjects[~np.isin(relations, left_out)], minlength=n)
    known = classes >= 0
    if taken.any():
        known &= taken
    if known.any():
        weights = np.bincount(classes[known], weights=says[known], minlength=n)
        best = int(weights.argmax())
        return best, classes == best
    return -1, taken if taken.any() else says > 0
