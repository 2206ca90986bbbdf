"""Events between users and items, one row each."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from graphrec.checks import as_array, check_finite, check_length, check_rows
from graphrec.errors import DataError
from graphrec.lists import ItemLists

# 2100-01-01 in seconds; anything later was most likely written in milliseconds.
_LATEST_TIME = 4_102_444_800


@dataclass(frozen=True, slots=True, init=False, eq=False)
class Interactions:
    """A table of events: user row, item row, weight, and time where it is known.

    Parameters
    ----------
    users, items : ndarray
        (m,) int32 rows.
    weights : ndarray or None
        (m,) float32, finite. None means 1 each.
    times : ndarray or None
        (m,) int64 seconds UTC, or None where no time is known (then the order of rows is the order of events).
    n_users, n_items : int
        Sizes of the two vocabularies; never inferred from the largest row.

    Raises
    ------
    DataError
        On unequal lengths, rows out of range, weights that are not finite, or times that look like milliseconds.
    """

    users: npt.NDArray[np.int32]
    items: npt.NDArray[np.int32]
    weights: npt.NDArray[np.float32]
    times: npt.NDArray[np.int64] | None
    n_users: int
    n_items: int

    def __init__(
        self,
        users: npt.ArrayLike,
        items: npt.ArrayLike,
        weights: npt.ArrayLike | None = None,
        times: npt.ArrayLike | None = None,
        *,
        n_users: int,
        n_items: int,
    ) -> None:
        set_field = object.__setattr__
        set_field(self, "users", as_array(users, np.int32, name="users"))
        m = len(self.users)
        set_field(self, "items", as_array(items, np.int32, name="items"))
        filled = np.ones(m, dtype=np.float32) if weights is None else weights
        set_field(self, "weights", as_array(filled, np.float32, name="weights"))
        set_field(self, "times", None if times is None else as_array(times, np.int64, name="times"))
        set_field(self, "n_users", int(n_users))
        set_field(self, "n_items", int(n_items))
        check_length(self.items, m, name="items")
        check_length(self.weights, m, name="weights")
        check_rows(self.users, self.n_users, name="users")
        check_rows(self.items, self.n_items, name="items")
        check_finite(self.weights, name="weights")
        if self.times is not None:
            check_length(self.times, m, name="times")
            if m and int(self.times.max()) > _LATEST_TIME:
                raise DataError(
                    f"time {int(self.times.max())} lies after the year 2100; times are seconds UTC: "
                    "divide milliseconds by 1000"
                )

    def __len__(self) -> int:
        return len(self.users)


def take(interactions: Interactions, rows: npt.NDArray[np.intp] | npt.NDArray[np.bool_]) -> Interactions:
    """Return the events at ``rows`` (positions or a mask), sizes unchanged."""
    return Interactions(
        interactions.users[rows],
        interactions.items[rows],
        interactions.weights[rows],
        None if interactions.times is None else interactions.times[rows],
        n_users=interactions.n_users,
        n_items=interactions.n_items,
    )


def coalesce(interactions: Interactions) -> Interactions:
    """Return one event a (user, item) pair: weights summed, the latest time kept.

    Rows come in order of user, then of the (last) event. Time O(m log m).
    """
    m = len(interactions)
    if m == 0:
        return interactions
    sequence = np.arange(m) if interactions.times is None else np.lexsort((np.arange(m), interactions.times))
    rank = np.empty(m, dtype=np.int64)
    rank[sequence] = np.arange(m)
    key = interactions.users.astype(np.int64) * interactions.n_items + interactions.items
    order = np.lexsort((rank, key))
    sorted_key = key[order]
    last = np.append(np.flatnonzero(np.diff(sorted_key)), m - 1)
    first = np.append(0, last[:-1] + 1)
    kept = order[last]
    weights = np.add.reduceat(interactions.weights[order].astype(np.float64), first).astype(np.float32)
    back = np.lexsort((rank[kept], interactions.users[kept]))
    kept, weights = kept[back], weights[back]
    return Interactions(
        interactions.users[kept],
        interactions.items[kept],
        weights,
        None if interactions.times is None else interactions.times[kept],
        n_users=interactions.n_users,
        n_items=interactions.n_items,
    )


def histories(interactions: Interactions) -> ItemLists:
    """Return each user's distinct items, oldest first, with summed weights as scores.

    Returns
    -------
    ItemLists
        List ``u`` is the history of user ``u``; ``n = interactions.n_users``.
    """
    merged = coalesce(interactions)
    indptr = np.zeros(merged.n_users + 1, dtype=np.int64)
    np.cumsum(np.bincount(merged.users, minlength=merged.n_users), out=indptr[1:])
    return ItemLists(indptr, merged.items, merged.weights)


def to_csr(interactions: Interactions, *, binary: bool = False) -> sp.csr_array:
    """Return the (n_users, n_items) float32 matrix of summed weights, or of ones with ``binary``.

    Indices are int32 and sorted in each row.
    """
    matrix = sp.coo_array(
        (interactions.weights, (interactions.users, interactions.items)),
        shape=(interactions.n_users, interactions.n_items),
    ).tocsr()
    matrix.sum_duplicates()
    if binary:
        matrix.data = np.ones_like(matrix.data)
    return sp.csr_array(matrix)


def item_counts(interactions: Interactions) -> npt.NDArray[np.int64]:
    """Return (n_items,) int64: events each item has."""
    return np.bincount(interactions.items, minlength=interactions.n_items).astype(np.int64)
