"""Files of lists: one user a line, ``user item item …``."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from graphrec.errors import DataError

from .batches import first_line
from .tables import COMPRESSIONS

_LINES = 5_000


def list_pairs(path: Path) -> Iterator[tuple[npt.NDArray[np.int64], pa.Array, pa.Array]]:
    """Yield batches of (line numbers (n,), users (n,), items (n,)); a user without items gives none.

    Raises
    ------
    DataError
        If the file is not UTF-8, or its compression is broken.
    """
    places: list[int] = []
    users: list[str] = []
    items: list[str] = []
    number = 0
    try:
        with pa.input_stream(str(path), compression=COMPRESSIONS.get(path.suffix.lower())) as raw:
            text = io.TextIOWrapper(cast("io.BufferedReader", raw), encoding="utf-8-sig")
            for number, line in enumerate(text, start=1):
                # Blanks and tabs alone: a no-break space is a letter of an id.
                user, *taken = [part for part in line.strip("\r\n").replace("\t", " ").split(" ") if part] or [""]
                places += [number] * len(taken)
                users += [user] * len(taken)
                items += taken
                if number % _LINES == 0:
                    yield _pairs(places, users, items)
                    places, users, items = [], [], []
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not UTF-8 after line {number} ({first_line(error)}); save it as UTF-8") from error
    except OSError as error:
        raise DataError(f"{path} cannot be read ({first_line(error)})") from error
    yield _pairs(places, users, items)


def _pairs(places: list[int], users: list[str], items: list[str]) -> tuple[npt.NDArray[np.int64], pa.Array, pa.Array]:
    return np.array(places, dtype=np.int64), pa.array(users, pa.large_string()), pa.array(items, pa.large_string())
