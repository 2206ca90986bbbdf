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
from graphrec.operations.recaller import Pins
from graphrec.ranking.decrees import Boosts, Decrees, read_decrees


def merge_and_place(
    fusion: Fusion,
    lists: Mapping[str, ItemLists],
    channels: Mapping[str, Recaller],
    queries: Queries,
    k: int,
) -> FusedLists:
    """Return the merged lists with boosts counted and pins in their places; the plain merge without such a channel.

    This is what serving does in its first two stages, in one call, for whoever needs the list alone.

    Parameters
    ----------
    fusion : Fusion
        How lists are merged.
    lists : mapping of str to ItemLists
        What each channel answered to the n queries, after filtering.
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
    decrees = read_decrees(lists, channels, queries)
    return place(fuse(fusion, lists, decrees, queries, k), decrees, k)


def fuse(
    fusion: Fusion, lists: Mapping[str, ItemLists], decrees: Decrees | None, queries: Queries, k: int
) -> FusedLists:
    """Return the merged lists, with as many entries as it takes to have ``k`` after :func:`place`."""
    return fusion.merge(lists, k if decrees is None else decrees.room(fusion, k), histories=queries.history)


def place(merged: FusedLists, decrees: Decrees | None, k: int) -> FusedLists:
    """Return the lists with boosts counted and pins in their places, cut to ``k``."""
    if decrees is None:
        return merged
    return place_pins(boost(merged, decrees.boosts), decrees.pins, decrees.lists, name=decrees.channel, k=k)


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
        n lists of the channel that pins: the ranks and scores that pinned items are shown with.
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
        return cut(merged, k)
    parts = [
        _placed(merged.query(query), wanted, decreed[query], name, k) if wanted else cut(merged.query(query), k)
        for query, wanted in enumerate(pins)
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
    places = {row: place for place, row in enumerate(items.tolist())}
    pinned = [(position, places[row]) for position, row in sorted(pins) if row in places]
    fixed = {place for _, place in pinned}
    order = [place for place in range(len(items)) if place not in fixed]
    for position, place in pinned:
        order.insert(position - 1, place)
    return np.array(order, dtype=np.int64)


def falling(scores: npt.NDArray[np.float32], pinned: npt.NDArray[np.bool_]) -> npt.NDArray[np.float32]:
    """Return the scores with those of pinned places taken from the next unpinned place, else from the one before."""
    if pinned.all():
        return np.zeros_like(scores)
    free = np.flatnonzero(~pinned)
    source = free[np.minimum(np.searchsorted(free, np.arange(len(scores))), len(free) - 1)]
    return scores[source]


def _placed(
    merged: FusedLists,
    pins: Pins,
    decreed: tuple[npt.NDArray[np.int32], npt.NDArray[np.float32]],
    name: str,
    k: int,
) -> FusedLists:
    """Return a single merged list with its pins in place."""
    if name not in merged.channels:
        merged = _with_column(merged, name)
    column, width = merged.channels.index(name), len(merged.channels)
    entries = {
        row: (rank, score) for rank, (row, score) in enumerate(zip(*map(np.ndarray.tolist, decreed), strict=True), 1)
    }
    present = set(merged.lists.items.tolist())
    missing = [row for _, row in pins if row not in present]
    ranks = np.concatenate([merged.ranks, np.zeros((len(missing), width), dtype=np.int32)])
    own = np.concatenate([merged.scores, np.full((len(missing), width), np.nan, dtype=np.float32)])
    items = np.concatenate([merged.lists.items, np.array(missing, dtype=np.int32)])
    scores = np.concatenate([merged.lists.scores, np.zeros(len(missing), dtype=np.float32)])
    rows = [row for _, row in pins]
    for position in np.flatnonzero(np.isin(items, rows)):
        ranks[position, column], own[position, column] = entries[int(items[position])]
    # Those beyond k go first, or they would push others about.
    kept = ~np.isin(items, [row for position, row in pins if position > k])
    items, scores, ranks, own = items[kept], scores[kept], ranks[kept], own[kept]
    order = arrange(items, pins)[:k]
    scores = falling(scores[order], np.isin(items[order], rows))
    return FusedLists(ItemLists([0, len(order)], items[order], scores), merged.channels, ranks[order], own[order])


def _with_column(merged: FusedLists, name: str) -> FusedLists:
    """Return the lists with a further channel that returned none of their items."""
    m = len(merged.lists.items)
    ranks = np.concatenate([merged.ranks, np.zeros((m, 1), dtype=np.int32)], axis=1)
    scores = np.concatenate([merged.scores, np.full((m, 1), np.nan, dtype=np.float32)], axis=1)
    return FusedLists(merged.lists, (*merged.channels, name), ranks, scores)


def cut(merged: FusedLists, k: int) -> FusedLists:
    """Return the first ``k`` entries of each list."""
    if merged.lists.lengths.max(initial=0) <= k:
        return merged
    within = np.arange(len(merged.lists.items)) - np.repeat(merged.lists.indptr[:-1], merged.lists.lengths)
    return FusedLists(truncate(merged.lists, k), merged.channels, merged.ranks[within < k], merged.scores[within < k])
