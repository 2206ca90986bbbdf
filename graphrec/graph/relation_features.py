"""Relations of the catalogue graph as features of the items: the entities that an item is joined to."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from graphrec.data.item_tags import ItemTags
from graphrec.data.lists import indptr_of
from graphrec.data.neighbours import NeighbourTable
from graphrec.data.vocabulary import Vocabulary
from graphrec.graph.catalogue import CatalogueGraph
from graphrec.graph.relations import is_reverse


def relation_tags(catalogue: CatalogueGraph) -> dict[str, ItemTags]:
    """Return by relation the entities that each item is joined to, as categories named by their IRIs, each weighing 1.

    Reverses and edges between items are left out. Time O(edges of items, sorted).
    """
    graph, n = catalogue.adjacency, catalogue.n_items
    stop = int(graph.indptr[n])
    owners = np.repeat(np.arange(n, dtype=np.int64), np.diff(graph.indptr[: n + 1]))
    tails, relations = graph.indices[:stop].astype(np.int64), graph.relations[:stop]
    to_entities = tails >= n
    columns = {}
    for number, name in enumerate(graph.relation_names):
        own = to_entities & (relations == number)
        if not is_reverse(name) and own.any():
            columns[name] = _tags(catalogue, owners[own], tails[own] - n)
    return columns


def _tags(catalogue: CatalogueGraph, items: npt.NDArray[np.int64], entities: npt.NDArray[np.int64]) -> ItemTags:
    pairs = np.unique(items * len(catalogue.entities) + entities)
    items, entities = np.divmod(pairs, len(catalogue.entities))
    used, codes = np.unique(entities, return_inverse=True)
    indptr = indptr_of(np.bincount(items, minlength=catalogue.n_items))
    table = NeighbourTable(indptr, codes, np.ones(len(codes), np.float32), n_columns=len(used))
    return ItemTags(Vocabulary(catalogue.entities.take(used)), table)
