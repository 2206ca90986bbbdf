"""Lines of N-Triples and N-Quads taken apart into terms: where each begins and ends, and its hash.

No term is judged here. A line is *plain* where its terms are parted by single spaces and end in a full stop, each
ending with the first byte that can end a term of its kind. Whether the bytes in between are legal is asked once for
each distinct term, when it is entered into the table (``encode``); a term seen before needs no second look.
"""

from __future__ import annotations

from dataclasses import dataclass

import numba as nb
import numpy as np
import numpy.typing as npt

from graphrec.data.line_ends import n_lines

from .canonical import LineParts
from .words import KEPT, SLACK_BYTES, basis, first_marked, hash_of, hashed, marks, mix, word_at

_LF, _CR, _SPACE, _QUOTE, _DOT, _LESS, _UNDERSCORE = 10, 13, 32, 34, 46, 60, 95
_LFS, _CRS, _SPACES, _QUOTES, _GREATERS, _BACKSLASHES = (
    np.uint64(0x0101010101010101 * ord(letter)) for letter in '\n\r ">\\'
)
PLAIN, OTHER, NESTED = 0, 1, 2
"""Kinds of lines: plain, anything else, and plain but for a triple term as its object."""
# Whatever is looked for is found behind the last line, in any eight bytes.
_SLACK = np.resize(np.frombuffer(b'>" ', dtype=np.uint8), SLACK_BYTES)


@nb.njit(nogil=True, cache=True)
def _line_stop(data, at):  # type: ignore[no-untyped-def]
    """Return the position of the first line feed or carriage return."""
    while True:
        word = word_at(data, at)
        found = marks(word, _LFS) | marks(word, _CRS)
        if found:
            return at + first_marked(found)
        at += 8


@nb.njit(nogil=True, cache=True)
def _space_from(data, at):  # type: ignore[no-untyped-def]
    while True:
        found = marks(word_at(data, at), _SPACES)
        if found:
            return at + first_marked(found)
        at += 8


@nb.njit(nogil=True, cache=True)
def _iri(data, at):  # type: ignore[no-untyped-def]
    """Return (position behind the first ``>``, hash of what begins at ``at``); they are looked for in one pass."""
    value = basis()
    while True:
        word = word_at(data, at)
        found = marks(word, _GREATERS)
        if found:
            length = first_marked(found) + 1
            return at + length, mix(hashed(value, word & KEPT[length]))
        value = hashed(value, word)
        at += 8


@nb.njit(nogil=True, cache=True)
def _literal_stop(data, at):  # type: ignore[no-untyped-def]
    """Return the position of the space behind the literal that begins at ``at``; its text alone may hold any."""
    at += 1
    while True:
        word = word_at(data, at)
        found = marks(word, _QUOTES) | marks(word, _BACKSLASHES)
        if not found:
            at += 8
            continue
        at += first_marked(found)
        if data[at] == _QUOTE:
            return _space_from(data, at + 1)
        at += 2


@nb.njit(nogil=True, cache=True)
def _term(data, at):  # type: ignore[no-untyped-def]
    """Return (position behind the term that begins at ``at``, its hash); (-1, 0) where no term begins so."""
    first = data[at]
    if first == _LESS:
        return _iri(data, at)
    if first == _UNDERSCORE:
        stop = _space_from(data, at)
    elif first == _QUOTE:
        stop = _literal_stop(data, at)
    else:
        return -1, basis()
    return stop, hash_of(data, at, stop)


@nb.njit(nogil=True, cache=True)
def _split(data, at, stop, graphs, line, starts, lengths, keys):  # type: ignore[no-untyped-def]
    """Fill in the terms of the line ``data[at:stop]`` and return its kind."""
    lengths[line, 3] = 0
    for column in range(4):
        first = data[at]
        if column == 3 and first == _DOT:
            break
        if (column == 1 and first != _LESS) or (column != 2 and first == _QUOTE) or (column == 3 and not graphs):
            return OTHER
        if column == 2 and first == _LESS and data[at + 1] == _LESS:
            return NESTED
        end, key = _term(data, at)
        if end < 0 or data[end] != _SPACE:
            return OTHER
        starts[line, column], lengths[line, column], keys[line, column] = at, end - at, key
        at = end + 1
    # A term that ran on into the next line would have passed the stop.
    return PLAIN if data[at] == _DOT and at + 1 == stop else OTHER


@nb.njit(nogil=True, cache=True)
def _tokenise(data, size, graphs, starts, lengths, keys, ends, kinds):  # type: ignore[no-untyped-def]
    """Take all lines of ``data[:size]`` apart and return their number; the last byte is a line feed."""
    line, at = 0, 0
    while at < size:
        stop = _line_stop(data, at)
        kinds[line] = _split(data, at, stop, graphs, line, starts, lengths, keys)
        at = stop + 1
        if data[stop] == _CR:
            if data[at] == _LF:
                at += 1
            else:
                kinds[line] = OTHER
        ends[line] = at
        line += 1
    return line


@dataclass(frozen=True, slots=True, eq=False)
class Tokens:
    """A block of n lines taken apart.

    Features
    ----------
    data : ndarray
        (size + SLACK_BYTES,) uint8: the block, and bytes that may be read behind it.
    starts, lengths, keys : ndarray
        (n, 4) int64, int64, uint64: subject, predicate, object and graph of plain lines; length 0 where there is none.
    ends : ndarray
        (n,) int64: the position behind each line and its end.
    kinds : ndarray
        (n,) uint8: PLAIN, OTHER or NESTED.
    """

    data: npt.NDArray[np.uint8]
    starts: npt.NDArray[np.int64]
    lengths: npt.NDArray[np.int64]
    keys: npt.NDArray[np.uint64]
    ends: npt.NDArray[np.int64]
    kinds: npt.NDArray[np.uint8]

    def without_plain(self) -> LineParts:
        """Return the lines that are not plain, the plain ones left out."""
        n, others = len(self.kinds), self.kinds != PLAIN
        if not others.any():
            return LineParts(n, b"", b"", np.empty(0, dtype=np.int64))
        kept = np.repeat(others, np.diff(self.ends, prepend=0))
        return LineParts(n, b"", self.data[: len(kept)][kept].tobytes(), np.flatnonzero(others))


def tokenise(block: bytes, *, graphs: bool) -> Tokens:
    """Return the lines of ``block`` taken apart; ``graphs`` where a statement may name one. O(len(block)).

    Lines are as ``bytes.splitlines`` has them. The last one may lack its end, and is then no plain line.
    """
    n, whole = n_lines(block), block.rfind(b"\n") + 1
    data = np.empty(len(block) + SLACK_BYTES, dtype=np.uint8)
    data[: len(block)] = np.frombuffer(block, dtype=np.uint8)
    data[len(block) :] = _SLACK
    starts, lengths = np.empty((n, 4), dtype=np.int64), np.empty((n, 4), dtype=np.int64)
    keys = np.empty((n, 4), dtype=np.uint64)
    ends, kinds = np.empty(n, dtype=np.int64), np.full(n, OTHER, dtype=np.uint8)
    n_whole = _tokenise(data, whole, graphs, starts, lengths, keys, ends, kinds)
    if n_whole < n:  # what follows the last line feed
        ends[n_whole:] = whole + np.cumsum([len(line) for line in block[whole:].splitlines(keepends=True)])
    return Tokens(data, starts, lengths, keys, ends, kinds)
