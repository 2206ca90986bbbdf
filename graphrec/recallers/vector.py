"""Recall by nearest vectors: an encoder makes a query's vector, an index finds the items."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from types import NoneType
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from graphrec.checks import check_k, check_rows
from graphrec.contracts.queries import Queries, take_queries
from graphrec.contracts.recaller import BundleParts, Evidence, evidence_of, no_evidence
from graphrec.data.lists import ItemLists, lists_of, places_among, take_lists
from graphrec.errors import DataError
from graphrec.index import Index, load_index
from graphrec.recallers.auditing import audit_on_items
from graphrec.recallers.entity_vectors import EntityVectors, load_entities, save_entities
from graphrec.recallers.files import (
    load_saved,
    read_array,
    read_matrix,
    setting,
    write_array,
    write_matrix,
    write_settings,
)
from graphrec.recallers.fold_in import FoldIn
from graphrec.recallers.nearest_source import nearest_sources
from graphrec.recallers.profile import Profile
from graphrec.recallers.query_encoder import FloatArray, HistoryEncoder, QueryEncoder, UserEncoder
from graphrec.recallers.sentences import SentenceEncoder, load_sentences, save_sentences
from graphrec.sparse.topk import join

# Queries answered at a time, so that memory does not grow with the batch.
_VECTORS = 8192


@dataclass(frozen=True, slots=True, eq=False)
class VectorRecaller:
    """Items whose vectors are nearest to a query's.

    The encoder decides which items count and how a query's vector is made, the index how the nearest are searched;
    a query without a vector gets an empty list.

    Parameters
    ----------
    encoder : QueryEncoder
        Makes vectors of the width of ``targets``; ``encoder.history.rows`` (t,) are the items that have a vector, and
        no other item is ever returned.
    targets : ndarray
        (t, dim) float32: what an item is searched by; may be the encoder's ``sources``.
    near : Index
        Over ``targets``.
    reason : str
        Template of the sentence for people.
    entities : EntityVectors or None
        Kept for exports alone.
    sentences : SentenceEncoder or None
        Makes vectors of sentences in the space of the items'.

    Raises
    ------
    DataError
        If the parts do not fit each other.
    """

    kind: ClassVar[str] = "vector"

    encoder: QueryEncoder
    targets: FloatArray
    near: Index
    reason: str = "because you {verb} {source}: close to it in the graph"
    entities: EntityVectors | None = None
    sentences: SentenceEncoder | None = None

    def __post_init__(self) -> None:
        shapes = {self.sources.shape, self.targets.shape, (len(self.near), self.near.dim)}
        if len(shapes) > 1:
            raise DataError(f"item vectors {self.sources.shape}, targets and index do not fit each other: {shapes}")

    @property
    def rows(self) -> npt.NDArray[np.int32]:
        """(t,) int32, ascending: the items that have a vector."""
        return self.encoder.history.rows

    @property
    def sources(self) -> FloatArray:
        """(t, dim) float32: what an item says as part of a history."""
        return self.encoder.history.sources

    @property
    def users(self) -> FloatArray | None:
        """(n_users, dim) float32: the users' own vectors, zero where there is none; None where none are kept."""
        return self.encoder.users

    @property
    def n_items(self) -> int:
        """Size of the item vocabulary."""
        return self.encoder.history.n_items

    def recall(self, queries: Queries, k: int) -> ItemLists:
        """Return at most k items a query, nearest first, ties by row."""
        return self._search(queries, k, None, None)

    def recall_allowed(
        self, queries: Queries, k: int, *, exclude: ItemLists, allowed: npt.NDArray[np.bool_]
    ) -> ItemLists:
        """Return at most k items a query, none of them in its list of ``exclude`` or disallowed.

        ``exclude`` holds n lists, ``allowed`` is (n_items,) bool; the index leaves them out. Raises as :meth:`recall`.
        """
        allow = None if allowed.all() else allowed[self.rows]
        return self._search(queries, k, allow, places_among(exclude, self.rows))

    def _search(
        self, queries: Queries, k: int, allow: npt.NDArray[np.bool_] | None, skip: ItemLists | None
    ) -> ItemLists:
        """Search once for each query that has a vector."""
        check_k(k)
        check_rows(queries.history.items, self.n_items, name="history items")
        parts = []
        for chosen in _parts(len(queries), _VECTORS):
            vectors = self.encoder.vectors(queries if len(chosen) == len(queries) else take_queries(queries, chosen))
            known = np.flatnonzero((vectors != 0).any(axis=1))
            own = None if skip is None else take_lists(skip, chosen[known])
            nearest = self.near.search(vectors[known], k, allow=allow, skip=own)
            ends = np.zeros(len(chosen) + 1, dtype=np.int64)
            ends[known + 1] = nearest.lengths
            parts.append((np.cumsum(ends), self.rows[nearest.items], nearest.scores))
        return lists_of(*join(parts))

    def evidence(self, query: Queries, items: npt.NDArray[np.int32]) -> Evidence:
        """Return for each of ``items`` (m,) the history item whose weighted cosine with it is greatest."""
        history = self.encoder.history
        chosen = nearest_sources(query.history, items, history.profile, self.rows, self.sources, self.targets)
        return no_evidence(len(items)) if chosen is None else evidence_of(chosen)

    def audit(self, *, k: int = 100, seed: int = 0, n_queries: int = 200) -> float:
        """Return the share of the exact ``k`` best that the index returns, on queries drawn from the items."""
        return audit_on_items(self.near, self.sources, self.targets, k=k, seed=seed, n_queries=n_queries)

    def save(self, directory: Path) -> None:
        """Write ``recaller.json``, the matrices as ``.npy``, and the index in ``index/``."""
        history = self.encoder.history
        own = self.encoder if isinstance(self.encoder, UserEncoder) else None
        query, stranger = ("history", None) if own is None else (own.query, own.stranger)
        settings = {
            "n_items": self.n_items,
            "dim": int(self.sources.shape[1]),
            "encoder": {"query": query, "exponent": float(history.exponent), "stranger": stranger is not None},
            "fold_in": None if history.fold_in is None else history.fold_in.settings(),
            "profile": asdict(history.profile),
            "reason": self.reason,
            "one_matrix": self.targets is self.sources,
            **save_entities(directory, self.entities),
            **save_sentences(directory, self.sentences),
        }
        write_settings(directory, self.kind, settings)
        write_array(directory, "rows", self.rows)
        write_matrix(directory, "sources", self.sources)
        if self.targets is not self.sources:
            write_matrix(directory, "targets", self.targets)
        if self.users is not None:
            write_matrix(directory, "users", self.users)
        if stranger is not None:
            write_array(directory, "stranger", stranger)
        if history.fold_in is not None:
            write_array(directory, "fold-in-gram", history.fold_in.gram)
        (directory / "index").mkdir()
        self.near.save(directory / "index")

    @classmethod
    def load(cls, directory: Path, parts: BundleParts) -> Self:
        """Read what :meth:`save` wrote; matrices stay on disk, memory-mapped.

        Raises
        ------
        BundleError
            If a file is missing or damaged, the parts do not fit, or the recaller was made for other items.
        """
        return load_saved(directory, cls.kind, parts.items, lambda settings: cls(**_read(directory, settings, parts)))


def _read(directory: Path, settings: dict[str, Any], parts: BundleParts) -> dict[str, Any]:
    """Return the constructor's arguments from the files of ``directory``."""
    encoder = setting(settings, "encoder", dict, directory=directory)
    dim = setting(settings, "dim", int, directory=directory)
    numbers = setting(settings, "fold_in", (dict, NoneType), directory=directory)
    history = HistoryEncoder(
        read_array(directory, "rows", np.int32),
        read_matrix(directory, "sources", dim),
        setting(settings, "n_items", int, directory=directory),
        Profile(**setting(settings, "profile", dict, directory=directory)),
        setting(encoder, "exponent", float, directory=directory),
        None if numbers is None else FoldIn(read_array(directory, "fold-in-gram", np.float32), **numbers),
    )
    one_matrix = setting(settings, "one_matrix", bool, directory=directory)
    targets = history.sources if one_matrix else read_matrix(directory, "targets", dim)
    query = setting(encoder, "query", str, directory=directory)
    # Channels of earlier versions do not say.
    stranger = read_array(directory, "stranger", np.float32) if encoder.get("stranger") is True else None
    return {
        "encoder": history
        if query == "history"
        else UserEncoder(read_matrix(directory, "users", dim), history, query, stranger),
        "targets": targets,
        "near": load_index(directory / "index", targets),
        "reason": setting(settings, "reason", str, directory=directory),
        "entities": load_entities(directory, settings, dim=dim, n_entities=len(parts.catalogue.entities)),
        "sentences": load_sentences(directory, settings),
    }


def _parts(n: int, size: int) -> Iterator[npt.NDArray[np.int64]]:
    """Yield 0..n-1 in parts of at most ``size``."""
    for start in range(0, n, size):
        yield np.arange(start, min(start + size, n))
