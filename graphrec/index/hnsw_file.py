"""The file that hnswlib 0.8 writes, read far enough to know that loading and searching it stays within its memory.

Layout (little-endian): a header of 96 bytes; ``count`` records of level 0 (links, vector, label); then for each
element the size of its upper links and those links. A list of links is a uint16 count, a byte of marks, a spare byte,
and room for M (level 0: 2 M) uint32 numbers of elements.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from graphrec.errors import BundleError
from graphrec.kernels import kernel

_HEADER = struct.Struct("<QQQQQQiIQQQdQ")
_PROBLEMS = (
    "",
    "a list of links is longer than it may be",
    "a link points at no element of its level",
    "an element is marked as deleted",
    "the upper links end early",
    "the entry point does not stand on the highest level",
    "there are bytes beyond the last link",
    "the upper links of an element have an impossible size",
)


class Header(NamedTuple):
    """The header's fields in the order of the file; sizes and offsets in bytes."""

    offset_level0: int
    max_elements: int
    n_elements: int
    element_bytes: int
    label_offset: int
    vector_offset: int
    top_level: int
    entry: int
    max_m: int
    max_m0: int
    m: int
    multiplier: float
    ef_construction: int


class Saved(NamedTuple):
    """What a file holds of each element: ``labels`` (count,) int64 and ``vectors`` (count, dim) float32."""

    labels: npt.NDArray[np.int64]
    vectors: npt.NDArray[np.float32]


def verify(path: Path, *, count: int, dim: int, m: int, ef_construction: int) -> Saved:
    """Return labels and vectors of a file that holds ``count`` vectors of width ``dim``; else refuse it.

    Raises
    ------
    BundleError
        If the file cannot be read, its header does not agree with the arguments, its size is not what the header
        implies, or a list of links leads outside.
    """
    try:
        data = np.fromfile(path, dtype=np.uint8)
    except OSError as error:
        raise BundleError(f"{path} cannot be read ({error.strerror}); rebuild the index") from error
    header = _header(path, data)
    links = 4 + 8 * m
    wanted = {
        "offset_level0": 0,
        "max_elements": count,
        "n_elements": count,
        "element_bytes": links + 4 * dim + 8,
        "label_offset": links + 4 * dim,
        "vector_offset": links,
        "max_m": m,
        "max_m0": 2 * m,
        "m": m,
        "ef_construction": ef_construction,
    }
    for name, value in wanted.items():
        found = getattr(header, name)
        if found != value:
            raise BundleError(f"{path} says {found} for {name} where {value} is expected; rebuild the index")
    level0 = data[_HEADER.size : _HEADER.size + count * header.element_bytes]
    if len(level0) < count * header.element_bytes:
        raise BundleError(f"{path} ends within its vectors ({len(data):,} bytes); rebuild the index")
    records = level0.reshape(count, header.element_bytes)
    upper = data[_HEADER.size + count * header.element_bytes :]
    problem = _check_links(records, upper, 2 * m, m, header.entry, header.top_level)
    if problem:
        raise BundleError(f"{path} is damaged: {_PROBLEMS[problem]}; rebuild the index")
    vectors = records[:, links : header.label_offset].copy().view("<f4")
    if not np.isfinite(vectors).all():
        raise BundleError(f"{path} holds a vector that is not finite; rebuild the index")
    return Saved(records[:, header.label_offset :].copy().view("<i8").ravel(), vectors)


def _header(path: Path, data: npt.NDArray[np.uint8]) -> Header:
    if len(data) < _HEADER.size:
        raise BundleError(f"{path} has {len(data)} bytes, less than the {_HEADER.size} of a header; rebuild the index")
    return Header(*_HEADER.unpack(data[: _HEADER.size].tobytes()))


@kernel(inline="always")
def _number(data: npt.NDArray[np.uint8], place: int) -> int:  # pragma: no cover - compiled
    """Return the uint32 at ``place``."""
    return int(data[place]) | int(data[place + 1]) << 8 | int(data[place + 2]) << 16 | int(data[place + 3]) << 24


@kernel
def _check_list(
    data: npt.NDArray[np.uint8], place: int, longest: int, levels: npt.NDArray[np.int64], level: int
) -> int:  # pragma: no cover - compiled
    """Return the number of the problem that one list of links has; 0 for none."""
    size = int(data[place]) | int(data[place + 1]) << 8
    if size > longest:
        return 1
    if data[place + 2] & 1:
        return 3
    for j in range(size):
        element = _number(data, place + 4 + 4 * j)
        if element >= levels.size or levels[element] < level:
            return 2
    return 0


@kernel
def _check_links(
    records: npt.NDArray[np.uint8], upper: npt.NDArray[np.uint8], max_m0: int, m: int, entry: int, top_level: int
) -> int:  # pragma: no cover - compiled
    """Return the number of the first problem that the links of all levels have; 0 for none."""
    count, level_bytes = records.shape[0], 4 + 4 * m
    levels = np.zeros(count, dtype=np.int64)
    starts = np.zeros(count, dtype=np.int64)
    place, highest = 0, 0
    for i in range(count):
        if place + 4 > upper.size:
            return 4
        size = _number(upper, place)
        place += 4
        if size % level_bytes:
            return 7
        if place + size > upper.size:
            return 4
        levels[i], starts[i] = size // level_bytes, place
        highest = max(highest, levels[i])
        place += size
    if place != upper.size:
        return 6
    if entry >= count or top_level != highest or levels[entry] != highest:
        return 5
    for i in range(count):
        problem = _check_list(records[i], 0, max_m0, levels, 0)
        for level in range(1, levels[i] + 1):
            if problem == 0:
                problem = _check_list(upper, starts[i] + (level - 1) * level_bytes, m, levels, level)
        if problem:
            return problem
    return 0
