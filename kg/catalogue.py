"""KnowledgeGraph + linking -> the catalogue graph that the engine walks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from graphrec.checks import typed
from graphrec.data.lists import indptr_of
from graphrec.data.vocabulary import Vocabulary
from graphrec.errors import DataError
from graphrec.graph.adjacency import Adjacency, adjacency_from_edges
from graphrec.graph.catalogue import INTERACTS, ITEM, REVERSE_INTERACTS, USER, CatalogueGraph
from graphrec.graph.iris import readable_names
from graphrec.memory import release_free_memory

from .entity_types import entity_ranges, entity_types
from .knowledge_graph import KnowledgeGraph, relation_mask, relation_rows
from .linking_report import Linking
from .naming import unique_names
from .terms import INTERACTION_TERMS, SUBCLASS_OF, TYPE
from .triple_kernels import placed_edges, reachable, triples_of

ENTITY = "entity"
_MAX_RELATIONS = (1 << 15) - 1
_SLICE = 1 << 16  # Python strings held at a time
Int32 = npt.NDArray[np.int32]
Int64 = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class _Nodes:
    """Nodes under construction, before they are ordered: entities first, literal nodes after them.

    ``kinds`` (n,) int32 is the type of each (a row of ``names``); ``ids`` and ``labels`` are (n,) strings.
    """

    ids: pa.LargeStringArray
    labels: pa.LargeStringArray
    kinds: Int32
    names: list[str]


@typed
def catalogue_graph(
    kg: KnowledgeGraph,
    linking: Linking,
    items: Vocabulary,
    *,
    relations: Sequence[str] | None = None,
    exclude: Sequence[str] = (),
    literal_nodes: Sequence[str] = (),
    labels: Sequence[str | None] | pa.Array | None = None,
    max_types: int = 64,
) -> CatalogueGraph:
    """Return items and the entities around them as one typed graph.

    Parameters
    ----------
    relations : sequence of str, optional
        Predicates that become edges, as IRIs or last parts of them. By default all of them.
    exclude : sequence of str
        Predicates that do not. Name the predicate of the interactions here where the graph holds them: an event that
        is held out would come back as an edge otherwise. Our own interaction terms are always left out.
    literal_nodes : sequence of str
        Predicates whose literal values become nodes (a year, a language), one a distinct text.
    labels : sequence of str or None, optional
        (n_items,) titles; they go before the graph's own labels.
    max_types : int, default 64
        Types kept: the largest classes, then the largest ranges; entities of the others are of type ``entity``.

    Returns
    -------
    CatalogueGraph
        Items come first, in item order; an entity that is linked to an item is that item's row, and an entity that
        several items are linked to gives its edges to each of them. Then the types in order of their names, inside
        one the entities in order of their IRIs, called by their labels or else by what the IRI says. Each predicate
        gives a relation and its reverse ``rev_…``; rdf:type and rdfs:subClassOf give none. An entity without a class
        has the type of the predicate that leads to it most often, of those that are edges: ``director``. Only what is
        connected to an item, by any number of edges in either direction, is kept; items without a link are there
        without edges.

    Raises
    ------
    DataError
        On a predicate that the graph does not hold, or sizes that disagree.
    """
    if len(linking.entities) != len(items):
        raise DataError(f"the linking is of {len(linking.entities)} items, the vocabulary has {len(items)}")
    chosen = _chosen_relations(kg, relations, (*exclude, *(iri for iri in INTERACTION_TERMS if iri in kg.relations)))
    valued = relation_rows(kg, literal_nodes)
    nodes, facts = _nodes(kg, chosen, valued, max_types=max_types)
    heads, kinds, tails = triples_of(kg.triples, relation_mask(kg, chosen))
    if len(facts):
        heads, kinds, tails = (np.append(own, facts[:, c]) for c, own in enumerate((heads, kinds, tails)))
    used = _distinct(kinds)
    names = unique_names(kg.relations.take(used), reserved=(INTERACTS, REVERSE_INTERACTS))
    kinds = _renumbered(kinds, used)
    if 2 * len(used) > _MAX_RELATIONS:
        raise DataError(
            f"{len(used):,} predicates would be edges; at most {_MAX_RELATIONS // 2:,} fit: name relations="
        )
    kept = reachable(len(nodes.kinds), heads, tails, linking.entities)
    order, offsets, node_types = _ordered(nodes, kept, linking.entities)
    places = item_places(len(nodes.kinds), linking.entities, order, len(items))
    heads, kinds, tails = placed_edges(*places, heads, kinds, tails)
    adjacency = _adjacency(heads, kinds, tails, names, np.append(0, offsets + len(items)), [ITEM, *node_types])
    del heads, kinds, tails, facts, kept, places
    release_free_memory()  # names come next, and are as large
    # Without literal nodes the nodes are entities, whose IRIs are distinct.
    entities = kg.entities.pick(order) if nodes.ids is kg.entities.ids else _checked_entities(nodes, order)
    own_labels = _entity_labels(entities.ids, nodes.labels.take(pa.array(order)))
    item_labels = _item_labels(nodes, linking.entities, labels)
    graph = CatalogueGraph(adjacency, items, entities, pa.concat_arrays([item_labels, own_labels]))
    del nodes, order, own_labels, item_labels
    pa.default_memory_pool().release_unused()
    release_free_memory()
    return graph


def _distinct(kinds: Int32) -> Int64:
    """Return the distinct ones of small numbers, ascending."""
    return np.flatnonzero(np.bincount(kinds, minlength=1))


def _renumbered(kinds: Int32, used: Int64) -> Int32:
    """Return the place of each of ``kinds`` in ``used``."""
    places = np.zeros(int(used[-1]) + 1 if len(used) else 0, dtype=np.int32)
    places[used] = np.arange(len(used), dtype=np.int32)
    return places[kinds]


def _checked_entities(nodes: _Nodes, order: Int64) -> Vocabulary:
    """Return the ids of the nodes that are no items, where literal nodes may have the id of an entity."""
    # Arrow keeps what it freed; hashing takes much for a moment, so it is given back before and after.
    pa.default_memory_pool().release_unused()
    vocabulary = Vocabulary(nodes.ids.take(pa.array(order)))
    pa.default_memory_pool().release_unused()
    return vocabulary


def _chosen_relations(kg: KnowledgeGraph, relations: Sequence[str] | None, exclude: Sequence[str]) -> Int32:
    wanted = np.arange(len(kg.relations), dtype=np.int32) if relations is None else relation_rows(kg, relations)
    left_out = kg.relations.rows((TYPE, SUBCLASS_OF), missing="drop")
    return np.setdiff1d(wanted, np.concatenate([left_out, relation_rows(kg, exclude)])).astype(np.int32)


def _kinds(kg: KnowledgeGraph, relations: Int32, *, max_types: int) -> tuple[Int32, list[str]]:
    """Return (n_entities,) int32 types by class, else by range, and their names, ``entity`` first."""
    classes = entity_types(kg, max_types=max_types)
    distinct = np.flatnonzero(np.bincount(classes[classes >= 0], minlength=1))
    ranges = np.where(classes < 0, entity_ranges(kg, relations), -1)
    sizes = np.bincount(ranges[ranges >= 0], minlength=1)
    largest = np.argsort(-sizes, kind="stable")[: max(max_types - len(distinct), 0)]
    used = np.sort(largest[sizes[largest] > 0])
    names = unique_names([*kg.entities.take(distinct), *kg.relations.take(used)], reserved=(ITEM, USER, ENTITY))
    of_class = np.where(classes >= 0, np.searchsorted(distinct, classes) + 1, 0)
    of_range = np.where(np.isin(ranges, used), np.searchsorted(used, ranges) + 1 + len(distinct), 0)
    return np.maximum(of_class, of_range).astype(np.int32), [ENTITY, *names]


def _nodes(kg: KnowledgeGraph, relations: Int32, valued: Int32, *, max_types: int) -> tuple[_Nodes, Int32]:
    """Return all possible nodes, and the (m, 3) statements that lead to literal nodes."""
    kinds, names = _kinds(kg, relations, max_types=max_types)
    facts = kg.literals.statements[np.isin(kg.literals.statements[:, 1], valued)].copy()
    if not len(facts):
        return _Nodes(kg.entities.ids, kg.labels, kinds, names), facts
    texts = kg.literals.texts.take(facts[:, 2]).dictionary_encode()
    codes = texts.indices.to_numpy().astype(np.int64)
    used = np.unique(facts[:, 1])
    names += unique_names(kg.relations.take(used), reserved=(ITEM, USER, *names))
    # One node a (predicate, text): the language and datatype of a category do not part it.
    key = np.searchsorted(used, facts[:, 1]) * np.int64(len(texts.dictionary)) + codes
    distinct_keys, inverse = np.unique(key, return_inverse=True)
    predicate, text = np.divmod(distinct_keys, max(len(texts.dictionary), 1))
    words = texts.dictionary.take(pa.array(text))
    relation_names = kg.relations.take(used)
    ids = [
        f"{relation_names[p]}#{quote(w, safe='')}" for p, w in zip(predicate.tolist(), words.to_pylist(), strict=True)
    ]
    facts[:, 2] = inverse + len(kinds)
    return (
        _Nodes(
            pa.concat_arrays([kg.entities.ids, pa.array(ids, pa.large_string())]),
            pa.concat_arrays([kg.labels, words]),
            np.concatenate([kinds, predicate + len(names) - len(used)]).astype(np.int32),
            names,
        ),
        facts,
    )


def _ordered(nodes: _Nodes, kept: npt.NDArray[np.bool_], linked: Int32) -> tuple[Int64, Int64, list[str]]:
    """Return the nodes that stay nodes of their own in their order, type offsets (without the items), type names."""
    own = kept.copy()
    own[linked[linked >= 0]] = False
    rows = np.flatnonzero(own)
    present = np.unique(nodes.kinds[rows])
    by_name = sorted(present.tolist(), key=lambda kind: nodes.names[kind])
    rank = np.zeros(len(nodes.names), dtype=np.int64)
    rank[by_name] = np.arange(len(by_name))
    ranks = rank[nodes.kinds[rows]]
    order = rows[np.argsort(ranks, kind="stable")]
    sizes = np.bincount(ranks, minlength=len(by_name))
    return order, np.append(0, np.cumsum(sizes)), [nodes.names[kind] for kind in by_name]


def item_places(n: int, linked: Int32, order: Int64, n_items: int) -> tuple[Int64, Int32]:
    """Return (indptr, rows): the rows of the catalogue that stand for each node, none where it was left out."""
    item_rows = np.flatnonzero(linked >= 0)
    source = np.concatenate([linked[item_rows], order])
    place = np.concatenate([item_rows, np.arange(n_items, n_items + len(order))])
    by_source = np.argsort(source, kind="stable")
    indptr = indptr_of(np.bincount(source, minlength=n))
    return indptr, place[by_source].astype(np.int32)


def expanded(places: tuple[Int64, Int32], nodes: Int32) -> tuple[Int32, Int64]:
    """Return the rows that stand for each of ``nodes``, and the position in ``nodes`` that each came from."""
    indptr, rows = places
    starts, counts = indptr[nodes], indptr[nodes + 1] - indptr[nodes]
    source = np.repeat(np.arange(len(nodes)), counts)
    first = np.cumsum(counts) - counts
    return rows[np.arange(len(source)) - first[source] + starts[source]], source


def _adjacency(
    heads: Int32, kinds: Int32, tails: Int32, names: Sequence[str], offsets: Int64, node_types: Sequence[str]
) -> Adjacency:
    """Return the graph with every edge and its reverse."""
    present = _distinct(kinds)  # a predicate all of whose edges were out of reach leaves no relation
    kinds = _renumbered(kinds, present).astype(np.int16)
    relation_names = [name for kind in present.tolist() for name in (names[kind], f"rev_{names[kind]}")]
    return adjacency_from_edges(
        np.concatenate([heads, tails]),
        np.concatenate([tails, heads]),
        np.concatenate([2 * kinds, 2 * kinds + 1]).astype(np.int16),
        type_offsets=offsets,
        node_types=node_types,
        relation_names=relation_names,
    )


def _entity_labels(ids: pa.LargeStringArray, labels: pa.LargeStringArray) -> pa.LargeStringArray:
    """Return ``labels`` with what the IRI says where there is none."""
    nameless = labels.is_null()
    iris = ids.filter(nameless)
    names = [pa.array([], pa.large_string())]
    for start in range(0, len(iris), _SLICE):
        names.append(readable_names(iris[start : start + _SLICE]))
    return pc.replace_with_mask(labels, nameless, pa.concat_arrays(names))


def _item_labels(nodes: _Nodes, linked: Int32, labels: Sequence[str | None] | pa.Array | None) -> pa.LargeStringArray:
    known = nodes.labels.take(pa.array(linked, mask=linked < 0))
    if labels is None:
        return known
    try:
        given = pa.array(labels, pa.large_string())
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise DataError(f"labels must be texts, None where unknown ({error})") from error
    if len(given) != len(linked):
        raise DataError(f"there are {len(given)} labels for {len(linked)} items; give one each, None where unknown")
    return pc.coalesce(given, known)
