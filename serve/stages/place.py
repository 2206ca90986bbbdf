"""The second stage: boosts count, and pins take their positions."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from graphrec.ranking.place import place

from ..request import Request
from .stage import Candidates


@dataclass(frozen=True, slots=True)
class CarryOutDecrees:
    """Carries out what the operations channel decreed; without such a channel nothing changes."""

    def apply(self, candidates: Candidates, request: Request, /) -> Candidates:
        """Return the candidates with boosts counted and pins in their places, at most k a request."""
        if candidates.decrees is None:
            return candidates
        merged = place(candidates.merged, candidates.decrees, request.k)
        return replace(candidates, merged=merged, fallback=np.full(len(merged.lists.items), -1, dtype=np.int32))
