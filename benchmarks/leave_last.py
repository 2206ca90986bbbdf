"""The leave-last protocol for channels alone: what is learnt from, histories, and the item that comes next."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from benchmarks.sequences import events_of
from graphrec.contracts.queries import Queries, take_queries
from graphrec.contracts.recall_data import RecallData
from graphrec.contracts.recaller import Recaller
from graphrec.data.interactions import Interactions, take
from graphrec.data.lists import ItemLists, take_lists
from graphrec.data.sequences import sequences
from graphrec.data.vocabulary import Vocabulary
from graphrec.graph.catalogue import items_only
from graphrec.recallers.filtering import recall_allowed
from graphrec.threads import at_most

K = 200
# Requests that are timed.
_TIMED = 30


class Problem(NamedTuple):
    """``data`` hold all but each user's last two events; of some users the ``queries``, and what came next (n,)."""

    data: RecallData
    queries: Queries
    truth: npt.NDArray[np.int32]


def problem(name: str, root: Path, *, users: int, seed: int, validation: bool = False) -> Problem:
    """Return a set's problem for at most ``users`` users.

    What came next is the last event, and the last but one is in the history; or, for ``validation``, it is the last but
    one itself.
    """
    names, items, moments = zip(*events_of(name, root), strict=True)
    known = Vocabulary(sorted(set(names))), Vocabulary(sorted(set(items)))
    rows, columns, times = known[0].rows(list(names)), known[1].rows(list(items)), np.array(moments)
    order = np.lexsort((np.arange(len(rows)), times, rows))
    events = Interactions(rows[order], columns[order], times=times[order], n_users=len(known[0]), n_items=len(known[1]))
    lengths = np.bincount(events.users, minlength=len(known[0]))
    ends = np.cumsum(lengths)
    behind = ends[events.users] - 1 - np.arange(len(events))
    chosen = np.random.default_rng(seed).permutation(np.flatnonzero(lengths > 2))[:users]
    data = RecallData(*known, take(events, behind >= 2), items_only(known[1]))
    left = int(validation)  # events behind what came next
    every = Queries(np.arange(len(known[0])), sequences(take(events, behind > left)))
    return Problem(data, take_queries(every, chosen), events.items[ends[chosen] - 1 - left])


def answers(channel: Recaller, task: Problem) -> ItemLists:
    """Return a channel's lists of 200 items, those of the history left out."""
    allowed = np.ones(len(task.data.items), dtype=np.bool_)
    return recall_allowed(channel, task.queries, K, exclude=task.queries.history, allowed=allowed)


def figures(lists: ItemLists, truth: npt.NDArray[np.int32], whole: ItemLists | None = None) -> dict[str, float]:
    """Return Recall and NDCG, and the share of the first 200 items of the lists ``whole``."""
    owners = np.repeat(np.arange(len(lists)), lists.lengths)
    ranks = np.arange(len(owners)) - lists.indptr[owners]
    hits = ranks[lists.items == truth[owners]]
    made = {f"recall@{k}": float((hits < k).sum() / len(truth)) for k in (10, 50, K)}
    made["ndcg@10"] = float((1 / np.log2(hits[hits < 10] + 2)).sum() / len(truth))
    if whole is not None:
        same = [np.isin(a, b).mean() for (a, _), (b, _) in zip(whole, lists, strict=True)]
        made[f"overlap@{K}"] = float(np.mean(same))
    return made


def request_ms(channel: Recaller, task: Problem) -> float:
    """Return the processor's milliseconds of a request, on one thread."""
    allowed = np.ones(len(task.data.items), dtype=np.bool_)
    with at_most(1):
        started = time.thread_time()
        for place in range(_TIMED):
            query, seen = take_queries(task.queries, [place]), take_lists(task.queries.history, [place])
            recall_allowed(channel, query, K, exclude=seen, allowed=allowed)
        return 1000 * (time.thread_time() - started) / _TIMED


def row_of(name: str, channel: Recaller, task: Problem, whole: ItemLists | None = None) -> dict[str, Any]:
    """Return a channel's row of a table."""
    made = figures(answers(channel, task), task.truth, whole)
    return {"name": name, **made, "request_cpu_ms": request_ms(channel, task)}
