"""Turbo-CF: the item graph's entries, unevenly normalised and raised to a power."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import scipy.sparse as sp

from graphrec.channels.families import HistorySettings
from graphrec.channels.shared import shared_taste
from graphrec.contracts.domains import floats, ints
from graphrec.contracts.progress import ALONE, FitContext
from graphrec.contracts.recall_data import RecallData
from graphrec.contracts.recipe import About
from graphrec.contracts.settings import count, number
from graphrec.data.neighbours import NeighbourTable
from graphrec.recallers.neighbours import NeighbourRecaller
from graphrec.sparse.taste import degrees, inverse_power, scaled
from graphrec.sparse.topk import top_products


@dataclass(frozen=True, slots=True, kw_only=True)
class TurboCf(HistorySettings):
    r"""Items that a linear filter of the item graph, sharpened entry by entry, leads to; nothing is trained.

    .. math:: N = D_u^{-a} R D_i^{a - 1}, \qquad S = (N^\top N)^{\circ\, s}, \qquad score = r S

    A user is served by his history, known or live; without history the list is empty. An item without events has
    no neighbours and is never returned.

    Parameters
    ----------
    k : int, default 1000
        Neighbours kept an item, >= 1; the paper keeps all of them, some 800 an item on Gowalla and more where items are
        popular.
    user_exponent : float, default 0.6
        a, from 0 to 1: how much a user's activity is divided out, and 1 - a an item's popularity.
    power : float, default 0.7
        s, > 0: below 1 lets weak ties count for more.
    last, half_life, weight_exponent :
        See :class:`graphrec.channels.families.HistorySettings`.

    Raises
    ------
    ConfigError
        If a setting lies outside its range.

    References
    ----------
    .. [1] Park, Shin, Shin, "Turbo-CF: Matrix Decomposition-Free Graph Filtering for Fast Recommendation", SIGIR 2024,
       arXiv 2404.14243, the linear filter. Differs: pruned to k entries a row, without the item itself.
    """

    about: ClassVar[About] = About(
        recalls="the item graph's entries, sharpened one by one",
        artefact="neighbour table",
    )

    k: int = count(1000, least=1, unit="neighbours", search=ints(100, 2000, log=True))
    user_exponent: float = number(0.6, most=1, search=floats(0.2, 0.9))
    power: float = number(0.7, least=0.01, search=floats(0.3, 2.0, log=True))

    def fit(self, data: RecallData, context: FitContext = ALONE) -> NeighbourRecaller:
        """Return the channel. Time O(sum over users of deg(u)^2); memory O(n_items * k)."""
        taste = shared_taste(data, context, self.weight_exponent)
        by_item = inverse_power(degrees(taste, 0), 1 - self.user_exponent)
        by_user = inverse_power(degrees(taste, 1), self.user_exponent)
        left = scaled(taste, rows=by_user, columns=by_item)
        right = scaled(taste, rows=by_user, columns=by_item * data.pool)
        # Powers keep the order, so the k best of the product are the k best of its power.
        products = top_products(sp.csr_array(left.T), right, self.k, drop_self=True)
        sharpened = (products.scores.astype(np.float64) ** self.power).astype(np.float32)
        return NeighbourRecaller(
            [NeighbourTable(products.indptr, products.neighbours, sharpened, n_columns=products.n_columns)],
            profile=self.profile(),
            reason="because you {verb} {source}: the graph of what people {verb} together leads here",
        )
