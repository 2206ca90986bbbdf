"""The first stage: the lists of the channels become one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from graphrec.contracts.recaller import Recaller
from graphrec.fusion.settings import Fusion
from graphrec.ranking.decrees import read_decrees
from graphrec.ranking.place import fuse

from ..request import Request
from .stage import Candidates


@dataclass(frozen=True, slots=True, eq=False)
class Fuse:
    """Merges what the channels answered; pins and boosts are read here, because they need a longer list.

    Parameters
    ----------
    fusion : Fusion
        How lists are merged.
    channels : mapping of str to Recaller
        The recallers by name.
    """

    fusion: Fusion
    channels: Mapping[str, Recaller]

    def apply(self, candidates: Candidates, request: Request, /) -> Candidates:
        """Return the merged lists; n empty ones where no channel answered."""
        if not candidates.answers:
            return candidates
        decrees = read_decrees(candidates.answers, self.channels, request.queries)
        merged = fuse(self.fusion, candidates.answers, decrees, request.queries, request.k)
        fallback = np.full(len(merged.lists.items), -1, dtype=np.int32)
        return replace(candidates, merged=merged, fallback=fallback, decrees=decrees)
