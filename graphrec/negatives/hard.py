"""Hard negatives: what the model as it is ranks high, and the user does not have."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from graphrec.errors import ConfigError
from graphrec.index import Index
from graphrec.index.exact import ExactIndex
from graphrec.negatives.protocol import Model, Negatives, Positives, Rows
from graphrec.negatives.taken import Taken

# Users whose best items are searched together.
_USERS = 4096


class ModelHard:
    """Items of a band of ranks in the model's own order for a user, without those that he has.

    The first ranks are left out: what the model puts there and the user does not have is mostly what he would like
    and has not met [1]_. What scores above ``guard`` times the mean score of his own items is left out too [2]_.

    Until the first :meth:`refresh` there are none.

    Parameters
    ----------
    taken : Taken
        Who has what: ranks are counted without it.
    pool : ndarray
        (n_items,) bool: what may be recalled.
    first, last : int
        Ranks, from 1, between which negatives are drawn, both included.
    kept : int, default 64
        Items of the band that are remembered for each user, drawn anew at each refresh.
    guard : float, default 0.95
        From 0 to 1; 1 guards against what scores above his own items on average, 0 against nothing.

    Raises
    ------
    ConfigError
        If the band is empty, or a setting lies outside its range.

    Notes
    -----
    A refresh searches ``last`` items for every user with events: O(users * n_items * dim) time where no index is handed
    in.
    Memory is 4 * n_users * kept bytes.

    References
    ----------
    .. [1] Huang et al., "Embedding-based retrieval in Facebook search", KDD 2020, section 6.2: ranks 101 to 500.
    .. [2] Moreira et al., "NV-Retriever: improving text embedding models with effective hard-negative mining", 2024,
       TopK-PercPos.
    """

    def __init__(
        self, taken: Taken, pool: npt.NDArray[np.bool_], *, first: int, last: int, kept: int = 64, guard: float = 0.95
    ) -> None:
        if not 1 <= first <= last:
            raise ConfigError(f"hard negatives run from rank {first} to {last}; the first must be 1 to the last")
        if kept < 1 or not 0 <= guard <= 1:
            raise ConfigError(f"kept is {kept} and guard {guard}; legal are 1 or more, and 0 to 1")
        self._taken, self._pool, self._first, self._last, self._guard = taken, pool, first, last, guard
        self._kept = min(kept, last - first + 1)
        # (n_users, kept), filled from the left, and how many items the band had.
        self._table = np.full((taken.n_users, self._kept), -1, dtype=np.int32)
        self._sizes = np.zeros(taken.n_users, dtype=np.int32)

    def refresh(self, model: Model, rng: np.random.Generator, *, index: Index | None = None) -> None:
        """Search the bands of all users who have taken anything anew."""
        near = ExactIndex(model.items, "ip") if index is None else index
        # Whoever has taken nothing has no positives that negatives could stand beside.
        active = np.flatnonzero(np.diff(self._taken.indptr))
        for start in range(0, len(active), _USERS):
            self._refresh(active[start : start + _USERS], model, near, rng)

    def _refresh(self, users: Rows, model: Model, near: Index, rng: np.random.Generator) -> None:
        own = self._taken.lists(users)
        best = near.search(model.users[users], self._last, allow=self._pool, skip=own)
        owners = np.repeat(np.arange(len(users)), best.lengths)
        ranks = np.arange(len(best.items)) - np.repeat(best.indptr[:-1], best.lengths)
        kept = (ranks >= self._first - 1) & (best.scores <= self._limits(users, model)[owners])
        owners, items = owners[kept], best.items[kept]
        sizes = np.bincount(owners, minlength=len(users))
        # A random order within each user, of which the first places are kept.
        order = np.lexsort((rng.random(len(items)), owners))
        starts = np.cumsum(sizes) - sizes
        places = np.arange(len(items)) - np.repeat(starts, sizes)
        chosen = places < self._kept
        self._table[users] = -1
        self._table[users[owners[order][chosen]], places[chosen]] = items[order][chosen]
        self._sizes[users] = sizes

    def _limits(self, users: Rows, model: Model) -> npt.NDArray[np.float64]:
        """Return (b,) scores above which an item may well be a positive; inf where there is no telling."""
        own = self._taken.lists(users)
        owners = np.repeat(np.arange(len(users)), own.lengths)
        scores = np.einsum("md,md->m", model.users[users[owners]], model.items[own.items], dtype=np.float64)
        means = np.bincount(owners, weights=scores, minlength=len(users)) / np.maximum(own.lengths, 1)
        return np.where((means > 0) & (self._guard > 0), self._guard * means, np.inf)

    def draw(self, positives: Positives, n: int, rng: np.random.Generator) -> Negatives:
        """Return (b, n) items of each user's band, with replacement; -1 for users without any."""
        sizes = self._sizes[positives.users].astype(np.int64)[:, None]
        there = np.minimum(sizes, self._kept)
        places = (rng.random((len(positives), n)) * there).astype(np.int64)
        items = np.where(there > 0, self._table[positives.users[:, None], places], -1).astype(np.int64)
        return Negatives(own=(items, np.log(n / np.maximum(np.broadcast_to(sizes, items.shape), 1))),
                         n_users=len(positives))  # fmt: skip

    def expected(self, items: Rows, n_pairs: int, n: int) -> npt.NDArray[np.float64]:  # noqa: ARG002 - of the protocol
        """Return zeros: they are each user's own."""
        return np.zeros(items.shape)

    def state(self) -> Mapping[str, npt.NDArray[Any]]:
        """Return the bands of all users."""
        return {"table": self._table, "sizes": self._sizes}

    def put(self, state: Mapping[str, npt.NDArray[Any]]) -> None:
        """Take the bands of all users."""
        self._table, self._sizes = np.array(state["table"]), np.array(state["sizes"])
