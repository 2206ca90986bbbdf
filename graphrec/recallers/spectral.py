"""Recall by a filter over the item graph: a sparse two-hop part and a low-rank part, exact for every history."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

import numba as nb
import numpy as np
import numpy.typing as npt

from graphrec.checks import as_array, check_finite
from graphrec.contracts.queries import Queries
from graphrec.contracts.recaller import BundleParts, Evidence, evidence_of, no_evidence
from graphrec.data.lists import ItemLists, indptr_of, slice_lists
from graphrec.data.neighbours import NeighbourTable
from graphrec.errors import DataError
from graphrec.recallers.files import (
    load_saved,
    read_array,
    read_table,
    setting,
    write_array,
    write_settings,
    write_table,
)
from graphrec.recallers.profile import Profile, evidence_weights, question_weights
from graphrec.sparse.topk import FloatArray, Pushed, RowArray, join, top_columns
from graphrec.threads import map_chunks

# Scores that one chunk of queries holds: 32 MB of float32.
_CHUNK_SCORES = 1 << 23
_CHUNK_ROWS = 256
# Queries that share one pass over the targets: their projections stay in a near cache.
_TILE = 32

Bounds = npt.NDArray[np.int64]
Weights = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, init=False, eq=False)
class SpectralRecaller:
    r"""Scores all items for a history s (n_items,), which is a signal on the item graph.

    .. math:: score = s\,T_1 T_2 + (s A) B^\top

    The two tables carry the bulk of the spectrum, items -> users -> items, without their product ever being made; A and
    B carry the leading eigenvectors, on which any filter can be written. GF-CF, ChebyCF and BSPM end here.

    Parameters
    ----------
    to_users, to_items : NeighbourTable
        T1, n_items rows to users, and T2, users to n_items.
    sources, targets : ndarray
        A and B, (n_items, rank) float32.
    profile : Profile
        Which items of a history count, and how much.
    reason : str
        Template of the sentence for people.

    Raises
    ------
    DataError
        If the shapes do not fit each other, or a value is not finite.

    Notes
    -----
    A query costs the degrees of its history's items and of their users, n_items * rank multiplications, and a
    selection over n_items. Only scores above 0 come back. An answer does not depend on what is asked beside it.
    """

    kind: ClassVar[str] = "spectral"

    to_users: NeighbourTable
    to_items: NeighbourTable
    sources: FloatArray
    targets: FloatArray
    profile: Profile
    reason: str

    def __init__(
        self,
        to_users: NeighbourTable,
        to_items: NeighbourTable,
        sources: npt.ArrayLike,
        targets: npt.ArrayLike,
        *,
        profile: Profile | None = None,
        reason: str = "because you {verb} {source}",
    ) -> None:
        set_field = object.__setattr__
        set_field(self, "to_users", to_users)
        set_field(self, "to_items", to_items)
        set_field(self, "sources", as_array(sources, np.float32, name="sources", ndim=2))
        set_field(self, "targets", as_array(targets, np.float32, name="targets", ndim=2))
        set_field(self, "profile", profile or Profile())
        set_field(self, "reason", reason)
        n = len(to_users)
        if to_users.n_columns != len(to_items) or to_items.n_columns != n:
            raise DataError(
                f"the tables lead from {n} items to {to_users.n_columns} users, and from {len(to_items)} users to "
                f"{to_items.n_columns} items; both numbers must agree"
            )
        if self.sources.shape != self.targets.shape or len(self.sources) != n:
            raise DataError(
                f"sources are {self.sources.shape} and targets {self.targets.shape}; both must be ({n}, rank)"
            )
        check_finite(self.sources, name="sources")
        check_finite(self.targets, name="targets")

    @property
    def n_items(self) -> int:
        """Number of items."""
        return len(self.to_users)

    def recall(self, queries: Queries, k: int) -> ItemLists:
        """Return the k best items of each query; an empty list where nothing of the history is known.

        Raises
        ------
        ConfigError
            If ``k < 1``.
        DataError
            If a history holds a row that is no item.
        """
        return self.recall_allowed(queries, k)

    def recall_allowed(
        self,
        queries: Queries,
        k: int,
        *,
        exclude: ItemLists | None = None,
        allowed: npt.NDArray[np.bool_] | None = None,
    ) -> ItemLists:
        """Return the k best items of each query that are neither in its list of ``exclude`` nor disallowed.

        ``exclude`` holds n lists, ``allowed`` is (n_items,) bool; None leaves out nothing. Raises as :meth:`recall`.
        """
        weights = question_weights(queries, k, self.profile, n_items=self.n_items)
        indptr = queries.history.indptr

        def work(start: int, stop: int) -> Pushed:
            first, last = indptr[start], indptr[stop]
            scores = self._scores(
                indptr[start : stop + 1] - first, queries.history.items[first:last], weights[first:last]
            )
            if exclude is not None:
                left_out = slice_lists(exclude, start, stop)
                scores[np.repeat(np.arange(stop - start), left_out.lengths), left_out.items] = 0
            if allowed is not None:
                scores[:, ~allowed] = 0
            return _positive(*top_columns(scores, k))

        chunk = max(1, min(_CHUNK_ROWS, _CHUNK_SCORES // max(1, self.n_items)))
        return ItemLists(*join(list(map_chunks(work, len(queries), chunk=chunk))))

    def _scores(self, indptr: Bounds, items: RowArray, weights: Weights) -> FloatArray:
        """Return (n, n_items) scores of n histories."""
        scores = self._low_rank(indptr, items, weights, self.targets)
        self._add_two_hops(indptr, items, weights, scores)
        return scores

    def _low_rank(self, indptr: Bounds, items: RowArray, weights: Weights, targets: FloatArray) -> FloatArray:
        """Return (n, m): what n histories give to ``targets`` (m, rank) over the leading eigenvectors."""
        low = np.zeros((len(indptr) - 1, self.sources.shape[1]), dtype=np.float32)
        _project(indptr, items, weights, self.sources, low)
        scores = np.empty((len(low), len(targets)), dtype=np.float32)
        _products(low, targets, scores)
        return scores

    def _add_two_hops(self, indptr: Bounds, items: RowArray, weights: Weights, scores: FloatArray) -> None:
        """Add what n histories reach over their items' users to ``scores`` (n, n_items)."""
        _two_hops(
            indptr, items, weights,
            self.to_users.indptr, self.to_users.neighbours, self.to_users.scores,
            self.to_items.indptr, self.to_items.neighbours, self.to_items.scores,
            np.zeros(self.to_users.n_columns, dtype=np.float64), np.empty(self.to_users.n_columns, dtype=np.int32),
            scores,
        )  # fmt: skip

    def evidence(self, query: Queries, items: npt.NDArray[np.int32]) -> Evidence:
        """Return, for each of ``items`` (m,), the history item that gave it most; -1 where none gave anything.

        Time: each history item's two hops, and m * rank multiplications. Memory O(history * m + n_items).
        """
        targets, weights, used = evidence_weights(query, items, self.profile, n_items=self.n_items)
        if len(used) == 0 or len(targets) == 0:
            return no_evidence(len(targets))
        sources, weights = query.history.items[used], weights[used]
        asked = self.targets[targets]
        asked.flags.writeable = self.targets.flags.writeable  # kernels then need one compilation for both
        given = self._low_rank(np.arange(len(sources) + 1), sources, weights, asked)  # (h, m)
        ends, scores = np.arange(2), np.zeros((1, self.n_items), dtype=np.float32)
        for place in range(len(sources)):
            one = slice(place, place + 1)
            scores[0, targets] = given[place]  # columns that nobody asks for gather what they may
            self._add_two_hops(ends, sources[one], weights[one], scores)
            given[place] = scores[0, targets]
        best = np.where(given.any(axis=0), sources[given.argmax(axis=0)], -1)
        return evidence_of(best.astype(np.int32), given.max(axis=0))

    def save(self, directory: Path) -> None:
        """Write the tables, the matrices and the settings."""
        settings = {
            "reason": self.reason,
            "profile": asdict(self.profile),
            "rank": int(self.sources.shape[1]),
            "n_users": self.to_users.n_columns,
            "n_items": self.n_items,
        }
        write_settings(directory, self.kind, settings)
        for name, table in (("users", self.to_users), ("items", self.to_items)):
            write_table(directory, f"{name}-{{}}", table)
        write_array(directory, "sources", self.sources.reshape(-1))
        write_array(directory, "targets", self.targets.reshape(-1))

    @classmethod
    def load(cls, directory: Path, parts: BundleParts) -> Self:
        """Read what :meth:`save` wrote; arrays stay on disk, memory-mapped.

        Raises
        ------
        BundleError
            If a file is missing or damaged, or the recaller speaks of another number of items.
        """
        return load_saved(directory, cls.kind, parts.items, lambda settings: cls(**_read(directory, settings)))


def _positive(indptr: Bounds, rows: RowArray, scores: FloatArray) -> Pushed:
    """Return the lists without entries of 0 and below."""
    kept = scores > 0
    return indptr_of(kept)[indptr], rows[kept], scores[kept]


def _read(directory: Path, settings: dict[str, Any]) -> dict[str, Any]:
    """Return the constructor's arguments from the files of ``directory``."""
    rank, n_users, n_items = (
        setting(settings, name, int, directory=directory) for name in ("rank", "n_users", "n_items")
    )
    if rank < 0:
        raise DataError(f"rank is {rank}; it must be 0 or more")

    return {
        "to_users": read_table(directory, "users-{}", n_columns=n_users),
        "to_items": read_table(directory, "items-{}", n_columns=n_items),
        "sources": read_array(directory, "sources", np.float32).reshape(n_items, rank),
        "targets": read_array(directory, "targets", np.float32).reshape(n_items, rank),
        "profile": Profile(**setting(settings, "profile", dict, directory=directory)),
        "reason": setting(settings, "reason", str, directory=directory),
    }


@nb.njit(nogil=True, cache=True)
def _project(
    indptr: Bounds, items: RowArray, weights: Weights, sources: FloatArray, low: FloatArray
) -> None:  # pragma: no cover - compiled
    """Add each history's weighted rows of ``sources`` to its row of ``low``."""
    for i in range(indptr.size - 1):
        for p in range(indptr[i], indptr[i + 1]):
            weight = np.float32(weights[p])
            if weight > 0.0:
                for d in range(sources.shape[1]):
                    low[i, d] += weight * sources[items[p], d]


@nb.njit(nogil=True, cache=True, fastmath={"reassoc", "contract"})
def _products(low: FloatArray, targets: FloatArray, scores: FloatArray) -> None:  # pragma: no cover - compiled
    """Write ``low @ targets.T`` (n, n_items) to ``scores``.

    Not by BLAS: its sums depend on how many rows it is given, and items that are alike would not tie in every batch.
    """
    n, last = low.shape[0], targets.shape[0] - 1
    for start in range(0, n, _TILE):
        for j in range(0, last + 1, 4):
            # Four targets at once read each number of a query once; behind the end the last target is done again.
            j1, j2, j3 = min(j + 1, last), min(j + 2, last), min(j + 3, last)
            for i in range(start, min(start + _TILE, n)):
                s0, s1, s2, s3 = np.float32(0), np.float32(0), np.float32(0), np.float32(0)
                for d in range(low.shape[1]):
                    x = low[i, d]
                    s0 += x * targets[j, d]
                    s1 += x * targets[j1, d]
                    s2 += x * targets[j2, d]
                    s3 += x * targets[j3, d]
                scores[i, j], scores[i, j1], scores[i, j2], scores[i, j3] = s0, s1, s2, s3


@nb.njit(nogil=True, cache=True)
def _two_hops(
    indptr: Bounds,
    items: RowArray,
    weights: Weights,
    user_indptr: Bounds,
    users: RowArray,
    user_scores: FloatArray,
    item_indptr: Bounds,
    ends: RowArray,
    end_scores: FloatArray,
    mass: Weights,
    touched: RowArray,
    scores: FloatArray,
) -> None:  # pragma: no cover - compiled
    """Add what each history reaches over its items' users to ``scores``; ``mass`` arrives and leaves as zeros."""
    for i in range(indptr.size - 1):
        n_touched = 0
        for p in range(indptr[i], indptr[i + 1]):
            if weights[p] <= 0.0:
                continue
            for q in range(user_indptr[items[p]], user_indptr[items[p] + 1]):
                added = weights[p] * user_scores[q]
                if added > 0.0:
                    if mass[users[q]] == 0.0:
                        touched[n_touched] = users[q]
                        n_touched += 1
                    mass[users[q]] += added
        for t in range(n_touched):
            user = touched[t]
            amount = np.float32(mass[user])
            mass[user] = 0.0
            for q in range(item_indptr[user], item_indptr[user + 1]):
                scores[i, ends[q]] += amount * end_scores[q]
