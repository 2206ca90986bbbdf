"""What kernels read of an Arrow array of texts."""

from __future__ import annotations

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
