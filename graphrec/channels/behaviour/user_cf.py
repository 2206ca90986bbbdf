"""User-CF: what the users with the nearest taste took."""

from __future__ import annotations

from dataclasses import dataclass

import scipy.sparse as sp

from graphrec.contracts.progress import ALONE, FitContext
from graphrec.contracts.recall_data import RecallData
from graphrec.data.neighbours import csr_table
from graphrec.recallers.neighbours import NeighbourRecaller
from graphrec.recallers.profile import Profile
from graphrec.sparse.taste import (
    check_at_least,
    check_count,
    degrees,
    evenly_capped,
    inverse_power,
    scaled,
    taste_matrix,
)


@dataclass(frozen=True, slots=True)
class UserCF:
    r"""Items of the users nearest to the one who asks.

    .. math:: S = (D_u^{-a} R)\, D_i^{-b}\, (D_u^{-a} R)^\top, \qquad score(u, j) = \sum_{v \in N(u)} S_{uv} R_{vj}

    with N(u) the best ``neighbours`` users, u himself left out. Similarities are made when they are asked for, out of
    the history at hand: a user never seen is served by his live history as well as a known one, and nothing of the
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
    last : int, default 0
        Newest history items used; 0 uses all.
    half_life : float, default 100.0
        Positions after which a history item counts half; 0 means that age does not matter. 100 costs about 1 % of
        Recall@50 where the held-out items are random, and adds a tenth to a third where they are the newest
        (goodbooks, validation).
    weight_exponent : float, default 0.0
        Power of interaction weights in R and in histories; 0 makes them ones.
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

    neighbours: int = 100
    user_exponent: float = 0.6
    item_exponent: float = 0.7
    target_exponent: float = 0.1
    last: int = 0
    half_life: float = 100.0
    weight_exponent: float = 0.0
    max_users_per_item: int = 10_000
    max_items_per_user: int = 2000

    def __post_init__(self) -> None:
        check_count("neighbours", self.neighbours, 1)
        for name in ("last", "max_users_per_item", "max_items_per_user"):
            check_count(name, getattr(self, name), 0)
        for name in ("user_exponent", "item_exponent", "target_exponent", "half_life", "weight_exponent"):
            check_at_least(name, getattr(self, name), 0)

    def fit(self, data: RecallData, context: FitContext = ALONE) -> NeighbourRecaller:  # noqa: ARG002 - nothing is drawn
        """Return the channel. Time and memory O(m) and a sort."""
        taste = taste_matrix(data.interactions, self.weight_exponent, max_items_per_user=self.max_items_per_user)
        by_user = inverse_power(degrees(taste, 1), self.user_exponent)
        counts = degrees(taste, 0)
        voters = scaled(taste, rows=by_user, columns=inverse_power(counts, self.item_exponent))
        votes = scaled(taste, columns=inverse_power(counts, self.target_exponent) * data.pool)
        return NeighbourRecaller(
            [csr_table(evenly_capped(sp.csr_array(voters.T), self.max_users_per_item)), csr_table(votes)],
            [self.neighbours],
            profile=Profile(self.last, self.half_life, self.weight_exponent),
            reason="{verb} by people whose taste is close to yours; {source} is common ground",
            middle_is_users=True,
        )
