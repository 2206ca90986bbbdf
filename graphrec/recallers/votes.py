"""Recall by votes: each item of a history names the nearest to it by vectors, an item-CF without counts."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from graphrec.checks import check_k, check_rows
from graphrec.contracts.queries import Queries, take_queries
from graphrec.contracts.recaller import BundleParts, Evidence, evidence_of, no_evidence
from graphrec.data.lists import ItemLists, concatenate, empty_lists, indptr_of, lists_of
from graphrec.data.neighbours import NeighbourTable
from graphrec.errors import ConfigError, DataError
from graphrec.index import Index, load_index
from graphrec.index.order import ordered_lists
from graphrec.recallers.auditing import audit_on_items
from graphrec.recallers.entity_vectors import EntityVectors, load_entities, save_entities
from graphrec.recallers.files import (
    load_saved,
    read_array,
    read_matrix,
    read_table,
    setting,
    write_array,
    write_matrix,
    write_settings,
    write_table,
)
from graphrec.recallers.nearest_source import nearest_sources
from graphrec.recallers.profile import Profile
from graphrec.recallers.query_encoder import FloatArray, check_vector_rows, usable_entries
from graphrec.recallers.sentences import SentenceEncoder, load_sentences, save_sentences
from graphrec.sparse.topk import push

# Queries answered at a time, so that memory does not grow with the batch.
_CHUNK = 1024


@dataclass(frozen=True, slots=True, eq=False)
class VoteRecaller:
    r"""Items that a history's items vote for: each for those nearest to it, by their cosine to the power ``power``.

    .. math:: score(j) = \sum_p w_p \max(0, \cos(x_p, x_j))^{power}

    over the history items p that have j among their nearest ``neighbours``; a history of h items has at least 2 k / h
    votes an item, so that a short one fills its list. A query without any item that has a vector gets an empty list.

    Parameters
    ----------
    rows : ndarray
        (t,) int32, ascending: the items that have a vector. No other item is ever returned.
    sources : ndarray
        (t, dim) float32.
    near : Index
        By cosine, over ``sources``.
    n_items : int
        Size of the item vocabulary.
    profile : Profile
        Which items of a history count, and how much: :math:`w`.
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
        If shapes disagree or rows are out of range, not ascending or repeated.
    ConfigError
        If ``neighbours`` or ``power`` is out of range.
    """

    kind: ClassVar[str] = "votes"

    rows: npt.NDArray[np.int32]
    sources: FloatArray
    near: Index
    n_items: int
    profile: Profile = field(default_factory=Profile)
    neighbours: int = 20
    power: float = 1.0
    table: NeighbourTable | None = None
    reason: str = "because you {verb} {source}: close to it in the graph"
    entities: EntityVectors | None = None
    sentences: SentenceEncoder | None = None

    def __post_init__(self) -> None:
        if self.neighbours < 1 or not self.power > 0:
            raise ConfigError(f"neighbours is {self.neighbours} and power {self.power}; both must be above 0")
        check_vector_rows(self.rows, self.sources, self.n_items)
        if (len(self.near), self.near.dim) != self.sources.shape:
            raise DataError(f"vectors {self.sources.shape} and an index of {len(self.near)} do not fit each other")
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

    def evidence(self, query: Queries, items: npt.NDArray[np.int32]) -> Evidence:
        """Return for each of ``items`` (m,) the history item whose weighted cosine with it is greatest."""
        chosen = nearest_sources(query.history, items, self.profile, self.rows, self.sources, self.sources)
        return no_evidence(len(items)) if chosen is None else evidence_of(chosen)

    def audit(self, *, k: int = 100, seed: int = 0, n_queries: int = 200) -> float:
        """Return the share of the exact ``k`` best that the index returns, on queries drawn from the items."""
        return audit_on_items(self.near, self.sources, self.sources, k=k, seed=seed, n_queries=n_queries)

    def save(self, directory: Path) -> None:
        """Write ``recaller.json``, the arrays as ``.npy``, and the index in ``index/``."""
        settings = {
            "n_items": self.n_items,
            "dim": int(self.sources.shape[1]),
            "neighbours": self.neighbours,
            "power": float(self.power),
            "profile": asdict(self.profile),
            "reason": self.reason,
            "has_table": self.table is not None,
            **save_entities(directory, self.entities),
            **save_sentences(directory, self.sentences),
        }
        write_settings(directory, self.kind, settings)
        write_array(directory, "rows", self.rows)
        write_matrix(directory, "sources", self.sources)
        if self.table is not None:
            write_table(directory, "votes-{}", self.table)
        (directory / "index").mkdir()
        self.near.save(directory / "index")

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
    dim = setting(settings, "dim", int, directory=directory)
    sources = read_matrix(directory, "sources", dim)
    has_table = setting(settings, "has_table", bool, directory=directory)
    return {
        "rows": read_array(directory, "rows", np.int32),
        "sources": sources,
        "near": load_index(directory / "index", sources),
        "n_items": setting(settings, "n_items", int, directory=directory),
        "profile": Profile(**setting(settings, "profile", dict, directory=directory)),
        "neighbours": setting(settings, "neighbours", int, directory=directory),
        "power": setting(settings, "power", float, directory=directory),
        "table": read_table(directory, "votes-{}", n_columns=len(sources)) if has_table else None,
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
