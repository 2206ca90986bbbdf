"""Slow, obvious versions: calibrated rates, a walk through trees, the best of a list."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from graphrec.fusion.curves import Curve
from graphrec.fusion.trees import Trees


def calibrated_rate(curve: Curve, share: float, rank: float) -> float:
    """The rate of hits of an entry with this share and 1-based rank, by numpy."""
    if curve.shares:
        return float(np.interp(share, curve.shares, curve.rates))
    odds = curve.intercept + curve.share_slope * np.log(max(share, 1e-9)) + curve.rank_slope * np.log(rank)
    return float(1 / (1 + np.exp(-odds)))


def walk_trees(trees: Trees, rows: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """The sum of the leaves that each row (n, F) comes to, walked node by node, in the order of trees."""
    totals = np.zeros(len(rows))
    for p, row in enumerate(rows.tolist()):
        for root in trees.roots:
            node = root
            while trees.features[node] >= 0:
                node = node + 1 if row[trees.features[node]] <= trees.values[node] else trees.rights[node]
            totals[p] += trees.values[node]
    return totals


def best_of_list(items: list[int], scores: list[float], k: int) -> list[int]:
    """Places of the k best scores above 0, best first, ties by item."""
    order = sorted(range(len(items)), key=lambda place: (-scores[place], items[place]))
    return [place for place in order if scores[place] > 0][:k]
