"""Snake fusion: equal turns, and whoever chose last in one round chooses first in the next."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from graphrec.data.lists import ItemLists
from graphrec.fusion.fused import FusedLists
from graphrec.fusion.quota import check_order, place
from graphrec.fusion.rrf import check_settings


@dataclass(frozen=True, slots=True)
class Snake:
    """Equal turns: each channel places its best item that has no place yet, and every round reverses the order.

    It knows nothing of how good the channels are, and needs nothing: no weights, no held-out events. An item that
    several channels returned is placed once, by the first that chooses it, so that no channel is cut short by overlap.

    Parameters
    ----------
    order : list of str
        Who chooses first; channels that are not named come after, in the order in which they are given.
    """

    kind: ClassVar[str] = "snake"
    order: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        check_order(self.order)

    def merge(
        self,
        lists: Mapping[str, ItemLists],
        k: int,
        *,
        histories: ItemLists | None = None,  # noqa: ARG002
    ) -> FusedLists:
        """Return k items a query; the score is ``1 - position / k``."""
        check_settings(k=k)
        return place(lists, k, quotas={}, order=self.order)

    def channel_depth(self, k: int) -> int:
        """Return k: no channel can place more."""
        return k

    def to_dict(self) -> dict[str, Any]:
        """Return the settings as JSON values."""
        return {"kind": self.kind, "order": list(self.order)}
