"""What the operations channel decrees for a batch of queries: which pins hold, and which items are boosted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from graphrec.contracts.queries import Queries
from graphrec.contracts.recaller import Recaller
from graphrec.data.lists import ItemLists
from graphrec.fusion.settings import Fusion
from graphrec.operations.recaller import OperationsRecaller, Pins

Boosts = Sequence[tuple[npt.NDArray[np.int32], npt.NDArray[np.float64]]]


@dataclass(frozen=True, slots=True, eq=False)
class Decrees:
    """Pins and boosts of n queries, read once; the stages after fusion carry them out.

    Parameters
    ----------
    channel : str
        Name of the operations channel.
    lists : ItemLists
        Its n answers after filtering: the ranks and scores that pinned items are shown with.
    pins : sequence of sequence of (int, int)
        For each query (position from 1, item row), by position. An item that was seen, excluded or taken down is not
        in the channel's list any more, and so not among them.
    boosts : sequence of (ndarray, ndarray)
        For each query item rows, ascending, and their factors.
    """

    channel: str
    lists: ItemLists
    pins: Sequence[Pins]
    boosts: Boosts

    def room(self, fusion: Fusion, k: int) -> int:
        """Return how many merged items are needed so that ``k`` are left after pins and boosts."""
        beyond = max((sum(position > k for position, _ in pins) for pins in self.pins), default=0)
        return max(k + beyond, fusion.channel_depth(k) if any(len(rows) for rows, _ in self.boosts) else 0)


def read_decrees(lists: Mapping[str, ItemLists], channels: Mapping[str, Recaller], queries: Queries) -> Decrees | None:
    """Return what holds for ``queries`` now; None where no operations channel is among those that answered.

    ``lists`` is what each channel answered, after filtering; ``channels`` the recallers by name.
    """
    for name, answers in lists.items():
        recaller = channels.get(name)
        if isinstance(recaller, OperationsRecaller):
            pins = [_allowed(pins, items) for pins, (items, _) in zip(recaller.pins(queries), answers, strict=True)]
            return Decrees(name, answers, pins, recaller.boosts(queries))
    return None


def _allowed(pins: Pins, items: npt.NDArray[np.int32]) -> Pins:
    """Return the pins whose item passed the filters."""
    if not pins:
        return pins
    passed = set(items.tolist())
    return [(position, row) for position, row in pins if row in passed]
