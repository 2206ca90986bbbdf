"""Slow, obvious versions: tag profiles and walks over the catalogue's edges."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from math import log1p

import numpy as np

from graphrec.contracts.recall_data import RecallData
from graphrec.graph.catalogue import CatalogueGraph
from tests.oracles.sparse import Dense, expected_takers, keep_top, shares, takers, top


def tag_scores(
    data: RecallData,
    history: Mapping[int, float],
    *,
    tags: int,
    list_length: int,
    lift: float,
    idf_exponent: float,
    length_exponent: float,
    popularity_exponent: float,
    cold_popularity: float,
) -> Dense:
    """Return (n_items,): what the strongest tags of one history (item -> profile weight) give."""
    assert data.item_tags is not None
    table = data.item_tags.table
    carried = np.zeros((len(data.items), table.n_columns))
    for item in range(len(data.items)):
        for tag, weight in zip(*table[item], strict=True):
            carried[item, tag] = weight
    vectors = np.zeros_like(carried)
    for item, row in enumerate(carried):
        for tag in np.flatnonzero(row):
            vectors[item, tag] = row[tag] * log1p(len(data.items) / (carried[:, tag] > 0).sum()) ** idf_exponent
        length = np.linalg.norm(vectors[item])
        vectors[item] /= length**length_exponent if length else 1.0
    taken = takers(data)
    average = taken @ vectors / taken.sum()
    profile = sum((weight * vectors[item] for item, weight in history.items()), np.zeros(table.n_columns))
    carries = sum((weight * carried[item] for item, weight in history.items()), np.zeros(table.n_columns)) > 0
    profile = np.where(carries, profile - lift * sum(history.values()) * average, 0.0)
    lists = keep_top(
        (vectors * ((1 + expected_takers(taken, cold_popularity)) ** popularity_exponent * data.pool)[:, None]).T,
        list_length,
    )
    scores = np.zeros(len(data.items))
    for tag in top(profile, tags or len(profile)):
        scores += profile[tag] * lists[tag]
    return scores


def kg_table(
    data: RecallData,
    *,
    k: int,
    relations: Mapping[str, float],
    degree_exponent: float,
    hub_cap: int,
    popularity_exponent: float,
    cold_popularity: float,
    link_exponent: float,
    normalise: bool,
) -> Dense:
    """Return (n_items, n_items): the k best neighbours a row, walk by walk over the catalogue's edges."""
    graph, n = data.catalogue.adjacency, len(data.items)
    members: dict[tuple[str, int], list[int]] = defaultdict(list)
    direct: dict[tuple[int, int], float] = defaultdict(float)
    for item in range(n):
        for edge in range(int(graph.indptr[item]), int(graph.indptr[item + 1])):
            name, end = graph.relation_names[graph.relations[edge]], int(graph.indices[edge])
            weight = relations.get(name, 0.0) if relations else 1.0
            if weight > 0 and end < n:
                direct[item, end] += weight
            elif weight > 0:
                members[name, end].append(item)
    links = [sum(item in found for found in members.values()) + sum(i == item for i, _ in direct) for item in range(n)]
    table = np.zeros((n, n))
    for (name, _), found in members.items():
        if hub_cap and len(found) > hub_cap:
            continue
        for i in found:
            for j in found:
                table[i, j] += relations.get(name, 1.0) / len(found) ** degree_exponent
    for (i, j), weight in direct.items():
        table[i, j] += weight
    np.fill_diagonal(table, 0.0)
    sizes = np.maximum(links, 1) ** -float(link_exponent)
    ends = (1 + expected_takers(takers(data), cold_popularity)) ** popularity_exponent * sizes * data.pool
    return shares(keep_top(table * sizes[:, None] * ends, k), normalise)


def kg_walks(
    graph: CatalogueGraph,
    source: int,
    item: int,
    *,
    relations: Mapping[str, float],
    degree_exponent: float,
    hub_cap: int,
) -> dict[tuple[str, int], float]:
    """Return what each walk between two items gives, by the relation that leaves the source and the node it leads to.

    The node is the shared entity, or the item itself where an edge joins the two.
    """
    walks: dict[tuple[str, int], float] = defaultdict(float)
    edges = {row: list(_edges(graph, row)) for row in range(graph.n_items)}
    for name, node in edges[source]:
        weight = relations.get(name, 0.0) if relations else 1.0
        joined = sum((name, node) in edges[row] for row in edges)
        if node == item:
            walks[name, node] += weight
        elif node >= graph.n_items and (name, node) in edges[item] and not (hub_cap and joined > hub_cap):
            walks[name, node] += weight / joined**degree_exponent
    return {walk: amount for walk, amount in walks.items() if amount > 0}


def _edges(graph: CatalogueGraph, row: int) -> Iterator[tuple[str, int]]:
    """Yield the relation and the end of each edge of one item."""
    adjacency = graph.adjacency
    for edge in range(int(adjacency.indptr[row]), int(adjacency.indptr[row + 1])):
        yield adjacency.relation_names[adjacency.relations[edge]], int(adjacency.indices[edge])
