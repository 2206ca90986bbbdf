"""Weighted reciprocal-rank fusion."""

from __future__ import annotations

from collections.abc import Mapping

import numba as nb
import numpy as np
import numpy.typing as npt

from graphrec.errors import ConfigError, nearest_names
from graphrec.fusion.fused import FusedLists, assemble
from graphrec.fusion.stacked import find, gather, room, stack, table_size
from graphrec.lists import ItemLists


@nb.njit(nogil=True, cache=True)
def _merge(
    bounds: npt.NDArray[np.int64],
    items: npt.NDArray[np.int32],
    weights: npt.NDArray[np.float64],
    c: float,
    depth: int,
    k: int,
    widest: int,
    counts: npt.NDArray[np.int64],
    out_items: npt.NDArray[np.int32],
    out_scores: npt.NDArray[np.float32],
    out_ranks: npt.NDArray[np.int32],
) -> int:  # pragma: no cover - compiled
    """Merge each query's lists into the ``out`` arrays; return how many entries were written."""
    n_channels = bounds.shape[0]
    size = table_size(widest)
    keys = np.empty(size, dtype=np.int32)
    slots = np.empty(size, dtype=np.int32)
    rows = np.empty(widest, dtype=np.int32)
    ranks = np.empty((widest, n_channels), dtype=np.int32)
    scores = np.empty(widest, dtype=np.float32)
    bits = scores.view(np.int32)
    order = np.empty(widest, dtype=np.int64)
    total = 0
    for query in range(bounds.shape[1] - 1):
        found = gather(query, depth, bounds, items, keys, slots, rows, ranks)
        n_scored = 0
        for slot in range(found):
            score = 0.0
            for channel in range(n_channels):
                if ranks[slot, channel] > 0:
                    score += weights[channel] / (c + ranks[slot, channel])
            scores[slot] = score
            if score > 0.0:
                # Positive floats sort like their bits, so one integer sorts by falling score, then by rising row.
                falling = np.int64(0x7FFFFFFF) - np.int64(bits[slot])
                order[n_scored] = (falling << np.int64(32)) | np.int64(rows[slot])
                n_scored += 1
        order[:n_scored].sort()
        taken = min(k, n_scored)
        for position in range(taken):
            row = order[position] & np.int64(0x7FFFFFFF)
            slot = slots[find(row, keys, size - 1)]
            out_items[total] = row
            out_scores[total] = scores[slot]
            out_ranks[total, :] = ranks[slot, :]
            total += 1
        counts[query] = taken
    return total


def check_weights(weights: Mapping[str, float], channels: tuple[str, ...]) -> npt.NDArray[np.float64]:
    """Return (C,) float64 weights in the order of ``channels``; a channel that is not named weighs 1.

    Raises
    ------
    ConfigError
        If a name is unknown, a weight is negative or not finite, or no weight is above 0.
    """
    for name, weight in weights.items():
        if name not in channels:
            raise ConfigError(
                f"there is a weight for channel {name!r}, but the channels are {', '.join(channels)}"
                f"{nearest_names(name, channels)}"
            )
        if not (np.isfinite(weight) and weight >= 0):
            raise ConfigError(f"the weight of channel {name!r} is {weight}; a weight is a number of 0 or more")
    column = np.array([weights.get(name, 1.0) for name in channels], dtype=np.float64)
    if not (column > 0).any():
        raise ConfigError(f"the weights of all channels ({', '.join(channels)}) are 0; at least one must be above 0")
    return column


def merge_rrf(
    lists: Mapping[str, ItemLists],
    k: int,
    *,
    weights: Mapping[str, float] | None = None,
    c: float = 60.0,
    depth: int = 0,
) -> FusedLists:
    r"""Return the best k items a query by weighted reciprocal ranks.

    .. math:: s(i) = \sum_{h \in channels:\ i \in h} \frac{w_h}{c + rank_h(i)}

    Parameters
    ----------
    lists : mapping of str to ItemLists
        Each channel's answers to the same n queries, best first. Their order is the order of the columns.
    k : int
        Items wanted a query, >= 1.
    weights : mapping of str to float, optional
        >= 0 and not all 0; channels that are not named weigh 1. A channel of weight 0 adds no item of its own, but its
        ranks are still told.
    c : float, default 60.0
        > 0. Larger means that the first places count less. Source: [1]_, where 60 was found good and not critical.
    depth : int, default 0
        How many entries of each channel are used; 0 uses all.

    Returns
    -------
    FusedLists
        At most k entries a query, scores falling, ties by row.

    Raises
    ------
    ConfigError
        On illegal ``k``, ``c``, ``depth`` or ``weights``.
    DataError
        If the channels answer different numbers of queries.

    Notes
    -----
    Time O(E log E) for a query with E entries over all channels; memory O(n k C). Deterministic.

    References
    ----------
    .. [1] G. Cormack, C. Clarke, S. Büttcher, "Reciprocal Rank Fusion outperforms Condorcet and individual Rank
       Learning Methods", SIGIR 2009. Differs: weights by channel.
    """
    check_settings(k=k, c=c, depth=depth)
    column = check_weights(weights or {}, tuple(lists)) if lists else np.empty(0)
    stacked = stack(lists)
    widest, most = room(stacked, k)
    counts = np.empty(stacked.n, dtype=np.int64)
    items = np.empty(most, dtype=np.int32)
    scores = np.empty(most, dtype=np.float32)
    ranks = np.empty((most, len(column)), dtype=np.int32)
    total = _merge(
        stacked.bounds, stacked.items, column, float(c), depth, k, widest, counts, items, scores, ranks
    )  # fmt: skip
    return assemble(stacked, counts, items[:total], scores[:total], ranks[:total])


def check_settings(*, k: int = 1, c: float = 60.0, depth: int = 0) -> None:
    """Raise ConfigError unless ``k`` >= 1, ``c`` is finite and > 0, and ``depth`` >= 0."""
    if k < 1:
        raise ConfigError(f"k is {k}; ask for at least 1 item")
    if not (np.isfinite(c) and c > 0):
        raise ConfigError(f"c is {c}; it must be above 0 (60 is usual)")
    if depth < 0:
        raise ConfigError(f"depth is {depth}; it must be 0 (all entries) or more")
