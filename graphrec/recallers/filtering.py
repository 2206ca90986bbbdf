"""Leaving out seen, banned and taken-down items: once, for every channel alike."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from graphrec.checks import typed_late
from graphrec.contracts.queries import Queries, take_queries
from graphrec.contracts.recaller import Recaller
from graphrec.data.leave_out import leave_out
from graphrec.data.lists import ItemLists, lists_of, take_lists
from graphrec.recallers.answers import check_answer, check_filtered_answer
from graphrec.sparse.topk import join


def _typical_length(lists: ItemLists) -> int:
    """Return a length that nine lists in ten keep within."""
    lengths = lists.lengths
    # One query is what a server asks; a percentile costs as much as some channels.
    return int(np.percentile(lengths, 90)) if len(lengths) > 1 else int(lengths.sum())


@typed_late
def recall_allowed(
    recaller: Recaller,
    queries: Queries,
    k: int,
    *,
    exclude: ItemLists,
    allowed: npt.NDArray[np.bool_],
) -> ItemLists:
    """Ask a channel for k items a query that are neither excluded nor disallowed.

    A channel with a ``recall_allowed`` of its own does both at once; for another see :func:`recall_widening`. A list is
    shorter than ``k`` only where the channel has no more.

    Parameters
    ----------
    recaller : Recaller
        The channel.
    queries : Queries
        n requests.
    k : int
        Items wanted a query.
    exclude : ItemLists
        n lists of items that must not come back (seen items and request exclusions).
    allowed : ndarray
        (n_items,) bool: the pool and request filters.

    Returns
    -------
    ItemLists
        n lists, best first.

    Raises
    ------
    DataError
        If the channel's answer cannot be used: rows out of range or repeated, scores that are not finite (a history
        whose weights overflow), a wrong number of lists, other types (``graphrec.recallers.answers``).
    """
    # A look-up of the name: an isinstance check of a protocol costs as much as some channels.
    own: Callable[..., ItemLists] | None = getattr(recaller, "recall_allowed", None)
    if own is None:
        return recall_widening(recaller, queries, k, exclude=exclude, allowed=allowed)
    answer = own(queries, k, exclude=exclude, allowed=allowed)
    check_filtered_answer(answer, len(queries), k, exclude=exclude, allowed=allowed)
    return answer


def recall_widening(
    recaller: Recaller,
    queries: Queries,
    k: int,
    *,
    exclude: ItemLists,
    allowed: npt.NDArray[np.bool_],
) -> ItemLists:
    """Return what :func:`recall_allowed` does, by ``recall`` alone.

    The channel is asked again for more while leaving out leaves a query short and it still had items to give.
    """
    n_items = len(allowed)
    # Most queries are served by one call: room for a typical history.
    asked = min(n_items, k + _typical_length(exclude))
    answer = _recall(recaller, queries, asked, n_items)
    result = leave_out(answer, k, exclude=exclude, allowed=allowed)
    short = np.flatnonzero((result.lengths < k) & (answer.lengths >= asked))
    if len(short) == 0 or asked >= n_items:
        return result
    # Widen for the short ones alone, then put the longer answers in their places. Room for the longest exclusion is
    # enough unless the pool leaves out more.
    enough = k + int(exclude.lengths[short].max())
    pending, parts, places = short, [result], np.arange(len(result))
    while len(pending):
        asked = min(n_items, enough if asked < enough else asked * 4)
        answer = _recall(recaller, take_queries(queries, pending), asked, n_items)
        wider = leave_out(answer, k, exclude=take_lists(exclude, pending), allowed=allowed)
        done = (wider.lengths >= k) | (answer.lengths < asked) | (asked >= n_items)
        places[pending[done]] = sum(map(len, parts)) + np.arange(int(done.sum()))
        parts.append(take_lists(wider, np.flatnonzero(done)))
        pending = pending[~done]
    return take_lists(lists_of(*join([(part.indptr, part.items, part.scores) for part in parts])), places)


def _recall(recaller: Recaller, queries: Queries, k: int, n_items: int) -> ItemLists:
    """Return what the channel answers, checked: the filter reads arrays by its rows."""
    answer = recaller.recall(queries, k)
    check_answer(answer, len(queries), n_items=n_items)
    return answer
