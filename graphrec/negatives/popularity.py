"""Negatives from the whole pool: all items, all alike, or by a power of how often they are taken."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from graphrec.errors import DataError
from graphrec.negatives.protocol import Negatives, Positives, Rows
from graphrec.negatives.taken import Taken


class Popularity:
    r"""Items j of the pool, drawn with probability :math:`c_j^\alpha / \sum_l c_l^\alpha`, that all users share.

    With :math:`\alpha = 0` all are alike and none is drawn twice; where ``n`` reaches the size of the pool all of them
    are there, and a softmax over them is exact. With :math:`\alpha > 0` draws are with replacement.

    Parameters
    ----------
    counts : ndarray
        (n_items,) training pairs of each item.
    pool : ndarray
        (n_items,) bool: what may be recalled.
    taken : Taken
        Who has what: items that a user has are masked for him.
    alpha : float, default 0.0
        Between 0 and 1 in practice: .75 is word2vec's.

    Raises
    ------
    DataError
        If the pool is empty, or no item of it was ever taken while ``alpha`` is above 0.
    """

    def __init__(self, counts: npt.ArrayLike, pool: npt.NDArray[np.bool_], taken: Taken, *, alpha: float = 0.0) -> None:
        self._pool, self._taken, self._alpha = np.flatnonzero(pool), taken, alpha
        powers = np.where(pool, np.asarray(counts, dtype=np.float64) ** alpha, 0.0)
        if not powers.sum() > 0:
            what = "no item of the pool was ever taken" if len(self._pool) else "the pool is empty"
            raise DataError(f"negatives cannot be drawn from the pool: {what}")
        self._probabilities = powers / powers.sum()
        self._ends = np.cumsum(self._probabilities[self._pool])

    def draw(self, positives: Positives, n: int, rng: np.random.Generator) -> Negatives:
        """Return ``n`` items that all share; all of the pool once where it has no more and ``alpha`` is 0."""
        if self._alpha == 0:
            places = rng.choice(len(self._pool), min(n, len(self._pool)), replace=False, shuffle=False)
        else:
            places = np.searchsorted(self._ends, rng.random(n) * self._ends[-1], side="right")
        items = self._pool[np.sort(places)]
        shared = items, np.log(self.expected(items, len(positives.items), n))
        return Negatives(shared=shared, masked=self._taken.among(positives.users, items), n_users=len(positives))

    def expected(self, items: Rows, n_pairs: int, n: int) -> npt.NDArray[np.float64]:  # noqa: ARG002 - of the protocol
        """Return the copies of ``items`` that are expected among the shared ones."""
        drawn = min(n, len(self._pool)) if self._alpha == 0 else n
        return np.asarray(self._probabilities[items] * drawn)


class WholePool:
    """Every item of the pool, whatever is asked for: a softmax over them is exact [1]_.

    A user meets them once for all of his items, so that a step takes O(users * pool * dim) time.

    Parameters
    ----------
    pool : ndarray
        (n_items,) bool: what may be recalled.
    taken : Taken
        Who has what: items that a user has are masked for him.

    Raises
    ------
    DataError
        If the pool is empty.

    References
    ----------
    .. [1] Bengio, Senecal, "Quick training of probabilistic neural nets by importance sampling", AISTATS 2003: what a
       sampled softmax estimates, and how far draws may lead it off.
    """

    def __init__(self, pool: npt.NDArray[np.bool_], taken: Taken) -> None:
        if not pool.any():
            raise DataError("negatives cannot be drawn from the pool: the pool is empty")
        self._pool, self._items, self._taken = pool, np.flatnonzero(pool), taken

    def draw(self, positives: Positives, n: int, rng: np.random.Generator) -> Negatives:  # noqa: ARG002 - of the protocol
        """Return all items of the pool, which all share."""
        shared, masked = (self._items, np.zeros(len(self._items))), self._taken.among(positives.users, self._items)
        return Negatives(shared=shared, masked=masked, n_users=len(positives))

    def expected(self, items: Rows, n_pairs: int, n: int) -> npt.NDArray[np.float64]:  # noqa: ARG002 - of the protocol
        """Return the copies of ``items`` among the shared ones: 1 of what is in the pool."""
        return self._pool[items].astype(np.float64)
