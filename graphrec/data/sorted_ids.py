"""Rows of ids in a vocabulary whose ids ascend: by searching, without a hash table of all of them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from graphrec.data.text_buffers import text_buffers
from graphrec.kernels import kernel


@kernel
def _compare(data, start, stop, other, begin, end):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    """Return below 0, 0 or above 0 as the first text lies before, is, or lies behind the second, by bytes."""
    shared = min(stop - start, end - begin)
    for place in range(shared):
        difference = np.int64(data[start + place]) - np.int64(other[begin + place])
        if difference != 0:
            return difference
    return (stop - start) - (end - begin)


@kernel
def _search(offsets, data, texts_offsets, texts, rows):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    """Fill in the row of each text, -1 where there is none; each search sets out from where the last one ended."""
    n, last = len(offsets) - 1, 0
    for i in range(len(rows)):
        start, stop = texts_offsets[i], texts_offsets[i + 1]
        low, high = 0, n  # the row lies in low..high, n where all ids are below
        if last < n and _compare(data, offsets[last], offsets[last + 1], texts, start, stop) <= 0:
            low, step = last, 1
            while low + step < n:  # doubling: texts in order cost what lies between them, and no more
                row = low + step
                if _compare(data, offsets[row], offsets[row + 1], texts, start, stop) > 0:
                    high = row
                    break
                low, step = row, 2 * step
        else:
            high = min(last, n)
        while low < high:
            middle = (low + high) // 2
            if _compare(data, offsets[middle], offsets[middle + 1], texts, start, stop) < 0:
                low = middle + 1
            else:
                high = middle
        last = low
        known = low < n and _compare(data, offsets[low], offsets[low + 1], texts, start, stop) == 0
        rows[i] = low if known else -1


def rows_of_sorted(ids: pa.LargeStringArray, texts: pa.LargeStringArray) -> npt.NDArray[np.int32]:
    """Return the row of each of ``texts`` in ``ids``, -1 where there is none.

    Parameters
    ----------
    ids : Arrow array
        (n,) texts in strictly ascending order of their bytes; no nulls.
    texts : Arrow array
        (m,) texts in any order, repeats included; no nulls.

    Returns
    -------
    ndarray
        (m,) int32.

    Notes
    -----
    Time O(m log n) comparisons, O(m + n) where ``texts`` ascend as well. No memory beyond the result.
    """
    rows = np.empty(len(texts), dtype=np.int32)
    _search(*text_buffers(ids), *text_buffers(texts), rows)
    return rows
