"""How often items are taken, as what is to come would have it."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from graphrec.data.interactions import DAY_S
from graphrec.models.graph_networks.pinsage_batches import Histories

# Half-lives that are tried, days: a week, and twice as long up to 20 years.
_TRIED = tuple(7.0 * 2**power for power in range(11))
# Share of the events, the newest, that are foretold.
_NEWEST = 0.2


def coming_events(histories: Histories, half_life_days: float) -> npt.NDArray[np.float64]:
    """Return (n_items,) float64: events of each item, the fresh ones counted more, as many in all as there are.

    Counted by ``half_life_days`` where that is finite, else by the half-life that foretells best
    (:func:`foretelling_half_life`).
    """
    return histories.fresh_events(foretelling_half_life(histories) if math.isinf(half_life_days) else half_life_days)


def foretelling_half_life(histories: Histories) -> float:
    r"""Return the half-life in days by which the older events foretell best what is taken in the newest fifth of them.

    .. math:: \arg\max_h \sum_{i} n_i \log \frac{c_i(h) + 1}{\sum_j (c_j(h) + 1)}

    n are the events of the newest fifth, c(h) the older ones counted by :math:`2^{-age / h}`, as many in all as there
    are. inf, all alike, without times and where no half-life is better.
    """
    if histories.times is None or not len(histories.times):
        return math.inf
    cut = np.quantile(histories.times, 1 - _NEWEST)
    old, n = histories.times <= cut, histories.n_items
    newest = np.bincount(histories.items[~old], minlength=n)
    ages = (cut - histories.times[old]) / DAY_S

    def likelihood(half_life_days: float) -> float:
        fresh = np.exp2(-ages / half_life_days)
        counted = np.bincount(histories.items[old], weights=fresh / fresh.mean(), minlength=n)
        return float(newest @ np.log((counted + 1) / (counted.sum() + n)))

    return float(max((math.inf, *_TRIED), key=likelihood))
