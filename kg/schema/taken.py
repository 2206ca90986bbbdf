"""Which predicates say who took what: such statements are events, and no edges of a catalogue."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import polars as pl

from graphrec.data.vocabulary import Vocabulary

from ..knowledge_graph import KnowledgeGraph
from ..linking import link_by_template
from ..terms import INTERACTION_TERMS, LABELS, SUBCLASS_OF, TYPE
from .statements import Int32, Statements, distinct
from .templates import templates_of

# Of the statements between users and items, this share must be events, and so many times more than chance has.
_SHARE, _TIMES_CHANCE = 0.05, 10.0
# Without events: subjects and values have so many statements on average; subjects say little else, values do.
_PER_SUBJECT, _PER_VALUE, _BARE, _SAYING = 2.0, 1.5, 0.9, 0.5


def by_events(
    kg: KnowledgeGraph, statements: Statements, linked: Int32, items: Vocabulary, events: pl.DataFrame
) -> list[int]:
    """Return the predicates whose statements between users and items are events far beyond chance.

    Parameters
    ----------
    linked : ndarray
        (n_items,) int32 entity of each item, -1 where there is none.
    events : DataFrame
        Columns ``user_id`` and ``item_id``. Users are looked for in the IRIs of the graph, by the template that fits
        most; a graph without users can hold no event.
    """
    users = Vocabulary(events["user_id"].cast(pl.String).drop_nulls().unique(maintain_order=True).to_arrow())
    templates = templates_of(users.ids.to_pylist(), kg.entities.ids, n=3)
    pairs = _event_keys(users, items, events)
    chosen: set[int] = set()
    item_of = _inverse(linked, len(kg.entities))
    for template in templates:
        user_of = _inverse(link_by_template(users, kg, template).entities, len(kg.entities))
        for relation, _, _ in statements:
            subjects, values = statements.edges_of(relation)
            for user_end, item_end in ((subjects, values), (values, subjects)):
                if _encodes(user_of[user_end], item_of[item_end], pairs, len(users), len(items)):
                    chosen.add(relation)
    return sorted(chosen)


def _event_keys(users: Vocabulary, items: Vocabulary, events: pl.DataFrame) -> npt.NDArray[np.int64]:
    """Return the distinct (user, item) pairs of the events as numbers."""
    ids = events.select(pl.col("user_id", "item_id").cast(pl.String)).drop_nulls()
    user_rows = users.rows(ids["user_id"].to_arrow(), missing="mark").astype(np.int64)
    item_rows = items.rows(ids["item_id"].to_arrow(), missing="mark")
    known = (user_rows >= 0) & (item_rows >= 0)
    return np.unique(user_rows[known] * len(items) + item_rows[known])


def _encodes(users: Int32, items: Int32, events: npt.NDArray[np.int64], n_users: int, n_items: int) -> bool:
    known = (users >= 0) & (items >= 0)
    keys = np.unique(users[known].astype(np.int64) * n_items + items[known])
    if not len(keys) or not len(events):
        return False
    chance = len(events) / (n_users * n_items)
    # In small or dense data ten times chance may be more than all.
    least = max(_SHARE, min(_TIMES_CHANCE * chance, (1 + chance) / 2))
    return float(np.isin(keys, events).mean()) >= least


def _inverse(entities: Int32, n_entities: int) -> Int32:
    """Return (n_entities,) int32: the row whose entity each is, -1 where there is none."""
    rows = np.full(n_entities, -1, dtype=np.int32)
    known = np.flatnonzero(entities >= 0)
    rows[entities[known]] = known
    return rows


def by_shape(kg: KnowledgeGraph, statements: Statements) -> list[int]:
    """Return the predicates that look like "a user took an item", and those of our own vocabulary.

    They join two sets without a common member, many to many. Their subjects say little else: a user has events, at
    most a class and a name besides. Their values do say more: an item has an author or a category, which a category
    has not.
    """
    own = kg.relations.rows(INTERACTION_TERMS, missing="drop").tolist()
    quiet = np.zeros(len(kg.relations), dtype=np.bool_)
    quiet[kg.relations.rows((TYPE, SUBCLASS_OF, *LABELS), missing="drop")] = True
    dense = [relation for relation, _, _ in statements if not quiet[relation] and _is_dense(statements, relation)]
    said = _statements_of_subjects(statements, quiet, len(kg.entities))
    by_candidates = _statements_of_subjects(statements, ~np.isin(np.arange(len(quiet)), dense), len(kg.entities))
    likely = [relation for relation in dense if _is_bare(statements, relation, said, by_candidates)]
    return sorted({*own, *likely})


def _is_dense(statements: Statements, relation: int) -> bool:
    subjects, values = statements.of(relation)
    if not len(values) or values.max() >= statements.n_entities:
        return False
    ends = distinct(subjects, statements.n_entities), distinct(values, statements.n_entities)
    many_to_many = len(values) >= max(_PER_SUBJECT * len(ends[0]), _PER_VALUE * len(ends[1]))
    return many_to_many and not len(np.intersect1d(*ends, assume_unique=True))


def _statements_of_subjects(statements: Statements, skipped: npt.NDArray[np.bool_], n: int) -> npt.NDArray[np.int64]:
    """Return (n,) int64: statements of each entity as a subject, those of skipped predicates left out."""
    relations = np.repeat(np.arange(len(skipped)), np.diff(statements.indptr))
    return np.bincount(statements.subjects[~skipped[relations]], minlength=n)


def _is_bare(
    statements: Statements, relation: int, said: npt.NDArray[np.int64], by_candidates: npt.NDArray[np.int64]
) -> bool:
    """Return whether the subjects say hardly more than what the candidates say, and the values say something."""
    subjects, values = statements.of(relation)
    users = distinct(subjects, statements.n_entities)
    bare = by_candidates[users].sum() >= _BARE * said[users].sum()
    return bool(bare and (said[values] > 0).mean() >= _SAYING)
