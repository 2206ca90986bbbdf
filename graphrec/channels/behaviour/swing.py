"""Swing: items that pairs of users share, pairs with little else in common counting most."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from graphrec.channels.families import HistorySettings, history_weight_exponent
from graphrec.channels.shared import shared_taste
from graphrec.contracts.domains import floats, ints
from graphrec.contracts.progress import ALONE, FitContext
from graphrec.contracts.recall_data import RecallData
from graphrec.contracts.recipe import About
from graphrec.contracts.settings import count, flag, number
from graphrec.data.lists import indptr_of
from graphrec.data.neighbours import NeighbourTable
from graphrec.kernels import kernel
from graphrec.recallers.neighbours import NeighbourRecaller
from graphrec.sparse.taste import (
    Scale,
    degrees,
    evenly_capped,
    inverse_power,
    rows_sum_to_one,
)
from graphrec.sparse.topk import FloatArray, Pushed, RowArray, chunk_rows, join, select_top
from graphrec.threads import map_chunks

# A thread holds one number for each pair of an item's users: 8 bytes * cap^2, 800 MB here.
_LARGEST_CAP = 10_000

Bounds = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Swing(HistorySettings):
    r"""The k items that most pairs of an item's users share, a pair with little else in common counting most.

    .. math:: s(i, j) = \sum_{u < v \in U_i \cap U_j} \frac{w_u w_v}{\alpha + |I_u \cap I_v|},
              \qquad w_u = (|I_u| + h)^{-\beta}

    The score is then divided by a power of the number of users of j.

    Two people who agree on i and j and on nothing else say more of i and j than two who have read everything. A user is
    served by his history, known or live; without history the list is empty. An item without events has no
    neighbours and is never returned.

    Parameters
    ----------
    k : int, default 400
        Neighbours kept an item, >= 1.
    alpha : float, default 1.0
        Added to the overlap of each pair; larger makes pairs more alike in weight.
    user_shift : float, default 15.0
        h, added to the number of a user's items, so that the shortest histories do not rule.
    beta : float, default 0.3
        How much less a user of many items says; 0 weighs all users alike.
    max_users_per_item : int, default 1000
        Users of one item that are paired, 2 to 10000. Of an item with more, that many are taken at even distances in
        the order of rows: the same ones every time, busy and quiet users in their proportion. The cap is that of
        item i, so s(i, j) and s(j, i) may then differ.
    item_exponent : float, default 0.7
        How much the popularity of the end, its number of users, is divided out; 0 is the paper's score.
        Lifts Recall@50 on goodbooks (validation) from .236 to .313, and 1 to .331; sparser data may want less.
    min_common_users : int, default 2
        Users that i and j must share, >= 2 (one user makes no pair): scores of two users are high by chance.
    normalise : bool, default True
        Let each item's k scores sum to 1, so that every history item has one vote to give, popular or not.
        Without it, Recall@50 on goodbooks (validation) falls from .313 to .173.
    last, half_life, weight_exponent :
        See :class:`graphrec.channels.families.HistorySettings`.
    max_items_per_user : int, default 2000
        Newest items of a user that count, for each of his items is met with all others; 0 takes all.

    Raises
    ------
    ConfigError
        If a setting lies outside its range.

    References
    ----------
    .. [1] Yang, Zhu, Zhang, Wang, Yuan, "Large Scale Product Graph Construction for Recommendation in E-commerce",
       arXiv 2010.05525, 2020. Differs: the users' weights w and the cap, as published implementations have them.
    """

    about: ClassVar[About] = About(
        recalls="what pairs of people share who share little else",
        artefact="neighbour table",
    )

    k: int = count(400, least=1, unit="neighbours", search=ints(50, 1000, log=True))
    alpha: float = number(1.0, unit="items", search=floats(0.1, 100.0, log=True))
    user_shift: float = number(15.0, unit="items", search=floats(0.0, 50.0))
    beta: float = number(0.3, search=floats(0.0, 1.0))
    item_exponent: float = number(0.7, search=floats(0.0, 1.2))
    max_users_per_item: int = count(1000, least=2, most=_LARGEST_CAP, unit="users")
    min_common_users: int = count(2, least=2, unit="users", search=ints(2, 5))
    normalise: bool = flag(True, searched=True)
    weight_exponent: float = history_weight_exponent(searched=False)
    max_items_per_user: int = count(2000, unit="items")

    def fit(self, data: RecallData, context: FitContext = ALONE) -> NeighbourRecaller:
        """Return the channel.

        Time O(sum over items i of sum over pairs u < v of its capped users of ``|I_u & I_v|``), at most
        ``n_items * cap^2 / 2`` times the mean overlap. Memory O(n_items * k) for the result and, a thread,
        8 bytes * cap^2, one accumulator of n_items, and the histories of one item's capped users.
        """
        table = self._table(data, context)
        profile = self.profile()
        reason = "because you {verb} {source}: people with little else in common {verb} both"
        return NeighbourRecaller([rows_sum_to_one(table) if self.normalise else table], profile=profile, reason=reason)

    def _table(self, data: RecallData, context: FitContext = ALONE) -> NeighbourTable:
        """Return each item's k best."""
        taste = shared_taste(data, context, max_items_per_user=self.max_items_per_user)
        sizes = degrees(taste, 1)
        weights = inverse_power((sizes + self.user_shift) * (sizes > 0), self.beta)
        bounds, users = _capped_users(taste, sizes, self.max_users_per_item)
        starts, items = taste.indptr.astype(np.int64), taste.indices.astype(np.int32)
        n, k = len(data.items), min(self.k, len(data.items))
        ends = inverse_power(degrees(taste, 0), self.item_exponent) * data.pool

        def work(start: int, stop: int) -> Pushed:
            own = bounds[start : stop + 1]
            entries = np.concatenate([[0.0], np.cumsum(sizes[users[own[0] : own[-1]]])])[own - own[0]]
            most, counts = int(np.diff(own).max(initial=0)), np.empty(stop - start, dtype=np.int64)
            rows, scores = np.empty((stop - start) * k, dtype=np.int32), np.empty((stop - start) * k, dtype=np.float32)
            total = _swing(
                start, own, users, starts, items, weights, ends, float(self.alpha), self.min_common_users, k,
                np.empty(most * most), np.empty(int(np.diff(entries).max(initial=0.0)), dtype=np.int32),
                counts, rows, scores,
            )  # fmt: skip
            return indptr_of(counts), rows[:total].copy(), scores[:total].copy()

        return NeighbourTable(*join(list(map_chunks(work, n, chunk=chunk_rows(k)))), n_columns=n)


def _capped_users(taste: sp.csr_array, sizes: Scale, cap: int) -> tuple[Bounds, RowArray]:
    """Return each item's users in row order, at most ``cap`` at even distances; users of one item pair nothing."""
    by_item = sp.csr_array(sp.csr_array(taste.multiply((sizes > 1)[:, None])).T.tocsr())
    by_item.eliminate_zeros()
    capped = evenly_capped(by_item, cap)
    return capped.indptr.astype(np.int64), capped.indices.astype(np.int32)


@kernel
def _gather(
    users: RowArray,
    starts: Bounds,
    items: RowArray,
    count: RowArray,
    first: Bounds,
    touched: RowArray,
    takers: RowArray,
) -> int:  # pragma: no cover - compiled
    """List for each item that ``users`` took the positions of those who did, ascending; return how many items.

    The list of item j is ``takers[first[j] : first[j] + count[j]]``; ``count`` arrives as zeros.
    """
    n_touched = 0
    for u in users:
        for p in range(starts[u], starts[u + 1]):
            if count[items[p]] == 0:
                touched[n_touched] = items[p]
                n_touched += 1
            count[items[p]] += 1
    place = 0
    for t in range(n_touched):
        first[touched[t]] = place
        place += count[touched[t]]
        count[touched[t]] = 0
    for position in range(users.size):
        for p in range(starts[users[position]], starts[users[position] + 1]):
            takers[first[items[p]] + count[items[p]]] = position
            count[items[p]] += 1
    return n_touched


@kernel
def _weigh_pairs(
    users: RowArray,
    weights: Scale,
    alpha: float,
    count: RowArray,
    first: Bounds,
    touched: RowArray,
    takers: RowArray,
    pairs: Scale,
) -> None:  # pragma: no cover - compiled
    """Write ``w_u w_v / (alpha + overlap)`` of positions p < q to ``pairs[p * d + q]``."""
    d = users.size
    pairs[: d * d] = alpha
    for j in touched:
        for a in range(first[j], first[j] + count[j]):
            row = takers[a] * d
            for b in range(a + 1, first[j] + count[j]):
                pairs[row + takers[b]] += 1.0
    for p in range(d):
        for q in range(p + 1, d):
            pairs[p * d + q] = weights[users[p]] * weights[users[q]] / pairs[p * d + q]


@kernel
def _swing(
    start: int,
    bounds: Bounds,
    users: RowArray,
    starts: Bounds,
    items: RowArray,
    weights: Scale,
    ends: Scale,
    alpha: float,
    min_common: int,
    k: int,
    pairs: Scale,
    takers: RowArray,
    counts: Bounds,
    rows: RowArray,
    scores: FloatArray,
) -> int:  # pragma: no cover - compiled
    """Write the k best of items ``start``, ``start + 1``, ... one after the other; return how many entries."""
    total, n = 0, ends.size
    count, first = np.zeros(n, dtype=np.int32), np.empty(n, dtype=np.int64)
    touched, accumulator = np.empty(n, dtype=np.int32), np.zeros(n)
    for i in range(counts.size):
        own = users[bounds[i] : bounds[i + 1]]
        n_touched = _gather(own, starts, items, count, first, touched, takers)
        _weigh_pairs(own, weights, alpha, count, first, touched[:n_touched], takers, pairs)
        kept = 0
        for t in range(n_touched):
            j = touched[t]
            if count[j] >= min_common and j != start + i and ends[j] > 0.0:
                score = 0.0
                for a in range(first[j], first[j] + count[j]):
                    row = takers[a] * own.size
                    for b in range(a + 1, first[j] + count[j]):
                        score += pairs[row + takers[b]]
                accumulator[j] = score * ends[j]
                touched[kept] = j
                kept += 1
            count[j] = 0
        counts[i] = select_top(accumulator, touched[:kept], k, rows[total:], scores[total:])
        total += counts[i]
    return total
