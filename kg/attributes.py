"""Literal values of a knowledge graph -> numbers of items."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from graphrec.checks import typed

from .knowledge_graph import KnowledgeGraph, relation_rows
from .linking_report import Linking
from .literals import as_numbers
from .naming import short_name


@typed
def numeric_attributes(
    kg: KnowledgeGraph, linking: Linking, predicates: Sequence[str]
) -> dict[str, npt.NDArray[np.float32]]:
    """Return (n_items,) float32 numbers under the short name of each predicate, NaN where an item has none.

    Dates count as their year. Of several values the first that is a number, in order, is taken.

    Raises
    ------
    DataError
        On a predicate that the graph does not hold.
    """
    columns = {}
    for predicate in predicates:
        facts = kg.literals.statements[np.isin(kg.literals.statements[:, 1], relation_rows(kg, [predicate]))]
        numbers = as_numbers(kg.literals.texts.take(facts[:, 2]))
        usable = ~np.isnan(numbers)
        facts, numbers = facts[usable], numbers[usable]
        values = np.full(len(kg.entities) + 1, np.nan, dtype=np.float32)  # the last one is for row -1
        values[facts[::-1, 0]] = numbers[::-1]
        columns[short_name(predicate)] = values[linking.entities]
    return columns
