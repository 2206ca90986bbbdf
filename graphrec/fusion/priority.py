"""Priority fusion: one channel after the other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from graphrec.data.lists import ItemLists
from graphrec.errors import ConfigError
from graphrec.fusion.fused import FusedLists
from graphrec.fusion.quota import check_order, columns
from graphrec.fusion.rrf import check_settings
from graphrec.fusion.stacked import merge_in_chunks
from graphrec.fusion.turns import by_turns


@dataclass(frozen=True, slots=True)
class Priority:
    """Channels in order: the first fills all that it can, the next the room that is left, and so on.

    Parameters
    ----------
    order : list of str
        Who comes first; channels that are not named come after, in the order in which they are given.
    caps : dict of str to int
        Places that a channel may fill at most, >= 0; channels that are not named have no cap. Room that is left when
        every channel has reached its cap or its end is filled in the same order without caps: a list is never short
        while a channel has more.
    """

    kind: ClassVar[str] = "priority"
    order: list[str] = field(default_factory=list)
    caps: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_order(self.order)
        for name, cap in self.caps.items():
            if cap != int(cap) or cap < 0:
                raise ConfigError(f"the cap of channel {name!r} is {cap}; a cap is a whole number of 0 or more")

    def merge(
        self,
        lists: Mapping[str, ItemLists],
        k: int,
        *,
        histories: ItemLists | None = None,  # noqa: ARG002
    ) -> FusedLists:
        """Return k items a query; the score is ``1 - position / k``."""
        check_settings(k=k)
        caps = np.array([self.caps.get(name, k) for name in lists], dtype=np.int64)
        order = columns(tuple(lists), self.order)
        return merge_in_chunks(lists, lambda stacked: by_turns(stacked, caps, order, k, turn_length=k))

    def channel_depth(self, k: int) -> int:
        """Return k: no channel can place more."""
        return k

    def to_dict(self) -> dict[str, Any]:
        """Return the settings as JSON values."""
        return {"kind": self.kind, "order": list(self.order), "caps": dict(self.caps)}
