"""Which item of a history is nearest to an item: what vector channels give as evidence."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from graphrec.data.lists import ItemLists
from graphrec.kernels import kernel
from graphrec.recallers.profile import Profile
from graphrec.recallers.query_encoder import FloatArray, positions_among, unit_vectors, usable_entries


def nearest_sources(
    history: ItemLists,
    items: npt.NDArray[np.int32],
    profile: Profile,
    rows: npt.NDArray[np.int32],
    sources: FloatArray,
    targets: FloatArray,
) -> npt.NDArray[np.int32] | None:
    """Return for each of ``items`` (m,) the item of one history whose weighted cosine with it is greatest.

    Parameters
    ----------
    history : ItemLists
        One list.
    rows : ndarray
        (t,) int32, ascending: items that have a vector; -1 stands for the source of another.
    sources, targets : ndarray
        (t, dim) float32: what these say in a history, and what they are found by.

    Returns
    -------
    ndarray or None
        (m,) int32; None where nothing of the history has a vector.
    """
    _, positions, weights = usable_entries(history, profile, rows)
    if len(positions) == 0 or len(items) == 0:
        return None
    asked = positions_among(rows, items)
    unit = unit_vectors(np.concatenate([targets[np.maximum(asked, 0)], sources[positions]]))
    best = _best_source(unit[: len(items)], unit[len(items) :], weights)
    chosen: npt.NDArray[np.int32] = np.where(asked >= 0, rows[positions[best]], -1).astype(np.int32)
    return chosen


@kernel(fastmath={"reassoc", "contract"})
def _best_source(
    targets: FloatArray, sources: FloatArray, weights: npt.NDArray[np.float64]
) -> npt.NDArray[np.int64]:  # pragma: no cover - compiled
    """Return (m,) int64: which of ``sources`` (h, dim), weighted, is nearest to each of ``targets`` (m, dim).

    A matrix product would start BLAS's threads for a product this small, which takes longer than the product.
    """
    best = np.zeros(len(targets), dtype=np.int64)
    for i in range(len(targets)):
        highest = -np.inf
        for j in range(len(sources)):
            near = np.float32(0)
            for d in range(targets.shape[1]):
                near += targets[i, d] * sources[j, d]
            if near * weights[j] > highest:
                highest = near * weights[j]
                best[i] = j
    return best
