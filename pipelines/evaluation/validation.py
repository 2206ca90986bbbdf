"""A validation part of train: what a search is judged by, so that the test part stays unread."""

from __future__ import annotations

import dataclasses
from typing import Literal

import numpy as np
import numpy.typing as npt

from graphrec.contracts.queries import known_queries
from graphrec.contracts.recall_data import RecallData
from graphrec.contracts.recaller import Recaller
from graphrec.data.interactions import histories
from graphrec.data.lists import ItemLists, entries_where, take_lists
from graphrec.data.splits import held_out
from graphrec.errors import DataError
from graphrec.evaluation.metrics import rank_metrics, truth_sizes
from graphrec.recallers.filtering import recall_allowed

from ..config.build import Config
from ..config.sections import SplitSection
from ..jobs.train import divide
from .evaluate import sample_users

# Users asked at once: their lists are held together.
_CHUNK = 2048

Metric = Literal["recall", "ndcg", "hit_rate"]
Values = npt.NDArray[np.float64]


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Validation:
    """The inner part of train to learn from, and the users who are measured on the rest of it.

    ``data.interactions`` is the inner part; ``history`` holds one list a user of the data, ``truth`` one list for each
    of ``users`` (n,) int32 rows; ``settings`` says how train was divided, as JSON values.
    """

    data: RecallData
    history: ItemLists
    users: npt.NDArray[np.int32]
    truth: ItemLists
    settings: dict[str, object]


def hold_out(
    config: Config, train: RecallData, section: SplitSection, *, max_users: int | None, seed: int
) -> Validation:
    """Divide the training part once more.

    Parameters
    ----------
    config : Config
        Names the users' nodes of the knowledge graph, where it has any.
    train : RecallData
        ``train.interactions`` is the training part; test events must not be in it.
    section : SplitSection
        How it is divided; not ``given``.
    max_users : int, optional
        Measure a random sample of so many users with truth.
    seed : int
        Of a random split and of the sample.

    Raises
    ------
    DataError
        If nobody has a held-out item inside the pool, or one side would be empty.
    LeakError
        If the knowledge graph holds edges from users to what is held out for them.
    """
    split, inner = divide(config, train, section, seed=seed)
    history, everything = histories(split.train), held_out(split.train, split.test)
    truth = entries_where(everything, inner.pool[everything.items])
    users = np.flatnonzero(truth_sizes(truth) > 0).astype(np.int32)
    if len(users) == 0:
        raise DataError("nobody has a validation item inside the pool; hold out more events or widen the pool")
    users = sample_users(users, max_users, seed=seed)
    settings = {**split.settings, "users_measured": len(users)}
    return Validation(inner, history, users, take_lists(truth, users), settings)


def measured(channel: Recaller, part: Validation, metric: Metric, k: int) -> Values:
    """Return ``metric@k`` of each validation user, (n,) float64: full ranking over the pool, seen items left out."""
    values = np.empty(len(part.users), dtype=np.float64)
    for start in range(0, len(part.users), _CHUNK):
        here = slice(start, start + _CHUNK)
        queries = known_queries(part.history, part.users[here])
        lists = recall_allowed(channel, queries, k, exclude=queries.history, allowed=part.data.pool)
        truth = take_lists(part.truth, np.arange(len(part.users))[here])
        values[here] = getattr(rank_metrics(lists, truth, k), metric)
    return values
