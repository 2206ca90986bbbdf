"""Weighted reciprocal-rank fusion."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from graphrec.errors import ConfigError, nearest_names
from graphrec.fusion.fused import FusedLists, assemble
from graphrec.fusion.kernels import merge_by_rank
from graphrec.fusion.stacked import room, stack
from graphrec.lists import ItemLists


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
    total = merge_by_rank(
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
