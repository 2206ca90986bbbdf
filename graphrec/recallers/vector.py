"""Recall by nearest vectors: a user, a history or single items become queries to an index."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import NoneType
from typing import Any, ClassVar, Literal, Self, get_args

import numba as nb
import numpy as np
import numpy.typing as npt

from graphrec.checks import as_array, check_finite, check_k, check_rows
from graphrec.contracts.queries import Queries, take_queries
from graphrec.contracts.recaller import BundleParts, Evidence, evidence_of, no_evidence
from graphrec.data.lists import ItemLists, concatenate, empty_lists, indptr_of, places_among, take_lists
from graphrec.data.neighbours import NeighbourTable
from graphrec.errors import BundleError, ConfigError, DataError
from graphrec.index import Index, audit, load_index
from graphrec.index.order import ordered_lists
from graphrec.recallers.files import (
    load_saved,
    read_array,
    read_table,
    setting,
    write_array,
    write_settings,
    write_table,
)
from graphrec.recallers.filtering import recall_widening
from graphrec.recallers.fold_in import FoldIn
from graphrec.recallers.profile import Profile, profile_weights
from graphrec.sparse.topk import join, push

QueryMode = Literal["history", "user", "blend", "sum", "items"]
FloatArray = npt.NDArray[np.float32]
Positions = npt.NDArray[np.int64]

# Queries answered at a time, so that memory does not grow with the batch: by votes, and by vectors.
_CHUNK = 1024
_VECTORS = 8192


@dataclass(frozen=True, slots=True, eq=False)
class VectorRecaller:
    r"""Items whose vectors are nearest to a query made of vectors.

    How a query is made (``query``):

    ============= =====================================================================================
    ``"history"`` :math:`\sum_p w_p x_p / \sum_p w_p` over the history's items, or what ``fold_in`` makes of them,
                  searched among ``targets``
    ``"user"``    the user's own vector, searched among ``targets``; the history where there is none
    ``"blend"``   the two above, each of length 1, added
    ``"sum"``     the user's own vector and :math:`\sum_p w_p x_p / \sqrt{\sum_p w_p}`, as they are: a step of
                  propagation from the history
    ``"items"``   each history item's nearest ``neighbours`` among ``sources``; their scores, cosines
                  to the power ``power``, are summed with the weights :math:`w_p` (an item-CF by vectors);
                  a history of h items has at least 2 k / h votes an item
    ============= =====================================================================================

    All but ``"user"`` follow a live history. A query without anything trained gets an empty list.

    Parameters
    ----------
    rows : ndarray
        (t,) int32, ascending: the items that have a vector. No other item is ever returned.
    sources : ndarray
        (t, dim) float32: what an item says as part of a history.
    targets : ndarray
        (t, dim) float32: what an item is found by; may be the same array as ``sources``.
    near_targets, near_sources : Index
        Over ``targets``, and (cosine) over ``sources``.
    users : ndarray or None
        (n_users, dim) float32; zero rows have no vector.
    n_items : int
        Size of the item vocabulary.
    profile : Profile
        Which items of a history count, and how much.
    reason : str
        Template of the sentence for people.
    votes : NeighbourTable or None
        (t, t) what ``vote_table`` gives for ``neighbours`` and ``power``: spares ``"items"`` a search a history item.
    fold_in : FoldIn or None
        Makes a history's vector by least squares over ``sources``, in place of their mean.

    Raises
    ------
    DataError
        If shapes disagree or rows are out of range, not ascending or repeated.
    ConfigError
        On an unknown ``query``, or ``neighbours`` or ``power`` out of range.
    """

    kind: ClassVar[str] = "vector"

    rows: npt.NDArray[np.int32]
    sources: FloatArray
    targets: FloatArray
    near_targets: Index
    near_sources: Index
    users: FloatArray | None
    n_items: int
    query: QueryMode = "history"
    neighbours: int = 20
    power: float = 1.0
    profile: Profile = field(default_factory=Profile)
    reason: str = "because you {verb} {source}: close to it in the graph"
    votes: NeighbourTable | None = None
    fold_in: FoldIn | None = None

    def __post_init__(self) -> None:
        if self.query not in get_args(QueryMode):
            raise ConfigError(f"query is {self.query!r}; legal are {', '.join(map(repr, get_args(QueryMode)))}")
        if self.neighbours < 1 or not self.power > 0:
            raise ConfigError(f"neighbours is {self.neighbours} and power {self.power}; both must be above 0")
        check_rows(self.rows, self.n_items, name="rows")
        if (np.diff(self.rows) <= 0).any():
            raise DataError("rows of items with a vector must ascend without repetition")
        widths = {self.sources.shape, self.targets.shape}
        sizes = {(len(index), index.dim) for index in (self.near_targets, self.near_sources)}
        if widths | sizes != {(len(self.rows), self.sources.shape[1])}:
            raise DataError(f"{len(self.rows)} items, vectors {widths} and indexes {sizes} do not fit each other")
        if self.votes is not None and {len(self.votes), self.votes.n_columns} != {len(self.rows)}:
            raise DataError(f"the votes are of {len(self.votes)} items; {len(self.rows)} have vectors")
        widths_of = {
            "user vectors have": None if self.users is None else self.users.shape[1],
            "the fold-in has": None if self.fold_in is None else len(self.fold_in.gram),
        }
        for name, width in widths_of.items():
            if width is not None and width != self.sources.shape[1]:
                raise DataError(f"{name} dim {width}, item vectors {self.sources.shape[1]}")

    def recall(self, queries: Queries, k: int) -> ItemLists:
        """Return at most k items a query, nearest first, ties by row."""
        self._check(queries, k)
        if self.query != "items":
            return self._by_vector(queries, lambda vectors, _: self.near_targets.search(vectors, k))
        parts = [self._by_items(take_queries(queries, chosen), k) for chosen in _parts(len(queries), _CHUNK)]
        return concatenate(parts)

    def recall_allowed(
        self, queries: Queries, k: int, *, exclude: ItemLists, allowed: npt.NDArray[np.bool_]
    ) -> ItemLists:
        """Return at most k items a query, none of them in its list of ``exclude`` or disallowed.

        ``exclude`` holds n lists, ``allowed`` is (n_items,) bool. The index leaves them out while it searches; votes
        are asked for longer lists. Raises as :meth:`recall` does.
        """
        self._check(queries, k)
        index = self.near_targets
        if self.query == "items":
            return recall_widening(self, queries, k, exclude=exclude, allowed=allowed)
        skip, allow = places_among(exclude, self.rows), None if allowed.all() else allowed[self.rows]
        return self._by_vector(
            queries, lambda vectors, asked: index.search(vectors, k, allow=allow, skip=take_lists(skip, asked))
        )

    def _check(self, queries: Queries, k: int) -> None:
        check_k(k)
        check_rows(queries.history.items, self.n_items, name="history items")

    def similar(self, items: npt.ArrayLike, k: int) -> ItemLists:
        """Return each of ``items``' (n,) k nearest others by cosine of ``sources``; empty where it has no vector."""
        asked = as_array(items, np.int32, name="items")
        check_rows(asked, self.n_items, name="items")
        positions = self._positions(asked)
        found = self.near_sources.search(self.sources[np.maximum(positions, 0)], k + 1)
        lists = np.repeat(np.arange(len(asked)), found.lengths)
        kept = (found.items != positions[lists]) & (positions[lists] >= 0)
        return ordered_lists(lists[kept], self.rows[found.items[kept]], found.scores[kept], n=len(asked), k=k)

    def evidence(self, query: Queries, items: npt.NDArray[np.int32]) -> Evidence:
        """Return for each of ``items`` (m,) the history item whose weighted similarity to it is greatest."""
        weights = profile_weights(query.history, self.profile)
        sources = self._positions(query.history.items)
        usable = np.flatnonzero((weights > 0) & (sources >= 0))
        positions = self._positions(items)
        if len(usable) == 0 or len(items) == 0:
            return no_evidence(len(items))
        space = self.sources if self.query == "items" else self.targets
        best = _best_source(
            _unit(space[np.maximum(positions, 0)]), _unit(self.sources[sources[usable]]), weights[usable]
        )
        chosen = np.where(positions >= 0, query.history.items[usable[best]], -1).astype(np.int32)
        return evidence_of(chosen)

    def audit(self, *, k: int = 100, seed: int = 0, n_queries: int = 200) -> float:
        """Return the least ANN recall at ``k`` of the indexes, on queries drawn from the items."""
        if len(self.rows) == 0:
            return 1.0
        drawn = np.random.default_rng(seed).choice(len(self.rows), size=min(n_queries, len(self.rows)), replace=False)
        queries = self.sources[np.sort(drawn)]
        by_item = audit(self.near_sources, queries, k, matrix=self.sources)
        if self.near_targets is self.near_sources:
            return by_item
        return min(by_item, audit(self.near_targets, queries, k, matrix=self.targets))

    def _positions(self, items: npt.NDArray[np.int32]) -> npt.NDArray[np.int64]:
        """Return where each item stands among ``rows``; -1 for those without a vector."""
        if len(self.rows) == 0:
            return np.full(len(items), -1, dtype=np.int64)
        place = np.minimum(np.searchsorted(self.rows, items), len(self.rows) - 1)
        return np.where(self.rows[place] == items, place, -1)

    def _by_vector(self, queries: Queries, search: Callable[[FloatArray, Positions], ItemLists]) -> ItemLists:
        """Search once for each query that has a vector; ``search`` gets the vectors and whose they are."""
        parts = []
        for chosen in _parts(len(queries), _VECTORS):
            vectors = self._query_vectors(queries if len(chosen) == len(queries) else take_queries(queries, chosen))
            asked = np.flatnonzero((vectors != 0).any(axis=1))
            found = search(vectors[asked], chosen[asked])
            ends = np.zeros(len(chosen) + 1, dtype=np.int64)
            ends[asked + 1] = found.lengths
            parts.append((np.cumsum(ends), self.rows[found.items], found.scores))
        return ItemLists(*join(parts))

    def _query_vectors(self, queries: Queries) -> FloatArray:
        """Return (n, dim) query vectors; zero where nothing is known."""
        if self.query == "history" or self.users is None:
            return self._history_vectors(queries.history)
        known = (queries.users >= 0) & (queries.users < len(self.users))
        own = np.where(known[:, None], self.users[np.where(known, queries.users, 0)], np.float32(0))
        if self.query == "user":
            strangers = np.flatnonzero(~(own != 0).any(axis=1))
            if len(strangers):
                own[strangers] = self._history_vectors(take_lists(queries.history, strangers))
            return own
        history = self._history_vectors(queries.history)
        return own + history if self.query == "sum" else _unit(own) + _unit(history)

    def _history_vectors(self, history: ItemLists) -> FloatArray:
        """Return (n, dim): what each history says, by the mean, the propagated sum or the fold-in of ``sources``."""
        lists, positions, weights = self._usable(history)
        counts = np.bincount(lists, minlength=len(history))
        indptr = indptr_of(counts)
        if self.fold_in is not None:
            return self.fold_in.vectors(indptr, positions, weights, self.sources)
        return _weighted_sums(indptr, positions, weights, self.sources, 0.5 if self.query == "sum" else 1.0)

    def _usable(
        self, history: ItemLists
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.float64]]:
        """Return list, position among ``rows`` and weight of the entries that have a vector and a weight > 0."""
        weights, positions = profile_weights(history, self.profile), self._positions(history.items)
        kept = (weights > 0) & (positions >= 0)
        lists = np.repeat(np.arange(len(history)), history.lengths)
        return lists[kept], positions[kept], weights[kept]

    def _by_items(self, queries: Queries, k: int) -> ItemLists:
        """Sum the votes of each history: from the stored table, or by searching where a history needs longer votes."""
        lists, positions, weights = self._usable(queries.history)
        sizes = np.bincount(lists, minlength=len(queries))
        wanted = np.maximum(self.neighbours, -(-2 * k // np.maximum(sizes, 1)))  # (n,) votes an item
        stored = (wanted == self.neighbours)[lists] if self.votes is not None else np.zeros(len(lists), dtype=np.bool_)
        found = []
        if self.votes is not None and stored.any():
            indptr = indptr_of(np.bincount(lists[stored], minlength=len(queries)))
            bounds, rows, scores = push(indptr, positions[stored].astype(np.int32), weights[stored], self.votes, k)
            found.append((np.repeat(np.arange(len(queries)), np.diff(bounds)), rows, scores))
        if not stored.all():
            found.append(self._search_votes(lists[~stored], positions[~stored], weights[~stored], wanted))
        if not found:
            return empty_lists(len(queries))
        owners, rows, scores = (np.concatenate(column) for column in zip(*found, strict=True))
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
        table = vote_table(self.near_sources, self.sources, int(wanted[lists].max()), self.power, distinct)
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
        """Write ``recaller.json``, the matrices as ``.npy``, and the indexes in ``targets/`` and ``sources/``."""
        one = self.near_targets is self.near_sources
        settings = {
            "n_items": self.n_items,
            "dim": int(self.sources.shape[1]),
            "query": self.query,
            "neighbours": self.neighbours,
            "power": float(self.power),
            "profile": asdict(self.profile),
            "reason": self.reason,
            "one_space": one,
            "one_matrix": self.targets is self.sources,
            "has_users": self.users is not None,
            "has_votes": self.votes is not None,
            "fold_in": None if self.fold_in is None else self.fold_in.settings(),
        }
        write_settings(directory, self.kind, settings)
        write_array(directory, "rows", self.rows)
        _write_matrix(directory, "sources", self.sources)
        (directory / "sources").mkdir()
        self.near_sources.save(directory / "sources")
        if not one:
            if self.targets is not self.sources:
                _write_matrix(directory, "targets", self.targets)
            (directory / "targets").mkdir()
            self.near_targets.save(directory / "targets")
        if self.users is not None:
            _write_matrix(directory, "users", self.users)
        if self.fold_in is not None:
            write_array(directory, "fold-in-gram", self.fold_in.gram)
        if self.votes is not None:
            write_table(directory, "votes-{}", self.votes)

    @classmethod
    def load(cls, directory: Path, parts: BundleParts) -> Self:
        """Read what :meth:`save` wrote; matrices stay on disk, memory-mapped.

        Raises
        ------
        BundleError
            If a file is missing or damaged, the parts do not fit, or the recaller was made for other items.
        """
        return load_saved(directory, cls.kind, parts.items, lambda settings: cls(**_read(directory, settings)))


def vote_table(
    near: Index, vectors: FloatArray, neighbours: int, power: float, rows: npt.NDArray[np.integer] | None = None
) -> NeighbourTable:
    """Return the ``neighbours`` rows nearest to each of ``rows`` (None: all), but itself; scores to ``power``."""
    asked = np.arange(len(vectors)) if rows is None else rows
    found = near.search(vectors[asked], neighbours + 1)
    lists = np.repeat(np.arange(len(asked)), found.lengths)
    others = found.items != asked[lists]
    votes = np.maximum(found.scores[others], np.float32(0)) ** np.float32(power)
    kept = ordered_lists(lists[others], found.items[others], votes, n=len(asked), k=neighbours)
    return NeighbourTable(kept.indptr, kept.items, kept.scores, n_columns=len(vectors))


@nb.njit(nogil=True, cache=True, fastmath={"reassoc", "contract"})
def _best_source(
    targets: FloatArray, sources: FloatArray, weights: npt.NDArray[np.float64]
) -> npt.NDArray[np.int64]:  # pragma: no cover - compiled
    """Return (m,) int64: which of ``sources`` (h, dim), weighted, is nearest to each of ``targets`` (m, dim).

    A matrix product would start BLAS's threads for a product this small, which takes longer than the product.
    """
    best = np.zeros(len(targets), dtype=np.int64)
    for i in range(len(targets)):
        highest = -np.inf
        for j in range(len(sources)):
            near = np.float32(0)
            for d in range(targets.shape[1]):
                near += targets[i, d] * sources[j, d]
            if near * weights[j] > highest:
                highest = near * weights[j]
                best[i] = j
    return best


@nb.njit(nogil=True, cache=True)
def _weighted_sums(
    indptr: npt.NDArray[np.int64],
    positions: npt.NDArray[np.int64],
    weights: npt.NDArray[np.float64],
    vectors: FloatArray,
    exponent: float,
) -> FloatArray:  # pragma: no cover - compiled
    """Return (n, dim): each history's weighted sum of ``vectors`` over its total weight to the power ``exponent``.

    One list after the other, in float64, so that a list's sum does not depend on what stands beside it.
    """
    dim = vectors.shape[1]
    found = np.zeros((indptr.size - 1, dim), dtype=np.float32)
    total = np.empty(dim)
    for i in range(indptr.size - 1):
        total[:] = 0.0
        mass = 0.0
        for p in range(indptr[i], indptr[i + 1]):
            mass += weights[p]
            for d in range(dim):
                total[d] += weights[p] * vectors[positions[p], d]
        if mass > 0.0:
            for d in range(dim):
                found[i, d] = total[d] / mass**exponent
    return found


def _unit(vectors: FloatArray) -> FloatArray:
    """Return vectors of length 1; zero stays zero."""
    norms = np.linalg.norm(vectors, axis=-1, keepdims=True)
    unit: FloatArray = (vectors / np.where(norms > 0, norms, 1)).astype(np.float32)
    return unit


def _parts(n: int, size: int) -> Iterator[Positions]:
    """Yield 0..n-1 in parts of at most ``size``."""
    for start in range(0, n, size):
        yield np.arange(start, min(start + size, n))


def _write_matrix(directory: Path, name: str, matrix: FloatArray) -> None:
    write_array(directory, name, np.ascontiguousarray(matrix).reshape(-1))


def _read_matrix(directory: Path, name: str, dim: int) -> FloatArray:
    flat = read_array(directory, name, np.float32)
    if dim < 1 or len(flat) % dim:
        raise BundleError(f"{directory / name}.npy holds {len(flat)} values, no multiple of dim {dim}")
    matrix: FloatArray = flat.reshape(-1, dim)
    check_finite(matrix, name=name)
    return matrix


def _read(directory: Path, settings: dict[str, Any]) -> dict[str, Any]:
    """Return the constructor's arguments from the files of ``directory``."""
    dim = setting(settings, "dim", int, directory=directory)
    sources = _read_matrix(directory, "sources", dim)
    near_sources = load_index(directory / "sources", sources)
    targets, near_targets = sources, near_sources
    if not setting(settings, "one_space", bool, directory=directory):
        if not setting(settings, "one_matrix", bool, directory=directory):
            targets = _read_matrix(directory, "targets", dim)
        near_targets = load_index(directory / "targets", targets)
    votes = None
    if setting(settings, "has_votes", bool, directory=directory):
        votes = read_table(directory, "votes-{}", n_columns=len(sources))
    has_users = setting(settings, "has_users", bool, directory=directory)
    numbers = setting(settings, "fold_in", (dict, NoneType), directory=directory)
    fold_in = None if numbers is None else FoldIn(read_array(directory, "fold-in-gram", np.float32), **numbers)
    return {
        "rows": read_array(directory, "rows", np.int32),
        "sources": sources,
        "targets": targets,
        "near_targets": near_targets,
        "near_sources": near_sources,
        "users": _read_matrix(directory, "users", dim) if has_users else None,
        "n_items": setting(settings, "n_items", int, directory=directory),
        "query": setting(settings, "query", str, directory=directory),
        "neighbours": setting(settings, "neighbours", int, directory=directory),
        "power": setting(settings, "power", float, directory=directory),
        "profile": Profile(**setting(settings, "profile", dict, directory=directory)),
        "reason": setting(settings, "reason", str, directory=directory),
        "votes": votes,
        "fold_in": fold_in,
    }
