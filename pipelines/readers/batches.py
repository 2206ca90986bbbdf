"""What a table is while it is read: batches of rows with the place of each."""

from __future__ import annotations

import stat
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from graphrec.errors import DataError, nearest_names


@dataclass(frozen=True, slots=True)
class Unfit:
    """A record of a text file that is no row: from ``line`` on, over ``n_lines`` lines, and why."""

    line: int
    n_lines: int
    reason: str
    text: str


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Rows of a table, and where each stands: (n,) int64 line numbers (text) or row numbers (frames), from 1.

    Of text files also how many lines each row takes, (n,) int64; the records that are no rows; and the blank lines.
    """

    rows: pa.RecordBatch
    places: npt.NDArray[np.int64]
    lines: npt.NDArray[np.int64] | None = None
    unfit: Sequence[Unfit] = ()
    n_blank: int = 0


@dataclass(frozen=True, slots=True)
class Table:
    """A table that can be read once, in batches. ``place`` is what its rows are counted in: "line" or "row"."""

    name: str
    columns: tuple[str, ...]
    place: str
    read: Callable[[Sequence[str]], Iterator[Batch]]


def check_file(path: Path) -> None:
    """Raise DataError unless ``path`` is a file with something in it, with the nearest names where it is missing."""
    try:
        about = path.stat()
    except (FileNotFoundError, NotADirectoryError) as error:
        raise DataError(f"{path} does not exist{_near(path)}") from error
    except (OSError, ValueError) as error:
        raise DataError(f"{str(path)!r} cannot be read: {getattr(error, 'strerror', None) or error}") from error
    if stat.S_ISDIR(about.st_mode):
        raise DataError(f"{path} is a folder; a file is needed")
    if not stat.S_ISREG(about.st_mode):
        # Files are read more than once: columns, rows, fingerprint.
        raise DataError(f"{path} is a pipe or device, which can be read once; save what it gives to a file")
    try:
        path.open("rb").close()
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from error
    if about.st_size == 0:
        raise DataError(f"{path} is empty (0 bytes); it needs rows")


def _near(path: Path) -> str:
    try:
        return nearest_names(path.name, [other.name for other in path.parent.iterdir()])
    except OSError:
        return ""
