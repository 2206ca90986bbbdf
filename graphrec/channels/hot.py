"""Hot: what many people took lately."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from graphrec.channels.matrices import check_at_least
from graphrec.interactions import coalesce
from graphrec.recall import RecallData
from graphrec.recallers.ranked import RankedRecaller

DAY_S = 86_400.0


@dataclass(frozen=True, slots=True)
class Hot:
    r"""Popularity by distinct users, each counted less the longer ago his last event with the item is.

    .. math:: s(i) = \sum_{u \in U_i} 2^{-(t_{\max} - t_{ui}) / h}

    Everybody gets the same list, so cold users are served like others. Items without events stand at its end in row
    order: the list holds the whole pool. Without times, users are simply counted.

    Parameters
    ----------
    half_life_days : float, default 30.0
        h, days, > 0, after which an event counts half. Our choice: about a season; shorten it for news.
        ``inf`` counts all events alike.

    Raises
    ------
    ConfigError
        If ``half_life_days`` is not > 0.
    """

    half_life_days: float = 30.0

    def __post_init__(self) -> None:
        if self.half_life_days != float("inf"):
            check_at_least("half_life_days", self.half_life_days, np.nextafter(0.0, 1.0).item())

    def fit(self, data: RecallData, *, seed: int) -> RankedRecaller:  # noqa: ARG002 - nothing is drawn
        """Return the pool in order of decayed popularity. Time O(m log m)."""
        pairs = coalesce(data.interactions)
        counted = np.ones(len(pairs), dtype=np.float64)
        if pairs.times is not None and len(pairs):
            age_days = (int(pairs.times.max()) - pairs.times) / DAY_S
            counted = np.exp2(-age_days / self.half_life_days)
        scores = np.bincount(pairs.items, weights=counted, minlength=len(data.items)).astype(np.float32)
        items = np.flatnonzero(data.pool).astype(np.int32)
        return RankedRecaller(
            items, scores[items], "widely {verb} lately" if pairs.times is not None else "widely {verb}"
        )
