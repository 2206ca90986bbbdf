"""What two items share in the catalogue graph, and which items are near one."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numba as nb
import numpy as np
import numpy.typing as npt

from graphrec.errors import DataError, nearest_names
from graphrec.graph.adjacency import Adjacency
from graphrec.graph.catalogue import CatalogueGraph
from graphrec.graph.iris import local_name

REVERSE = "rev_"


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
    found: Edges = {}
    for other, relation in zip(graph.indices[start:stop].tolist(), graph.relations[start:stop].tolist(), strict=True):
        found.setdefault(other, []).append(relation)
    return found


def links(graph: CatalogueGraph, here: Edges, item: int, *, relation: int | None = None) -> list[Link]:
    """Return what an item with the edges ``here`` shares with ``item``, the most specific first.

    A direct edge comes before all; then shared entities by rising degree, ties by row. With ``relation``, both items
    must be joined to the entity by that one.
    """
    there = edges_of(graph.adjacency, item)
    n_items = graph.n_items
    common = [node for node in there if node >= n_items and node in here]
    found = [Link(node, tuple(here[node]), tuple(there[node]), _degree(graph.adjacency, node)) for node in common]
    found.sort(key=lambda link: (link.degree, link.node))
    if item in here:
        found.insert(0, Link(-1, tuple(here[item]), (), 0))
    if relation is None:
        return found
    only = (relation,)
    return [
        Link(link.node, only, only if link.node >= 0 else (), link.degree)
        for link in found
        if relation in link.relations and (link.node < 0 or relation in link.others)
    ]


def link_through(graph: CatalogueGraph, here: Edges, item: int, node: int) -> Link:
    """Return the link of an item with the edges ``here`` to ``item`` through ``node``, as :func:`closest` found it."""
    if node == item:
        return Link(-1, tuple(here[item]), (), 0)
    start, stop = graph.adjacency.indptr[item], graph.adjacency.indptr[item + 1]
    at = graph.adjacency.indices[start:stop] == node
    others = graph.adjacency.relations[start:stop][at].tolist()
    return Link(node, tuple(here[node]), tuple(others), _degree(graph.adjacency, node))


def closest(
    graph: CatalogueGraph,
    sources: npt.NDArray[np.int32],
    items: npt.NDArray[np.int32],
    walked: npt.NDArray[np.bool_] | None = None,
) -> npt.NDArray[np.int32]:
    """Return the most specific node that each source (m,) shares with its item (m,).

    Parameters
    ----------
    walked : ndarray or None
        (n_relations,) bool: edges of the source that come first; others count only where these lead nowhere.

    Returns
    -------
    ndarray
        (m,) int32: the item itself where an edge joins it to its source, else the shared entity of the lowest degree
        (ties to the lower row), -1 where there is none or the source is -1.
    """
    adjacency = graph.adjacency
    first = np.ones(len(adjacency.relation_names), dtype=np.bool_) if walked is None else walked
    found: npt.NDArray[np.int32] = _closest(
        adjacency.indptr, adjacency.indices, adjacency.relations, first, graph.n_items, sources, items
    )
    return found


@nb.njit(nogil=True, cache=True)
def _closest(
    indptr: npt.NDArray[np.int64],
    indices: npt.NDArray[np.int32],
    relations: npt.NDArray[np.int16],
    walked: npt.NDArray[np.bool_],
    n_items: int,
    sources: npt.NDArray[np.int32],
    items: npt.NDArray[np.int32],
) -> npt.NDArray[np.int32]:  # pragma: no cover - compiled
    """Walk the two sorted lists of neighbours side by side."""
    found = np.full(sources.size, -1, dtype=np.int32)
    for i in range(sources.size):
        if sources[i] < 0:
            continue
        best = np.int64(0)
        p, q = indptr[sources[i]], indptr[items[i]]
        last = indptr[items[i] + 1]
        while p < indptr[sources[i] + 1]:
            node = indices[p]
            while q < last and indices[q] < node:
                q += 1
            joined = node == items[i]
            if joined or (node >= n_items and q < last and indices[q] == node):
                cost = np.int64(0) if joined else indptr[node + 1] - indptr[node]
                if not walked[relations[p]]:
                    cost += indices.size + 1
                if found[i] < 0 or cost < best:
                    best, found[i] = cost, node
            p += 1
    return found


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


def is_reverse(relation: str) -> bool:
    """Tell whether a relation is the reverse of one that the data states."""
    return relation.startswith(REVERSE)


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


def path_words(graph: CatalogueGraph, here: int, there: int, link: Link, words: Sequence[str]) -> str:
    """Return a link of two items in words: "same series, Dune Chronicles", or "Dune → followed by → Dune Messiah".

    ``words`` are those of every relation, by number (:func:`all_relation_words`).
    """
    mine = list(dict.fromkeys(words[number] for number in link.relations))
    if link.node < 0:
        backwards = is_reverse(graph.adjacency.relation_names[link.relations[0]])
        ends = (there, here) if backwards else (here, there)
        first, last = (graph.label(end) for end in ends)
        return f"{first} → {' and '.join(mine)} → {last}"
    theirs = list(dict.fromkeys(words[number] for number in link.others))
    label = graph.label(link.node)
    both = [one for one in mine if one in theirs]
    if both:
        return f"same {' and '.join(both)}, {label}"
    return f"{label}, {' and '.join(mine)} of one and {' and '.join(theirs)} of the other"
