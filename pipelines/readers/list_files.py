"""Files of lists: one user a line, ``user item item …``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from .lines import Piece, TextForm, pieces
from .table_source import InteractionsSource

_LINES = 5_000


class Pairs(NamedTuple):
    """(n,) pairs of some lines: line numbers int64, users and items as text; lines without a pair are counted."""

    lines: npt.NDArray[np.int64]
    users: pa.Array
    items: pa.Array
    n_blank: int
    n_alone: int


def list_pairs(source: InteractionsSource) -> Iterator[Pairs]:
    """Yield the pairs of a file, some thousand lines at a time.

    Raises
    ------
    DataError
        If the file cannot be read, is in another encoding, or is beyond the limits.
    """
    # Blanks and tabs alone divide a line: a no-break space is a letter of an id, and so is a quote.
    form = TextForm("\t", "", source.encoding)
    for piece in pieces(source.path, form, source.limits, remedy=", or name its encoding"):
        n_blank = piece.n_blank
        for start in range(0, len(piece.records), _LINES):
            yield _pairs(piece, piece.records[start : start + _LINES], n_blank)
            n_blank = 0
        if n_blank:
            yield _pairs(piece, piece.records[:0], n_blank)


def _pairs(piece: Piece, records: npt.NDArray[np.int64], n_blank: int) -> Pairs:
    """Return the pairs of some records of a piece."""
    lines: list[int] = []
    users: list[str] = []
    items: list[str] = []
    n_alone = 0
    for start, end, line, *_ in records.tolist():
        text = piece.text[start:end].decode().strip("\r\n").replace("\t", " ")
        user, *taken = (part for part in text.split(" ") if part)
        n_alone += not taken
        lines += [line] * len(taken)
        users += [user] * len(taken)
        items += taken
    return Pairs(
        np.array(lines, dtype=np.int64),
        pa.array(users, pa.large_string()),
        pa.array(items, pa.large_string()),
        n_blank,
        n_alone,
    )
