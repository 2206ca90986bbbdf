"""Relations and their reverses: a relation that is walked against its direction has a name of its own."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from graphrec.graph.adjacency import Adjacency

REVERSE = "rev_"


def is_reverse(relation: str) -> bool:
    """Return whether a relation is the reverse of a relation in the data."""
    return relation.startswith(REVERSE)


def reverse_number(graph: Adjacency, relation: int) -> int | None:
    """Return the number of the reverse of a relation, or None where the graph has none of that name."""
    name = graph.relation_names[relation]
    back = name.removeprefix(REVERSE) if is_reverse(name) else f"{REVERSE}{name}"
    return graph.relation_names.index(back) if back in graph.relation_names else None


def reverse_numbers(graph: Adjacency) -> npt.NDArray[np.int16]:
    """Return (n_relations,) int16: the number of each relation's reverse; its own where it has none."""
    numbers = (reverse_number(graph, number) for number in range(len(graph.relation_names)))
    return np.array([own if back is None else back for own, back in enumerate(numbers)], dtype=np.int16)
