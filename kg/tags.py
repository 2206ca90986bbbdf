"""KnowledgeGraph + linking -> the tags of items."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from graphrec.checks import typed
from graphrec.data.item_tags import ItemTags
from graphrec.data.lists import indptr_of
from graphrec.data.neighbours import NeighbourTable
from graphrec.data.vocabulary import Vocabulary

from .catalogue import expanded, item_places
from .knowledge_graph import KnowledgeGraph, entity_label, relation_rows
from .linking_report import Linking
from .naming import short_name

Int64 = npt.NDArray[np.int64]


@typed
def item_tags(kg: KnowledgeGraph, linking: Linking, predicates: Sequence[str]) -> ItemTags:
    """Return what items carry under ``predicates`` as tags, entity-valued and literal-valued alike; weights are 1.

    A tag is named by its label or text; where two have one name, the predicate is added in brackets, and where that
    does not part them either, the IRI or the datatype.

    Raises
    ------
    DataError
        On a predicate that the graph does not hold.
    """
    chosen = relation_rows(kg, predicates)
    edges = kg.triples[np.isin(kg.triples[:, 1], chosen)]
    facts = kg.literals.statements[np.isin(kg.literals.statements[:, 1], chosen)].copy()
    # Literal values are numbered after the entities; texts that differ in language alone are one tag.
    texts = kg.literals.texts.take(facts[:, 2]).dictionary_encode()
    facts[:, 2] = texts.indices.to_numpy() + np.int32(len(kg.entities))
    rows = np.concatenate([edges, facts])
    n_values = np.int64(len(kg.entities) + len(texts.dictionary))
    indptr, item_rows = item_places(len(kg.entities), linking.entities, np.empty(0, np.int64), len(linking.entities))
    carriers, source = expanded((indptr, item_rows), rows[:, 0])
    keys, tags = np.unique(rows[:, 1].astype(np.int64) * n_values + rows[:, 2], return_inverse=True)
    used, tags = np.unique(tags[source], return_inverse=True)
    names = _tag_names(kg, keys[used] // n_values, keys[used] % n_values, texts.dictionary.to_pylist())
    pairs = np.unique(np.column_stack([carriers.astype(np.int64), tags]), axis=0)
    table_indptr = indptr_of(np.bincount(pairs[:, 0], minlength=len(linking.entities)))
    table = NeighbourTable(
        table_indptr, pairs[:, 1].astype(np.int32), np.ones(len(pairs), np.float32), n_columns=len(names)
    )
    return ItemTags(Vocabulary(names), table)


def _tag_names(kg: KnowledgeGraph, predicates: Int64, values: Int64, texts: Sequence[str]) -> list[str]:
    n = len(kg.entities)
    plain = [entity_label(kg, v) if v < n else texts[v - n] for v in values.tolist()]
    kinds = [short_name(kg.relations[p]).replace("_", " ") for p in predicates.tolist()]
    names = _parted(plain, [f"{name} ({kind})" for name, kind in zip(plain, kinds, strict=True)])
    full = [kg.entities[v] if v < n else f"text, {kg.relations[p]}" for p, v in zip(predicates, values, strict=True)]
    names = _parted(names, [f"{name} ({extra})" for name, extra in zip(plain, full, strict=True)])
    return _parted(names, [f"{name} [{position}]" for position, name in enumerate(names)])


def _parted(names: Sequence[str], longer: Sequence[str]) -> list[str]:
    """Return ``names`` with those that stand twice replaced by their longer form."""
    seen: dict[str, int] = {}
    for name in names:
        seen[name] = seen.get(name, 0) + 1
    return [long if seen[name] > 1 else name for name, long in zip(names, longer, strict=True)]
