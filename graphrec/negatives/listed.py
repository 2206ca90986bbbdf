"""Negatives from a list of each user's own."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from graphrec.data.lists import indptr_of
from graphrec.negatives.protocol import Negatives, Positives, Rows


class UserLists:
    """Items of each user, drawn with replacement by weight.

    Parameters
    ----------
    users, items : ndarray
        (m,) distinct pairs.
    weights : ndarray
        (m,) above 0.
    n_users : int
        Size of the vocabulary.
    """

    def __init__(
        self, users: npt.NDArray[np.integer], items: npt.NDArray[np.integer], weights: npt.ArrayLike, *, n_users: int
    ) -> None:
        order = np.lexsort((items, users))
        self.items = np.asarray(items, dtype=np.int64)[order]
        self.indptr = indptr_of(np.bincount(users, minlength=n_users))
        self._weights = np.asarray(weights, dtype=np.float64)[order]
        self._ends = np.cumsum(self._weights)
        self._totals = np.diff(np.append(0.0, self._ends)[self.indptr])

    def draw(self, positives: Positives, n: int, rng: np.random.Generator) -> Negatives:
        """Return (b, n) items of each user's list; -1 for users without any."""
        users = positives.users
        chances = rng.random((len(users), n))
        if not len(self.items):
            return Negatives(own=(np.full(chances.shape, -1), np.zeros(chances.shape)), n_users=len(users))
        first, last = self.indptr[users][:, None], self.indptr[users + 1][:, None] - 1
        before = np.append(0.0, self._ends)[first]
        places = np.searchsorted(self._ends, before + chances * self._totals[users][:, None], side="right")
        # Rounding may lead a step beyond the list.
        places = np.clip(places, first, np.maximum(last, first)).clip(max=len(self.items) - 1)
        has = last >= first
        log_q = np.log(n * self._weights[places] / np.where(has, self._totals[users][:, None], 1.0))
        items = np.where(has, self.items[places], -1)
        return Negatives(own=(items, np.where(has, log_q, 0.0)), n_users=len(users))

    def expected(self, items: Rows, n_pairs: int, n: int) -> npt.NDArray[np.float64]:  # noqa: ARG002 - of the protocol
        """Return zeros: they are each user's own."""
        return np.zeros(items.shape)
