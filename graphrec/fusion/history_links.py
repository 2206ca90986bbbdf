"""What links an item to a history in the knowledge graph, relation by relation: entities in common, edges between."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from graphrec.data.lists import ItemLists
from graphrec.errors import ConfigError
from graphrec.graph.adjacency import Adjacency
from graphrec.graph.catalogue import CatalogueGraph
from graphrec.graph.relations import reverse_mask
from graphrec.kernels import kernel


@dataclass(frozen=True, slots=True, eq=False)
class HistoryLinks:
    r"""Counts the links of items with histories, along some relations of the graph of the catalogue.

    An item i and a history H have along a relation r

    .. math:: s_r(i, H) = \sum_{e \in E_r(i)} |\{j \in H \setminus i : e \in E_r(j)\}| + |I_r(i) \cap H \setminus i|

    links, where E_r(i) are the entities and I_r(i) the items that edges of r lead to from i: one for each entity that
    it has in common with an item of the history, and one for each item of the history that it leads to. An item that
    counts as seen but not as taste (weight of 0 or below) has no part in it. How well these were liked is

    .. math:: l_r(i, H) = \frac{\sum_j (w_j - \bar w)}{s_r(i, H) + 1},

    over the item j of the history at the end of each link, w its weight there and the mean that of the history: as if
    there were one link more, to what was liked as much as the rest. It is 0 where no event has a weight of its own.

    Parameters
    ----------
    adjacency : Adjacency
        That of the catalogue, whose nodes ``0..n_items-1`` are the items.
    n_items : int
        Items of the catalogue.
    columns : ndarray
        (relations of the adjacency,) int64: which of the R counted relations each is, -1 where it is not counted.
    backward : ndarray
        (relations of the adjacency,) bool: edges between items do not count, because they are read the other way.
    """

    adjacency: Adjacency
    n_items: int
    columns: npt.NDArray[np.int64]
    backward: npt.NDArray[np.bool_]

    def features(
        self,
        histories: ItemLists,
        asked: npt.NDArray[np.bool_],
        indptr: npt.NDArray[np.int64],
        items: npt.NDArray[np.int32],
    ) -> npt.NDArray[np.float32]:
        """Return what trees look at: (t, 3 R) float32, three numbers a relation for each of t items.

        The first two are binary logarithms of a number and one: of the links that the item has with the history of its
        query, and of those that an item of this history has with the rest of it, on average. The latter tells somebody
        who follows authors from somebody who does not. The third is how well what the item is linked to was liked.

        Parameters
        ----------
        histories : ItemLists
            Of n queries.
        asked : ndarray
            (n,) bool: the items of other queries have zeros.
        indptr, items : ndarray
            Items ``items[indptr[q]:indptr[q + 1]]`` are those of query q; those from ``n_items`` on have zeros.

        Notes
        -----
        Time O(edges of the history and of the items) a query; memory, 8 R bytes a node, of which only those are
        touched that the history leads to.
        """
        graph, width = self.adjacency, int(self.columns.max(initial=-1)) + 1
        # Made here, where zeros that nobody writes to cost nothing.
        reached = np.zeros(graph.n_nodes * width, dtype=np.int32)
        liked = np.zeros(graph.n_nodes * width, dtype=np.float32)
        own, above = np.zeros(self.n_items, dtype=np.bool_), np.zeros(self.n_items, dtype=np.float32)
        features = np.zeros((len(items), 3 * width), dtype=np.float32)
        _count(
            graph.indptr, graph.indices, graph.relations, self.columns, self.backward, histories.indptr,
            histories.items, histories.scores, asked, indptr, items, reached, liked, own, above, features,
        )  # fmt: skip
        features[:, : 2 * width] = np.log2(1 + features[:, : 2 * width])
        return features


def history_links(catalogue: CatalogueGraph, relations: Sequence[str]) -> HistoryLinks:
    """Return what counts the links along some relations of the catalogue.

    Raises
    ------
    ConfigError
        If the catalogue has no relation of such a name.
    """
    names = catalogue.adjacency.relation_names
    for relation in relations:
        if relation not in names:
            raise ConfigError(f"links are counted along {relation!r}, which the graph of the catalogue does not have")
    places = {relation: column for column, relation in enumerate(relations)}
    columns = np.array([places.get(name, -1) for name in names], dtype=np.int64)
    return HistoryLinks(catalogue.adjacency, catalogue.n_items, columns, reverse_mask(catalogue.adjacency))


@kernel
def _count(
    edges: npt.NDArray[np.int64],
    heads: npt.NDArray[np.int32],
    relations: npt.NDArray[np.int16],
    columns: npt.NDArray[np.int64],
    backward: npt.NDArray[np.bool_],
    taken: npt.NDArray[np.int64],
    history: npt.NDArray[np.int32],
    weights: npt.NDArray[np.float32],
    asked: npt.NDArray[np.bool_],
    indptr: npt.NDArray[np.int64],
    items: npt.NDArray[np.int32],
    reached: npt.NDArray[np.int32],
    liked: npt.NDArray[np.float32],
    own: npt.NDArray[np.bool_],
    above: npt.NDArray[np.float32],
    features: npt.NDArray[np.float32],
) -> None:  # pragma: no cover - compiled
    """Write the numbers themselves: links of each item, then the mean of the history's own, then liking, by relation.

    Of the query at hand, ``reached`` holds by entity and relation how many items of the history lead there, ``liked``
    by how much their weights are above the mean together; ``own`` tells which items these are, ``above`` the same of
    each. All but ``above`` are zero before and after.
    """
    width, n_items = features.shape[1] // 3, own.size
    links, likes = np.zeros(width, dtype=np.float64), np.zeros(width, dtype=np.float64)
    for query in range(asked.size):
        if not asked[query] or indptr[query] == indptr[query + 1]:
            continue
        size, mean = 0, 0.0
        for p in range(taken[query], taken[query + 1]):
            if weights[p] > 0 and history[p] < n_items:
                size += 1
                mean += weights[p]
        mean /= max(size, 1)
        for p in range(taken[query], taken[query + 1]):
            j = history[p]
            if weights[p] > 0 and j < n_items:
                own[j] = True
                above[j] = weights[p] - mean
                for e in range(edges[j], edges[j + 1]):
                    c, t = columns[relations[e]], heads[e]
                    if c >= 0 and t >= n_items:
                        reached[t * width + c] += 1
                        liked[t * width + c] += above[j]
        links[:] = 0
        for p in range(taken[query], taken[query + 1]):
            j = history[p]
            if j < n_items and own[j]:
                _add(edges, heads, relations, columns, backward, reached, liked, own, above, j, links, likes)
        if size:
            links /= size
        for t in range(indptr[query], indptr[query + 1]):
            for c in range(width):
                features[t, width + c] = links[c]
        for t in range(indptr[query], indptr[query + 1]):
            if items[t] < n_items:
                links[:] = 0
                likes[:] = 0
                _add(edges, heads, relations, columns, backward, reached, liked, own, above, items[t], links, likes)
                for c in range(width):
                    features[t, c] = links[c]
                    features[t, 2 * width + c] = likes[c] / (links[c] + 1)
        for p in range(taken[query], taken[query + 1]):
            j = history[p]
            if j < n_items and own[j]:
                own[j] = False
                for e in range(edges[j], edges[j + 1]):
                    c = columns[relations[e]]
                    if c >= 0 and heads[e] >= n_items:
                        reached[heads[e] * width + c] = 0
                        liked[heads[e] * width + c] = 0


@kernel
def _add(
    edges: npt.NDArray[np.int64],
    heads: npt.NDArray[np.int32],
    relations: npt.NDArray[np.int16],
    columns: npt.NDArray[np.int64],
    backward: npt.NDArray[np.bool_],
    reached: npt.NDArray[np.int32],
    liked: npt.NDArray[np.float32],
    own: npt.NDArray[np.bool_],
    above: npt.NDArray[np.float32],
    item: int,
    links: npt.NDArray[np.float64],
    likes: npt.NDArray[np.float64],
) -> None:  # pragma: no cover - compiled
    """Add the links of an item with the history, which has no link with itself, and how well their ends were liked."""
    for e in range(edges[item], edges[item + 1]):
        c, t = columns[relations[e]], heads[e]
        if c >= 0:
            if t >= own.size:
                links[c] += reached[t * links.size + c] - (1 if own[item] else 0)
                likes[c] += liked[t * links.size + c] - (above[item] if own[item] else 0.0)
            elif own[t] and t != item and not backward[relations[e]]:
                links[c] += 1
                likes[c] += above[t]
