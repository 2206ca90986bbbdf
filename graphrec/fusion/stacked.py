"""The lists of several channels in one run of arrays, the form that kernels read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from graphrec.data.lists import ItemLists
from graphrec.errors import DataError


@dataclass(frozen=True, slots=True, eq=False)
class StackedLists:
    """C channels' answers to the same n queries, laid end to end.

    ``bounds`` (C, n + 1) int64 are each channel's ``indptr`` shifted by where the channel starts, so that channel c's
    answer to query i is ``items[bounds[c, i]:bounds[c, i + 1]]``; ``items`` (m,) int32 and ``scores`` (m,) float32.
    """

    channels: tuple[str, ...]
    bounds: npt.NDArray[np.int64]
    items: npt.NDArray[np.int32]
    scores: npt.NDArray[np.float32]

    @property
    def n(self) -> int:
        """Number of queries."""
        return int(self.bounds.shape[1]) - 1

    def part(self, start: int, stop: int) -> StackedLists:
        """Return the answers to queries ``start`` to ``stop``, in the same run of arrays."""
        bounds = np.ascontiguousarray(self.bounds[:, start : stop + 1])
        return StackedLists(self.channels, bounds, self.items, self.scores)


def stack(lists: Mapping[str, ItemLists]) -> StackedLists:
    """Return the channels' lists stacked in the order of the mapping.

    Raises
    ------
    DataError
        If there is no channel, or the channels answer different numbers of queries.
    """
    if not lists:
        raise DataError("there are no channels to merge; give at least one list of candidates")
    parts = list(lists.values())
    n = len(parts[0])
    bounds = np.empty((len(parts), n + 1), dtype=np.int64)
    start = 0
    for position, (name, part) in enumerate(lists.items()):
        if len(part) != n:
            first = next(iter(lists))
            raise DataError(f"channel {name!r} answers {len(part)} queries, channel {first!r} answers {n}")
        np.add(part.indptr, start, out=bounds[position])
        start += len(part.items)
    items = np.concatenate([part.items for part in parts])
    scores = np.concatenate([part.scores for part in parts])
    return StackedLists(tuple(lists), bounds, items, scores)
