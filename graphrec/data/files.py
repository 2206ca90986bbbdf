"""Arrays, JSON and hashes on disk: the one place that writes and reads ``.npy``, without pickle.

What is read may come from a stranger: every size, depth and number is checked before anything is made of it.
"""

from __future__ import annotations

import ast
import hashlib
import json
import math
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from graphrec.errors import BundleError, first_line

# A file of JSON beyond these is refused before it is parsed: settings and names need neither.
MAX_JSON_BYTES = 256 << 20
MAX_JSON_DEPTH = 64
# Of a .npy file: the magic and version, the bytes that hold the length of the header, its longest, entries of an array.
_MAGIC_BYTES = 8
_LENGTHS = {b"\x01\x00": 2, b"\x02\x00": 4}
_HEADER_BYTES = 10_000
_MOST_NUMBERS = 1 << 60
_WHOLE = range(-(1 << 63), 1 << 63)
# Two threads in Python's parser at once end in a SystemError where CPython has the fault gh-106905.
_PARSING = threading.Lock()
_JSON_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")

_in_memory: ContextVar[bool] = ContextVar("in_memory", default=False)


def file_sha256(path: Path) -> str:
    """Return the sha256 (hex) of a file, read in pieces."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_array(path: Path, array: npt.NDArray[Any]) -> None:
    """Write an array as ``.npy``, C order."""
    # np.save hands the bytes to the C library, whose failures carry no reason.
    plain = np.ascontiguousarray(array)
    if plain.dtype.kind not in "biuf":
        raise TypeError(f"{path.name}: {plain.dtype} is no dtype of plain numbers")
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, np.lib.format.header_data_from_array_1_0(plain))
        file.write(plain.reshape(-1).view(np.uint8).data)


@contextmanager
def arrays_in_memory(wanted: bool = True) -> Iterator[None]:
    """Let arrays that are read within this context be copied into memory: nothing done to a file reaches them then."""
    token = _in_memory.set(wanted)
    try:
        yield
    finally:
        _in_memory.reset(token)


def copies_wanted() -> bool:
    """Tell whether files are to be copied into memory here, not mapped."""
    return _in_memory.get()


def map_array(path: Path) -> npt.NDArray[Any]:
    """Return the array of a ``.npy`` file, read-only; memory-mapped but within :func:`arrays_in_memory`.

    Raises
    ------
    BundleError
        If the file is missing, damaged, or no ``.npy`` of plain numbers in C order.
    """
    try:
        with path.open("rb") as file:
            shape, dtype = _array_header(file)
            start, size = file.tell(), path.stat().st_size
            wanted = math.prod(shape) * dtype.itemsize
            if size - start != wanted:
                raise ValueError(f"it has {size - start:,} bytes of data, its header says {wanted:,}")
            if copies_wanted():
                array = np.fromfile(file, dtype, math.prod(shape)).reshape(shape)
                array.flags.writeable = False
                return array
        # A plain view: a memmap object costs more in every slice.
        return np.memmap(path, dtype, "r", start, shape).view(np.ndarray)
    except (OSError, ValueError, OverflowError, MemoryError) as error:
        reason = getattr(error, "strerror", None) or first_line(error)
        raise BundleError(f"{path} cannot be read as an array: {reason[:200]}") from error


def _array_header(file: BinaryIO) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Read the header of a ``.npy`` file; raise ValueError unless it is of plain numbers in C order."""
    start = file.read(_MAGIC_BYTES + 4)
    magic, version = start[:_MAGIC_BYTES], start[_MAGIC_BYTES - 2 : _MAGIC_BYTES]
    if len(start) < _MAGIC_BYTES + 4 or not magic.startswith(b"\x93NUMPY") or version not in _LENGTHS:
        raise ValueError("it does not begin as a .npy file of format 1.0 or 2.0 does")
    width = _LENGTHS[version]
    size = int.from_bytes(start[_MAGIC_BYTES : _MAGIC_BYTES + width], "little")
    if size > _HEADER_BYTES:
        raise ValueError(f"its header has {size:,} bytes; the limit is {_HEADER_BYTES:,}")
    file.seek(_MAGIC_BYTES + width)
    try:
        with _PARSING:
            header = ast.literal_eval(file.read(size).decode("latin1"))
        descr, fortran, shape = (header[name] for name in ("descr", "fortran_order", "shape"))
        dtype = np.dtype(descr) if isinstance(descr, str) else None
    except (SyntaxError, ValueError, TypeError, LookupError, RecursionError, MemoryError) as error:
        raise ValueError(f"its header cannot be read ({type(error).__name__})") from error
    if dtype is None or dtype.kind not in "biuf" or not dtype.isnative:
        raise ValueError(f"it holds {str(descr)[:40]!r}; it must hold plain numbers")
    whole = isinstance(shape, tuple) and all(type(n) is int and n >= 0 for n in shape)
    if not whole or len(shape) > 8 or math.prod(shape) > _MOST_NUMBERS:
        raise ValueError(f"its shape is {str(shape)[:80]}; it must be whole numbers that fit the file")
    if fortran and len(shape) > 1:
        raise ValueError("it is in Fortran order; it must be in C order")
    return shape, dtype


def read_array(path: Path, dtype: npt.DTypeLike, *, ndim: int = 1) -> npt.NDArray[Any]:
    """Return the array of a ``.npy`` file, read-only; memory-mapped but within :func:`arrays_in_memory`.

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


def read_json(path: Path) -> Any:
    """Return what a file of JSON holds; see :func:`parse_json`.

    Raises
    ------
    OSError
        If the file cannot be read.
    ValueError
        As :func:`parse_json`, or if the file is larger than 256 MiB.
    """
    with path.open("rb") as file:
        data = file.read(MAX_JSON_BYTES + 1)
    return parse_json(data)


def parse_json(data: bytes) -> Any:
    """Return the value in UTF-8 JSON. Its numbers are finite and whole ones fit 64 bits; its text can be encoded.

    Raises
    ------
    ValueError
        If it is no such JSON, larger than 256 MiB or nested deeper than 64; looked at before it is parsed.
    """
    if len(data) > MAX_JSON_BYTES:
        raise ValueError(f"it is larger than {MAX_JSON_BYTES:,} bytes")
    if (depth := _json_depth(data)) > MAX_JSON_DEPTH:
        raise ValueError(f"it is nested {depth:,} deep; the limit is {MAX_JSON_DEPTH}")
    value = json.loads(data.decode("utf-8"), parse_int=_whole, parse_float=_real, parse_constant=_constant)
    if _SURROGATE.search(data):
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    return value


def _json_depth(data: bytes) -> int:
    """Return how deep arrays and objects are nested, without a recursion. Time O(bytes)."""
    bare = np.frombuffer(_JSON_STRING.sub(b"", data), dtype=np.uint8)
    steps = np.isin(bare, np.frombuffer(b"[{", np.uint8)).astype(np.int8)
    steps -= np.isin(bare, np.frombuffer(b"]}", np.uint8))
    return int(np.cumsum(steps, dtype=np.int64).max(initial=0))


def _whole(text: str) -> int:
    number = int(text) if len(text) < 32 else _WHOLE.stop
    if number not in _WHOLE:
        raise ValueError(f"the number {text[:32]} does not fit 64 bits")
    return number


def _real(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"the number {text[:32]} is not finite")
    return number


def _constant(text: str) -> float:
    raise ValueError(f"{text} is no number of JSON")
