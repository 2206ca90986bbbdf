"""User-CF: what the users with the nearest taste took."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import scipy.sparse as sp

from graphrec.channels.families import HistorySettings
from graphrec.channels.shared import shared_taste
from graphrec.contracts.domains import floats, ints
from graphrec.contracts.progress import ALONE, FitContext
from graphrec.contracts.recall_data import RecallData
from graphrec.contracts.recipe import About
from graphrec.contracts.settings import count, number
from graphrec.data.neighbours import csr_table
from graphrec.recallers.neighbours import NeighbourRecaller
from graphrec.sparse.taste import (
    degrees,
    evenly_capped,
    inverse_power,
    scaled,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class UserCF(HistorySettings):
    r"""Items of the users nearest to the one in the query.

    .. math:: S = (D_u^{-a} R)\, D_i^{-b}\, (D_u^{-a} R)^\top, \qquad score(u, j) = \sum_{v \in N(u)} S_{uv} R_{vj}

    with N(u) the best ``neighbours`` users, u himself left out. Similarities are computed for each query, out of
    the history at hand: an unknown user is served by his live history as a known user is, and nothing of the
    size users x users exists. One without history gets an empty list. An item without events cannot come back.

    Parameters
    ----------
    neighbours : int, default 100
        Users who vote, >= 1.
    user_exponent : float, default 0.6
        a: how much a neighbour's activity is divided out. With b as below, Recall@20 on Gowalla is .184.
    item_exponent : float, default 0.7
        b: how much less a popular item says about two users who share it.
    target_exponent : float, default 0.1
        Power of an item's popularity that its votes are divided by. 0.1 adds 5-10 % to Recall@50 on goodbooks and
        costs 1 % of Recall@20 on Gowalla.
    last, half_life, weight_exponent :
        See :class:`graphrec.channels.families.HistorySettings`.
    max_users_per_item : int, default 10000
        Users that an item can name as neighbours. Of an item with more, that many at even distances in the order of
        rows: the same ones every time, busy and quiet users in their proportion. Its popularity stays whole where it
        is divided out. 0 takes all: a query then costs all users of every item of its history.
    max_items_per_user : int, default 2000
        Newest items of a user, as neighbour and as voter; 0 takes all.

    Raises
    ------
    ConfigError
        If a setting lies outside its range.

    Notes
    -----
    A query costs the sum of the degrees of its history items and of its neighbours, at most
    ``last * max_users_per_item + neighbours * max_items_per_user``.
    """

    about: ClassVar[About] = About(
        recalls="what people of like taste took",
        artefact="two neighbour tables",
    )

    neighbours: int = count(100, least=1, unit="users", search=ints(20, 1000, log=True))
    user_exponent: float = number(0.6, search=floats(0.0, 1.0))
    item_exponent: float = number(0.7, search=floats(0.0, 1.2))
    target_exponent: float = number(0.1, search=floats(0.0, 0.6))
    max_users_per_item: int = count(10_000, unit="users")
    max_items_per_user: int = count(2000, unit="items")

    def fit(self, data: RecallData, context: FitContext = ALONE) -> NeighbourRecaller:
        """Return the channel. Time and memory O(m) and a sort."""
        taste = shared_taste(data, context, self.weight_exponent, max_items_per_user=self.max_items_per_user)
        by_user = inverse_power(degrees(taste, 1), self.user_exponent)
        counts = degrees(taste, 0)
        voters = scaled(taste, rows=by_user, columns=inverse_power(counts, self.item_exponent))
        votes = scaled(taste, columns=inverse_power(counts, self.target_exponent) * data.pool)
        return NeighbourRecaller(
            [csr_table(evenly_capped(sp.csr_array(voters.T), self.max_users_per_item)), csr_table(votes)],
            [self.neighbours],
            profile=self.profile(),
            reason="{verb} by people whose taste is close to yours; {source} is common ground",
            middle_is_users=True,
        )
