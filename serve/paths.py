"""What two items share in the catalogue graph, and which items are near one."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from graphrec.adjacency import Adjacency
from graphrec.catalogue import CatalogueGraph
from graphrec.errors import DataError, nearest_names

REVERSE = "rev_"


@dataclass(frozen=True, slots=True)
class Link:
    """A node that two items are both joined to, with the relations from either; ``node`` is -1 for a direct edge."""

    node: int
    relations: tuple[int, ...]
    others: tuple[int, ...]
    degree: int


def edges_of(graph: Adjacency, node: int) -> list[tuple[int, int]]:
    """Return (destination, relation) of each edge that leaves ``node``."""
    start, stop = graph.indptr[node], graph.indptr[node + 1]
    return list(zip(graph.indices[start:stop].tolist(), graph.relations[start:stop].tolist(), strict=True))


def links(graph: CatalogueGraph, here: list[tuple[int, int]], there: int, *, relation: int | None = None) -> list[Link]:
    """Return what an item with the edges ``here`` shares with the item ``there``, the most specific first.

    A direct edge comes before all; then shared entities by rising degree, ties by row. With ``relation``, both items
    must be joined to the entity by that one.
    """
    adjacency, n_items = graph.adjacency, graph.n_items
    mine: dict[int, list[int]] = {}
    for node, number in here:
        if relation is None or number == relation:
            mine.setdefault(node, []).append(number)
    theirs: dict[int, list[int]] = {}
    for node, number in edges_of(adjacency, there):
        if node >= n_items and node in mine and (relation is None or number == relation):
            theirs.setdefault(node, []).append(number)
    found = [
        Link(node, tuple(mine[node]), tuple(numbers), int(adjacency.indptr[node + 1] - adjacency.indptr[node]))
        for node, numbers in theirs.items()
    ]
    found.sort(key=lambda link: (link.degree, link.node))
    return [Link(-1, tuple(mine[there]), (), 0), *found] if there in mine else found


def near(
    graph: CatalogueGraph, item: int, pool: npt.NDArray[np.bool_], k: int, *, relation: int | None = None
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.float64]]:
    r"""Return the k items of the pool that share most with ``item``, and their scores.

    .. math:: s(i, j) = [i \to j] + \sum_{(r, e):\ i \to_r e,\ j \to_r e} \frac{1}{d_r(e)}

    with :math:`d_r(e)` the number of items that relation r joins to entity e. Ties go to the lower row. Time and
    memory are linear in the items that the entities of ``item`` are joined to.
    """
    adjacency, n_items = graph.adjacency, graph.n_items
    parts: list[npt.NDArray[np.int32]] = []
    amounts: list[npt.NDArray[np.float64]] = []
    for node, number in edges_of(adjacency, item):
        if relation is not None and number != relation:
            continue
        reached = np.array([node], dtype=np.int32) if node < n_items else _joined_to(adjacency, node, number, n_items)
        parts.append(reached)
        amounts.append(np.full(len(reached), 1.0 / max(len(reached), 1)))
    if not parts:
        return np.empty(0, dtype=np.int32), np.empty(0)
    rows, place = np.unique(np.concatenate(parts), return_inverse=True)
    scores = np.bincount(place, weights=np.concatenate(amounts), minlength=len(rows))
    legal = pool[rows] & (rows != item)
    rows, scores = rows[legal], scores[legal]
    order = np.lexsort((rows, -scores))[:k]
    return rows[order], scores[order]


def _joined_to(graph: Adjacency, entity: int, relation: int, n_items: int) -> npt.NDArray[np.int32]:
    """Return the items that ``relation`` joins to ``entity``, found through the relation's reverse."""
    start, stop = int(graph.indptr[entity]), int(graph.indptr[entity + 1])
    # Indices ascend within a node and items come first, so items are a prefix.
    stop = start + int(np.searchsorted(graph.indices[start:stop], n_items))
    back = reverse_number(graph, relation)
    items = graph.indices[start:stop]
    return items if back is None else items[graph.relations[start:stop] == back]


def reverse_number(graph: Adjacency, relation: int) -> int | None:
    """Return the number of the reverse of a relation, or None where the graph has none of that name."""
    name = graph.relation_names[relation]
    back = name.removeprefix(REVERSE) if is_reverse(name) else f"{REVERSE}{name}"
    return graph.relation_names.index(back) if back in graph.relation_names else None


def find_relation(graph: CatalogueGraph, name: str) -> int:
    """Return the number of a relation that leaves items, by its name or the last part of its IRI.

    Raises
    ------
    DataError
        If there is none, with the nearest names and all that there are.
    """
    adjacency = graph.adjacency
    numbers = np.unique(adjacency.relations[: adjacency.indptr[graph.n_items]]).tolist()
    names = {adjacency.relation_names[number]: number for number in numbers}
    if name in names:
        return int(names[name])
    short = {local_name(known): number for known, number in names.items()}
    if name in short:
        return int(short[name])
    legal = ", ".join(names) or "none: the bundle has no knowledge graph"
    raise DataError(
        f"relation {name!r} is not among those of items{nearest_names(name, {**names, **short})}; legal: {legal}"
    )


def local_name(relation: str) -> str:
    """Return the last part of an IRI; other names as they are."""
    return relation.rstrip("/#").rsplit("/", 1)[-1].rsplit("#", 1)[-1]


def is_reverse(relation: str) -> bool:
    """Tell whether a relation is the reverse of one that the data states."""
    return relation.startswith(REVERSE)


def relation_words(relation: str, wording: Mapping[str, str]) -> str:
    """Return a relation in words: ``"hasOriginalAuthor"`` is "original author". ``wording`` may name it otherwise."""
    name = local_name(relation.removeprefix(REVERSE)).removeprefix(REVERSE)
    for key in (relation, name):
        if key in wording:
            return wording[key]
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", name)
    words = [word if word.isupper() and len(word) > 1 else word.lower() for word in re.split(r"[_\-.\s]+", spaced)]
    words = [word for word in words if word]
    return " ".join(words[1:] if len(words) > 1 and words[0] in ("has", "in") else words) or name


def path_words(graph: CatalogueGraph, here: int, there: int, link: Link, wording: Mapping[str, str]) -> str:
    """Return a link of two items in words: "same series, Dune Chronicles", or "Dune → followed by → Dune Messiah"."""
    names = graph.adjacency.relation_names
    mine = list(dict.fromkeys(relation_words(names[number], wording) for number in link.relations))
    if link.node < 0:
        ends = (there, here) if is_reverse(names[link.relations[0]]) else (here, there)
        first, last = (graph.label(end) for end in ends)
        return f"{first} → {' and '.join(mine)} → {last}"
    theirs = list(dict.fromkeys(relation_words(names[number], wording) for number in link.others))
    label = graph.label(link.node)
    both = [words for words in mine if words in theirs]
    if both:
        return f"same {' and '.join(both)}, {label}"
    return f"{label}, {' and '.join(mine)} of one and {' and '.join(theirs)} of the other"
