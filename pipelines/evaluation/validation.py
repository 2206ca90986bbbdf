"""A validation part of train: what settings and fusions are chosen by, so that the test part stays unread."""

from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt

from graphrec.contracts.panel import Panel
from graphrec.contracts.recall_data import RecallData
from graphrec.contracts.recaller import Recaller
from graphrec.evaluation.held_out import held_out_panel
from graphrec.evaluation.objective import MeanMetric, Metric

from ..config.build import Config
from ..config.sections import SplitSection
from ..jobs.splitting import divide

Values = npt.NDArray[np.float64]


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Validation:
    """Train divided once more: the inner part to learn from, and the panel whose truth is the rest.

    ``settings`` says how train was divided, as JSON values.
    """

    data: RecallData
    panel: Panel
    settings: dict[str, object]


def hold_out(
    config: Config, train: RecallData, section: SplitSection, *, max_users: int | None, seed: int
) -> Validation:
    """Divide the training part once more.

    Parameters
    ----------
    config : Config
        Names the users' nodes of the knowledge graph, where it has any, and the rules of the pool.
    train : RecallData
        ``train.interactions`` is the training part; test events must not be in it.
    section : SplitSection
        How it is divided; not ``given``.
    max_users : int, optional
        The panel is a random sample of so many users with truth.
    seed : int
        Of a random split and of the sample.

    Raises
    ------
    DataError
        If no user has a held-out item inside the pool, or one side would be empty.
    LeakError
        If the knowledge graph holds edges from users to what is held out for them.
    """
    split, inner = divide(config, train, section, seed=seed)
    panel = held_out_panel(inner, split.test, max_users=max_users, seed=seed).panel
    return Validation(inner, panel, {**split.settings, "users_measured": len(panel)})


def measured(channel: Recaller, panel: Panel, metric: Metric, k: int) -> Values:
    """Return ``metric@k`` of each user of the panel, (n,) float64: full ranking over the pool, seen items left out."""
    return MeanMetric(metric, k).by_user(channel, panel)
