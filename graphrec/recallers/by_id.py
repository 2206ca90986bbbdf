"""Recall from one channel by external ids, for a recipe fitted by itself."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pyarrow as pa

from graphrec.checks import check_k
from graphrec.contracts.queries import known_queries
from graphrec.contracts.recall_data import RecallData
from graphrec.contracts.recaller import Recaller
from graphrec.data.interactions import histories
from graphrec.data.lists import concatenate
from graphrec.errors import ConfigError
from graphrec.recallers.filtering import recall_allowed

# Users whose lists are made together.
_CHUNK = 4096


def recall(channel: Recaller, data: RecallData, users: Iterable[str] | None = None, k: int = 100) -> pa.Table:
    """Return the ``k`` best items of each user, without those that he took and those outside the pool.

    Parameters
    ----------
    channel : Recaller
        What a recipe's ``fit`` returned.
    data : RecallData
        What it was fitted on.
    users : iterable of str, optional
        Ids of users; all by default.
    k : int, default 100
        Items a user, >= 1; fewer come back where the channel has no more.

    Returns
    -------
    Arrow table
        ``user``, ``rank`` (int32, from 1), ``item`` and ``score`` (float32), by user in the order given
        for, best first.

    Raises
    ------
    UnknownIdError
        If a user is not in the data, with the nearest ids.
    DataError
        If ``users`` are no sequence of strings.
    ConfigError
        If ``k`` is no whole number of 1 or more, or one of the others is something else.
    """
    check_k(k)
    if not isinstance(data, RecallData):
        raise ConfigError(f"recall takes a channel and the RecallData it was fitted on, not a {type(data).__name__}")
    if not isinstance(channel, Recaller):
        raise ConfigError(f"a {type(channel).__name__} answers nothing yet; recall takes what its fit(data) returns")
    rows = np.arange(len(data.users)) if users is None else data.users.rows(users, kind="user")
    history, parts = histories(data.interactions), []
    for start in range(0, max(len(rows), 1), _CHUNK):
        queries = known_queries(history, rows[start : start + _CHUNK])
        parts.append(recall_allowed(channel, queries, k, exclude=queries.history, allowed=data.pool))
    lists = concatenate(parts)
    ranks = np.arange(len(lists.items)) - np.repeat(lists.indptr[:-1], lists.lengths) + 1
    return pa.table(
        {
            "user": data.users.ids.take(pa.array(np.repeat(rows, lists.lengths))),
            "rank": ranks.astype(np.int32),
            "item": data.items.ids.take(pa.array(lists.items)),
            "score": lists.scores,
        }
    )
