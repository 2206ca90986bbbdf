"""Vectors to gensim and back."""

from __future__ import annotations

import numpy as np
import pytest

from graphrec.errors import ConfigError, DataError
from graphrec.index.embeddings import EmbeddingTable
from graphrec.models.node_embeddings.keyed_vectors import from_keyed_vectors, to_keyed_vectors


def test_gensim_finds_the_same_neighbours_and_gives_the_vectors_back() -> None:
    table = EmbeddingTable(["a", "b c", "d"], np.random.default_rng(1).normal(size=(3, 4)))
    vectors = to_keyed_vectors(table)
    for (theirs, score), near in zip(vectors.most_similar("a", topn=2), table.nearest("a", 2), strict=True):
        assert theirs == near.id
        assert score == pytest.approx(near.score, abs=1e-5)
    again = from_keyed_vectors(vectors)
    assert again.ids == table.ids
    np.testing.assert_array_equal(again.matrix, table.matrix)
    vectors.vectors[:] = 0
    assert again.matrix.any()
    assert table.matrix.any()


def test_what_gensim_cannot_hold_or_is_no_keyed_vectors_is_refused() -> None:
    with pytest.raises(DataError, match="take one kind: user, item"):
        to_keyed_vectors(EmbeddingTable(["1", "1"], np.eye(2), kinds=["user", "item"]))
    with pytest.raises(ConfigError, match=r"a dict is no KeyedVectors of gensim; of a model take model\.wv"):
        from_keyed_vectors({})
