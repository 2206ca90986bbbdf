"""Negatives in the batch: what the other users of a step took."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from graphrec.negatives.protocol import Negatives, Positives, Rows
from graphrec.negatives.taken import Taken


class InBatch:
    r"""The items that the batch is to prefer, each a negative of the users who do not have it.

    They cost nothing to make, for their vectors are there already, and come as often as they are taken: item j stands
    among n of them :math:`n\,c_j / m` times on average, for :math:`c_j` of all m pairs. Items that few took hardly
    ever do; mix them with :class:`graphrec.negatives.popularity.Popularity` [1]_.

    Parameters
    ----------
    counts : ndarray
        (n_items,) training pairs of each item.
    taken : Taken
        Who has what: accidental positives are masked.

    References
    ----------
    .. [1] Yang et al., "Mixed negative sampling for learning two-tower neural networks in recommendations", WWW 2020.
    """

    def __init__(self, counts: npt.ArrayLike, taken: Taken) -> None:
        total = np.asarray(counts, dtype=np.float64)
        self._shares, self._taken = total / max(total.sum(), 1.0), taken

    def draw(self, positives: Positives, n: int, rng: np.random.Generator) -> Negatives:
        """Return min(n, m) items of the batch that all share; a batch of one user has none that is left to him."""
        items = positives.items
        if n < len(items):
            items = items[rng.choice(len(items), n, replace=False, shuffle=False)]
        with np.errstate(divide="ignore"):
            log_q = np.log(self.expected(items, len(positives.items), n))
        shared = items, np.where(np.isfinite(log_q), log_q, 0.0)
        return Negatives(shared=shared, masked=self._taken.among(positives.users, items), n_users=len(positives))

    def expected(self, items: Rows, n_pairs: int, n: int) -> npt.NDArray[np.float64]:
        """Return the copies of ``items`` that are expected among the shared ones."""
        return np.asarray(self._shares[items] * min(n, n_pairs))
