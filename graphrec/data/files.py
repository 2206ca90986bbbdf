"""Arrays and hashes on disk: the one place that writes and reads ``.npy``, without pickle."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from graphrec.errors import BundleError


def file_sha256(path: Path) -> str:
    """Return the sha256 (hex) of a file, read in pieces."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_array(path: Path, array: npt.NDArray[Any]) -> None:
    """Write an array as ``.npy``, C order."""
    np.save(path, np.ascontiguousarray(array), allow_pickle=False)


def map_array(path: Path) -> npt.NDArray[Any]:
    """Return the array of a ``.npy`` file, memory-mapped and read-only.

    Raises
    ------
    BundleError
        If the file is missing, damaged, or no ``.npy`` of plain numbers.
    """
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError, SyntaxError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise BundleError(f"{path} cannot be read as an array: {reason}") from error
    if not isinstance(array, np.ndarray):
        raise BundleError(f"{path} holds {type(array).__name__}; it must hold an array")
    return array


def read_array(path: Path, dtype: npt.DTypeLike, *, ndim: int = 1) -> npt.NDArray[Any]:
    """Return the array of a ``.npy`` file, memory-mapped and read-only.

    Raises
    ------
    BundleError
        As :func:`map_array`, or if it has another dtype or number of dimensions.
    """
    array = map_array(path)
    if array.dtype != np.dtype(dtype) or array.ndim != ndim:
        stored = f"{array.dtype} of shape {array.shape}"
        raise BundleError(f"{path} holds {stored}; it must hold {np.dtype(dtype)} of {ndim} dimension(s)")
    return array
