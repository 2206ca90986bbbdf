"""What two items share in the catalogue graph, and which items are near an item."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from graphrec.errors import DataError, nearest_names
from graphrec.graph.adjacency import Adjacency
from graphrec.graph.catalogue import CatalogueGraph
from graphrec.graph.iris import local_name
from graphrec.graph.relations import REVERSE, is_reverse, reverse_number

Edges = dict[int, list[int]]


@dataclass(frozen=True, slots=True)
class Link:
    """A node that two items are both joined to, with the relations from either; ``node`` is -1 for a direct edge."""

    node: int
    relations: tuple[int, ...]
    others: tuple[int, ...]
    degree: int


def edges_of(graph: Adjacency, node: int) -> Edges:
    """Return the relations that lead from ``node`` to each of the nodes it is joined to."""
    start, stop = graph.indptr[node], graph.indptr[node + 1]
    edges: Edges = {}
    for other, relation in zip(graph.indices[start:stop].tolist(), graph.relations[start:stop].tolist(), strict=True):
        edges.setdefault(other, []).append(relation)
    return edges


def links(graph: CatalogueGraph, here: Edges, item: int, *, relation: int | None = None) -> list[Link]:
    """Return what an item with the edges ``here`` shares with ``item``, the most specific first.

    A direct edge comes before all; then shared entities by rising degree, ties by row. With ``relation``, both items
    must be joined to the entity by that relation.
    """
    there = edges_of(graph.adjacency, item)
    n_items = graph.n_items
    common = [node for node in there if node >= n_items and node in here]
    shared = [Link(node, tuple(here[node]), tuple(there[node]), _degree(graph.adjacency, node)) for node in common]
    shared.sort(key=lambda link: (link.degree, link.node))
    if item in here:
        shared.insert(0, Link(-1, tuple(here[item]), (), 0))
    if relation is None:
        return shared
    only = (relation,)
    return [
        Link(link.node, only, only if link.node >= 0 else (), link.degree)
        for link in shared
        if relation in link.relations and (link.node < 0 or relation in link.others)
    ]


def _degree(graph: Adjacency, node: int) -> int:
    return int(graph.indptr[node + 1]) - int(graph.indptr[node])


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
    for node, numbers in edges_of(adjacency, item).items():
        for number in numbers:
            if relation is None or number == relation:
                direct = node < n_items
                parts.append(np.array([node], np.int32) if direct else _joined_to(adjacency, node, number, n_items))
    if not parts:
        return np.empty(0, dtype=np.int32), np.empty(0)
    sizes = np.array([len(part) for part in parts])
    rows, scores = _summed(np.concatenate(parts), np.repeat(1.0 / np.maximum(sizes, 1), sizes), n_items)
    legal = pool[rows] & (rows != item)
    return _best(rows[legal], scores[legal], k)


def _summed(
    rows: npt.NDArray[np.int32], amounts: npt.NDArray[np.float64], n_items: int
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.float64]]:
    """Return each row once, with the sum of its amounts."""
    if len(rows) * 4 < n_items:
        once, place = np.unique(rows, return_inverse=True)
        return once, np.bincount(place, weights=amounts, minlength=len(once)).astype(np.float64, copy=False)
    # Where much of the catalogue is reached, counting into all of it is quicker than sorting.
    sums = np.bincount(rows, weights=amounts, minlength=n_items).astype(np.float64, copy=False)
    once = np.flatnonzero(sums).astype(np.int32)
    return once, sums[once]


def _best(
    rows: npt.NDArray[np.int32], scores: npt.NDArray[np.float64], k: int
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.float64]]:
    """Return the k rows of the highest scores, best first, ties by row."""
    if len(rows) > k:
        high = scores >= np.partition(scores, len(scores) - k)[len(scores) - k]
        rows, scores = rows[high], scores[high]
    order = np.lexsort((rows, -scores))[:k]
    return rows[order], scores[order]


def _joined_to(graph: Adjacency, entity: int, relation: int, n_items: int) -> npt.NDArray[np.int32]:
    """Return the items that ``relation`` joins to ``entity``, read by the relation's reverse."""
    start, stop = int(graph.indptr[entity]), int(graph.indptr[entity + 1])
    # Indices ascend within a node and items come first, so items are a prefix.
    stop = start + int(np.searchsorted(graph.indices[start:stop], n_items))
    back = reverse_number(graph, relation)
    items = graph.indices[start:stop]
    return items if back is None else items[graph.relations[start:stop] == back]


def find_relation(graph: CatalogueGraph, name: str) -> int:
    """Return the number of a relation that leaves items, by its name or the last part of its IRI.

    ``isPartOf`` finds ``is_part_of``, as long as only one relation is spelt alike.

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
    alike = [number for known, number in names.items() if plain_name(known) == plain_name(name)]
    if len(alike) == 1:
        return int(alike[0])
    short = {local_name(known): known for known in names}
    legal = ", ".join(names) or "none: the bundle has no knowledge graph"
    raise DataError(
        f"relation {name!r} is not among those of items{nearest_names(name, {**names, **short})}; legal: {legal}"
    )


def plain_name(relation: str) -> str:
    """Return the letters and digits of a relation's local name: the same for isPartOf, is_part_of and is-part-of."""
    back = REVERSE if is_reverse(relation) else ""
    return back + re.sub(r"[\W_]+", "", local_name(relation.removeprefix(REVERSE))).lower()


def relation_words(relation: str, wording: Mapping[str, str]) -> str:
    """Return a relation in words: ``"hasOriginalAuthor"`` is "original author". ``wording`` may name it otherwise."""
    name = local_name(relation.removeprefix(REVERSE)).removeprefix(REVERSE)
    named = {plain_name(key): words for key, words in wording.items()}
    if plain_name(name) in named:
        return named[plain_name(name)]
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", name)
    words = [word if word.isupper() and len(word) > 1 else word.lower() for word in re.split(r"[_\-.\s]+", spaced)]
    words = [word for word in words if word]
    return " ".join(words[1:] if len(words) > 1 and words[0] in ("has", "in") else words) or name


def all_relation_words(graph: CatalogueGraph, wording: Mapping[str, str]) -> tuple[str, ...]:
    """Return every relation of a graph in words, by number."""
    return tuple(relation_words(name, wording) for name in graph.adjacency.relation_names)


def link_words(graph: CatalogueGraph, here: int, there: int, link: Link, words: Sequence[str]) -> str:
    """Return a link of two items in words: "same series, Dune Chronicles", or "Dune → followed by → Dune Messiah".

    ``words`` are those of every relation, by number (:func:`all_relation_words`).
    """
    mine = list(dict.fromkeys(words[number] for number in link.relations))
    if link.node < 0:
        backwards = is_reverse(graph.adjacency.relation_names[link.relations[0]])
        return _edge(graph.label(here), " and ".join(mine), graph.label(there), backwards=backwards)
    return _shared(mine, list(dict.fromkeys(words[number] for number in link.others)), graph.label(link.node))


def path_words(labels: Sequence[str], relations: Sequence[str], words: Sequence[str]) -> str:
    """Return a path of the graph in words, as :func:`link_words` does for its shortest forms.

    Parameters
    ----------
    labels : sequence of str
        Names of its nodes, from the history item to the item that it speaks for.
    relations, words : sequence of str
        Names of the relations between them, one fewer, and those names in words.
    """
    if len(relations) == 2:
        return _shared([words[0]], [words[1]], labels[1])
    edges = [
        _edge(here, word, there, backwards=is_reverse(relation))
        for here, there, relation, word in zip(labels, labels[1:], relations, words, strict=False)
    ]
    return ", ".join(edges)


def _edge(here: str, words: str, there: str, *, backwards: bool) -> str:
    first, last = (there, here) if backwards else (here, there)
    return f"{first} → {words} → {last}"


def _shared(mine: list[str], theirs: list[str], label: str) -> str:
    """Return a shared entity in words, by the relations that lead to it from either side."""
    both = [words for words in mine if words in theirs]
    if both:
        return f"same {' and '.join(both)}, {label}"
    return f"{label}, {' and '.join(mine)} of one and {' and '.join(theirs)} of the other"
