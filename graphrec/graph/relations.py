"""Relations and their reverses, and how paths of them are written.

A relation that is walked against its direction has a name of its own. A path is written as SPARQL writes a property
path: names of relations with ``/`` between them, ``^`` before a relation that is walked against its direction, and
``<…>`` around a name that holds a ``/`` itself::

    author/^author                       books by the same author
    author/birthplace/^birthplace/^author   books by authors of the same place
    ^interacts/interacts                 items that the same users took
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from graphrec.errors import ConfigError
from graphrec.graph.adjacency import Adjacency

REVERSE = "rev_"
_STEP = re.compile(r"(\^?)(?:<([^<>]+)>|([^<>/^\s]+))")


def is_reverse(relation: str) -> bool:
    """Return whether a relation is the reverse of a relation in the data."""
    return relation.startswith(REVERSE)


def reverse_mask(graph: Adjacency) -> npt.NDArray[np.bool_]:
    """Return (relations,) bool: which relations of a graph are reverses."""
    return np.array([is_reverse(name) for name in graph.relation_names], dtype=np.bool_)


def reverse_name(relation: str) -> str:
    """Return the name of a relation's reverse."""
    return relation.removeprefix(REVERSE) if is_reverse(relation) else f"{REVERSE}{relation}"


def reverse_number(graph: Adjacency, relation: int) -> int | None:
    """Return the number of the reverse of a relation, or None where the graph has none of that name."""
    back = reverse_name(graph.relation_names[relation])
    return graph.relation_names.index(back) if back in graph.relation_names else None


def reverse_numbers(graph: Adjacency) -> npt.NDArray[np.int16]:
    """Return (n_relations,) int16, read-only: the number of each relation's reverse; its own where it has none."""
    return _reverses(tuple(graph.relation_names))


# A request for neighbours asks for it, of the same graph again and again.
@lru_cache(maxsize=16)
def _reverses(names: tuple[str, ...]) -> npt.NDArray[np.int16]:
    numbers = {name: number for number, name in enumerate(names)}
    reverses = np.array([numbers.get(reverse_name(name), own) for own, name in enumerate(names)], dtype=np.int16)
    reverses.setflags(write=False)
    return reverses


def parse_path(text: str) -> tuple[str, ...]:
    """Return the relations of a meta-path's steps, those against their direction by the name of their reverse.

    Raises
    ------
    ConfigError
        If the text is no meta-path; the sentence names the position of the first step that is none.
    """
    steps: list[str] = []
    place = 0
    while True:
        match = _STEP.match(text, place)
        if match is None or (match.end() < len(text) and text[match.end()] != "/"):
            raise ConfigError(
                f"step {len(steps) + 1} of the meta-path {text!r} is no relation; write names of relations with / "
                "between them, ^ before one that is walked backwards, as in author/^author"
            )
        name = match[2] or match[3]
        steps.append(reverse_name(name) if match[1] else name)
        if match.end() == len(text):
            return tuple(steps)
        place = match.end() + 1


def path_text(relations: Sequence[str]) -> str:
    """Return the meta-path of relations by name as it is written; :func:`parse_path` gives them back."""
    steps = [("^" if is_reverse(name) else "", name.removeprefix(REVERSE)) for name in relations]
    return "/".join(back + (name if _STEP.fullmatch(name) else f"<{name}>") for back, name in steps)
