"""An index that is searched by id: vectors, the nodes that they belong to, and how the nearest are searched."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self, TypeGuard

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from graphrec.checks import as_array, as_path, check_k, typed_fields
from graphrec.data.files import file_sha256, read_array, read_json, write_array
from graphrec.data.lists import ItemLists, empty_lists
from graphrec.errors import BundleError, DataError, GraphRecError, first_line
from graphrec.index.build import index_kind
from graphrec.index.loading import load_index
from graphrec.index.protocol import Index
from graphrec.index.row_ids import Near, Query, RowIds

FORMAT = "embedding-index/1"
_ABOUT, _NODES, _VECTORS = "embeddings.json", "nodes.arrow", "vectors.npy"

FloatArray = npt.NDArray[np.float32]


@typed_fields
@dataclass(frozen=True, slots=True, eq=False)
class EmbeddingIndex:
    """Nearest nodes by id or by vector. Made by ``EmbeddingTable.index`` and :meth:`load`; never changed.

    Searching is safe from several threads. New vectors go into a new index, of ``EmbeddingTable.concat``.

    Parameters
    ----------
    nodes : RowIds
        n nodes.
    matrix : ndarray
        (n, dim) float32: their vectors.
    near : Index
        Over ``matrix``; what answers by row.
    """

    nodes: RowIds
    matrix: FloatArray
    near: Index

    def __post_init__(self) -> None:
        shapes = {(len(self.nodes), self.near.dim), self.matrix.shape, (len(self.near), self.near.dim)}
        if len(shapes) > 1:
            raise DataError(f"{len(self.nodes)} ids, vectors {self.matrix.shape} and an index of {len(self.near)} rows")

    def __len__(self) -> int:
        return len(self.nodes)

    def __contains__(self, external: object) -> bool:
        return self.nodes.holds(external)

    def __repr__(self) -> str:
        return f"EmbeddingIndex({self.kind} by {self.near.metric}, {len(self):,} vectors of {self.near.dim})"

    @property
    def kind(self) -> str:
        """What searches: "exact", "quantised" or "hnsw"; says what "auto" chose."""
        return index_kind(self.near)

    def nearest(
        self,
        query: Query | npt.ArrayLike,
        k: int = 10,
        *,
        kind: str | None = None,
        only: Iterable[Query] | None = None,
        skip: Iterable[Query] = (),
    ) -> list[Near]:
        """Return the ``k`` nodes nearest to a node (itself left out) or to a vector, best first; ties by row.

        Parameters
        ----------
        query : str, (kind, id), or array
            A node of the index, or a (dim,) vector.
        k : int, default 10
            Nodes wanted, >= 1; fewer come back where fewer are legal.
        kind : str or None
            Nodes of this kind alone.
        only, skip : iterable of id or (kind, id)
            Nodes that alone may come back, and those that may not. Ids that are not in the index are passed over.

        Raises
        ------
        UnknownIdError
            If the queried id is not in the index, with the nearest ids.
        DataError
            If a vector has another width or is not finite.
        ConfigError
            If ``k < 1``, the kind is unknown, or the id stands in several kinds and none is given.
        """
        queries = [query] if isinstance(query, str | tuple) and _is_node(query) else [np.asarray(query)]
        return self.nearest_many(queries, k, kind=kind, only=only, skip=skip)[0]

    def nearest_many(
        self,
        queries: Sequence[Query | npt.ArrayLike] | FloatArray,
        k: int = 10,
        *,
        kind: str | None = None,
        only: Iterable[Query] | None = None,
        skip: Iterable[Query] = (),
    ) -> list[list[Near]]:
        """Return the list of :meth:`nearest` for each of many queries: nodes, or the rows of a matrix (q, dim)."""
        check_k(k)
        places = [self.nodes.row(query) if _is_node(query) else -1 for query in queries]
        rows = np.array(places, dtype=np.int64)
        vectors = np.empty((len(rows), self.near.dim), dtype=np.float32)
        for place, (row, query) in enumerate(zip(rows, queries, strict=True)):
            vectors[place] = self.matrix[row] if row >= 0 else self._vector(query)
        lists = self.search(vectors, k, allow=self._allowed(kind, only, skip), skip=_lists_of_one(rows))
        return [self.nodes.near(items, scores) for items, scores in lists]

    def search(
        self,
        vectors: npt.ArrayLike,
        k: int,
        *,
        allow: npt.NDArray[np.bool_] | None = None,
        skip: ItemLists | None = None,
    ) -> ItemLists:
        """Return q lists of rows for ``vectors`` (q, dim); see :meth:`graphrec.index.protocol.Index.search`."""
        return self.near.search(vectors, k, allow=allow, skip=skip)

    def _vector(self, query: object) -> FloatArray:
        vector: FloatArray = as_array(np.asarray(query), np.float32, name="the query")
        if len(vector) != self.near.dim:
            raise DataError(f"the query has {len(vector)} dimensions, the index {self.near.dim}")
        return vector

    def _allowed(
        self, kind: str | None, only: Iterable[Query] | None, skip: Iterable[Query]
    ) -> npt.NDArray[np.bool_] | None:
        """Return (n,) bool: what may come back to every query; None for all."""
        allowed = np.ones(len(self), dtype=np.bool_) if only is None else self.nodes.mask(only, name="only")
        if kind is not None:
            of_kind = np.zeros(len(self), dtype=np.bool_)
            of_kind[self.nodes.of_kind(kind)] = True
            allowed &= of_kind
        allowed &= ~self.nodes.mask(skip, name="skip")
        return None if allowed.all() else allowed

    def save(self, directory: str | Path) -> None:
        """Write vectors, nodes and index into ``directory``, which is made; it holds nothing yet. No pickle.

        Raises
        ------
        DataError
            If the directory holds something, or cannot be written.
        """
        path = as_path(directory, name="the directory")
        try:
            path.mkdir(parents=True, exist_ok=True)
            if any(path.iterdir()):
                raise DataError(f"{path} is not empty; an index is saved into a directory of its own")
            write_array(path / _VECTORS, np.ascontiguousarray(self.matrix))
            table = pa.table(self.nodes.columns())
            with pa.OSFile(str(path / _NODES), "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
                writer.write_table(table)
            self.near.save(path)
            about = {"format": FORMAT, "n": len(self), "nodes_sha256": file_sha256(path / _NODES)}
            (path / _ABOUT).write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")
        except OSError as error:
            raise DataError(f"{path} cannot be written: {error.strerror or error}") from error

    @classmethod
    def load(cls, directory: str | Path) -> Self:
        """Return what :meth:`save` wrote; vectors stay on disk, memory-mapped.

        Raises
        ------
        BundleError
            If a file is missing, damaged, of another version, or does not fit the others.
        """
        path = as_path(directory, name="the directory")
        nodes = _read_nodes(path)
        matrix = read_array(path / _VECTORS, np.float32, ndim=2)
        if len(matrix) != len(nodes):
            raise BundleError(f"{path / _VECTORS} has {len(matrix)} rows for {len(nodes)} ids; save the index again")
        return cls(nodes, matrix, load_index(path, matrix))


def _is_node(query: object) -> TypeGuard[Query]:
    """Tell whether a query is an id, or a kind and an id."""
    return isinstance(query, str) or (
        isinstance(query, tuple) and len(query) == 2 and all(isinstance(part, str) for part in query)
    )


def _lists_of_one(rows: npt.NDArray[np.int64]) -> ItemLists | None:
    """Return for each query the list of its own row, empty where it has none (-1); None where none has."""
    if (rows < 0).all():
        return None
    own = rows[rows >= 0].astype(np.int32)
    return ItemLists(np.concatenate([[0], np.cumsum(rows >= 0)]), own) if len(rows) else empty_lists(0)


def _read_nodes(directory: Path) -> RowIds:
    """Return the nodes of a saved index; raise BundleError where their file is not what was written."""
    path, about = directory / _NODES, {}
    try:
        about = read_json(directory / _ABOUT)
        if not isinstance(about, dict) or about.get("format") != FORMAT:
            raise BundleError(f"{directory / _ABOUT} is not of the format {FORMAT!r}; save the index again")
        if (found := file_sha256(path)) != about.get("nodes_sha256"):
            raise BundleError(f"{path} has sha256 {found[:12]}…, {_ABOUT} says another; save the index again")
        with pa.OSFile(str(path)) as file:
            table = pa.ipc.open_file(file).read_all()
        table.validate(full=True)
        optional = {
            f"{name}s": table[name].combine_chunks() if name in table.column_names else None
            for name in ("kind", "label")
        }
        return RowIds(table["id"].combine_chunks(), **optional)
    except BundleError:
        raise
    except (OSError, ValueError, KeyError, pa.ArrowException, GraphRecError) as error:
        reason = getattr(error, "strerror", None) or first_line(error)
        raise BundleError(f"{directory} holds no sound embedding index ({reason}); save it again") from error
