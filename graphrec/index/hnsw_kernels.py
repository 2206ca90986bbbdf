"""Compiled parts of :mod:`graphrec.index.hnsw`: what surrounds a search whose own time is that of some array calls."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from graphrec.kernels import kernel

FloatArray = npt.NDArray[np.float32]

# Squares of lengths between which no digit of a float32 is lost.
_SHORTEST, _LONGEST = 2.0**-80, 2.0**80


@kernel
def unit_rows(vectors: FloatArray, unit: FloatArray) -> bool:  # pragma: no cover - compiled
    """Write ``vectors`` (q, dim) at length 1 to ``unit``; False where a row is zero, not finite, or far from 1."""
    for i in range(len(vectors)):
        square = 0.0
        for d in range(vectors.shape[1]):
            square += np.float64(vectors[i, d]) * np.float64(vectors[i, d])
        if not _SHORTEST < square < _LONGEST:  # nor is NaN
            return False
        length = np.sqrt(square)
        for d in range(vectors.shape[1]):
            unit[i, d] = np.float32(vectors[i, d] / length)
    return True


@kernel
def as_led(
    labels: npt.NDArray[np.uint64],
    distances: FloatArray,
    bounds: npt.NDArray[np.int64],
    members: npt.NDArray[np.int32],
    rows: npt.NDArray[np.int32],
    scores: FloatArray,
) -> bool:  # pragma: no cover - compiled
    """Write the best k rows of each list (q, width), and their cosines, to ``rows`` and ``scores`` (q, k); ties by row.

    Lists come best first and hold at least k rows: a label stands for ``members[bounds[label]:bounds[label + 1]]``.
    False where a list ends before a score below that of its k-th row, so that more of it may tie.
    """
    k, settled = rows.shape[1], True
    for i in range(len(rows)):
        n = 0
        ended = True
        for p in range(labels.shape[1]):
            score = np.float32(1) - distances[i, p]
            if n == k and score < scores[i, k - 1]:
                ended = False
                break
            label = np.int64(labels[i, p])
            for m in range(bounds[label], bounds[label + 1]):
                row = members[m]
                if n == k and row > rows[i, k - 1]:  # as good as the last, and after it
                    continue
                n = min(n + 1, k)
                place = n - 1
                while place > 0 and scores[i, place - 1] == score and rows[i, place - 1] > row:
                    rows[i, place], scores[i, place] = rows[i, place - 1], score
                    place -= 1
                rows[i, place], scores[i, place] = row, score
        settled = settled and not ended
    return settled
