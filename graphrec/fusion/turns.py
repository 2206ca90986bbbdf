"""Merging by turns: channels place their items one after the other."""

from __future__ import annotations

import numba as nb
import numpy as np
import numpy.typing as npt

from graphrec.data.lists import indptr_of
from graphrec.fusion.candidates import number_candidates, with_provenance
from graphrec.fusion.fused import FusedLists
from graphrec.fusion.selection import Selection
from graphrec.fusion.stacked import StackedLists


def by_turns(
    stacked: StackedLists,
    quotas: npt.NDArray[np.int64],
    order: npt.NDArray[np.int64],
    k: int,
    *,
    turn_length: int = 1,
) -> FusedLists:
    """Return k items a query, placed by channels that take turns, with provenance.

    Parameters
    ----------
    stacked : StackedLists
        C channels' answers to n queries.
    quotas : ndarray
        (C,) int64 places by channel. Once all are used up, room that is left is filled in the same turns, without them.
    order : ndarray
        (C,) int64: the channels' columns in the order of turns, which is reversed every round.
    k : int
        Items wanted a query, >= 1.
    turn_length : int, default 1
        Places that one turn fills at most.

    Returns
    -------
    FusedLists
        At most k entries a query. The score is ``1 - position / k``: it says the place and nothing else.

    Notes
    -----
    Time O(E + k C) for a query with E entries over all channels; memory O(n k C). Deterministic.
    """
    candidates = number_candidates(stacked)
    counts = np.empty(stacked.n, dtype=np.int64)
    places = np.empty(int(np.minimum(np.diff(candidates.indptr), k).sum()), dtype=np.int64)
    taken = np.zeros(len(candidates.items), dtype=np.bool_)
    _take_turns(stacked.starts, stacked.stops, candidates.numbers, quotas, order, turn_length, k, taken, counts, places)
    indptr = indptr_of(counts)
    positions = np.arange(len(places)) - np.repeat(indptr[:-1], counts)
    selection = Selection(indptr, places, (1.0 - positions / k).astype(np.float32))
    return with_provenance(stacked, candidates, selection)


@nb.njit(nogil=True, cache=True)
def _take_turns(
    starts: npt.NDArray[np.int64],
    stops: npt.NDArray[np.int64],
    numbers: npt.NDArray[np.int32],
    quotas: npt.NDArray[np.int64],
    order: npt.NDArray[np.int64],
    turn_length: int,
    k: int,
    taken: npt.NDArray[np.bool_],
    counts: npt.NDArray[np.int64],
    places: npt.NDArray[np.int64],
) -> None:  # pragma: no cover - compiled
    """Let channels take turns of up to ``turn_length`` places for each query; write the candidates in their order."""
    n_channels = starts.shape[0]
    pointers, left = np.empty(n_channels, dtype=np.int64), np.empty(n_channels, dtype=np.int64)
    total = 0
    for query in range(starts.shape[1]):
        pointers[:] = starts[:, query]
        first = total
        # First the quotas, then whatever room is left, for which no quota counts.
        for fill in range(2):
            if fill:
                left[:] = k
            else:
                left[:] = quotas
            turn = 0
            moved = True
            while moved and total - first < k:
                moved = False
                for step in range(n_channels):
                    # Snake: whoever chose last in one round chooses first in the next.
                    channel = order[step if turn % 2 == 0 else n_channels - 1 - step]
                    allowed = min(turn_length, left[channel])
                    while allowed > 0 and total - first < k and pointers[channel] < stops[channel, query]:
                        number = numbers[pointers[channel]]
                        pointers[channel] += 1
                        if number >= 0 and not taken[number]:
                            taken[number] = True
                            places[total] = number
                            total += 1
                            allowed -= 1
                            left[channel] -= 1
                            moved = True
                turn += 1
        counts[query] = total - first
