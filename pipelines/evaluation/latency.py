"""How long one query takes."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt

from graphrec.contracts.queries import Queries, known_queries
from graphrec.contracts.recaller import Recaller
from graphrec.data.lists import ItemLists
from graphrec.fusion.settings import Fusion
from graphrec.ranking.place import merge_and_place
from graphrec.recallers.filtering import recall_allowed

FUSED = "fused"
_WARM_UP = 10


def query_us(
    channels: Mapping[str, Recaller],
    fusion: Fusion,
    history: ItemLists,
    users: npt.NDArray[np.int32],
    k: int,
    *,
    pool: npt.NDArray[np.bool_],
) -> dict[str, float]:
    """Return the median microseconds of one query by channel, and of all of them with merging under ``"fused"``.

    Parameters
    ----------
    users : ndarray
        (n,) int32: who is asked for, one at a time; the first few are asked twice, to warm up.
    """
    queries = [known_queries(history, [int(user)]) for user in users]

    depth = fusion.channel_depth(k)

    def answer(channel: Recaller, query: Queries, wanted: int) -> ItemLists:
        return recall_allowed(channel, query, wanted, exclude=query.history, allowed=pool)

    def asker(channel: Recaller) -> Callable[[Queries], ItemLists]:
        return lambda query: answer(channel, query, k)

    def merged(query: Queries) -> object:
        lists = {name: answer(channel, query, depth) for name, channel in channels.items()}
        return merge_and_place(fusion, lists, channels, query, k)

    took = {name: _median_us(asker(channel), queries) for name, channel in channels.items()}
    return {**took, FUSED: _median_us(merged, queries)}


def _median_us(ask: Callable[[Queries], object], queries: list[Queries]) -> float:
    for query in queries[:_WARM_UP]:
        ask(query)
    taken = np.empty(len(queries))
    for position, query in enumerate(queries):
        started = time.perf_counter_ns()
        ask(query)
        taken[position] = time.perf_counter_ns() - started
    return round(float(np.median(taken)) / 1000, 1)
