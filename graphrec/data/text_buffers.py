"""Arrow arrays of texts and rows, taken apart into their buffers and made of them.

``pa.array`` and ``to_numpy`` import pandas wherever it is installed: half a second and 40 MB for nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

import numpy as np
import numpy.typing as npt
import pyarrow as pa


def text_buffers(array: pa.LargeStringArray) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.uint8]]:
    """Return (n + 1,) int64 offsets and the uint8 bytes they lead into, without a copy; a null has no bytes."""
    _, offsets, data = array.buffers()
    bounds = np.frombuffer(offsets, np.int64) if offsets else np.zeros(1, np.int64)
    values = np.frombuffer(data, np.uint8) if data else np.empty(0, np.uint8)
    return bounds[array.offset : array.offset + len(array) + 1], values


def texts_of(offsets: npt.NDArray[np.int64], data: npt.NDArray[np.uint8]) -> pa.LargeStringArray:
    """Return the Arrow array of (n + 1,) offsets into UTF-8 bytes, without a copy."""
    used = data[: offsets[-1]]
    return pa.LargeStringArray.from_buffers(len(offsets) - 1, pa.py_buffer(offsets), pa.py_buffer(used))


def arrow_texts(texts: Sequence[str]) -> pa.StringArray:
    """Return the Arrow array of some strings, none of them null."""
    encoded = [text.encode() for text in texts]
    bounds = np.fromiter(accumulate(map(len, encoded), initial=0), np.int32, len(encoded) + 1)
    return pa.StringArray.from_buffers(len(encoded), pa.py_buffer(bounds), pa.py_buffer(b"".join(encoded)))


def arrow_rows(rows: npt.NDArray[np.int32]) -> pa.Int32Array:
    """Return the Arrow array of (n,) int32 rows, null where a row is below 0, without a copy."""
    known = pa.py_buffer(np.packbits(rows >= 0, bitorder="little"))
    return pa.Int32Array.from_buffers(pa.int32(), len(rows), [known, pa.py_buffer(np.ascontiguousarray(rows))])


def row_values(array: pa.Int32Array, *, null: int) -> npt.NDArray[np.int32]:
    """Return (n,) int32: the rows of an Arrow array, ``null`` where one is null."""
    known, values = array.buffers()
    rows = np.frombuffer(values, np.int32)[array.offset : array.offset + len(array)]
    if not array.null_count:
        return rows
    bits = np.unpackbits(np.frombuffer(known, np.uint8), bitorder="little")
    return np.where(bits[array.offset : array.offset + len(array)], rows, np.int32(null))
