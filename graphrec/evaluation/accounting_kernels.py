"""The compiled kernel that compares channels' lists."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from graphrec.kernels import kernel


@kernel
def count_shared(
    starts: npt.NDArray[np.int64],
    stops: npt.NDArray[np.int64],
    indptr: npt.NDArray[np.int64],
    numbers: npt.NDArray[np.int32],
    hits: npt.NDArray[np.bool_],
    common: npt.NDArray[np.int64],
    unique_hits: npt.NDArray[np.int64],
    union_hits: npt.NDArray[np.int64],
) -> None:  # pragma: no cover - compiled
    """Add up what channels' lists have in common, hits of one channel alone, and hits of any, by query.

    ``indptr`` (n + 1,) bounds the numbers of each query's candidates; ``numbers`` (m,) are those of the entries, -1 for
    one that its list has already.
    """
    n_channels = starts.shape[0]
    for query in range(starts.shape[1]):
        first, n = indptr[query], indptr[query + 1] - indptr[query]
        has, is_hit = np.zeros((n, n_channels), dtype=np.bool_), np.zeros(n, dtype=np.bool_)
        for c in range(n_channels):
            for p in range(starts[c, query], stops[c, query]):
                if numbers[p] >= 0:
                    has[numbers[p] - first, c] = True
                    is_hit[numbers[p] - first] |= hits[p]
        for candidate in range(n):
            n_having = 0
            last = -1
            for a in range(n_channels):
                if has[candidate, a]:
                    n_having += 1
                    last = a
                    for b in range(n_channels):
                        common[a, b] += has[candidate, b]
            if is_hit[candidate]:
                union_hits[query] += 1
                if n_having == 1:
                    unique_hits[last] += 1
