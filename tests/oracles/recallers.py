"""Slow, obvious versions: what a history gives through tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from tests.oracles.sparse import Dense, keep_top


def pushed(history: Mapping[int, float], tables: Sequence[Dense], keep: Sequence[int]) -> Dense:
    """Return a history (row -> weight) pushed through dense tables, all but the ``keep`` best left out between."""
    scores = np.zeros(len(tables[0]))
    for row, weight in history.items():
        scores[row] = max(0.0, weight)
    for number, table in enumerate(tables):
        scores = scores @ np.maximum(table, 0.0)
        if number < len(keep):
            scores = keep_top(scores[None], keep[number])[0]
    return scores
