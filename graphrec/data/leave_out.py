"""Lists without what may not be returned: seen, excluded and taken-down items."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from graphrec.data.lists import ItemLists, indptr_of, lists_of
from graphrec.kernels import kernel


@kernel
def _filter(
    indptr: npt.NDArray[np.int64],
    items: npt.NDArray[np.int32],
    exclude_indptr: npt.NDArray[np.int64],
    exclude_items: npt.NDArray[np.int32],
    allowed: npt.NDArray[np.bool_],
    k: int,
    kept: npt.NDArray[np.int64],
    counts: npt.NDArray[np.int64],
) -> int:  # pragma: no cover - compiled
    """Write positions of surviving entries to ``kept`` and lengths to ``counts``; return how many survive."""
    stamp = np.full(allowed.size, -1, dtype=np.int32)
    total = 0
    for i in range(indptr.size - 1):
        for p in range(exclude_indptr[i], exclude_indptr[i + 1]):
            stamp[exclude_items[p]] = i
        taken = 0
        for p in range(indptr[i], indptr[i + 1]):
            item = items[p]
            if taken == k:
                break
            if allowed[item] and stamp[item] != i:
                kept[total] = p
                total += 1
                taken += 1
        counts[i] = taken
    return total


def leave_out(lists: ItemLists, k: int, *, exclude: ItemLists, allowed: npt.NDArray[np.bool_]) -> ItemLists:
    """Return each list without its excluded and disallowed items, cut to ``k``. Order is kept."""
    kept = np.empty(len(lists.items), dtype=np.int64)
    counts = np.empty(len(lists), dtype=np.int64)
    total = _filter(lists.indptr, lists.items, exclude.indptr, exclude.items, allowed, k, kept, counts)
    indptr = indptr_of(counts)
    return lists_of(indptr, lists.items[kept[:total]], lists.scores[kept[:total]])
