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
    """Return the vectors that a channel of a bundle serves, with kinds and labels: items, and users where it keeps any.

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
    labels = parts.catalogue.labels.take(pa.array(vectors.rows)).cast(pa.large_string())
    items = EmbeddingTable(parts.items.ids.take(pa.array(vectors.rows)), vectors.sources, labels=labels)
    users = vectors.users if isinstance(vectors, VectorRecaller) else None
    if users is None:
        return EmbeddingTable.concat({"item": items})
    rows = np.flatnonzero(users.any(axis=1))
    return EmbeddingTable.concat(
        {"item": items, "user": EmbeddingTable(parts.users.ids.take(pa.array(rows)), users[rows])}
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
