"""The last stage: the head of the list that is wanted."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from graphrec.ranking.place import cut

from ..request import Request
from .stage import Candidates


@dataclass(frozen=True, slots=True)
class Head:
    """Cuts each list to the items that are wanted; the stages before made it longer (:meth:`Engine.open`)."""

    def apply(self, candidates: Candidates, request: Request, /) -> Candidates:
        """Return the first ``request.head`` candidates of each list."""
        lists = candidates.merged.lists
        if lists.lengths.max(initial=0) <= request.head:
            return candidates
        within = np.arange(len(lists.items)) - np.repeat(lists.indptr[:-1], lists.lengths)
        fallback = candidates.fallback[within < request.head]
        return replace(candidates, merged=cut(candidates.merged, request.head), fallback=fallback)
