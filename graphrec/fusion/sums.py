"""Merging by sums: an item's score is the sum of what its entries are worth."""

from __future__ import annotations

import numba as nb
import numpy as np
import numpy.typing as npt

from graphrec.fusion.candidates import Candidates, number_candidates, with_provenance
from graphrec.fusion.fused import FusedLists
from graphrec.fusion.selection import select_best
from graphrec.fusion.stacked import StackedLists


def by_sum(stacked: StackedLists, values: npt.NDArray[np.float64], k: int) -> FusedLists:
    """Return the k items of each query whose entries have the largest sum, with provenance.

    Parameters
    ----------
    stacked : StackedLists
        C channels' answers to n queries, m entries in all.
    values : ndarray
        (m,) float64, finite, >= 0: what each entry adds to its item. An item whose sum is 0 is left out.
    k : int
        Items wanted a query, >= 1.

    Returns
    -------
    FusedLists
        At most k entries a query, scored by their sums, falling; ties by row. An item that stands twice in one
        channel's list counts there once, at its better rank.

    Notes
    -----
    Sums are taken in float64 in the order of channels, and compared in float32. Time O(E + k) for a query with E
    entries over all channels; memory O(n k C). Deterministic.
    """
    candidates = number_candidates(stacked)
    best = select_best(candidates.indptr, candidates.items, sum_values(stacked, candidates, values), k)
    return with_provenance(stacked, candidates, best)


def sum_values(
    stacked: StackedLists, candidates: Candidates, values: npt.NDArray[np.float64]
) -> npt.NDArray[np.float32]:
    """Return (c,) float32: the sum of the ``values`` (m,) of the entries that name each candidate."""
    sums = np.zeros(len(candidates.items) + 1)
    _add(stacked.starts, stacked.stops, candidates.numbers, values, sums)
    return sums[:-1].astype(np.float32)


@nb.njit(nogil=True, cache=True)
def _add(
    starts: npt.NDArray[np.int64],
    stops: npt.NDArray[np.int64],
    numbers: npt.NDArray[np.int32],
    values: npt.NDArray[np.float64],
    sums: npt.NDArray[np.float64],
) -> None:  # pragma: no cover - compiled
    """Add every entry's value to its candidate's sum, channel after channel; those of no candidate (-1) to the last."""
    for channel in range(starts.shape[0]):
        for query in range(starts.shape[1]):
            for p in range(starts[channel, query], stops[channel, query]):
                sums[numbers[p]] += values[p]
