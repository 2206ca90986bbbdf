"""The vectors that a fitted channel serves, with their ids."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from graphrec.checks import check_choice
from graphrec.contracts.recall_data import RecallData
from graphrec.contracts.recaller import BundleParts, Recaller
from graphrec.data.features import Labels
from graphrec.data.vocabulary import Vocabulary
from graphrec.errors import ConfigError
from graphrec.graph.adjacency import Adjacency
from graphrec.graph.catalogue import USER, CatalogueGraph
from graphrec.index.embeddings import EmbeddingTable
from graphrec.recallers.interests import InterestRecaller
from graphrec.recallers.vector import VectorRecaller
from graphrec.recallers.votes import VoteRecaller

Nodes = Literal["all", "items", "users", "entities"]


def item_embeddings(channel: Recaller, data: RecallData) -> EmbeddingTable:
    """Return the vectors of the items, as they stand in a history.

    Items without a vector (without events, or outside the pool for channels that learn nothing of those) are not in
    the table.

    Parameters
    ----------
    channel : Recaller
        A fitted channel of vectors: of Node2Vec, LightGCN, ALS.
    data : RecallData
        What it was fitted on.

    Raises
    ------
    ConfigError
        If the channel has no vectors.
    """
    vectors = _vectors(channel)
    return EmbeddingTable(Vocabulary(data.items.take(vectors.rows)), vectors.sources)


def user_embeddings(channel: Recaller, data: RecallData) -> EmbeddingTable:
    """Return the vectors of the users; those without one are not in the table. See :func:`item_embeddings`.

    Raises
    ------
    ConfigError
        If the channel has no vectors of users, as ALS, which makes them of histories, or Node2Vec as it is by default.
    """
    vectors = _vectors(channel)
    users = vectors.users if isinstance(vectors, VectorRecaller) else None
    if users is None:
        raise ConfigError(
            "this channel keeps no vectors of users: it answers from their histories; take item_embeddings, or fit a "
            'recipe that does, such as Node2Vec(query="user")'
        )
    rows = np.flatnonzero(users.any(axis=1))
    return EmbeddingTable(Vocabulary(data.users.take(rows)), users[rows])


def node_embeddings(
    data: RecallData, graph: Adjacency, vectors: npt.NDArray[np.float32], of: Nodes = "all"
) -> EmbeddingTable:
    """Return the vectors of the nodes of a joined graph by id, with kinds and labels; nodes without an edge have none.

    Parameters
    ----------
    data : RecallData
        What the graph was made of.
    graph : Adjacency
        Users, items and entities: :func:`graphrec.graph.catalogue.with_users`.
    vectors : ndarray
        (n_nodes, dim) float32.
    of : {"all", "items", "users", "entities"}
        Whose vectors. Kinds are the types of the graph's nodes; users alone and items alone have no kinds.

    Raises
    ------
    ConfigError
        If ``of`` is something else.
    """
    check_choice("of", of, get_args(Nodes))
    n_users, n_items = len(data.users), len(data.items)
    bounds = {"all": (0, graph.n_nodes), "users": (0, n_users), "items": (n_users, n_users + n_items),
              "entities": (n_users + n_items, graph.n_nodes)}  # fmt: skip
    start, stop = bounds[of]
    rows = start + np.flatnonzero(graph.degrees[start:stop] > 0)
    places = pa.array(rows)
    ids = pa.concat_arrays([data.users.ids, data.items.ids, data.catalogue.entities.ids]).take(places)
    labels = pa.concat_arrays([pa.nulls(n_users, pa.large_string()), data.catalogue.labels.cast(pa.large_string())])
    kinds = np.searchsorted(graph.type_offsets, rows, side="right") - 1
    named = of not in ("users", "items")
    return EmbeddingTable(
        ids,
        vectors[rows],
        kinds=Labels(Vocabulary(list(graph.node_types)), kinds) if named else None,
        labels=None if of == "users" else labels.take(places),
    )


def channel_embeddings(channel: Recaller, parts: BundleParts) -> EmbeddingTable:
    """Return the vectors that a channel of a bundle keeps, with kinds and labels.

    They are those of items ("item"), of users ("user") where it keeps any, and of entities (by their types) where it
    learnt any. All are in one space: that of the channel's ``sources``.

    Parameters
    ----------
    channel : Recaller
        A channel of vectors.
    parts : BundleParts
        The vocabularies and the catalogue graph of its bundle.

    Raises
    ------
    ConfigError
        If the channel has no vectors.
    """
    vectors = _vectors(channel)
    tables = [_catalogue_table(parts.catalogue, vectors.rows, vectors.sources)]
    users = vectors.users if isinstance(vectors, VectorRecaller) else None
    if users is not None:
        rows = np.flatnonzero(users.any(axis=1))
        tables.append(EmbeddingTable.concat({USER: EmbeddingTable(parts.users.ids.take(pa.array(rows)), users[rows])}))
    entities = None if isinstance(vectors, InterestRecaller) else vectors.entities
    if entities is not None:
        nodes = parts.catalogue.n_items + entities.rows.astype(np.int64)
        tables.append(_catalogue_table(parts.catalogue, nodes, entities.vectors))
    return EmbeddingTable.concat(tables)


def _catalogue_table(
    catalogue: CatalogueGraph, nodes: npt.NDArray[np.integer], vectors: npt.NDArray[np.float32]
) -> EmbeddingTable:
    """Return the vectors of items, or of entities, with the types of the graph as kinds; ``nodes`` are its rows."""
    graph, n_items = catalogue.adjacency, catalogue.n_items
    of_items = len(nodes) == 0 or int(nodes[0]) < n_items
    ids, first = (catalogue.items, 0) if of_items else (catalogue.entities, n_items)
    kinds = np.searchsorted(graph.type_offsets, nodes, side="right").astype(np.int32) - 1
    return EmbeddingTable(
        ids.ids.take(pa.array(nodes - first)),
        vectors,
        kinds=Labels(Vocabulary(list(graph.node_types)), kinds),
        labels=catalogue.labels.take(pa.array(nodes)),
    )


def has_vectors(channel: Recaller) -> bool:
    """Tell whether a channel serves vectors."""
    return isinstance(channel, InterestRecaller | VectorRecaller | VoteRecaller)


def _vectors(channel: Recaller) -> InterestRecaller | VectorRecaller | VoteRecaller:
    """Return the channel, where it is one of vectors."""
    if not isinstance(channel, InterestRecaller | VectorRecaller | VoteRecaller):
        raise ConfigError(
            f"a {type(channel).__name__} has no vectors; fit a recipe that learns them, such as Node2Vec, LightGCN, Als"
        )
    return channel
