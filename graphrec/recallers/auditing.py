"""How much of the exact answer the index of a channel gives."""

from __future__ import annotations

import numpy as np

from graphrec.index import Index, audit
from graphrec.sparse.topk import FloatArray


def audit_on_items(
    near: Index, sources: FloatArray, targets: FloatArray, *, k: int, seed: int, n_queries: int
) -> float:
    """Return the share of the exact ``k`` best of ``targets`` that ``near`` returns, on queries drawn from the items.

    ``sources`` and ``targets`` are (t, dim) float32; at most ``n_queries`` of the former are drawn with ``seed``.
    Without items the share is 1.
    """
    if len(sources) == 0:
        return 1.0
    drawn = np.random.default_rng(seed).choice(len(sources), size=min(n_queries, len(sources)), replace=False)
    return audit(near, sources[np.sort(drawn)], k, matrix=targets)
