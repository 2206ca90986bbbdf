"""Recall by votes: each item of a history names the nearest to it by vectors, an item-CF without counts."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from graphrec.checks import check_k, check_rows
from graphrec.contracts.queries import Queries, take_queries
from graphrec.contracts.recaller import BundleParts
from graphrec.data.lists import ItemLists, concatenate, empty_lists, indptr_of, lists_of
from graphrec.data.neighbours import NeighbourTable
from graphrec.errors import ConfigError, DataError
from graphrec.index import Index
from graphrec.index.order import ordered_lists
from graphrec.recallers.entity_vectors import EntityVectors, load_entities, save_entities
from graphrec.recallers.files import load_saved, read_table, setting, write_table
from graphrec.recallers.item_vectors import ItemVectors, read_item_vectors, save_item_vectors
from graphrec.recallers.query_encoder import FloatArray, usable_entries
from graphrec.recallers.sentences import SentenceEncoder, load_sentences, save_sentences
from graphrec.sparse.topk import push

# Queries answered at a time, so that memory does not grow with the batch.
_CHUNK = 1024


@dataclass(frozen=True, slots=True, eq=False)
class VoteRecaller(ItemVectors):
    r"""Items that a history's items vote for: each for those nearest to it, by their cosine to the power ``power``.

    .. math:: score(j) = \sum_p w_p \max(0, \cos(x_p, x_j))^{power}

    over the history items p that have j among their nearest ``neighbours``; a history of h items has at least 2 k / h
    votes an item, so that a short one fills its list. A query without any item that has a vector gets an empty list.

    Parameters
    ----------
    rows, sources, near, n_items, profile :
        As of :class:`graphrec.recallers.item_vectors.ItemVectors`; the profile gives :math:`w`.
    neighbours : int
        Votes of an item, >= 1.
    power : float
        Above 0.
    table : NeighbourTable or None
        (t, t): what :func:`vote_table` gives; spares a search for each history item.
    reason : str
        Template of the sentence for people.
    entities : EntityVectors or None
        Kept for exports alone.
    sentences : SentenceEncoder or None
        Makes vectors of sentences in the space of the items'.

    Raises
    ------
    DataError
        If shapes disagree, or as of :class:`graphrec.recallers.item_vectors.ItemVectors`.
    ConfigError
        If ``neighbours`` or ``power`` is out of range.
    """

    kind: ClassVar[str] = "votes"

    neighbours: int = 20
    power: float = 1.0
    table: NeighbourTable | None = None
    reason: str = "because you {verb} {source}: close to it in the graph"
    entities: EntityVectors | None = None
    sentences: SentenceEncoder | None = None

    def __post_init__(self) -> None:
        if self.neighbours < 1 or not self.power > 0:
            raise ConfigError(f"neighbours is {self.neighbours} and power {self.power}; both must be above 0")
        ItemVectors.__post_init__(self)
        if self.table is not None and {len(self.table), self.table.n_columns} != {len(self.rows)}:
            raise DataError(f"the votes are of {len(self.table)} items; {len(self.rows)} have vectors")

    def recall(self, queries: Queries, k: int) -> ItemLists:
        """Return at most k items a query, the greatest sums first, ties by row."""
        check_k(k)
        check_rows(queries.history.items, self.n_items, name="history items")
        if len(queries) <= _CHUNK:
            return self._recall(queries, k)
        starts = range(0, len(queries), _CHUNK)
        chosen = (np.arange(start, min(start + _CHUNK, len(queries))) for start in starts)
        return concatenate([self._recall(take_queries(queries, positions), k) for positions in chosen])

    def _recall(self, queries: Queries, k: int) -> ItemLists:
        """Sum the votes of each history: from the stored table, or by searching where a history needs longer votes."""
        lists, positions, weights = usable_entries(queries.history, self.profile, self.rows)
        sizes = np.bincount(lists, minlength=len(queries))
        wanted = np.maximum(self.neighbours, -(-2 * k // np.maximum(sizes, 1)))  # (n,) votes an item
        stored = (wanted == self.neighbours)[lists] if self.table is not None else np.zeros(len(lists), dtype=np.bool_)
        sums = []
        if self.table is not None and stored.any():
            indptr = indptr_of(np.bincount(lists[stored], minlength=len(queries)))
            bounds, rows, scores = push(indptr, positions[stored].astype(np.int32), weights[stored], self.table, k)
            if stored.all():
                return lists_of(bounds, self.rows[rows], scores)
            sums.append((np.repeat(np.arange(len(queries)), np.diff(bounds)), rows, scores))
        if not stored.all():
            sums.append(self._search_votes(lists[~stored], positions[~stored], weights[~stored], wanted))
        if not sums:
            return empty_lists(len(queries))
        owners, rows, scores = (np.concatenate(column) for column in zip(*sums, strict=True))
        return ordered_lists(owners, self.rows[rows], scores, n=len(queries), k=k)

    def _search_votes(
        self,
        lists: npt.NDArray[np.int64],
        positions: npt.NDArray[np.int64],
        weights: npt.NDArray[np.float64],
        wanted: npt.NDArray[np.int64],
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int32], FloatArray]:
        """Return (list, row, score) of every vote: one search for each distinct item, ``wanted`` votes for its list."""
        distinct, which = np.unique(positions, return_inverse=True)
        table = vote_table(self.near, self.sources, int(wanted[lists].max()), self.power, distinct)
        lengths = np.diff(table.indptr)[which]
        voters = np.repeat(np.arange(len(which)), lengths)
        ranks = np.arange(len(voters)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        kept = ranks < wanted[lists[voters]]
        voters, places = voters[kept], (table.indptr[which][voters] + ranks)[kept]
        pairs, place = np.unique(lists[voters] * len(self.rows) + table.neighbours[places], return_inverse=True)
        sums = np.bincount(place, weights=table.scores[places] * weights[voters], minlength=len(pairs))
        owners, rows = np.divmod(pairs, len(self.rows))
        positive = sums > 0
        return owners[positive], rows[positive].astype(np.int32), sums[positive].astype(np.float32)

    def save(self, directory: Path) -> None:
        """Write ``recaller.json``, the arrays as ``.npy``, and the index in ``index/``."""
        settings = {
            "neighbours": self.neighbours,
            "power": float(self.power),
            "reason": self.reason,
            "has_table": self.table is not None,
            **save_entities(directory, self.entities),
            **save_sentences(directory, self.sentences),
        }
        save_item_vectors(self, directory, self.kind, settings)
        if self.table is not None:
            write_table(directory, "votes-{}", self.table)

    @classmethod
    def load(cls, directory: Path, parts: BundleParts) -> Self:
        """Read what :meth:`save` wrote; arrays stay on disk, memory-mapped.

        Raises
        ------
        BundleError
            If a file is missing or damaged, the parts do not fit, or the recaller was made for other items.
        """
        return load_saved(directory, cls.kind, parts.items, lambda settings: cls(**_read(directory, settings, parts)))


def _read(directory: Path, settings: dict[str, Any], parts: BundleParts) -> dict[str, Any]:
    """Return the constructor's arguments from the files of ``directory``."""
    vectors = read_item_vectors(directory, settings)
    n, dim = vectors["sources"].shape
    has_table = setting(settings, "has_table", bool, directory=directory)
    return {
        **vectors,
        "neighbours": setting(settings, "neighbours", int, directory=directory),
        "power": setting(settings, "power", float, directory=directory),
        "table": read_table(directory, "votes-{}", n_columns=n) if has_table else None,
        "reason": setting(settings, "reason", str, directory=directory),
        "entities": load_entities(directory, settings, dim=dim, n_entities=len(parts.catalogue.entities)),
        "sentences": load_sentences(directory, settings),
    }


def vote_table(
    near: Index, vectors: FloatArray, neighbours: int, power: float, rows: npt.NDArray[np.integer] | None = None
) -> NeighbourTable:
    """Return the ``neighbours`` rows nearest to each of ``rows`` (None: all), but itself; scores to ``power``."""
    voters = np.arange(len(vectors)) if rows is None else rows
    itself = ItemLists(np.arange(len(voters) + 1), voters)
    nearest = near.search(vectors[voters], neighbours, skip=itself)
    votes = np.maximum(nearest.scores, np.float32(0)) ** np.float32(power)
    lists = np.repeat(np.arange(len(voters)), nearest.lengths)
    kept = ordered_lists(lists, nearest.items, votes, n=len(voters), k=neighbours)
    return NeighbourTable(kept.indptr, kept.items, kept.scores, n_columns=len(vectors))
