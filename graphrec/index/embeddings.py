"""Vectors with the ids they belong to: what training embeddings leaves to a user."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from graphrec.checks import as_array, as_path, check_finite
from graphrec.data.vocabulary import Vocabulary
from graphrec.errors import DataError
from graphrec.index.build import IndexKind, build_index
from graphrec.index.embedding_files import write_vectors
from graphrec.index.exact import ExactIndex
from graphrec.index.protocol import Index, Metric


class Near(NamedTuple):
    """An id, and how near it is: higher is nearer under every metric."""

    id: str
    score: float


@dataclass(frozen=True, slots=True, init=False, eq=False)
class EmbeddingTable:
    """One float32 vector an id.

    Parameters
    ----------
    vocabulary : Vocabulary or sequence of str
        n ids.
    matrix : ndarray
        (n, dim) float32, finite; row ``i`` belongs to id ``i``.

    Raises
    ------
    DataError
        If the number of rows differs from the vocabulary's, dim is 0, or a value is not finite.

    Examples
    --------
    >>> table = EmbeddingTable(["a", "b", "c"], [[1.0, 0.0], [0.6, 0.8], [0.0, 1.0]])
    >>> [near.id for near in table.nearest("a", k=2)]
    ['b', 'c']
    """

    vocabulary: Vocabulary
    matrix: npt.NDArray[np.float32]

    def __init__(self, vocabulary: Vocabulary | Sequence[str], matrix: npt.ArrayLike) -> None:
        ids = vocabulary if isinstance(vocabulary, Vocabulary) else Vocabulary(vocabulary)
        array = as_array(matrix, np.float32, name="matrix", ndim=2)
        if len(array) != len(ids):
            raise DataError(f"the matrix has {len(array)} rows, the vocabulary {len(ids)} ids")
        if array.shape[1] == 0:
            raise DataError("the matrix has 0 columns; vectors need at least 1 dimension")
        check_finite(array, name="matrix")
        object.__setattr__(self, "vocabulary", ids)
        object.__setattr__(self, "matrix", array)

    @property
    def dim(self) -> int:
        """Width of the vectors."""
        return int(self.matrix.shape[1])

    def __len__(self) -> int:
        return len(self.vocabulary)

    def __contains__(self, external: object) -> bool:
        return external in self.vocabulary

    def __getitem__(self, external: str) -> npt.NDArray[np.float32]:
        vector: npt.NDArray[np.float32] = self.matrix[self.vocabulary.row(external)]
        return vector

    def __repr__(self) -> str:
        return f"EmbeddingTable({len(self):,} vectors of {self.dim}, {self.vocabulary!r})"

    def nearest(self, query: str | npt.ArrayLike, k: int = 10, *, metric: Metric = "cosine") -> list[Near]:
        """Return the ``k`` ids nearest to an id (itself left out) or to a vector, best first; exact.

        Parameters
        ----------
        query : str or array
            An id of the table, or a (dim,) vector.
        k : int, default 10
            Ids wanted, >= 1; fewer come back where the table has fewer.
        metric : {"cosine", "ip", "l2"}
            The score: cosine similarity, inner product, or minus the squared distance.

        Raises
        ------
        UnknownIdError
            If the id is not in the table, with the nearest ids.
        DataError
            If a vector has another width or is not finite.
        ConfigError
            If ``k < 1`` or the metric is unknown.

        Notes
        -----
        Time O(n * dim). For many queries make an index once and search it: :meth:`index`.
        """
        index, allow = ExactIndex(self.matrix, metric), None
        if isinstance(query, str):
            allow = np.ones(len(self), dtype=np.bool_)
            allow[self.vocabulary.row(query)] = False
            query = self[query]
        rows, scores = index.search(as_array(query, np.float32, name="the query")[None, :], k, allow=allow)[0]
        return [Near(*near) for near in zip(self.vocabulary.take(rows), scores.tolist(), strict=True)]

    def index(self, kind: IndexKind = "hnsw", *, metric: Metric = "cosine", seed: int = 0, **settings: int) -> Index:
        """Return an index over the rows: ``index.search(vectors, k)`` answers many queries at once.

        ``settings`` are those of HNSW: ``m``, ``ef_construction``, ``ef_search``
        (:func:`graphrec.index.hnsw.build_hnsw`).

        Raises
        ------
        ConfigError
            If the kind, the metric or a setting is illegal.
        """
        return build_index(self.matrix, kind, metric, seed=seed, **settings)

    def to_arrow(self) -> pa.Table:
        """Return a table with the columns ``id`` (text) and ``vector`` (a fixed-size list of float32)."""
        flat = pa.array(self.matrix.reshape(-1), pa.float32())  # (n * dim,)
        return pa.table({"id": self.vocabulary.ids, "vector": pa.FixedSizeListArray.from_arrays(flat, self.dim)})

    def write(self, path: str | Path) -> None:
        """Write the vectors for other programs; the extension says how.

        ``.parquet`` and ``.arrow`` hold :meth:`to_arrow`; ``.npy`` the matrix, with the ids one a line in ``.ids``
        beside it; ``.txt`` and ``.vec`` the text format of word2vec, which ``gensim.models.KeyedVectors`` and others
        read.

        Raises
        ------
        DataError
            If the extension is another, the file cannot be written, or (word2vec) an id is empty or holds white space.
        """
        write_vectors(as_path(path, name="the file"), self.to_arrow(), self.matrix)
