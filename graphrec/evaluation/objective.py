"""What settings are chosen by: a metric of the lists that held-out users get from one channel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from graphrec.checks import check_choice, check_k
from graphrec.contracts.panel import Panel, chunks
from graphrec.contracts.recaller import Recaller
from graphrec.evaluation.metrics import rank_metrics
from graphrec.recallers.filtering import recall_allowed

Metric = Literal["recall", "ndcg", "hit_rate"]

# Users asked for at once.
_CHUNK = 2048


@dataclass(frozen=True, slots=True)
class MeanMetric:
    """The mean of ``metric@k`` over the users of a panel: full ranking of the pool, items of the history left out.

    Parameters
    ----------
    metric : {"recall", "ndcg", "hit_rate"}
        See :mod:`graphrec.evaluation.metrics`.
    k : int
        Length of the lists, >= 1.

    Raises
    ------
    ConfigError
        If the metric is unknown or ``k < 1``.
    """

    metric: Metric
    k: int

    def __post_init__(self) -> None:
        check_choice("metric", self.metric, get_args(Metric))
        check_k(self.k)

    def __call__(self, channel: Recaller, panel: Panel) -> float:
        """Return the mean over the users."""
        return float(self.by_user(channel, panel).mean())

    def by_user(self, channel: Recaller, panel: Panel) -> npt.NDArray[np.float64]:
        """Return the metric of each user of the panel, (n,) float64."""
        return np.concatenate([self._of_chunk(channel, chunk) for chunk in chunks(panel, _CHUNK)])

    def _of_chunk(self, channel: Recaller, panel: Panel) -> npt.NDArray[np.float64]:
        lists = recall_allowed(channel, panel.queries, self.k, exclude=panel.history, allowed=panel.pool)
        values: npt.NDArray[np.float64] = getattr(rank_metrics(lists, panel.truth, self.k), self.metric)
        return values
