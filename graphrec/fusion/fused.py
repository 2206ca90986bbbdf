"""Merged candidate lists which remember what each channel said of every item."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from graphrec.checks import check_length
from graphrec.data.lists import ItemLists, concatenate, take_lists
from graphrec.errors import DataError


@dataclass(frozen=True, slots=True, eq=False)
class FusedLists:
    """n merged lists with provenance.

    Parameters
    ----------
    lists : ItemLists
        The merged lists, m entries in all, best first.
    channels : tuple of str
        Names of the C channels, the columns below.
    ranks : ndarray
        (m, C) int32: 1-based rank of the entry in the channel's own list; 0 where the channel did not return it.
    scores : ndarray
        (m, C) float32: the channel's own score; NaN where it did not return the entry.

    Raises
    ------
    DataError
        If the shapes disagree.
    """

    lists: ItemLists
    channels: tuple[str, ...]
    ranks: npt.NDArray[np.int32]
    scores: npt.NDArray[np.float32]

    def __post_init__(self) -> None:
        check_length(self.ranks, len(self.lists.items), name="ranks")
        expected = (len(self.lists.items), len(self.channels))
        for name, array in (("ranks", self.ranks), ("scores", self.scores)):
            if array.shape != expected:
                raise DataError(f"{name} have shape {array.shape}; {expected[1]} channels need {expected}")

    def __len__(self) -> int:
        return len(self.lists)

    def query(self, position: int) -> FusedLists:
        """Return the merged list of one query alone, provenance included."""
        start, stop = self.lists.indptr[position], self.lists.indptr[position + 1]
        alone = take_lists(self.lists, [position])
        return FusedLists(alone, self.channels, self.ranks[start:stop], self.scores[start:stop])


def concatenate_fused(parts: Sequence[FusedLists]) -> FusedLists:
    """Return the merged lists of all parts, one after the other; their channels are the same."""
    if len(parts) == 1:
        return parts[0]
    ranks, scores = (np.concatenate([getattr(part, name) for part in parts]) for name in ("ranks", "scores"))
    return FusedLists(concatenate([part.lists for part in parts]), parts[0].channels, ranks, scores)
