"""Item-CF: items taken by the same users, active users counting less."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import scipy.sparse as sp

from graphrec.channels.behaviour.cooccurrence import COSINE, DICE, JACCARD, similar_items
from graphrec.channels.families import HistorySettings
from graphrec.channels.shared import shared_taste
from graphrec.contracts.domains import choices, floats, ints
from graphrec.contracts.progress import ALONE, FitContext
from graphrec.contracts.recall_data import RecallData
from graphrec.contracts.recipe import About
from graphrec.contracts.settings import choice, count, flag, number
from graphrec.data.interactions import DAY_S, Interactions
from graphrec.data.neighbours import NeighbourTable
from graphrec.errors import ConfigError
from graphrec.recallers.neighbours import NeighbourRecaller
from graphrec.sparse.taste import (
    Scale,
    degrees,
    entry_slices,
    inverse_power,
    liked_pairs,
    rows_sum_to_one,
    sums_by_row,
    with_values,
)
from graphrec.sparse.topk import top_products

_SIMILARITIES = {"cosine": COSINE, "jaccard": JACCARD, "dice": DICE}
_WEIGHTINGS = ("none", "tfidf", "bm25")


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemCF(HistorySettings):
    r"""The k items most alike to each item, by the users they share.

    .. math:: O_{ij} = \sum_u d_u^{-x} \, W_{ui} W_{uj} \, 2^{-|t_{ui} - t_{uj}| / H}

    with :math:`d_u` the number of a user's items and W the ``weighting`` of R, each pair's weight to the power
    ``weight_exponent``:

    ========== ==========================================================================================
    ``none``   :math:`R_{ui}`
    ``tfidf``  :math:`R_{ui} \log(1 + n / d_u)`, n items in all: the logarithmic inverse user frequency
    ``bm25``   :math:`\log(1 + n / d_u) \, R_{ui} (K_1 + 1) / (R_{ui} + K_1 (1 - B + B \, l_i / \bar l))`,
               :math:`l_i = \sum_u R_{ui}`: an item of many users says less by each of them [2]_
    ========== ==========================================================================================

    The ``similarity`` divides O by what both items have, h being ``shrinkage``:

    ========== ==========================================================================================
    ``cosine`` :math:`(q_i + h)^a (q_j + h)^a`, :math:`q_i = \sum_u W_{ui}^2`: on unweighted data the users of i
    ``jaccard`` :math:`o_i + o_j - O_{ij} + h`, :math:`o_i = \sum_u d_u^{-x} W_{ui}^2`
    ``dice``   :math:`(o_i + o_j + h) / 2`
    ========== ==========================================================================================

    A user is served by his history, known or live: unknown users are served as well, without history the list is
    empty. An item without events has no neighbours and is never returned: it is left to other channels.

    Parameters
    ----------
    k : int, default 100
        Neighbours kept an item, >= 1.
    user_exponent : float, default 0.5
        x, "inverse user frequency": how much less a user of many items says about each pair. 0 is plain cosine
        (with a = 0.5); 0.5 lifts Recall@20 on Gowalla from .115 to .150 [1]_.
    item_exponent : float, default 0.5
        a: how much the popularity of either item is divided out; 0.5 is cosine. Read by cosine alone. It depends on
        the data: on Gowalla 0.25 lifts Recall@20 (validation) from .177 to .202; on goodbooks 0.4 loses against 0.5.
    normalise : bool, default True
        Let each item's k scores sum to 1, so that every history item has one vote to give, popular or not.
        Lifts Recall@50 on goodbooks (validation) by 3-6 % and Recall@20 on Gowalla from .151 to .155.
    shrinkage : float, default 0.0
        h, users added to either degree: overlaps of rare items, which chance may explain, count less. On
        goodbooks it lowers recall (5: by 6 %), so it is off.
    last, half_life, weight_exponent :
        See :class:`graphrec.channels.families.HistorySettings`.
    similarity : {"cosine", "jaccard", "dice"}, default "cosine"
        What the overlap is divided by.
    weighting : {"none", "tfidf", "bm25"}, default "none"
        What a pair counts. ``user_exponent`` applies on top: set it to 0 for the weighting alone. BM25 without a
        divisor, as it is often used, is ``item_exponent = 0``.
    bm25_k1 : float, default 1.2
        K1: how late repeated events stop to add, and how much the popularity of an item is divided out.
    bm25_b : float, default 0.75
        B, 0 to 1: share of K1 that follows the popularity of the item.
    pair_half_life_days : float, default 0.0
        H: two events of one user count half when they lie so many days apart; 0 means that time does not matter.
        Needs times.
    max_items_per_user : int, default 2000
        Newest items of a user that are paired, for pairs are quadratic in a history; 0 takes all.

    Raises
    ------
    ConfigError
        If a setting lies outside its range.

    References
    ----------
    .. [1] Breese, Heckerman, Kadie, "Empirical Analysis of Predictive Algorithms for Collaborative Filtering", UAI
       1998 (inverse user frequency). Differs: a power of the degree; its logarithm is ``weighting = "tfidf"``.
    .. [2] Robertson, Zaragoza, "The Probabilistic Relevance Framework: BM25 and Beyond", Foundations and Trends in
       Information Retrieval 3(4), 2009. Differs: items are the documents, users the words.
    """

    about: ClassVar[About] = About(
        recalls="what the same people took",
        artefact="neighbour table",
    )

    k: int = count(100, least=1, unit="neighbours", search=ints(50, 1000, log=True))
    user_exponent: float = number(0.5, search=floats(0.0, 1.0))
    item_exponent: float = number(0.5, search=floats(0.0, 1.0))
    normalise: bool = flag(True, searched=True)
    shrinkage: float = number(0.0, unit="users", search=choices(0.0, 2.0, 5.0, 10.0, 20.0))
    similarity: str = choice("cosine", _SIMILARITIES, searched=True)
    weighting: str = choice("none", _WEIGHTINGS, searched=True)
    bm25_k1: float = number(1.2)
    bm25_b: float = number(0.75, most=1)
    pair_half_life_days: float = number(0.0, unit="days")
    max_items_per_user: int = count(2000, unit="items")

    def fit(self, data: RecallData, context: FitContext = ALONE) -> NeighbourRecaller:
        """Return the channel.

        Time O(sum over users of deg(u)^2), at most ``m * max_items_per_user``; memory O(n_items * k).

        Raises
        ------
        ConfigError
            If ``pair_half_life_days`` is set and the events have no times.
        """
        if self.pair_half_life_days and data.interactions.times is None:
            raise ConfigError(
                f"pair_half_life_days is {self.pair_half_life_days}, and these interactions have no times; set it to 0"
            )
        if self.similarity == "cosine" and not self.pair_half_life_days:
            table = self._by_product(data, context)
        else:
            table = self._by_walks(liked_pairs(data.interactions, self.max_items_per_user), data)
        profile = self.profile()
        reason = "because you {verb} {source}: often {verb} by the same people"
        return NeighbourRecaller([rows_sum_to_one(table) if self.normalise else table], profile=profile, reason=reason)

    def _by_product(self, data: RecallData, context: FitContext) -> NeighbourTable:
        """Return each item's k most similar items, where a score is a product of what either pair counts.

        Memory 24 bytes a pair: R, the values of either side, and one side by item.
        """
        exponent = 1.0 if self.weight_exponent else 0.0
        taste = shared_taste(data, context, exponent, max_items_per_user=self.max_items_per_user)
        activity, squares = degrees(taste, 1), np.zeros(taste.shape[1])
        lengths = self._lengths((pairs for _, pairs in _parts(taste)), taste.shape[1])
        for _, pairs in _parts(taste):
            np.add.at(squares, pairs.items, self._weights(pairs, activity, lengths) ** 2)
        by_user, by_item = inverse_power(activity, self.user_exponent), self._divisors(squares)
        left, right = np.empty(taste.nnz, dtype=np.float32), np.empty(taste.nnz, dtype=np.float32)
        for places, pairs in _parts(taste):
            weights, of_items = self._weights(pairs, activity, lengths), by_item[pairs.items]
            left[places] = by_user[pairs.users] * weights * of_items
            right[places] = weights * of_items * data.pool[pairs.items]
        by_users = sp.csr_array(with_values(taste, left).T)
        return top_products(by_users, with_values(taste, right), self.k, drop_self=True)

    def _by_walks(self, pairs: Interactions, data: RecallData) -> NeighbourTable:
        """Return each item's k most similar items, where a score depends on both: by the time between, or as a set."""
        activity = np.bincount(pairs.users, minlength=pairs.n_users).astype(np.float64)
        by_user = inverse_power(activity, self.user_exponent)[pairs.users]
        weights = self._weights(pairs, activity, self._lengths([pairs], pairs.n_items))
        if self.similarity != "cosine":
            norms = sums_by_row(pairs.items, by_user * weights**2, pairs.n_items)
            return self._similar(pairs, by_user * weights, weights, norms, data)
        squares = sums_by_row(pairs.items, weights**2, pairs.n_items)
        by_item = self._divisors(squares)[pairs.items]
        return self._similar(pairs, by_user * weights * by_item, weights * by_item, squares, data)

    def _divisors(self, squares: Scale) -> Scale:
        """Return (n_items,) float64: what each item is multiplied with, on either side of cosine."""
        return inverse_power(squares + self.shrinkage * (squares > 0), self.item_exponent)

    def _similar(
        self,
        pairs: Interactions,
        left: Scale,
        right: Scale,
        norms: Scale,
        data: RecallData,
    ) -> NeighbourTable:
        return similar_items(
            pairs,
            left,
            right,
            norms,
            data.pool,
            self.k,
            similarity=_SIMILARITIES[self.similarity],
            shrinkage=self.shrinkage,
            half_life_s=self.pair_half_life_days * DAY_S,
        )

    def _weights(self, pairs: Interactions, activity: Scale, lengths: Scale) -> Scale:
        """Return W: (m,) float64, what each pair counts; ``lengths`` as of :meth:`_lengths`."""
        weights = self._powers(pairs)
        if self.weighting == "none":
            return weights
        rarity = np.log1p(pairs.n_items / activity[pairs.users])
        if self.weighting == "tfidf":
            return weights * rarity
        relative = lengths[pairs.items] / max(lengths[lengths > 0].mean(), np.finfo(np.float64).tiny)
        floor = self.bm25_k1 * (1.0 - self.bm25_b + self.bm25_b * relative)
        return np.asarray(rarity * weights * (self.bm25_k1 + 1.0) / (weights + floor))

    def _powers(self, pairs: Interactions) -> Scale:
        """Return R: (m,) float64."""
        if self.weight_exponent == 0:
            return np.ones(len(pairs))
        return np.asarray(pairs.weights.astype(np.float64) ** self.weight_exponent)

    def _lengths(self, parts: Iterable[Interactions], n_items: int) -> Scale:
        """Return (n_items,) float64: R summed over the users of each item; zeros where ``weighting`` reads none."""
        lengths = np.zeros(n_items)
        if self.weighting == "bm25":
            for pairs in parts:
                np.add.at(lengths, pairs.items, self._powers(pairs))
        return lengths


def _parts(taste: sp.csr_array) -> Iterator[tuple[slice, Interactions]]:
    """Yield the places of some millions of a matrix's entries, and the entries as pairs."""
    for places, users in entry_slices(taste):
        n_users, n_items = taste.shape
        yield (
            places,
            Interactions(users, taste.indices[places], taste.data[places], n_users=n_users, n_items=n_items),
        )
