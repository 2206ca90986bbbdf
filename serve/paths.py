"""What two items share in the catalogue graph, and which items are near an item."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from graphrec.errors import ConfigError, DataError, nearest_names
from graphrec.graph.adjacency import Adjacency
from graphrec.graph.catalogue import CatalogueGraph
from graphrec.graph.iris import local_name
from graphrec.graph.reach import ANY, best_of, sharers
from graphrec.graph.relations import REVERSE, is_reverse, parse_path

Edges = dict[int, list[int]]
# What a template has places for: "also by {entity}", "{item} goes on where {source} ends".
_PLACE = re.compile(r"\{(entity|source|item)\}")


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


def edges_to(graph: Adjacency, node: int, others: npt.NDArray[np.int32]) -> Edges:
    """Return the relations that lead from ``node`` to each of ``others`` (m,) that it is joined to, in O(m log degree).

    Of an item with very many edges the few that matter are looked up.
    """
    start, stop = graph.indptr[node], graph.indptr[node + 1]
    first = start + np.searchsorted(graph.indices[start:stop], others)
    last = start + np.searchsorted(graph.indices[start:stop], others, side="right")
    return {
        other: graph.relations[begin:end].tolist()
        for other, begin, end in zip(others.tolist(), first.tolist(), last.tolist(), strict=True)
        if end > begin
    }


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
    start = np.array([item], dtype=np.int32)
    rows, _, scores = sharers(graph.adjacency, start, graph.n_items, relation=ANY if relation is None else relation)
    best = best_of(rows, scores, k, allowed=pool, drop=start)
    return rows[best], scores[best]


def item_relations(graph: CatalogueGraph) -> dict[str, int]:
    """Return the numbers of the relations that leave items, by name."""
    adjacency = graph.adjacency
    leaves = np.zeros(len(adjacency.relation_names), dtype=np.bool_)
    leaves[adjacency.relations[: adjacency.indptr[graph.n_items]]] = True
    return {adjacency.relation_names[number]: number for number in np.flatnonzero(leaves).tolist()}


def find_relation(relations: Mapping[str, int], name: str) -> int:
    """Return the number of a relation out of ``relations``, by its name or the last part of its IRI.

    ``isPartOf`` finds ``is_part_of``, as long as only one relation is spelt alike.

    Raises
    ------
    DataError
        If there is none, with the nearest names and all that there are.
    """
    return _named(name, relations, "those of items")


def find_steps(graph: CatalogueGraph, path: str) -> tuple[int, ...]:
    """Return the numbers of a path's relations, such as ``author/^author``: ``^`` goes against a relation.

    Names are found as :func:`find_relation` finds them, among all relations of the graph.

    Raises
    ------
    DataError
        If the path is none, or a step names no relation, with the position of the step and the nearest names.
    """
    try:
        names = parse_path(path)
    except ConfigError as error:
        raise DataError(
            f"path is {path!r}; write relations with / between them, ^ before those walked backwards: author/^author"
        ) from error
    numbers = {name: number for number, name in enumerate(graph.adjacency.relation_names)}
    return tuple(
        _named(name, numbers, f"those of the graph (step {place} of the path {path!r})")
        for place, name in enumerate(names, start=1)
    )


def _named(name: str, numbers: Mapping[str, int], among: str) -> int:
    """Return the number of the relation that a name, or the last part of its IRI, stands for."""
    if name in numbers:
        return numbers[name]
    alike = [number for known, number in numbers.items() if plain_name(known) == plain_name(name)]
    if len(alike) == 1:
        return alike[0]
    short = {local_name(known): known for known in numbers}
    legal = ", ".join(numbers) or "none: the bundle has no knowledge graph"
    raise DataError(
        f"relation {name!r} is not among {among}{nearest_names(name, {**numbers, **short})}; legal: {legal}"
    )


def plain_name(relation: str) -> str:
    """Return the letters and digits of a relation's local name: the same for isPartOf, is_part_of and is-part-of."""
    back = REVERSE if is_reverse(relation) else ""
    return back + re.sub(r"[\W_]+", "", local_name(relation.removeprefix(REVERSE))).lower()


def relation_words(relation: str, wording: Mapping[str, str]) -> str:
    """Return a relation in words: ``"hasOriginalAuthor"`` is "original author".

    ``wording`` may name it otherwise, or have a template with places for ``{entity}``, ``{source}`` and ``{item}``.
    """
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
    ends = graph.label(here), graph.label(there)
    if link.node < 0:
        backwards = is_reverse(graph.adjacency.relation_names[link.relations[0]])
        plain = " and ".join(word for word in mine if not is_template(word))
        told = [word for word in (plain, *filter(is_template, mine)) if word]
        return " and ".join(_edge(*ends, word, backwards=backwards) for word in told)
    return _shared(mine, list(dict.fromkeys(words[number] for number in link.others)), graph.label(link.node), ends)


def path_words(labels: Sequence[str], relations: Sequence[str], words: Sequence[str]) -> str:
    """Return a path of the graph in words, as :func:`link_words` does for its shortest forms.

    Parameters
    ----------
    labels : sequence of str
        Names of its nodes, from the history item to the item that it speaks for.
    relations, words : sequence of str
        Names of the relations between them, one fewer, and those names in words.
    """
    if len(relations) == 2 and _meet(*relations):
        return _shared([words[0]], [words[1]], labels[1], (labels[0], labels[2]))
    edges = [
        _edge(here, there, word, backwards=is_reverse(relation))
        for here, there, relation, word in zip(labels, labels[1:], relations, words, strict=False)
    ]
    return ", ".join(edges)


@lru_cache(maxsize=4096)
def _meet(first: str, second: str) -> bool:
    """Return whether two steps lead to a node from two like it: by a relation and its reverse, or forth and back."""
    if first.removeprefix(REVERSE) == second.removeprefix(REVERSE):
        return is_reverse(first) != is_reverse(second)
    return is_reverse(second) and not is_reverse(first)


def _edge(here: str, there: str, words: str, *, backwards: bool) -> str:
    first, last = (there, here) if backwards else (here, there)
    return _filled(words, last, (here, there)) if is_template(words) else f"{first} → {words} → {last}"


def _shared(mine: list[str], theirs: list[str], label: str, ends: tuple[str, str]) -> str:
    """Return a shared entity in words, by the relations that lead to it from either side."""
    both = [words for words in mine if words in theirs]
    if both:
        plain = [words for words in both if not is_template(words)]
        same = [f"same {' and '.join(plain)}, {label}"] if plain else []
        return " and ".join([*same, *(_filled(words, label, ends) for words in both if is_template(words))])
    here, there = (" and ".join(map(_bare, words)) for words in (mine, theirs))
    return f"{label}, {here} of one and {there} of the other"


def is_template(words: str) -> bool:
    """Return whether the words for a relation are a sentence with places, such as "also by {entity}"."""
    # Nearly all have no brace, and a request words hundreds.
    return "{" in words and _PLACE.search(words) is not None


def _filled(template: str, entity: str, ends: tuple[str, str]) -> str:
    """Return a template with the entity that a relation leads to, and the two nodes that it is a reason between."""
    values = {"entity": entity, "source": ends[0], "item": ends[1]}
    return _PLACE.sub(lambda place: values[place[1]], template)


def _bare(words: str) -> str:
    """Return words without their places: of a relation that is no reason by itself."""
    return " ".join(_PLACE.sub("", words).split())
