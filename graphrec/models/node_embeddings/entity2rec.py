"""entity2rec: one embedding of items for each property of the knowledge graph, and weights of the properties."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar, Self

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from graphrec.channels.content.path_mixture import MixtureSettings, path_mixture, path_steps
from graphrec.contracts.domains import choices, floats, ints
from graphrec.contracts.progress import ALONE, FitContext
from graphrec.contracts.recall_data import RecallData
from graphrec.contracts.recipe import About
from graphrec.contracts.settings import count, number, weights
from graphrec.data.lists import ItemLists
from graphrec.errors import ConfigError, DataError
from graphrec.graph.adjacency import Adjacency, adjacency_from_edges
from graphrec.graph.catalogue import INTERACTS
from graphrec.graph.path_tables import PathTable, edge_table, rows_to_one
from graphrec.graph.paths import MetaPath, Steps
from graphrec.graph.relations import parse_path, reverse_name
from graphrec.index import build_index
from graphrec.index.order import ordered_lists
from graphrec.models.node_embeddings.node2vec import Node2Vec
from graphrec.recallers.path_neighbours import PathNeighbourRecaller

RowArray = npt.NDArray[np.int32]
FloatArray = npt.NDArray[np.float32]

# Users' likes, as a property of items.
_FEEDBACK = "^interacts/interacts"
# Pairs whose shared nodes are looked for at a time.
_PAIRS = 1 << 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Entity2Rec(MixtureSettings):
    r"""The k items nearest to each item by embeddings of single properties, weighted by what each is worth [1]_.

    .. math:: S_{ij} = \sum_p \theta_p\, T_p(i, j), \qquad T_p(i, j) \propto \max(0, \cos(x^p_i, x^p_j))^{power}

    with :math:`x^p` the ``in`` vectors that Node2Vec learns on the edges of the property p alone, and the k nearest
    items of i by :math:`T_p` summing to 1. Properties are the relations that leave items, each with its way back
    (``"author/^author"``), and what users like (``"^interacts/interacts"``). Their weights are learned on held-out
    users, and many are 0 (:mod:`graphrec.channels.content.path_weights`).

    A user is served by his history, known or live; without history the list is empty. Cold items need no events: their
    entities reach them. An item is explained by a node that it shares with an item of the history by the property that
    gave most; where they share none, or users alone, by that item.

    Parameters
    ----------
    dim : int, default 32
        Width of the vectors of a property.
    walks_per_node, length, window : int
        Walks from each node of a property, nodes in a walk, and nodes on either side that count as context.
    k : int, default 100
        Neighbours kept an item, of each property and of their sum.
    power : float, default 4.0
        Power of the cosine.
    properties : mapping of str to float, default all
        Weight of each property, of 0 or more; properties of weight 0 are left out. Empty takes all, with equal weights.
    learn_weights : bool, default True
        Learn the weights where users are held out, in place of those of ``properties``. What was learned is a value of
        ``properties``, with ``learn_weights`` false.
    sparsity : float, default 0.001
        Weight of the penalty on the weights; larger leaves fewer properties.
    last, half_life, weight_exponent :
        See :class:`graphrec.channels.families.HistorySettings`.

    Raises
    ------
    ConfigError
        If a setting lies outside its range, or a property cannot be read.

    References
    ----------
    .. [1] E. Palumbo, G. Rizzo, R. Troncy, "entity2rec: learning user-item relatedness from knowledge graphs for top-n
       item recommendation", RecSys 2017. Differs: a user is the items of his history also in the graph of likes, so
       that anybody is answered; nearest items alone count, by a power of the cosine; the weights are non-negative and
       those of a softmax over candidates, in place of LambdaMart.
    """

    weighed: ClassVar[str] = "properties"
    about: ClassVar[About] = About(
        recalls="near by embeddings of single properties of the graph",
        artefact="neighbour table",
        cold_items="recalled by its entities",
    )

    dim: int = count(32, least=1, search=choices(16, 32, 64))
    walks_per_node: int = count(10, least=1, search=ints(5, 40, log=True))
    length: int = count(20, least=2, most=10_000, unit="nodes")
    window: int = count(3, least=1, unit="nodes", search=ints(2, 10))
    k: int = count(100, least=1, unit="neighbours", search=ints(20, 500, log=True))
    power: float = number(4.0, above=0, search=floats(1.0, 8.0))
    properties: Mapping[str, float] = weights(of="properties")

    def check(self) -> None:
        """Refuse properties that are no way from items to nodes and back."""
        for text in self.properties:
            steps = parse_path(text)
            if len(steps) != 2 or steps[1] != reverse_name(steps[0]):
                raise ConfigError(f"property {text!r} is no relation with its way back, such as 'author/^author'")
        if self.properties and not any(weight > 0 for weight in self.properties.values()):
            raise ConfigError("every property has the weight 0; give one of them more, or leave properties empty")

    def check_data(self, data: RecallData) -> None:
        """Raise DataError where the graph lacks a property that is given, before anything is fitted."""
        self._paths(path_steps(data))

    def fit(self, data: RecallData, context: FitContext = ALONE) -> PathNeighbourRecaller:
        """Return the channel, which can say of every item which property brought it; the same for data and seed.

        Time that of Node2Vec on the edges of each property; memory 8 dim bytes a node, and O(n_items * k) a property.

        Raises
        ------
        DataError
            If the graph lacks a property, or there is none: no event, and no relation that leaves an item.
        """
        return self._mixed(data, *self._tables(data, context))

    def _learned(self, weights: Mapping[str, float]) -> Self:
        return replace(self, properties=weights, learn_weights=False)

    def _mixed(self, data: RecallData, paths: list[MetaPath], tables: list[PathTable]) -> PathNeighbourRecaller:
        return path_mixture(data.catalogue, paths, tables, self.properties, k=self.k, profile=self.profile())

    def _paths(self, steps: Steps) -> list[MetaPath]:
        """Return the properties that are given and have a weight, or all that the graph has."""
        given = [steps.metapath(text) for text, weight in self.properties.items() if weight > 0]
        liked = steps.matrix(steps.graph.relation_names.index(INTERACTS)).nnz > 0
        every = given or [*steps.shared_entities(), *([steps.metapath(_FEEDBACK)] if liked else [])]
        # A relation between items and its reverse are the same edges.
        paths = list({frozenset(path.relations): path for path in reversed(every)}.values())[::-1]
        if not paths:
            raise DataError(
                "there is no property to embed: no event, and no relation that leaves an item; leave the entity2rec "
                "channel out"
            )
        return paths

    def _tables(self, data: RecallData, context: FitContext) -> tuple[list[MetaPath], list[PathTable]]:
        """Return the properties, and the neighbours of items by each."""
        steps, tables = path_steps(data), []
        paths = self._paths(steps)
        for done, path in enumerate(paths):
            context.progress(done, len(paths))
            tables.append(self._table(steps, path, data.pool, context))
        return paths, tables

    def _table(self, steps: Steps, path: MetaPath, pool: npt.NDArray[np.bool_], context: FitContext) -> PathTable:
        """Return the nearest items of the pool by the vectors of one property, with a node that the two share."""
        graph, there = _one_property(steps.graph, path), steps.matrix(path.relations[0])
        vectors = self._vectors(graph, context)
        rows = np.flatnonzero(graph.degrees[: steps.n_items]).astype(np.int32)
        owners, columns, scores = self._nearest(vectors[rows], pool[rows], context.seed)
        owners, columns = rows[owners], rows[columns]
        middles = np.full(len(owners), -1, np.int32) if path.through_users else _shared(there, owners, columns)
        edges = edge_table(there[: steps.n_items])
        indptr = np.searchsorted(owners, np.arange(steps.n_items + 1))
        best = np.where(middles >= 0, scores, np.float32(0))
        return rows_to_one(PathTable(indptr, columns, scores, best, steps.n_items, middles, edges, edges, True))

    def _vectors(self, graph: Adjacency, context: FitContext) -> FloatArray:
        """Return the ``in`` vectors of the nodes of a property's graph."""
        recipe = Node2Vec(
            dim=self.dim, walks_per_node=self.walks_per_node, length=self.length, window=self.window
        )  # fmt: skip
        return recipe.learn_graph(graph, FitContext(seed=context.seed, workers=context.workers)).inputs

    def _nearest(
        self, vectors: FloatArray, pool: npt.NDArray[np.bool_], seed: int
    ) -> tuple[RowArray, RowArray, FloatArray]:
        """Return (row, near row, score) of the k nearest of the pool to each of ``vectors``, best first."""
        near = build_index(vectors, "auto", "cosine", seed=seed)
        itself = ItemLists(np.arange(len(vectors) + 1), np.arange(len(vectors)))
        nearest = near.search(vectors, self.k, allow=pool, skip=itself)
        scores = np.maximum(nearest.scores, np.float32(0)) ** np.float32(self.power)
        owners = np.repeat(np.arange(len(vectors)), nearest.lengths)
        kept = scores > 0
        lists = ordered_lists(owners[kept], nearest.items[kept], scores[kept], n=len(vectors), k=self.k)
        return np.repeat(np.arange(len(vectors), dtype=np.int32), lists.lengths), lists.items, lists.scores


def _one_property(graph: Adjacency, path: MetaPath) -> Adjacency:
    """Return the graph with the edges of one property alone, either way."""
    kept = np.isin(graph.relations, path.relations)
    sources = np.repeat(np.arange(graph.n_nodes, dtype=np.int32), graph.degrees)
    return adjacency_from_edges(
        sources[kept], graph.indices[kept], graph.relations[kept], type_offsets=graph.type_offsets,
        node_types=graph.node_types, relation_names=graph.relation_names,
    )  # fmt: skip


def _shared(edges: sp.csr_array, left: RowArray, right: RowArray) -> RowArray:
    """Return of each pair of rows (m,) the node that both have an edge to, (m,) int32; -1 where there is none.

    Of several it is the node with the fewest edges.
    """
    rare = edges.copy()
    rare.data = (1.0 / np.bincount(edges.indices, minlength=edges.shape[1])[edges.indices]).astype(np.float32)
    shared = np.full(len(left), -1, np.int32)
    for start in range(0, len(left), _PAIRS):
        part = slice(start, start + _PAIRS)
        both = sp.csr_array(rare[left[part]].multiply(edges[right[part]]))
        some = np.flatnonzero(np.diff(both.indptr))
        if len(some):
            shared[start + some] = both[some].argmax(axis=1)
    return shared
