"""Slow, obvious versions: calibrated rates."""

from __future__ import annotations

import numpy as np

from graphrec.fusion.calibrated import Curve


def calibrated_rate(curve: Curve, share: float, rank: float) -> float:
    """The rate of hits of an entry with this share and 1-based rank, by numpy."""
    if curve.shares:
        return float(np.interp(share, curve.shares, curve.rates))
    odds = curve.intercept + curve.share_slope * np.log(max(share, 1e-9)) + curve.rank_slope * np.log(rank)
    return float(1 / (1 + np.exp(-odds)))
