"""What stands behind merged lists that are too short: popular items, so that no list is short while items are left."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from graphrec.data.lists import ItemLists, indptr_of
from graphrec.fusion.fused import FusedLists
from graphrec.kernels import kernel
from graphrec.operations.recaller import Pins
from graphrec.ranking.place import arrange, falling


def fill(
    merged: FusedLists,
    popular: npt.NDArray[np.int32],
    missing: npt.NDArray[np.int64],
    *,
    exclude: ItemLists,
    allowed: npt.NDArray[np.bool_],
) -> tuple[FusedLists, npt.NDArray[np.int32]]:
    """Return the lists with popular items behind them, and where those come from.

    Parameters
    ----------
    merged : FusedLists
        n merged lists.
    popular : ndarray
        (p,) int32 item rows in the order in which they are offered, each once.
    missing : ndarray
        (n,) int64: items wanted for each list; as many come as there are left.
    exclude : ItemLists
        n lists of items that are not offered; nor is what stands in the list already.
    allowed : ndarray
        (n_items,) bool: items that may be offered.

    Returns
    -------
    filled : FusedLists
        The lists; items that were added have score 0 and no rank in any channel. ``merged`` itself where none was.
    places : ndarray
        (m,) int32: the place in ``popular`` of each entry that was added, -1 for those of ``merged``.

    Notes
    -----
    Time O(n_items + the sum over lists of entries, exclusions and places of ``popular`` looked at); memory O(n_items).
    """
    lengths = merged.lists.lengths
    wanted = np.maximum(missing, 0)
    if not wanted.any():
        return merged, np.full(len(merged.lists.items), -1, dtype=np.int32)
    lists, counts = merged.lists, np.zeros(len(merged), dtype=np.int64)
    added = np.empty(int(np.minimum(wanted, len(popular)).sum()), dtype=np.int32)
    _first_popular(
        popular, wanted, lists.indptr, lists.items, exclude.indptr, exclude.items, allowed, counts, added
    )  # fmt: skip
    added = added[: counts.sum()]
    if len(added) == 0:
        return merged, np.full(len(lists.items), -1, dtype=np.int32)
    indptr = indptr_of(lengths + counts)
    # Entries of a list keep their places and move behind what was added to the lists before.
    old = np.arange(len(lists.items)) + np.repeat(indptr[:-1] - lists.indptr[:-1], lengths)
    places = np.full(int(indptr[-1]), -1, dtype=np.int32)
    new = np.ones(len(places), dtype=np.bool_)
    new[old] = False
    places[new] = added
    items, scores = np.empty(len(places), dtype=np.int32), np.zeros(len(places), dtype=np.float32)
    items[old], items[new], scores[old] = lists.items, popular[added], lists.scores
    ranks = np.zeros((len(places), len(merged.channels)), dtype=np.int32)
    own = np.full((len(places), len(merged.channels)), np.nan, dtype=np.float32)
    ranks[old], own[old] = merged.ranks, merged.scores
    return FusedLists(ItemLists(indptr, items, scores), merged.channels, ranks, own), places


def hold_pins(
    merged: FusedLists, places: npt.NDArray[np.int32], pins: Sequence[Pins]
) -> tuple[FusedLists, npt.NDArray[np.int32]]:
    """Return filled lists with pins at their positions, which lists that were too short had not.

    ``places`` (m,) goes with the entries: it is what :func:`fill` returned. Only lists with pins of their own change.
    """
    if not any(pins):
        return merged, places
    order, scores = np.arange(len(places)), merged.lists.scores.copy()
    for query, wanted in enumerate(pins):
        if wanted:
            here = slice(*merged.lists.indptr[query : query + 2].tolist())
            items = merged.lists.items[here]
            within = arrange(items, wanted)
            order[here] = here.start + within
            pinned = np.isin(items[within], [row for _, row in wanted])
            scores[here] = falling(merged.lists.scores[here][within], pinned)
    lists = ItemLists(merged.lists.indptr, merged.lists.items[order], scores)
    return FusedLists(lists, merged.channels, merged.ranks[order], merged.scores[order]), places[order]


@kernel
def _first_popular(
    popular: npt.NDArray[np.int32],
    wanted: npt.NDArray[np.int64],
    indptr: npt.NDArray[np.int64],
    items: npt.NDArray[np.int32],
    exclude_indptr: npt.NDArray[np.int64],
    exclude_items: npt.NDArray[np.int32],
    allowed: npt.NDArray[np.bool_],
    counts: npt.NDArray[np.int64],
    added: npt.NDArray[np.int32],
) -> None:  # pragma: no cover - compiled
    """Write the places in ``popular`` of the first ``wanted`` items of each list that are free, and their counts."""
    # The last list in which an item may not be offered, counted from 1: nothing need be cleared between lists.
    taken = np.zeros(allowed.size, dtype=np.int32)
    total = 0
    for query in range(wanted.size):
        if wanted[query] == 0:
            continue
        for p in range(indptr[query], indptr[query + 1]):
            taken[items[p]] = query + 1
        for p in range(exclude_indptr[query], exclude_indptr[query + 1]):
            taken[exclude_items[p]] = query + 1
        start = total
        for place in range(popular.size):
            if total - start == wanted[query]:
                break
            row = popular[place]
            if allowed[row] and taken[row] != query + 1:
                added[total] = place
                total += 1
        counts[query] = total - start
