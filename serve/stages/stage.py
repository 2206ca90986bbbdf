"""Candidates on their way through the stages, and what a stage is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from graphrec.data.lists import ItemLists, empty_lists
from graphrec.fusion.fused import FusedLists
from graphrec.ranking.decrees import Decrees

from ..request import Request


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """Candidates of n requests: arrays throughout; ids, titles and reasons are looked up once, at the end.

    Parameters
    ----------
    answers : mapping of str to ItemLists
        What each channel answered to the n requests, after filtering.
    merged : FusedLists
        The candidates, m in all, best first; n empty lists before fusion.
    fallback : ndarray
        (m,) int32: the place in the order of popular items of each candidate that no channel returned; -1 for others.
    decrees : Decrees or None
        Pins and boosts that hold for these requests.
    """

    answers: Mapping[str, ItemLists]
    merged: FusedLists
    fallback: npt.NDArray[np.int32]
    decrees: Decrees | None = None


class Stage(Protocol):
    """One step from the channels' answers to the list that is shown. Immutable; several threads share it."""

    def apply(self, candidates: Candidates, request: Request, /) -> Candidates:
        """Return the candidates after this step."""
        ...


def nothing_merged(n: int) -> FusedLists:
    """Return ``n`` empty lists of no channel."""
    return FusedLists(empty_lists(n), (), np.empty((0, 0), np.int32), np.empty((0, 0), np.float32))


def starting_with(answers: Mapping[str, ItemLists], n: int) -> Candidates:
    """Return what the first stage takes: the answers of the channels to ``n`` requests, and no candidate yet."""
    return Candidates(answers, nothing_merged(n), np.empty(0, dtype=np.int32))
