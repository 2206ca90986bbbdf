"""Vectors to and from gensim's ``KeyedVectors``, in memory: its own files are pickles, which are never loaded here."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphrec.checks import typed
from graphrec.errors import ConfigError, MissingExtraError
from graphrec.index.embeddings import EmbeddingTable


@typed
def to_keyed_vectors(table: EmbeddingTable) -> Any:
    """Return a ``gensim.models.KeyedVectors`` of the ids and a copy of the vectors of a table.

    Raises
    ------
    DataError
        If an id stands in two kinds.
    MissingExtraError
        If gensim is not installed.
    """
    vectors = _keyed_vectors()(table.dim)
    vectors.add_vectors(list(table.vocabulary), np.array(table.matrix))
    return vectors


def from_keyed_vectors(vectors: Any) -> EmbeddingTable:
    """Return the table of a ``gensim.models.KeyedVectors`` (``model.wv``), with a copy of its vectors.

    Raises
    ------
    ConfigError
        If it is something else.
    DataError
        If a key is no text, or a value is not finite.
    MissingExtraError
        If gensim is not installed.
    """
    if not isinstance(vectors, _keyed_vectors()):
        raise ConfigError(f"a {type(vectors).__name__} is no KeyedVectors of gensim; of a model take model.wv")
    return EmbeddingTable(list(vectors.index_to_key), np.array(vectors.vectors, dtype=np.float32))


def _keyed_vectors() -> Any:
    try:
        from gensim.models import KeyedVectors
    except ImportError as error:
        raise MissingExtraError("KeyedVectors (gensim)", extra="train") from error
    return KeyedVectors
