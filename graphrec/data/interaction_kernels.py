"""Compiled parts of ``interactions``: events brought together by user, and pairs made of them in place."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from graphrec.kernels import kernel

FloatArray = npt.NDArray[np.float32]
RowArray = npt.NDArray[np.int32]
IntArray = npt.NDArray[np.int64]


@kernel
def count_users(users: RowArray, first: int, counts: IntArray) -> None:  # pragma: no cover - compiled
    """Add to ``counts`` the events of the users ``first``, ``first + 1``, ...; others are passed over."""
    for user in users:
        if 0 <= user - first < counts.size:
            counts[user - first] += 1


@kernel
def scatter(
    users: RowArray,
    items: RowArray,
    weights: FloatArray,
    times: IntArray,
    first: int,
    places: IntArray,
    out_items: RowArray,
    out_weights: FloatArray,
    out_times: IntArray,
) -> None:  # pragma: no cover - compiled
    """Copy the events of the users from ``first`` on to where ``places`` puts each user's next event.

    The order of one user's events is kept. ``times`` is empty where there are none.
    """
    for p in range(users.size):
        user = users[p] - first
        if 0 <= user < places.size:
            place = places[user]
            places[user] += 1
            out_items[place] = items[p]
            out_weights[place] = weights[p]
            if times.size:
                out_times[place] = times[p]


@kernel
def _sort_by_time(items: RowArray, weights: FloatArray, times: IntArray) -> None:  # pragma: no cover - compiled
    """Bring one user's events into order of time, those of one time as they are."""
    for p in range(1, times.size):
        if times[p] < times[p - 1]:
            order = np.argsort(times, kind="mergesort")
            items[:], weights[:], times[:] = items[order], weights[order], times[order]
            return


@kernel
def merge_pairs(
    indptr: IntArray,
    first: int,
    n_items: int,
    users: RowArray,
    items: RowArray,
    weights: FloatArray,
    times: IntArray,
) -> int:  # pragma: no cover - compiled
    """Make one event of each (user, item) pair, in place, and write the users; return how many pairs there are.

    The pairs of a user stand in order of their last events. What is written never overtakes what is read.
    """
    last, total = np.full(n_items, -1, dtype=np.int64), np.empty(n_items, dtype=np.float64)
    n = 0
    for u in range(indptr.size - 1):
        start, stop = indptr[u], indptr[u + 1]
        if times.size:
            _sort_by_time(items[start:stop], weights[start:stop], times[start:stop])
        for p in range(start, stop):
            item = items[p]
            total[item] = weights[p] + (total[item] if last[item] >= start else 0.0)
            last[item] = p
        for p in range(start, stop):
            item = items[p]
            if last[item] == p:
                users[n], items[n], weights[n] = first + u, item, total[item]
                if times.size:
                    times[n] = times[p]
                n += 1
    return n
