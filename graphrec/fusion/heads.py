"""The heads of channels' lists, and the shares of their entries."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from graphrec.fusion.stacked import StackedLists
from graphrec.kernels import kernel

Values = npt.NDArray[np.float64]

# Best entries of a list whose scores sum to one share: they are there in any list that is merged.
HEAD = 100


def head_shares(stacked: StackedLists) -> tuple[Values, Values]:
    """Return (m,) each entry's share of its list's head, and (C, n) the sum of the scores above 0 of each head."""
    shares, heads = np.empty(len(stacked.items)), np.empty(stacked.starts.shape)
    _share(stacked.starts, stacked.stops, stacked.scores, shares, heads)
    return shares, heads


@kernel
def _share(
    starts: npt.NDArray[np.int64],
    stops: npt.NDArray[np.int64],
    scores: npt.NDArray[np.float32],
    shares: Values,
    heads: Values,
) -> None:  # pragma: no cover - compiled
    """Write the sum of each list's head, and every entry's share of it."""
    for channel in range(starts.shape[0]):
        for query in range(starts.shape[1]):
            start, stop = starts[channel, query], stops[channel, query]
            whole = 0.0
            for p in range(start, min(stop, start + HEAD)):
                whole += max(np.float64(scores[p]), 0.0)
            heads[channel, query] = whole
            divisor = whole if whole > 0 else 1.0
            for p in range(start, stop):
                shares[p] = max(np.float64(scores[p]), 0.0) / divisor
