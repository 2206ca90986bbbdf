"""Vectors with the ids they belong to: what training embeddings leaves to a user."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from graphrec.checks import as_array, as_path, check_finite, check_flag
from graphrec.data.features import Labels
from graphrec.data.limits import Limits
from graphrec.data.vocabulary import Vocabulary
from graphrec.errors import ConfigError, DataError
from graphrec.index.build import IndexKind, build_index
from graphrec.index.embedding_files import Format, arrow_table, write_vectors
from graphrec.index.embedding_index import EmbeddingIndex
from graphrec.index.embedding_map import EmbeddingMap, MapMethod, map_2d
from graphrec.index.embedding_readers import read_vectors
from graphrec.index.exact import ExactIndex
from graphrec.index.order import fit_rows
from graphrec.index.protocol import Metric
from graphrec.index.row_ids import Near, Query, RowIds


@dataclass(frozen=True, slots=True, init=False, eq=False)
class EmbeddingTable:
    """A float32 vector for each of n nodes: users, items, entities.

    Parameters
    ----------
    ids : Vocabulary or sequence of str
        n ids, unique within their kind.
    matrix : ndarray
        (n, dim) float32, finite; row ``i`` belongs to id ``i``.
    kinds : sequence of str, Labels or None
        (n,) what each id is, such as "user", "item", "author". With them an id may stand in several kinds, and is
        then named with its kind: ``table[("user", "1")]``.
    labels : sequence of str or None
        (n,) names for people.

    Raises
    ------
    DataError
        If the numbers of rows, ids, kinds and labels differ, dim is 0, an id stands twice, or a value is not finite.

    Examples
    --------
    >>> table = EmbeddingTable(["a", "b", "c"], [[1.0, 0.0], [0.6, 0.8], [0.0, 1.0]])
    >>> [near.id for near in table.nearest("a", k=2)]
    ['b', 'c']
    """

    nodes: RowIds
    matrix: npt.NDArray[np.float32]

    def __init__(
        self,
        ids: Vocabulary | Sequence[str] | pa.Array | RowIds,
        matrix: npt.ArrayLike,
        *,
        kinds: Labels | Sequence[str] | None = None,
        labels: Sequence[str | None] | pa.Array | None = None,
    ) -> None:
        nodes = ids if isinstance(ids, RowIds) else RowIds(ids, kinds, labels)
        array = as_array(matrix, np.float32, name="matrix", ndim=2)
        if len(array) != len(nodes):
            raise DataError(f"the matrix has {len(array)} rows, the vocabulary {len(nodes)} ids")
        if array.shape[1] == 0:
            raise DataError("the matrix has 0 columns; vectors need at least 1 dimension")
        check_finite(array, name="matrix")
        object.__setattr__(self, "nodes", nodes)
        object.__setattr__(self, "matrix", array)

    @property
    def ids(self) -> list[str]:
        """The ids in the order of the rows."""
        ids: list[str] = self.nodes.ids.to_pylist()
        return ids

    @property
    def vocabulary(self) -> Vocabulary:
        """The ids as a vocabulary; DataError where an id stands in two kinds: take :meth:`of_kind`."""
        return self.nodes.vocabulary

    @property
    def kinds(self) -> list[str] | None:
        """The kind of each row; None where kinds are not known."""
        kinds = self.nodes.columns().get("kind")
        return None if kinds is None else kinds.to_pylist()

    @property
    def labels(self) -> list[str | None] | None:
        """The label of each row; None where there are none."""
        return None if self.nodes.labels is None else self.nodes.labels.to_pylist()

    @property
    def dim(self) -> int:
        """Width of the vectors."""
        return int(self.matrix.shape[1])

    def __len__(self) -> int:
        return len(self.nodes)

    def __contains__(self, external: object) -> bool:
        return self.nodes.holds(external)

    def __getitem__(self, external: Query) -> npt.NDArray[np.float32]:
        vector: npt.NDArray[np.float32] = self.matrix[self.nodes.row(external)]
        return vector

    def __repr__(self) -> str:
        names = self.nodes.kind_names
        sizes = ", ".join(f"{len(self.nodes.of_kind(kind)):,} {kind}" for kind in names) if names else ""
        shown = ", ".join(map(repr, self.nodes.ids[:3].to_pylist()))
        about = sizes or f"ids {shown}{', …' if len(self) > 3 else ''}"
        return f"EmbeddingTable({len(self):,} vectors of {self.dim}: {about})"

    def nearest(
        self,
        query: Query | npt.ArrayLike,
        k: int = 10,
        *,
        metric: Metric = "cosine",
        kind: str | None = None,
        only: Iterable[Query] | None = None,
        skip: Iterable[Query] = (),
    ) -> list[Near]:
        """Return the ``k`` nodes nearest to a node (itself left out) or to a vector, best first; exact.

        Parameters
        ----------
        query : str, (kind, id), or array
            A node of the table, or a (dim,) vector.
        k : int, default 10
            Nodes wanted, >= 1; fewer come back where the table has fewer.
        metric : {"cosine", "ip", "l2"}
            The score: cosine similarity, inner product, or minus the squared distance.
        kind : str or None
            Nodes of this kind alone.
        only, skip : iterable of id or (kind, id)
            Nodes that alone may come back, and those that may not; unknown ids are passed over.

        Raises
        ------
        UnknownIdError
            If the id is not in the table, with the nearest ids.
        DataError
            If a vector has another width or is not finite.
        ConfigError
            If ``k < 1``, the metric or the kind is unknown, or an id stands in several kinds and none is given.

        Notes
        -----
        Time O(n * dim). For many queries make an index once and search it: :meth:`index`.
        """
        exact = EmbeddingIndex(self.nodes, self.matrix, ExactIndex(self.matrix, metric))
        return exact.nearest(query, k, kind=kind, only=only, skip=skip)

    def index(
        self, kind: IndexKind = "auto", *, metric: Metric = "cosine", seed: int = 0, **settings: int
    ) -> EmbeddingIndex:
        """Return an index over the vectors, searched by id or by vector, that can be saved and loaded.

        ``kind`` "auto" goes by the size (:func:`graphrec.index.build.suitable_kind`); ``EmbeddingIndex.kind`` says
        what it became. ``settings`` are those of HNSW: ``m``, ``ef_construction``, ``ef_search``, ``threads``
        (:func:`graphrec.index.hnsw.build_hnsw`).

        Raises
        ------
        ConfigError
            If the kind, the metric or a setting is illegal.
        """
        near = build_index(self.matrix, kind, metric, seed=seed, **settings)
        return EmbeddingIndex(self.nodes, self.matrix, near)

    def take(self, rows: npt.ArrayLike) -> EmbeddingTable:
        """Return the table of some ``rows`` (m,), in their order."""
        places = as_array(rows, np.int64, name="rows")
        return EmbeddingTable(self.nodes.take(places), self.matrix[places])

    def of_kind(self, kind: str) -> EmbeddingTable:
        """Return the vectors of one kind, as a table without kinds; ConfigError where there is no such kind."""
        part = self.take(self.nodes.of_kind(kind))
        return EmbeddingTable(part.nodes.ids, part.matrix, labels=part.nodes.labels)

    def with_labels(self, labels: Mapping[str, str]) -> EmbeddingTable:
        """Return the table with a label for each id that ``labels`` names; the others keep theirs."""
        old = self.labels or [None] * len(self)
        named = [labels.get(external, label) for external, label in zip(self.ids, old, strict=True)]
        return EmbeddingTable(RowIds(self.nodes.ids, self.nodes.kinds, named), self.matrix)

    @staticmethod
    def concat(tables: Mapping[str, EmbeddingTable] | Sequence[EmbeddingTable]) -> EmbeddingTable:
        """Return the rows of several tables, in order; the keys of a mapping become their kinds.

        Raises
        ------
        DataError
            If there is no table, the widths differ, an id stands twice (in its kind), or some tables of a sequence
            have kinds and others none.
        """
        named = dict(tables) if isinstance(tables, Mapping) else dict(enumerate(tables))
        if not named:
            raise DataError("there is no table; give at least one")
        if len(widths := {table.dim for table in named.values()}) > 1:
            raise DataError(f"the tables have the widths {sorted(widths)}; they must have one")
        parts = list(named.values())
        kinds: list[str] | None = None
        if isinstance(tables, Mapping):
            kinds = [str(kind) for kind, table in named.items() for _ in range(len(table))]
        elif any(part.nodes.kinds is not None for part in parts):
            if any(part.nodes.kinds is None for part in parts):
                raise DataError("some of the tables have kinds and others have none; give kinds to all, or to none")
            kinds = [kind for part in parts for kind in part.kinds or ()]
        labels = [label for part in parts for label in part.labels or [None] * len(part)]
        return EmbeddingTable(
            pa.concat_arrays([part.nodes.ids for part in parts]),
            np.concatenate([part.matrix for part in parts]),
            kinds=kinds,
            labels=labels if any(part.nodes.labels is not None for part in parts) else None,
        )

    def join(self, other: EmbeddingTable, *, unit: bool = True) -> EmbeddingTable:
        """Return the vectors of two tables side by side, for the nodes that both hold: (m, dim + other.dim).

        ``unit`` brings each part to length 1 first, so that both count alike in a cosine. Order, kinds and labels are
        those of this table.

        Raises
        ------
        DataError
            If the tables share no node.
        """
        check_flag("unit", unit)
        names: list[Query] = list(self.ids) if self.kinds is None else list(zip(self.kinds, self.ids, strict=True))
        rows = np.array([row for row, name in enumerate(names) if name in other], dtype=np.int64)
        if len(rows) == 0:
            raise DataError("the two tables share no id; they are joined by id")
        theirs = other.matrix[[other.nodes.row(names[row]) for row in rows]]
        parts = [self.matrix[rows], theirs]
        return EmbeddingTable(self.nodes.take(rows), np.hstack([_unit(part) for part in parts] if unit else parts))

    def map_2d(
        self, method: MapMethod = "pca", *, colours: Sequence[str | None] | None = None, most: int = 5000, seed: int = 0
    ) -> EmbeddingMap:
        """Return the nodes on a plane; see :func:`graphrec.index.embedding_map.map_2d`.

        ``colours`` (n,) are an attribute of each node; without it the kinds are.
        """
        return map_2d(self.nodes, self.matrix, method, colours=colours or self.kinds, most=most, seed=seed)

    def to_arrow(self) -> pa.Table:
        """Return the columns ``id``, ``vector`` (lists of float32 of one size), and where known ``kind``, ``label``."""
        return arrow_table(self.nodes, self.matrix)

    def write(self, path: str | Path, format: Format | None = None) -> list[Path]:  # noqa: A002 - the field's word
        """Write the vectors for other programs, and return the files.

        =================  ==========================  ==========================================================
        format             extension                   holds
        =================  ==========================  ==========================================================
        ``parquet``        ``.parquet``                :meth:`to_arrow`
        ``arrow``          ``.arrow``                  the same
        ``npy``            ``.npy``                    the matrix; ids one a line in ``.ids`` beside it
        ``word2vec``       ``.txt``, ``.vec``          the text format of word2vec
        ``keyedvectors``   ``.bin``                    its binary format: ``KeyedVectors.load_word2vec_format``
        ``safetensors``    ``.safetensors``            the tensor ``vectors``; ids, kinds, labels in the metadata
        ``projector``      ``.tsv``                    vectors, and ``.metadata.tsv``: TensorBoard's projector
        =================  ==========================  ==========================================================

        Beside npy and word2vec files stands ``NAME.metadata.tsv`` with kinds and labels, where there are any.
        The native format of gensim's ``KeyedVectors`` is a pickle and is not written.

        Raises
        ------
        DataError
            If the extension or the format is unknown, the file cannot be written, or the format cannot hold an id.
        MissingExtraError
            If safetensors is not installed.
        """
        return write_vectors(as_path(path, name="the file"), self.nodes, self.matrix, format)

    @classmethod
    def read(
        cls,
        path: str | Path,
        format: Format | None = None,  # noqa: A002
        *,
        limits: Limits = Limits(),  # noqa: B008 - frozen
    ) -> Self:
        """Return the table that a file of one of the formats of :meth:`write` holds, whoever wrote it.

        Parquet and Arrow files have a column ``id`` (text) and a column ``vector`` (lists of numbers of one length);
        ``kind`` and ``label`` may be there. A file is judged by its size before anything is made of it.

        Raises
        ------
        DataError
            If the file cannot be read, is damaged, cut short, or larger than the limits allow; its header does not
            fit its contents, widths differ, an id stands twice, or a value is not finite.
        """
        nodes, matrix = read_vectors(as_path(path, name="the file"), format, limits)
        try:
            return cls(nodes, matrix)
        except (DataError, ConfigError) as error:
            raise DataError(f"{path}: {error}") from error


def _unit(vectors: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Return vectors of length 1; zero stays zero."""
    near_one = fit_rows(vectors, "cosine", name="vectors")
    lengths = np.linalg.norm(near_one, axis=1, keepdims=True)
    unit: npt.NDArray[np.float32] = np.divide(near_one, lengths, out=np.zeros_like(near_one), where=lengths > 0)
    return unit
