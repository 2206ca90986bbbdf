"""Which items are taken by the same users, where a plain sparse product cannot say it.

Two cases: pairs of events that lie far apart in time count less, and similarities whose divisor depends on both items.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from graphrec.data.interactions import Interactions
from graphrec.data.lists import indptr_of
from graphrec.data.neighbours import NeighbourTable
from graphrec.kernels import kernel
from graphrec.sparse.taste import Scale
from graphrec.sparse.topk import FloatArray, Pushed, RowArray, chunk_rows, join, select_top
from graphrec.threads import map_chunks

Bounds = npt.NDArray[np.int64]

COSINE, JACCARD, DICE = 0, 1, 2

# A pair of events that counts less than this share of what it would count side by side is left out.
_FADED = 1e-6


def similar_items(
    pairs: Interactions,
    left: Scale,
    right: Scale,
    norms: Scale,
    pool: npt.NDArray[np.bool_],
    k: int,
    *,
    similarity: int = COSINE,
    shrinkage: float = 0.0,
    half_life_s: float = 0.0,
) -> NeighbourTable:
    r"""Return each item's k most similar items, by the users who took both.

    .. math:: O_{ij} = \sum_u l_{ui} \, r_{uj} \, 2^{-|t_{ui} - t_{uj}| / H}

    The score is O itself (``COSINE``: the caller has scaled either side), :math:`O_{ij} / (n_i + n_j - O_{ij} + h)`
    (``JACCARD``) or :math:`2 O_{ij} / (n_i + n_j + h)` (``DICE``).

    Parameters
    ----------
    pairs : Interactions
        One event a (user, item) pair, by user, oldest first. Its weights are not read.
    left, right : ndarray
        (m,) float64 > 0: what each pair counts as the item, and as its neighbour.
    norms : ndarray
        (n_items,) float64: n above; not read for ``COSINE``.
    pool : ndarray
        (n_items,) bool: items that may be neighbours.
    k : int
        Neighbours kept an item, >= 1.
    similarity : int
        ``COSINE``, ``JACCARD`` or ``DICE``.
    shrinkage : float, default 0.0
        h above.
    half_life_s : float, default 0.0
        H above, in seconds; 0 counts all pairs of events alike, and times are not read.

    Returns
    -------
    NeighbourTable
        Best first, ties by row; scores > 0; an item is not its own neighbour.

    Notes
    -----
    Time O(sum over users of deg(u)^2), less where time decay ends the walk along a history early; memory O(n_items * k)
    and one accumulator of n_items a thread. The result does not depend on the number of threads.
    """
    n, width = pairs.n_items, min(k, pairs.n_items)
    bounds = np.searchsorted(pairs.users, np.arange(pairs.n_users + 1)).astype(np.int64)
    by_item = np.argsort(pairs.items, kind="stable").astype(np.int64)
    starts = indptr_of(np.bincount(pairs.items, minlength=n))
    steps = _steps(pairs, half_life_s)

    def work(start: int, stop: int) -> Pushed:
        counts, size = np.empty(stop - start, dtype=np.int64), (stop - start) * width
        rows, scores = np.empty(size, dtype=np.int32), np.empty(size, dtype=np.float32)
        total = _similar(
            start, starts, by_item, pairs.users, bounds, pairs.items, left, right, steps, norms, pool,
            similarity, float(shrinkage), width, np.zeros(n), np.empty(n, dtype=np.int32), counts, rows, scores,
        )  # fmt: skip
        return indptr_of(counts), rows[:total].copy(), scores[:total].copy()

    return NeighbourTable(*join(list(map_chunks(work, n, chunk=chunk_rows(width)))), n_columns=n)


def _steps(pairs: Interactions, half_life_s: float) -> Scale:
    """Return (m,): what is left of a weight on the way from each pair to the next of the same user."""
    if not half_life_s or pairs.times is None:
        return np.ones(len(pairs))
    gaps = np.append(np.diff(pairs.times), 0).astype(np.float64)
    return np.exp2(-np.maximum(gaps, 0.0) / half_life_s)  # between users nothing is read


@kernel(inline="always")
def _meet(j: int, amount: float, accumulator: Scale, touched: RowArray, n: int) -> int:  # pragma: no cover - compiled
    """Add ``amount`` > 0 to item j; return how many items have been met."""
    if accumulator[j] == 0.0:
        touched[n] = j
        n += 1
    accumulator[j] += amount
    return n


@kernel
def _overlaps(
    first: int,
    last: int,
    by_item: Bounds,
    users: RowArray,
    bounds: Bounds,
    items: RowArray,
    left: Scale,
    right: Scale,
    steps: Scale,
    accumulator: Scale,
    touched: RowArray,
) -> int:  # pragma: no cover - compiled
    """Add up O of one item, walking its users' histories from it towards both ends; return how many items it met."""
    n = 0
    for e in range(first, last):
        at = by_item[e]
        user = users[at]
        share = left[at]
        for place in range(at + 1, bounds[user + 1]):
            share *= steps[place - 1]
            if share < _FADED * left[at]:
                break
            n = _meet(items[place], share * right[place], accumulator, touched, n)
        share = left[at]
        for place in range(at - 1, bounds[user] - 1, -1):
            share *= steps[place]
            if share < _FADED * left[at]:
                break
            n = _meet(items[place], share * right[place], accumulator, touched, n)
    return n


@kernel
def _similar(
    start: int,
    starts: Bounds,
    by_item: Bounds,
    users: RowArray,
    bounds: Bounds,
    items: RowArray,
    left: Scale,
    right: Scale,
    steps: Scale,
    norms: Scale,
    pool: npt.NDArray[np.bool_],
    similarity: int,
    shrinkage: float,
    k: int,
    accumulator: Scale,
    touched: RowArray,
    counts: Bounds,
    rows: RowArray,
    scores: FloatArray,
) -> int:  # pragma: no cover - compiled
    """Write the k best of items ``start``, ``start + 1``, ... one after the other; return how many entries."""
    total = 0
    for c in range(counts.size):
        i = start + c
        n = _overlaps(
            starts[i], starts[i + 1], by_item, users, bounds, items, left, right, steps, accumulator, touched
        )  # fmt: skip
        kept = 0
        for t in range(n):
            j = touched[t]
            if similarity == JACCARD:
                accumulator[j] /= norms[i] + norms[j] - accumulator[j] + shrinkage
            elif similarity == DICE:
                accumulator[j] *= 2.0 / (norms[i] + norms[j] + shrinkage)
            if pool[j]:
                # Swapped, not overwritten: every touched item must be reset below.
                touched[t], touched[kept] = touched[kept], j
                kept += 1
        counts[c] = select_top(accumulator, touched[:kept], k, rows[total:], scores[total:])
        total += counts[c]
        for t in range(n):
            accumulator[touched[t]] = 0.0
    return total
