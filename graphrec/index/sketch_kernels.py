"""Compiled parts of :mod:`graphrec.index.sketch`: products over int8 rows, and exact products of a few."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from graphrec.kernels import kernel

FloatArray = npt.NDArray[np.float32]
CodeArray = npt.NDArray[np.int8]
RowArray = npt.NDArray[np.int32]

# Queries that share one pass over the rows: their projections stay in a near cache.
_TILE = 16
_GREATEST_INT16 = 32767
_GREATEST_INT32 = 2**31 - 1
_GREATEST_CODE = 127


@kernel(fastmath={"reassoc", "contract"})
def project(
    vectors: FloatArray, axes: FloatArray, projected: npt.NDArray[np.int16], units: FloatArray
) -> None:  # pragma: no cover - compiled
    """Write ``vectors @ axes``, (q, a), rounded to whole ``units`` (q,), to ``projected``.

    A unit is so small that the numbers fill int16, and so large that no sum of a products with codes leaves int32.
    """
    dim, a = axes.shape
    greatest = min(_GREATEST_INT16, _GREATEST_INT32 // (_GREATEST_CODE * a))
    line = np.empty(a, dtype=np.float32)
    for i in range(len(vectors)):
        line[:] = 0
        for d in range(dim):
            value, axis = vectors[i, d], axes[d]
            for j in range(a):
                line[j] += value * axis[j]
        longest = np.float32(0)
        for j in range(a):
            longest = max(longest, abs(line[j]))
        unit = longest / np.float32(greatest) if longest > 0 else np.float32(1)
        units[i] = unit
        for j in range(a):
            projected[i, j] = np.int16(np.rint(line[j] / unit))


@kernel(inline="always")
def _product(codes: CodeArray, query: npt.NDArray[np.int16]) -> np.int32:  # pragma: no cover - compiled
    """Return the product of ``codes`` (a,) and as many numbers of ``query``.

    Whole numbers are summed, so that a sum does not depend on its order: neither on the processor nor on the batch.
    """
    total = np.int32(0)
    for d in range(codes.size):
        # Cast at each step, or numba sums in int64 at half the speed.
        total = np.int32(total + np.int32(query[d]) * np.int32(codes[d]))
    return total


@kernel
def add_products(
    codes: CodeArray, steps: FloatArray, projected: npt.NDArray[np.int16], units: FloatArray, scores: FloatArray
) -> None:  # pragma: no cover - compiled
    """Add ``steps[j] * units[i] * (codes[j] . projected[i])`` to ``scores`` (q, n); codes are (n, a) int8."""
    for start in range(0, len(projected), _TILE):
        for j in range(len(codes)):
            for i in range(start, min(start + _TILE, len(projected))):
                scores[i, j] += np.float32(_product(codes[j], projected[i])) * (steps[j] * units[i])


@kernel
def refined_scores(
    rows: RowArray,
    codes: CodeArray,
    steps: FloatArray,
    projected: npt.NDArray[np.int16],
    units: FloatArray,
    start: int,
    scores: FloatArray,
    refined: FloatArray,
) -> None:  # pragma: no cover - compiled
    """Write the ``scores`` (q, n) of ``rows`` (q, c), with what axes from ``start`` on add, to ``refined`` (q, c)."""
    for i in range(len(rows)):
        query = projected[i, start:]
        for p in range(rows.shape[1]):
            row = rows[i, p]
            refined[i, p] = scores[i, row] + np.float32(_product(codes[row], query)) * (steps[row] * units[i])


@kernel(fastmath={"reassoc", "contract"})
def exact_scores(
    rows: RowArray, matrix: FloatArray, vectors: FloatArray, base: FloatArray, scores: FloatArray
) -> None:  # pragma: no cover - compiled
    """Write ``base[i, row] + matrix[row] . vectors[i]`` for each row of ``rows`` (q, c) to ``scores`` (q, c)."""
    for i in range(len(rows)):
        vector = vectors[i]
        for p in range(rows.shape[1]):
            row, total = matrix[rows[i, p]], np.float32(0)
            if base[i, rows[i, p]] > -np.inf:
                for d in range(vector.size):
                    total += vector[d] * row[d]
            scores[i, p] = base[i, rows[i, p]] + total
