"""Quota fusion: every channel is given a number of places."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from graphrec.data.lists import ItemLists
from graphrec.errors import ConfigError, nearest_names
from graphrec.fusion.fused import FusedLists
from graphrec.fusion.rrf import check_settings
from graphrec.fusion.stacked import merge_in_chunks
from graphrec.fusion.turns import by_turns


@dataclass(frozen=True, slots=True)
class Quota:
    """Places by channel: see :func:`merge_quota`.

    Parameters
    ----------
    quotas : dict of str to int
        Places by channel, >= 0; their order is the order of turns. Where they sum to more than the k that is asked
        for, they are scaled down in proportion. A channel that is not named only helps to fill room that is left.
    """

    kind: ClassVar[str] = "quota"
    quotas: dict[str, int]

    def __post_init__(self) -> None:
        check_quotas(self.quotas)

    def merge(
        self,
        lists: Mapping[str, ItemLists],
        k: int,
        *,
        histories: ItemLists | None = None,  # noqa: ARG002
    ) -> FusedLists:
        """Return k items a query, of which each channel places its (scaled) quota."""
        check_settings(k=k)
        present = {name: quota for name, quota in self.quotas.items() if name in lists}
        return place(lists, k, quotas=scale_quotas(present, k))

    def channel_depth(self, k: int) -> int:
        """Return k: no channel can place more."""
        return k

    def to_dict(self) -> dict[str, Any]:
        """Return the settings as JSON values."""
        return {"kind": self.kind, "quotas": dict(self.quotas)}


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
        placed once, by the first channel that chooses it, and carries the ranks of all channels that returned it.

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
    places = np.array([quotas.get(name, 0) for name in lists], dtype=np.int64)
    turns = columns(tuple(lists), [*(order or quotas)])
    return merge_in_chunks(lists, lambda stacked: by_turns(stacked, places, turns, k))


def columns(channels: tuple[str, ...], first: Sequence[str]) -> npt.NDArray[np.int64]:
    """Return (C,) int64: the columns of the channels named ``first`` that are at hand, then those of all others."""
    named = dict.fromkeys(name for name in first if name in channels)
    return np.array([channels.index(name) for name in {**named, **dict.fromkeys(channels)}], dtype=np.int64)


def check_order(order: Sequence[str]) -> None:
    """Raise ConfigError where a channel stands twice in an order of turns."""
    for name in order:
        if order.count(name) > 1:
            raise ConfigError(f"the order names channel {name!r} {order.count(name)} times; name each channel once")
