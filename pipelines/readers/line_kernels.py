"""Compiled part of ``lines``: where the records of a piece of text begin and end."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from graphrec.kernels import kernel

NO_QUOTES = -1

_LF, _CR, _BLANK, _TAB = 10, 13, 32, 9
# Bytes that are a letter and no more: outside quotes, and inside.
_OUTSIDE, _INSIDE = 1, 2


@kernel
def _letters(separator: int, quote: int) -> npt.NDArray[np.uint8]:  # pragma: no cover - compiled
    """Return the (256,) kinds of bytes."""
    letters = np.full(256, _OUTSIDE | _INSIDE, dtype=np.uint8)
    for byte in (_BLANK, _TAB, separator):
        letters[byte] = _INSIDE
    letters[_LF] = letters[_CR] = 0
    if quote >= 0:
        letters[quote] = 0
    return letters


@kernel
def _after_end(data: npt.NDArray[np.uint8], at: int) -> int:  # pragma: no cover - compiled
    """Return the position behind the line end at ``at``: a line feed, a carriage return, or both."""
    return at + 2 if data[at] == _CR and at + 1 < data.size and data[at + 1] == _LF else at + 1


@kernel
def divide(
    data: npt.NDArray[np.uint8], separator: int, quote: int, final: bool, most: int, out: npt.NDArray[np.int64]
) -> tuple[int, int, int, int]:  # pragma: no cover - compiled
    """Divide text into records; a quoted cell may hold line ends, a quote that is not closed holds none.

    Parameters
    ----------
    data : (n,) uint8
        UTF-8, from the start of a line.
    separator, quote : int
        Bytes; ``NO_QUOTES`` where a quote is a letter.
    final : bool
        Whether the text ends with ``data``; otherwise a record that may go on is left for the next piece.
    most : int
        Records to divide at most.
    out : (m, 5) int64
        Filled a row a record: start, end (behind its line end), line (from 0), lines, and number of cells; 0 cells
        where a quote is neither closed nor doubled (the record is then one line).

    Returns
    -------
    tuple of int
        Records, bytes divided, lines divided, blank lines. A line of separators, blanks, tabs and empty quotes is
        blank, and no record.
    """
    letters = _letters(separator, quote)
    n, at, line, blank = 0, 0, 0, 0
    while at < data.size and n < most:
        start, first_line = at, line
        cells, quoted, fresh, empty, sound, ended = 1, False, True, True, True, False
        # Where the first line ends, should a quote turn out to be open.
        first_end = -1
        while at < data.size:
            byte = data[at]
            kind = _INSIDE if quoted else _OUTSIDE
            if letters[byte] & kind:
                at += 1
                while at < data.size and letters[data[at]] & kind:
                    at += 1
                fresh = empty = False
                continue
            if byte == _LF or byte == _CR:  # noqa: SIM109 - compiled: no tuple is made
                if byte == _CR and at + 1 == data.size and not final:
                    break
                at = _after_end(data, at)
                line += 1
                if first_end < 0:
                    first_end = at
                if not quoted:
                    ended = True
                    break
                continue
            if quoted:
                if byte == quote:
                    if at + 1 < data.size and data[at + 1] == quote:
                        at += 1
                        empty = False
                    elif at + 1 == data.size and not final:
                        break
                    elif at + 1 < data.size and data[at + 1] != separator and data[at + 1] not in (_LF, _CR):
                        sound = False
                        break
                    else:
                        quoted = False
                else:
                    empty = False
            elif byte == separator:
                cells += 1
                fresh = True
                at += 1
                continue
            elif byte == quote and fresh:
                quoted = True
            elif byte != _BLANK and byte != _TAB:
                empty = False
            fresh = False
            at += 1
        if sound and not ended:
            if not final:
                at, line = start, first_line
                break
            sound = not quoted
        if not sound:
            # The line with the open quote is a record of its own; what follows is divided anew.
            at = first_end if first_end >= 0 else at
            if first_end < 0:
                while at < data.size and data[at] != _LF and data[at] != _CR:
                    at += 1
                if at == data.size and not final:
                    at, line = start, first_line
                    break
                if at < data.size:
                    if data[at] == _CR and at + 1 == data.size and not final:
                        at, line = start, first_line
                        break
                    at = _after_end(data, at)
            line, cells, empty = first_line + 1, 0, False
        elif not ended:
            line += 1
        if empty and sound:
            blank += line - first_line
            continue
        out[n, 0], out[n, 1], out[n, 2], out[n, 3], out[n, 4] = start, at, first_line, line - first_line, cells
        n += 1
    return n, at, line, blank
