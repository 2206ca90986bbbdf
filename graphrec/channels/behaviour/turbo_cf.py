"""Turbo-CF: the item graph's entries, unevenly normalised and raised to a power."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from graphrec.contracts.progress import ALONE, FitContext
from graphrec.contracts.recall_data import RecallData
from graphrec.data.neighbours import NeighbourTable
from graphrec.errors import ConfigError
from graphrec.recallers.neighbours import NeighbourRecaller
from graphrec.recallers.profile import Profile
from graphrec.sparse.taste import check_at_least, check_count, degrees, inverse_power, scaled, taste_matrix
from graphrec.sparse.topk import top_products


@dataclass(frozen=True, slots=True)
class TurboCf:
    r"""Items that a linear filter of the item graph, sharpened entry by entry, leads to; nothing is trained.

    .. math:: N = D_u^{-a} R D_i^{a - 1}, \qquad S = (N^\top N)^{\circ\, s}, \qquad score = r S

    A user is served by his history, known or live; one without history gets an empty list. An item without events has
    no neighbours and is nobody's.

    Parameters
    ----------
    k : int, default 1000
        Neighbours kept an item, >= 1; the paper keeps all of them, some 800 an item on Gowalla and more where items are
        popular.
    user_exponent : float, default 0.6
        a, from 0 to 1: how much a user's activity is divided out, and 1 - a an item's popularity.
    power : float, default 0.7
        s, > 0: below 1 lets weak ties count for more.
    last : int, default 0
        Newest history items used; 0 uses all.
    half_life : float, default 100.0
        Positions after which a history item counts half; 0 means that age does not matter.
    weight_exponent : float, default 0.0
        Power of interaction weights in R and in histories; 0 makes them ones.

    Raises
    ------
    ConfigError
        If a setting lies outside its range.

    References
    ----------
    .. [1] Park, Shin, Shin, "Turbo-CF: Matrix Decomposition-Free Graph Filtering for Fast Recommendation", SIGIR 2024,
       arXiv 2404.14243, the linear filter. Differs: pruned to k entries a row, without the item itself.
    """

    k: int = 1000
    user_exponent: float = 0.6
    power: float = 0.7
    last: int = 0
    half_life: float = 100.0
    weight_exponent: float = 0.0

    def __post_init__(self) -> None:
        check_count("k", self.k, 1)
        check_count("last", self.last, 0)
        check_at_least("power", self.power, 0.01)
        for name in ("user_exponent", "half_life", "weight_exponent"):
            check_at_least(name, getattr(self, name), 0)
        if self.user_exponent > 1:
            raise ConfigError(f"user_exponent is {self.user_exponent}; it must be a number from 0 to 1")

    def fit(self, data: RecallData, context: FitContext = ALONE) -> NeighbourRecaller:  # noqa: ARG002 - nothing is drawn
        """Return the channel. Time O(sum over users of deg(u)^2); memory O(n_items * k)."""
        taste = taste_matrix(data.interactions, self.weight_exponent)
        by_item = inverse_power(degrees(taste, 0), 1 - self.user_exponent)
        by_user = inverse_power(degrees(taste, 1), self.user_exponent)
        left = scaled(taste, rows=by_user, columns=by_item)
        right = scaled(taste, rows=by_user, columns=by_item * data.pool)
        # Powers keep the order, so the k best of the product are the k best of its power.
        found = top_products(sp.csr_array(left.T), right, self.k, drop_self=True)
        sharpened = (found.scores.astype(np.float64) ** self.power).astype(np.float32)
        return NeighbourRecaller(
            [NeighbourTable(found.indptr, found.neighbours, sharpened, n_columns=found.n_columns)],
            profile=Profile(self.last, self.half_life, self.weight_exponent),
            reason="because you {verb} {source}: the graph of what people {verb} together leads here",
        )
