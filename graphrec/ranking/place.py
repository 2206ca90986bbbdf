"""After fusion: boosts change the merged scores, then pinned items take their positions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from graphrec.contracts.queries import Queries
from graphrec.contracts.recaller import Recaller
from graphrec.data.lists import ItemLists, indptr_of, truncate
from graphrec.fusion.fused import FusedLists
from graphrec.fusion.settings import Fusion
from graphrec.operations.recaller import OperationsRecaller, Pins

Boosts = Sequence[tuple[npt.NDArray[np.int32], npt.NDArray[np.float64]]]


def operations_of(lists: Mapping[str, ItemLists], channels: Mapping[str, Recaller]) -> str | None:
    """Return the name of the channel that answered by decree, or None."""
    return next((name for name in lists if isinstance(channels.get(name), OperationsRecaller)), None)


def merge_and_place(
    fusion: Fusion,
    lists: Mapping[str, ItemLists],
    channels: Mapping[str, Recaller],
    queries: Queries,
    k: int,
) -> FusedLists:
    """Return the merged lists with boosts counted and pins in their places; the plain merge without such a channel.

    Parameters
    ----------
    fusion : Fusion
        How lists are merged.
    lists : mapping of str to ItemLists
        What each channel answered to the n queries, after filtering: a pin that was seen, excluded or taken down is
        not in the list of its channel any more, and so is not placed.
    channels : mapping of str to Recaller
        The recallers by name; more than answered may be there.
    queries : Queries
        Who asks, in which context, and when.
    k : int
        Items wanted a query.

    Returns
    -------
    FusedLists
        At most k entries a query. See :func:`boost` and :func:`place_pins` for the order and the scores.
    """
    name = operations_of(lists, channels)
    decreed = None if name is None else channels[name]
    if name is None or not isinstance(decreed, OperationsRecaller):
        return fusion.merge(lists, k)
    pins = [_still_there(wanted, items) for wanted, (items, _) in zip(decreed.pins(queries), lists[name], strict=True)]
    boosts = decreed.boosts(queries)
    beyond = max((sum(position > k for position, _ in one) for one in pins), default=0)
    room = max(k + beyond, fusion.channel_depth(k) if any(len(rows) for rows, _ in boosts) else 0)
    merged = boost(fusion.merge(lists, room), boosts)
    return place_pins(merged, pins, lists[name], name=name, k=k)


def boost(merged: FusedLists, boosts: Boosts) -> FusedLists:
    """Return the lists with boosted scores multiplied (those below 0 divided), best first again, ties by row."""
    scores = merged.lists.scores.astype(np.float64)
    changed = False
    for query, (rows, factors) in enumerate(boosts):
        here = slice(*merged.lists.indptr[query : query + 2].tolist())
        places = np.searchsorted(rows, merged.lists.items[here])
        at = np.minimum(places, max(len(rows) - 1, 0))
        known = rows[at] == merged.lists.items[here] if len(rows) else np.zeros(len(places), dtype=np.bool_)
        if known.any():
            changed = True
            factor = np.where(known, factors[at], 1.0)
            scores[here] = np.where(scores[here] >= 0, scores[here] * factor, scores[here] / factor)
    if not changed:
        return merged
    small = scores.astype(np.float32)
    queries = np.repeat(np.arange(len(merged)), merged.lists.lengths)
    order = np.lexsort((merged.lists.items, -small, queries))
    lists = ItemLists(merged.lists.indptr, merged.lists.items[order], small[order])
    return FusedLists(lists, merged.channels, merged.ranks[order], merged.scores[order])


def place_pins(merged: FusedLists, pins: Sequence[Pins], decreed: ItemLists, *, name: str, k: int) -> FusedLists:
    """Return the lists with each pinned item at its position, cut to ``k``.

    Parameters
    ----------
    merged : FusedLists
        n merged lists.
    pins : sequence of sequence of (int, int)
        For each query (position from 1, item row), by position; every item stands in the list of ``decreed``.
    decreed : ItemLists
        n lists of the channel that pins: the ranks and scores that the pinned items are told with.
    name : str
        Name of that channel.
    k : int
        Entries kept a list.

    Returns
    -------
    FusedLists
        Unpinned items keep their order. A pin beyond the end of a list stands at the end. A pinned item has the score
        of the next unpinned one (or of the one before, or 0 where there is none), so that scores still fall.
    """
    if not any(pins):
        return _cut(merged, k)
    parts = [
        _placed(merged.query(query), one, decreed[query], name, k) if one else _cut(merged.query(query), k)
        for query, one in enumerate(pins)
    ]
    channels = merged.channels if name in merged.channels else (*merged.channels, name)
    parts = [part if part.channels == channels else _with_column(part, name) for part in parts]
    indptr = indptr_of([len(part.lists.items) for part in parts])
    items, scores = (np.concatenate([getattr(part.lists, field) for part in parts]) for field in ("items", "scores"))
    ranks, own = np.concatenate([part.ranks for part in parts]), np.concatenate([part.scores for part in parts])
    return FusedLists(ItemLists(indptr, items, scores), channels, ranks, own)


def arrange(items: npt.NDArray[np.int32], pins: Pins) -> npt.NDArray[np.int64]:
    """Return the order, (m,) places in ``items``, that puts pinned items at their positions.

    Pins whose item is not among ``items`` are passed over. Positions beyond the end come to stand at the end.
    """
    place = {row: at for at, row in enumerate(items.tolist())}
    pinned = [(position, place[row]) for position, row in sorted(pins) if row in place]
    fixed = {at for _, at in pinned}
    order = [at for at in range(len(items)) if at not in fixed]
    for position, at in pinned:
        order.insert(position - 1, at)
    return np.array(order, dtype=np.int64)


def falling(scores: npt.NDArray[np.float32], pinned: npt.NDArray[np.bool_]) -> npt.NDArray[np.float32]:
    """Return the scores with those of pinned places taken from the next unpinned place, else from the one before."""
    if pinned.all():
        return np.zeros_like(scores)
    free = np.flatnonzero(~pinned)
    source = free[np.minimum(np.searchsorted(free, np.arange(len(scores))), len(free) - 1)]
    return scores[source]


def _still_there(pins: Pins, items: npt.NDArray[np.int32]) -> Pins:
    """Return the pins whose item passed the filters."""
    there = set(items.tolist())
    return [(position, row) for position, row in pins if row in there]


def _placed(
    one: FusedLists,
    pins: Pins,
    decreed: tuple[npt.NDArray[np.int32], npt.NDArray[np.float32]],
    name: str,
    k: int,
) -> FusedLists:
    """Return the one merged list with its pins in place."""
    if name not in one.channels:
        one = _with_column(one, name)
    column = one.channels.index(name)
    told = {
        row: (rank, score) for rank, (row, score) in enumerate(zip(*map(np.ndarray.tolist, decreed), strict=True), 1)
    }
    missing = [row for _, row in pins if row not in set(one.lists.items.tolist())]
    ranks = np.concatenate([one.ranks, np.zeros((len(missing), len(one.channels)), dtype=np.int32)])
    own = np.concatenate([one.scores, np.full((len(missing), len(one.channels)), np.nan, dtype=np.float32)])
    items = np.concatenate([one.lists.items, np.array(missing, dtype=np.int32)])
    scores = np.concatenate([one.lists.scores, np.zeros(len(missing), dtype=np.float32)])
    rows = [row for _, row in pins]
    for at in np.flatnonzero(np.isin(items, rows)):
        ranks[at, column], own[at, column] = told[int(items[at])]
    # Those beyond k go first, or they would push others about.
    kept = ~np.isin(items, [row for position, row in pins if position > k])
    items, scores, ranks, own = items[kept], scores[kept], ranks[kept], own[kept]
    order = arrange(items, pins)[:k]
    scores = falling(scores[order], np.isin(items[order], rows))
    lists = ItemLists([0, len(order)], items[order], scores)
    return FusedLists(lists, one.channels, ranks[order], own[order])


def _with_column(one: FusedLists, name: str) -> FusedLists:
    """Return the lists with a further channel that returned none of their items."""
    m = len(one.lists.items)
    ranks = np.concatenate([one.ranks, np.zeros((m, 1), dtype=np.int32)], axis=1)
    scores = np.concatenate([one.scores, np.full((m, 1), np.nan, dtype=np.float32)], axis=1)
    return FusedLists(one.lists, (*one.channels, name), ranks, scores)


def _cut(merged: FusedLists, k: int) -> FusedLists:
    """Return the first ``k`` entries of each list."""
    if merged.lists.lengths.max(initial=0) <= k:
        return merged
    within = np.arange(len(merged.lists.items)) - np.repeat(merged.lists.indptr[:-1], merged.lists.lengths)
    return FusedLists(truncate(merged.lists, k), merged.channels, merged.ranks[within < k], merged.scores[within < k])
