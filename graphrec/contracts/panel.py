"""The users of a measurement, its moment, and what is held out for them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from graphrec.checks import as_array, check_count, check_length, check_rows, typed_fields
from graphrec.contracts.queries import Queries, take_queries
from graphrec.data.lists import ItemLists, take_lists
from graphrec.data.sequences import Sequences
from graphrec.errors import ConfigError, DataError


@typed_fields
@dataclass(frozen=True, slots=True, init=False, eq=False)
class Panel:
    """n users with held-out items: what evaluation, validation, latency and early stopping measure on.

    Its ``queries`` are made once, and every channel answers them.

    Parameters
    ----------
    users : ndarray
        (n,) int32 user rows; -1 is an unknown user.
    history : Sequences or ItemLists
        n lists: what each user had before the held-out events, oldest first.
    truth : ItemLists
        n lists, none empty: the held-out items of each user, all of them with a weight above 0 and in the pool, or
        outside the catalogue. The latter have rows from ``n_items`` on: no channel can return them, so they are missed.
    pool : ndarray
        (n_items,) bool: the items that may be recalled. They are ranked in full.
    moment : float or None
        Seconds UTC of every query, for channels that keep a schedule; None where events have no times.
    n_outside : int, default 0
        Held-out items that are outside the catalogue: rows ``n_items..n_items + n_outside - 1`` of the truth.

    Raises
    ------
    DataError
        If lengths disagree, a row is out of range, a user has no held-out item, or a held-out item is outside the pool
        or has a weight of 0 or below.
    ConfigError
        If ``n_outside`` is below 0.
    """

    queries: Queries
    truth: ItemLists
    pool: npt.NDArray[np.bool_]
    n_outside: int

    def __init__(
        self,
        users: npt.ArrayLike,
        history: Sequences | ItemLists,
        truth: ItemLists,
        pool: npt.ArrayLike,
        moment: float | None = None,
        *,
        n_outside: int = 0,
    ) -> None:
        object.__setattr__(self, "queries", Queries(users, history, now=moment))
        check_count("n_outside", n_outside, 0)
        object.__setattr__(self, "n_outside", int(n_outside))
        object.__setattr__(self, "truth", truth)
        object.__setattr__(self, "pool", as_array(pool, np.bool_, name="pool"))
        if moment is not None and not math.isfinite(moment):
            raise DataError(f"the moment of a panel is {moment}; it must be finite seconds UTC, or None")
        check_rows(history.items, len(self.pool), name="history")
        check_length(truth.lengths, len(self), name="truth")
        check_rows(truth.items, len(self.pool) + n_outside, name="truth")
        _check_truth(self)

    @property
    def users(self) -> npt.NDArray[np.int32]:
        """(n,) int32 user rows."""
        return self.queries.users

    @property
    def history(self) -> ItemLists:
        """N lists of the items that each user had before."""
        return self.queries.history

    @property
    def moment(self) -> float | None:
        """Seconds UTC of every query."""
        return self.queries.now

    def __len__(self) -> int:
        return len(self.queries)


def _check_truth(panel: Panel) -> None:
    truth = panel.truth
    if len(panel) and int(truth.lengths.min()) == 0:
        raise DataError(f"user {int(np.argmin(truth.lengths))} of the panel has no held-out item; leave the user out")
    inside = truth.items[truth.items < len(panel.pool)]
    if not panel.pool[inside].all():
        outside = int(inside[~panel.pool[inside]][0])
        raise DataError(f"held-out item {outside} is not in the pool; no channel may return it, so leave it out")
    if not (truth.scores > 0).all():
        raise DataError(f"a held-out item has the weight {truth.scores.min():g}; it must be above 0")


def take_panel(panel: Panel, positions: npt.ArrayLike) -> Panel:
    """Return the users at ``positions`` (n',), in that order, with the same pool and moment."""
    chosen = np.asarray(positions, dtype=np.int64)
    # Part of a panel that was checked is a legal panel.
    part = object.__new__(Panel)
    object.__setattr__(part, "queries", take_queries(panel.queries, chosen))
    object.__setattr__(part, "truth", take_lists(panel.truth, chosen))
    object.__setattr__(part, "pool", panel.pool)
    object.__setattr__(part, "n_outside", panel.n_outside)
    return part


def chunks(panel: Panel, size: int) -> Iterator[Panel]:
    """Yield the users of a panel in their order, ``size`` at a time, so that the lists of few are held together.

    Raises
    ------
    ConfigError
        If ``size < 1``.
    """
    if size < 1:
        raise ConfigError(f"the size of a chunk is {size}; it must be 1 or more")
    for start in range(0, len(panel), size):
        yield take_panel(panel, np.arange(start, min(start + size, len(panel))))
