"""Who has what: the pairs that are never negatives."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from graphrec.data.interactions import Interactions
from graphrec.data.lists import ItemLists, indptr_of, lists_of
from graphrec.kernels import kernel
from graphrec.negatives.protocol import Rows


class Taken:
    """The items of each user, whatever he thought of them: what he rejected is known too, and is no draw of chance.

    Parameters
    ----------
    interactions : Interactions
        Of training. Repeated events are one pair.

    Notes
    -----
    Memory is 12 bytes a pair. Time O(m log m).
    """

    def __init__(self, interactions: Interactions) -> None:
        self.n_users, self.n_items = interactions.n_users, interactions.n_items
        keys = np.unique(interactions.users.astype(np.int64) * max(self.n_items, 1) + interactions.items)
        users, self.items = keys // max(self.n_items, 1), keys % max(self.n_items, 1)
        self.indptr = indptr_of(np.bincount(users, minlength=self.n_users))

    def lists(self, users: Rows) -> ItemLists:
        """Return the items of ``users`` (b,), ascending."""
        lengths = np.diff(self.indptr)[users]
        indptr = indptr_of(lengths)
        places = np.arange(indptr[-1]) + np.repeat(self.indptr[users] - indptr[:-1], lengths)
        items = self.items[places].astype(np.int32)
        return lists_of(indptr, items, np.ones(len(items), np.float32))

    def contains(self, users: Rows, items: Rows) -> npt.NDArray[np.bool_]:
        """Return (b, r) bool: whether ``users`` (b,) have ``items`` (b, r); false for an item of -1."""
        return np.asarray(_contains(self.indptr, self.items, users, items))

    def among(self, users: Rows, shared: Rows) -> tuple[Rows, Rows]:
        """Return (h,) places among ``users`` (b,) and places among ``shared`` (n,) of the pairs that are taken.

        Time O(n log n + total length of the users' lists + h).
        """
        order = np.argsort(shared, kind="stable")
        ordered = shared[order]
        own = self.lists(users)
        starts = np.searchsorted(ordered, own.items, side="left")
        counts = np.searchsorted(ordered, own.items, side="right") - starts
        owners = np.repeat(np.repeat(np.arange(len(users)), own.lengths), counts)
        ends = indptr_of(counts)
        places = np.arange(ends[-1]) + np.repeat(starts - ends[:-1], counts)
        return owners, order[places]


@kernel
def _contains(indptr: Rows, taken: Rows, users: Rows, items: Rows) -> npt.NDArray[np.bool_]:  # pragma: no cover
    found = np.zeros(items.shape, dtype=np.bool_)
    for i in range(items.shape[0]):
        own = taken[indptr[users[i]] : indptr[users[i] + 1]]
        for j in range(items.shape[1]):
            place = np.searchsorted(own, items[i, j])
            found[i, j] = place < own.size and own[place] == items[i, j]
    return found
