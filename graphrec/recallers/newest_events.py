"""The newest events of histories as matrices, as a tower reads them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from graphrec.data.lists import indptr_of
from graphrec.data.sequences import Sequences
from graphrec.recallers.query_encoder import positions_among


class NewestEvents(NamedTuple):
    """At most w events of n histories, oldest first, from the left; w >= 1.

    ``positions`` (n, w) int64 among the rows that say something, -1 behind the last event; ``lengths`` (n,) int64;
    ``ages`` (n, w) float32 seconds before the newest of them, 0 where no time is known.
    """

    positions: npt.NDArray[np.int64]
    lengths: npt.NDArray[np.int64]
    ages: npt.NDArray[np.float32]


def newest_events(events: Sequences, rows: npt.NDArray[np.int32], most: int) -> NewestEvents:
    """Return the newest ``most`` events of each list whose weight is above 0 and whose item is among ``rows`` (t,).

    ``rows`` ascend. Time O(m log t); memory O(n * w), w the longest that is returned.
    """
    positions = positions_among(rows, events.items)
    usable = np.flatnonzero((events.weights > 0) & (positions >= 0))
    owners = np.repeat(np.arange(len(events)), events.lengths)[usable]
    counts = np.bincount(owners, minlength=len(events))
    lengths = np.minimum(counts, most)
    place = np.arange(len(usable)) - np.repeat(indptr_of(counts)[1:] - lengths, counts)
    usable, owners, place = (part[place >= 0] for part in (usable, owners, place))
    matrix = np.full((len(events), int(lengths.max(initial=1)) or 1), -1, dtype=np.int64)
    matrix[owners, place] = positions[usable]
    ages = np.zeros(matrix.shape, dtype=np.float32)
    if events.times is not None and len(usable):
        newest = np.zeros(len(events), dtype=np.int64)
        newest[owners] = events.times[usable]  # of equal owners the last is kept: the newest
        ages[owners, place] = newest[owners] - events.times[usable]
    return NewestEvents(matrix, lengths, ages)
