"""What two items share in the catalogue graph, and which items are near an item."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

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


class Link(NamedTuple):
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
    rows, scores = sharers(graph.adjacency, start, graph.n_items, relation=ANY if relation is None else relation)
    best = best_of(rows, scores, k, allowed=pool)
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


def link_words(link: Link, ends: tuple[str, str], entity: str, relations: Sequence[str], words: Sequence[str]) -> str:
    """Return a link of two items in words: "same series, Dune Chronicles", or "Dune → followed by → Dune Messiah".

    Parameters
    ----------
    link : Link
        What they share.
    ends : tuple of str
        Names of the two items.
    entity : str
        Name of the entity that they share; not read where an edge joins them.
    relations, words : sequence of str
        Names of all relations of the graph, by number, and those names in words (:func:`all_relation_words`).
    """
    mine = tuple(dict.fromkeys(words[number] for number in link.relations))
    if link.node < 0:
        phrase = _edges_phrase(mine, backwards=is_reverse(relations[link.relations[0]]))
    else:
        phrase = _shared_phrase(mine, tuple(dict.fromkeys(words[number] for number in link.others)))
    return phrase.format(ends[0], entity, ends[1])


def path_words(labels: Sequence[str], relations: Sequence[str], words: Sequence[str]) -> str:
    """Return a path of the graph in words, as :func:`link_words` does for its shortest forms.

    Parameters
    ----------
    labels : sequence of str
        Names of its nodes, from the history item to the item that it speaks for.
    relations, words : sequence of str
        Names of the relations between them, one fewer, and those names in words.
    """
    return path_phrase(tuple(relations), tuple(words)).format(*labels)


@lru_cache(maxsize=4096)
def path_phrase(relations: tuple[str, ...], words: tuple[str, ...]) -> str:
    """Return a path in words with a place for each of its nodes, such as "same author, {1}", for ``str.format``.

    ``relations`` and ``words`` are those of :func:`path_words`. A graph has few kinds of paths; a request has hundreds
    of paths.
    """
    if len(relations) == 2 and _meet(*relations):
        return _shared_phrase((words[0],), (words[1],))
    return ", ".join(
        _edge(f"{{{place}}}", f"{{{place + 1}}}", word, backwards=is_reverse(relation))
        for place, (relation, word) in enumerate(zip(relations, words, strict=True))
    )


def _meet(first: str, second: str) -> bool:
    """Return whether two steps lead to a node from two like it: by a relation and its reverse, or forth and back."""
    if first.removeprefix(REVERSE) == second.removeprefix(REVERSE):
        return is_reverse(first) != is_reverse(second)
    return is_reverse(second) and not is_reverse(first)


@lru_cache(maxsize=4096)
def _edges_phrase(words: tuple[str, ...], *, backwards: bool) -> str:
    """Return the edges between two items, places 0 and 2, in words: those that are no templates as one."""
    plain = " and ".join(word for word in words if not is_template(word))
    told = [word for word in (plain, *filter(is_template, words)) if word]
    return " and ".join(_edge("{0}", "{2}", word, backwards=backwards) for word in told)


def _edge(here: str, there: str, words: str, *, backwards: bool) -> str:
    first, last = (there, here) if backwards else (here, there)
    return _filled(words, last, (here, there)) if is_template(words) else f"{first} → {_literal(words)} → {last}"


@lru_cache(maxsize=4096)
def _shared_phrase(mine: tuple[str, ...], theirs: tuple[str, ...]) -> str:
    """Return an entity, place 1, in words, by the relations that lead to it from the items of places 0 and 2."""
    both = [words for words in mine if words in theirs]
    if both:
        plain = [_literal(words) for words in both if not is_template(words)]
        same = [f"same {' and '.join(plain)}, {{1}}"] if plain else []
        return " and ".join([*same, *(_filled(words, "{1}", ("{0}", "{2}")) for words in both if is_template(words))])
    here, there = (" and ".join(map(_bare, words)) for words in (mine, theirs))
    return f"{{1}}, {_literal(here)} of one and {_literal(there)} of the other"


def is_template(words: str) -> bool:
    """Return whether the words for a relation are a sentence with places, such as "also by {entity}"."""
    return _PLACE.search(words) is not None


def _filled(template: str, entity: str, ends: tuple[str, str]) -> str:
    """Return a template with the places of the entity that a relation leads to, and of the two nodes beside it."""
    values = {"entity": entity, "source": ends[0], "item": ends[1]}
    parts = _PLACE.split(template)
    return "".join(values[part] if number % 2 else _literal(part) for number, part in enumerate(parts))


def _literal(text: str) -> str:
    """Return a text that ``str.format`` leaves as it is."""
    return text.replace("{", "{{").replace("}", "}}")


def _bare(words: str) -> str:
    """Return words without their places: of a relation that is no reason by itself."""
    return " ".join(_PLACE.sub("", words).split())
