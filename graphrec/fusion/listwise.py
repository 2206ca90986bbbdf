"""The listwise loss: how surprising hits are among the entries of the same list."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from graphrec.data.lists import indptr_of
from graphrec.fusion.heads import Values
from graphrec.kernels import kernel


@dataclass(frozen=True, slots=True, eq=False)
class HitLists:
    r"""The entries of n lists, of which some are hits.

    .. math:: L(s) = - \sum_u \sum_{i \in u} w_i \ln \frac{e^{s_i}}{\sum_{j \in u} n_j e^{s_j}}

    for scores s: the likelihood of a choice among the entries of a list. What all entries of a list have in common has
    no part in it, which is right for an order: how likely a user is to be hit at all need not be learnt. [1]_

    Parameters
    ----------
    starts : ndarray
        (n + 1,) int64: list u has the entries ``starts[u]:starts[u + 1]``.
    weights : ndarray
        (t,) float64: w, what a hit weighs, 0 where an entry is none.
    counts : ndarray
        (t,) float64: n, how many entries an entry stands for, where lists are samples.

    References
    ----------
    .. [1] Cao et al., "Learning to rank: from pairwise approach to listwise approach", ICML 2007 (top one probability).
    """

    starts: npt.NDArray[np.int64]
    weights: Values
    counts: Values

    def loss(self, scores: Values) -> float:
        """Return L of the scores (t,)."""
        return self._pass(scores)[0]

    def slopes(self, scores: Values) -> tuple[Values, Values]:
        """Return the first and the second derivative of L by each score (t,); of the latter the diagonal."""
        return self._pass(scores)[1:]

    def _pass(self, scores: Values) -> tuple[float, Values, Values]:
        first, second = np.empty(len(scores)), np.empty(len(scores))
        return _listwise(self.starts, self.weights, self.counts, scores, first, second), first, second


def hit_lists(owners: npt.NDArray[np.int64], weights: Values, counts: Values) -> HitLists:
    """Return the lists of entries that have ``owners`` (t,), those of one owner side by side."""
    last = np.flatnonzero(np.append(owners[1:] != owners[:-1], len(owners) > 0))
    return HitLists(indptr_of(np.diff(last, prepend=-1)), weights, counts)


@kernel
def _listwise(
    starts: npt.NDArray[np.int64], weights: Values, counts: Values, scores: Values, first: Values, second: Values
) -> float:  # pragma: no cover - compiled
    """Write both derivatives, and return the loss."""
    loss = 0.0
    for u in range(starts.size - 1):
        start, stop = starts[u], starts[u + 1]
        most = -np.inf
        for i in range(start, stop):
            most = max(most, scores[i])
        whole, weight = 0.0, 0.0
        for i in range(start, stop):
            first[i] = counts[i] * np.exp(scores[i] - most)
            whole += first[i]
            weight += weights[i]
        surprise = np.log(whole) + most
        for i in range(start, stop):
            share = first[i] / whole
            first[i] = weight * share - weights[i]
            second[i] = weight * share * (1 - share)
            loss += weights[i] * (surprise - scores[i])
    return loss
