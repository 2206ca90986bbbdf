"""Recall by a filter over the item graph: a sparse two-hop part and a low-rank part, for every history."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from graphrec.checks import as_array, check_finite
from graphrec.contracts.queries import Queries
from graphrec.contracts.recaller import BundleParts, Evidence, evidence_of, no_evidence
from graphrec.data.lists import ItemLists, indptr_of, lists_of, slice_lists
from graphrec.data.neighbours import NeighbourTable
from graphrec.errors import DataError
from graphrec.index.sketch import Sketch, choose_sketch, load_sketch
from graphrec.recallers.files import (
    load_saved,
    read_array,
    read_table,
    setting,
    write_array,
    write_settings,
    write_table,
)
from graphrec.recallers.profile import Profile, evidence_weights, profile_weights, question_weights
from graphrec.recallers.spectral_kernels import Bounds, Weights, products, project, two_hops
from graphrec.sparse.topk import FloatArray, Pushed, RowArray, join, top_columns
from graphrec.threads import map_chunks

# Scores that one chunk of queries holds: 32 MB of float32.
_CHUNK_SCORES = 1 << 23
_CHUNK_ROWS = 256


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
    sketch : Sketch or None
        Of ``targets``; None scores all of them.

    Raises
    ------
    DataError
        If the shapes do not fit each other, or a value is not finite.

    Notes
    -----
    A query costs the degrees of its history's items and of their users, a selection over n_items, and n_items * rank
    multiplications, or the sketch's cost. A sketch decides, together with the sparse part, which items are scored by
    ``targets``; all scores are exact. Only scores above 0 come back. An answer does not depend on what is asked beside
    it.
    """

    kind: ClassVar[str] = "spectral"

    to_users: NeighbourTable
    to_items: NeighbourTable
    sources: FloatArray
    targets: FloatArray
    profile: Profile
    reason: str
    sketch: Sketch | None

    def __init__(
        self,
        to_users: NeighbourTable,
        to_items: NeighbourTable,
        sources: npt.ArrayLike,
        targets: npt.ArrayLike,
        *,
        profile: Profile | None = None,
        reason: str = "because you {verb} {source}",
        sketch: Sketch | None = None,
    ) -> None:
        set_field = object.__setattr__
        set_field(self, "to_users", to_users)
        set_field(self, "to_items", to_items)
        set_field(self, "sources", as_array(sources, np.float32, name="sources", ndim=2))
        set_field(self, "targets", as_array(targets, np.float32, name="targets", ndim=2))
        set_field(self, "profile", profile or Profile())
        set_field(self, "reason", reason)
        set_field(self, "sketch", sketch)
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
        if sketch is not None and (len(sketch), len(sketch.axes)) != self.targets.shape:
            shape = len(sketch), len(sketch.axes)
            raise DataError(f"the sketch is of a matrix {shape}; targets are {self.targets.shape}")
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
            bounds, items = indptr[start : stop + 1] - first, queries.history.items[first:last]
            base = self._two_hops(bounds, items, weights[first:last])
            if exclude is not None:
                left_out = slice_lists(exclude, start, stop)
                base[np.repeat(np.arange(stop - start), left_out.lengths), left_out.items] = -np.inf
            if allowed is not None:
                base[:, ~allowed] = -np.inf
            return _positive(*self._best(base, self._coordinates(bounds, items, weights[first:last]), k))

        chunk = max(1, min(_CHUNK_ROWS, _CHUNK_SCORES // max(1, self.n_items)))
        return lists_of(*join(list(map_chunks(work, len(queries), chunk=chunk))))

    def _best(self, base: FloatArray, low: FloatArray, k: int) -> Pushed:
        """Return the k best items of n histories by ``base`` (n, n_items) and ``low`` (n, rank)."""
        if self.sketch is None:
            return top_columns(base + _low_rank(low, self.targets), k)
        rows, scores = self.sketch.shortlist(self.targets, low, base, k)
        bounds, places, best = top_columns(scores, k)
        return bounds, rows[np.repeat(np.arange(len(rows)), np.diff(bounds)), places], best

    def _coordinates(self, indptr: Bounds, items: RowArray, weights: Weights) -> FloatArray:
        """Return (n, rank): n histories on the leading eigenvectors."""
        low = np.zeros((len(indptr) - 1, self.sources.shape[1]), dtype=np.float32)
        project(indptr, items, weights, self.sources, low)
        return low

    def _two_hops(self, indptr: Bounds, items: RowArray, weights: Weights) -> FloatArray:
        """Return (n, n_items): what n histories reach over their items' users."""
        scores = np.zeros((len(indptr) - 1, self.n_items), dtype=np.float32)
        two_hops(
            indptr, items, weights,
            self.to_users.indptr, self.to_users.neighbours, self.to_users.scores,
            self.to_items.indptr, self.to_items.neighbours, self.to_items.scores,
            np.zeros(self.to_users.n_columns, dtype=np.float64), np.empty(self.to_users.n_columns, dtype=np.int32),
            scores,
        )  # fmt: skip
        return scores

    def with_sketch(self, history: ItemLists) -> Self:
        """Return the recaller with the sketch that an audit on ``history`` chooses; as it is where none is worth it.

        ``history`` holds some hundred histories, whose own items do not count. Time as that of
        :func:`graphrec.index.sketch.choose_sketch`.
        """
        weights = profile_weights(history, self.profile)
        base = self._two_hops(history.indptr, history.items, weights)
        base[np.repeat(np.arange(len(history)), history.lengths), history.items] = -np.inf
        sketch = choose_sketch(self.targets, self._coordinates(history.indptr, history.items, weights), base)
        return replace(self, sketch=sketch)

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
        given = _low_rank(self._coordinates(np.arange(len(sources) + 1), sources, weights), asked)  # (h, m)
        ends = np.arange(2)
        for place in range(len(sources)):
            one = slice(place, place + 1)
            given[place] += self._two_hops(ends, sources[one], weights[one])[0, targets]
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
            "sketched": self.sketch is not None,
        }
        write_settings(directory, self.kind, settings)
        for name, table in (("users", self.to_users), ("items", self.to_items)):
            write_table(directory, f"{name}-{{}}", table)
        write_array(directory, "sources", self.sources.reshape(-1))
        write_array(directory, "targets", self.targets.reshape(-1))
        if self.sketch is not None:
            self.sketch.save(directory)

    @classmethod
    def load(cls, directory: Path, parts: BundleParts) -> Self:
        """Read what :meth:`save` wrote; arrays stay on disk, memory-mapped.

        Raises
        ------
        BundleError
            If a file is missing or damaged, or the recaller is of another number of items.
        """
        return load_saved(directory, cls.kind, parts.items, lambda settings: cls(**_read(directory, settings)))


def _low_rank(low: FloatArray, targets: FloatArray) -> FloatArray:
    """Return (n, m): what ``low`` (n, rank) gives to ``targets`` (m, rank)."""
    scores = np.empty((len(low), len(targets)), dtype=np.float32)
    products(low, targets, scores)
    return scores


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
    sketched = setting(settings, "sketched", bool, directory=directory)
    return {
        "to_users": read_table(directory, "users-{}", n_columns=n_users),
        "to_items": read_table(directory, "items-{}", n_columns=n_items),
        "sources": read_array(directory, "sources", np.float32).reshape(n_items, rank),
        "targets": read_array(directory, "targets", np.float32).reshape(n_items, rank),
        "profile": Profile(**setting(settings, "profile", dict, directory=directory)),
        "reason": setting(settings, "reason", str, directory=directory),
        "sketch": load_sketch(directory, n=n_items, dim=rank) if sketched else None,
    }
