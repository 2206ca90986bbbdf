"""What a table is while it is read: batches of rows with the place of each."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from graphrec.errors import DataError, nearest_names


@dataclass(frozen=True, slots=True)
class Ragged:
    """A line with too many or too few fields."""

    line: int
    n_fields: int
    n_expected: int
    text: str


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows of a table, and where each stands: (n,) int64 line numbers (text) or row numbers (frames), from 1."""

    rows: pa.RecordBatch
    places: npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Table:
    """A table that can be read once, in batches. ``place`` is what its rows are counted in: "line" or "row".

    ``ragged`` fills while the batches are read.
    """

    name: str
    columns: tuple[str, ...]
    place: str
    read: Callable[[Sequence[str]], Iterator[Batch]]
    ragged: list[Ragged] = field(default_factory=list)


def check_file(path: Path) -> None:
    """Raise DataError unless ``path`` is a file with something in it, with the nearest names where it is missing."""
    if path.is_dir():
        raise DataError(f"{path} is a folder; a file is needed")
    if not path.exists():
        near = nearest_names(path.name, [p.name for p in path.parent.iterdir()]) if path.parent.is_dir() else ""
        raise DataError(f"{path} does not exist{near}")
    try:
        size = path.stat().st_size
        path.open("rb").close()
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from error
    if size == 0:
        raise DataError(f"{path} is empty (0 bytes); it needs rows")


def first_line(error: BaseException) -> str:
    """Return the first line of an error's message, or its type's name."""
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
