"""Quota fusion: every channel is given a number of places."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numba as nb
import numpy as np
import numpy.typing as npt

from graphrec.errors import ConfigError, nearest_names
from graphrec.fusion.fused import FusedLists, assemble
from graphrec.fusion.rrf import check_settings
from graphrec.fusion.stacked import find, gather, room, stack, table_size
from graphrec.lists import ItemLists


@nb.njit(nogil=True, cache=True)
def _next_free(
    pointer: int,
    stop: int,
    items: npt.NDArray[np.int32],
    keys: npt.NDArray[np.int32],
    slots: npt.NDArray[np.int32],
    placed: npt.NDArray[np.bool_],
) -> int:  # pragma: no cover - compiled
    """Return the first entry from ``pointer`` on whose item has no place yet, or ``stop``."""
    while pointer < stop and placed[slots[find(items[pointer], keys, keys.size - 1)]]:
        pointer += 1
    return pointer


@nb.njit(nogil=True, cache=True)
def _merge(
    bounds: npt.NDArray[np.int64],
    items: npt.NDArray[np.int32],
    quotas: npt.NDArray[np.int64],
    order: npt.NDArray[np.int64],
    k: int,
    widest: int,
    counts: npt.NDArray[np.int64],
    out_items: npt.NDArray[np.int32],
    out_scores: npt.NDArray[np.float32],
    out_ranks: npt.NDArray[np.int32],
) -> int:  # pragma: no cover - compiled
    """Let channels take turns for each query; return how many entries were written."""
    n_channels = bounds.shape[0]
    size = table_size(widest)
    keys = np.empty(size, dtype=np.int32)
    slots = np.empty(size, dtype=np.int32)
    rows = np.empty(widest, dtype=np.int32)
    ranks = np.empty((widest, n_channels), dtype=np.int32)
    placed = np.empty(widest, dtype=np.bool_)
    pointers = np.empty(n_channels, dtype=np.int64)
    left = np.empty(n_channels, dtype=np.int64)
    total = 0
    for query in range(bounds.shape[1] - 1):
        found = gather(query, 0, bounds, items, keys, slots, rows, ranks)
        placed[:found] = False
        pointers[:] = bounds[:, query]
        taken = 0
        # First the quotas, then whatever room is left, shared evenly.
        for fill in range(2):
            if fill:
                left[:] = k
            else:
                left[:] = quotas
            turn = 0
            moved = True
            while moved and taken < k:
                moved = False
                for step in range(n_channels):
                    # Snake: whoever chose last in one round chooses first in the next.
                    channel = order[step if turn % 2 == 0 else n_channels - 1 - step]
                    if left[channel] == 0 or taken == k:
                        continue
                    stop = bounds[channel, query + 1]
                    pointer = _next_free(pointers[channel], stop, items, keys, slots, placed)
                    pointers[channel] = pointer
                    if pointer == stop:
                        continue
                    slot = slots[find(items[pointer], keys, size - 1)]
                    placed[slot] = True
                    left[channel] -= 1
                    out_items[total] = items[pointer]
                    out_scores[total] = 1.0 - taken / k
                    out_ranks[total, :] = ranks[slot, :]
                    total += 1
                    taken += 1
                    moved = True
                turn += 1
        counts[query] = taken
    return total


def scale_quotas(quotas: Mapping[str, int], k: int) -> dict[str, int]:
    """Return quotas that sum to at most k, in the same proportions (largest remainders, ties to the earlier)."""
    wanted = sum(quotas.values())
    if wanted <= k:
        return dict(quotas)
    exact = {name: quota * k / wanted for name, quota in quotas.items()}
    scaled = {name: int(share) for name, share in exact.items()}
    by_remainder = sorted(scaled, key=lambda name: scaled[name] - exact[name])
    for name in by_remainder[: k - sum(scaled.values())]:
        scaled[name] += 1
    return scaled


def check_quotas(quotas: Mapping[str, int]) -> None:
    """Raise ConfigError unless every quota is a whole number of 0 or more and one is above 0."""
    for name, quota in quotas.items():
        if quota != int(quota) or quota < 0:
            raise ConfigError(f"the quota of channel {name!r} is {quota}; a quota is a whole number of 0 or more")
    if not any(quotas.values()):
        raise ConfigError("no channel has a quota above 0; give at least one")


def _known(names: Sequence[str], channels: tuple[str, ...], *, what: str) -> None:
    for name in names:
        if name not in channels:
            raise ConfigError(
                f"{what} names channel {name!r}, but the channels are {', '.join(channels)}"
                f"{nearest_names(name, channels)}"
            )


def merge_quota(
    lists: Mapping[str, ItemLists],
    k: int,
    *,
    quotas: Mapping[str, int],
    order: Sequence[str] | None = None,
) -> FusedLists:
    """Return k items a query, of which each channel places its quota.

    Channels take turns, and the order of turns is reversed every round (snake): each places its best item that has no
    place yet, until its quota is used up or it has no more. Room that is left is filled in the same way, by all
    channels alike.

    Parameters
    ----------
    lists : mapping of str to ItemLists
        Each channel's answers to the same n queries, best first. Their order is the order of the columns.
    k : int
        Items wanted a query, >= 1.
    quotas : mapping of str to int
        Places by channel, >= 0, summing to at most k. A channel that is not named has none, and only helps to fill.
    order : sequence of str, optional
        Who chooses first; channels that are not named come after. Default: the order of ``quotas``.

    Returns
    -------
    FusedLists
        At most k entries a query. The score is ``1 - position / k``: it says the place and nothing else. An item is
        placed once, by the first channel that chooses it, and carries the ranks of all channels that found it.

    Raises
    ------
    ConfigError
        If a name is unknown, a quota is negative, none is above 0, or they sum to more than k.
    DataError
        If the channels answer different numbers of queries.

    Notes
    -----
    Time O(E + k C) for a query with E entries over all channels. Deterministic.
    """
    check_settings(k=k)
    check_quotas(quotas)
    _known([*quotas, *(order or ())], tuple(lists), what="a quota" if order is None else "a quota or the order")
    if sum(quotas.values()) > k:
        raise ConfigError(f"the quotas sum to {sum(quotas.values())}, more than k = {k}; lower them or raise k")
    return place(lists, k, quotas=quotas, order=order)


def place(
    lists: Mapping[str, ItemLists], k: int, *, quotas: Mapping[str, int], order: Sequence[str] | None = None
) -> FusedLists:
    """Merge as :func:`merge_quota` does, with settings that are known to be legal."""
    stacked = stack(lists)
    channels = stacked.channels
    turns = list(dict.fromkeys([*(order or quotas), *channels]))
    widest, most = room(stacked, k)
    counts = np.empty(stacked.n, dtype=np.int64)
    items = np.empty(most, dtype=np.int32)
    scores = np.empty(most, dtype=np.float32)
    ranks = np.empty((most, len(channels)), dtype=np.int32)
    total = _merge(
        stacked.bounds,
        stacked.items,
        np.array([quotas.get(name, 0) for name in channels], dtype=np.int64),
        np.array([channels.index(name) for name in turns], dtype=np.int64),
        k,
        widest,
        counts,
        items,
        scores,
        ranks,
    )
    return assemble(stacked, counts, items[:total], scores[:total], ranks[:total])
