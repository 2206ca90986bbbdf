"""The third stage: popular items fill the places that are still empty."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from graphrec.ranking.fill import fill, hold_pins

from ..request import Request
from .stage import Candidates


@dataclass(frozen=True, slots=True, eq=False)
class Fill:
    """Fills lists that are shorter than k; where the caller named the channels, only those that are empty.

    Parameters
    ----------
    popular : ndarray
        (n_items,) int32: every item, in the order in which it is offered.
    """

    popular: npt.NDArray[np.int32]

    def apply(self, candidates: Candidates, request: Request, /) -> Candidates:
        """Return the candidates with popular ones behind them, and pins in their places again."""
        lengths = candidates.merged.lists.lengths
        missing = request.k - lengths
        if request.chosen:
            missing[lengths > 0] = 0
        merged, fallback = fill(
            candidates.merged, self.popular, missing, exclude=request.exclude, allowed=request.allowed
        )
        if merged is candidates.merged:
            return candidates
        if candidates.decrees is not None:
            merged, fallback = hold_pins(merged, fallback, candidates.decrees.pins)
        return replace(candidates, merged=merged, fallback=fallback)
