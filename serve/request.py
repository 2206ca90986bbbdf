"""Requests in rows: what channels and stages read."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from graphrec.contracts.queries import Queries
from graphrec.data.lists import ItemLists


@dataclass(frozen=True, slots=True, eq=False)
class Request:
    """n requests of the same settings, in rows; a single request has n = 1.

    Parameters
    ----------
    queries : Queries
        User rows, whole histories and context.
    exclude : ItemLists
        n lists: the histories and what the caller excludes.
    allowed : ndarray
        (n_items,) bool: the pool without what is taken down, and the caller's filter where there is one.
    filtered : bool
        Whether the caller gave a filter.
    channels : tuple of str
        Names of the channels to ask.
    chosen : bool
        Whether the caller named them.
    k : int
        Items of the list that is made, at most n_items: those wanted, or more, so that short lists are heads of it.
    head : int
        Items wanted: so many of its first are returned.
    unknown : int
        Ids that were ignored.
    deadline_ms : float or None
        Time within which channels must answer.
    """

    queries: Queries
    exclude: ItemLists
    allowed: npt.NDArray[np.bool_]
    filtered: bool
    channels: tuple[str, ...]
    chosen: bool
    k: int
    head: int
    unknown: int = 0
    deadline_ms: float | None = None

    def __len__(self) -> int:
        return len(self.queries)
