r"""Lines of N-Triples and N-Quads taken apart into terms: where each begins and ends, and its hash.

No term is judged here. A line is *plain* where its terms are parted by spaces or tabs, or by nothing, and end in a full
stop, each ending with the first byte that can end a term of its kind. Whether the bytes in between are legal is asked
once for each distinct term, when it is entered into the table (``encode``); a term seen before needs no second look.

Three things have several spellings, and get that which oxigraph writes, in the copy of the block: a language is put in
lower case, the datatype xsd:string left out, and ``\uXXXX`` made the character itself.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from graphrec.data.line_ends import n_lines
from graphrec.kernels import kernel

from .canonical import IS_HEX, IS_TAG, XSD_STRING, LineParts, begins
from .words import KEPT, SLACK_BYTES, basis, first_marked, hash_of, hashed, hexadecimal, marks, mix, put_utf8, word_at

_TAB, _LF, _CR, _SPACE, _QUOTE, _APOSTROPHE, _MINUS, _DOT, _LESS, _GREATER = 9, 10, 13, 32, 34, 39, 45, 46, 60, 62
_AT, _BACKSLASH, _CARET, _UNDERSCORE, _SMALL_U, _LARGE_U = 64, 92, 94, 95, ord("u"), ord("U")
_LFS, _CRS, _QUOTES, _GREATERS, _BACKSLASHES = (np.uint64(0x0101010101010101 * ord(letter)) for letter in '\n\r">\\')
_XSD_SUFFIX = np.concatenate([np.full(2, _CARET, dtype=np.uint8), XSD_STRING])
PLAIN, OTHER, NESTED = 0, 1, 2
"""Kinds of lines: plain, anything else, and plain but for a triple term as its object."""
# Whatever is looked for is found behind the last line, in any eight bytes.
_SLACK = np.resize(np.frombuffer(b'>" ', dtype=np.uint8), SLACK_BYTES)


@kernel
def _line_stop(data, at):  # type: ignore[no-untyped-def]
    """Return the position of the first line feed or carriage return."""
    while True:
        word = word_at(data, at)
        found = marks(word, _LFS) | marks(word, _CRS)
        if found:
            return at + first_marked(found)
        at += 8


@kernel
def _behind_blanks(data, at):  # type: ignore[no-untyped-def]
    while data[at] == _SPACE or data[at] == _TAB:
        at += 1
    return at


@kernel
def _iri(data, at):  # type: ignore[no-untyped-def]
    """Return (position behind the first ``>``, bytes, hash of what begins at ``at``), by one pass."""
    start, value = at, basis()
    while True:
        word = word_at(data, at)
        found = marks(word, _GREATERS)
        if found:
            length = first_marked(found) + 1
            return at + length, at + length - start, mix(hashed(value, word & KEPT[length]))
        value = hashed(value, word)
        at += 8


@kernel
def _blank_stop(data, at):  # type: ignore[no-untyped-def]
    """Return the position behind the blank node that begins at ``at``; a full stop is never its last letter."""
    while data[at] > _SPACE:
        at += 1
    while data[at - 1] == _DOT:
        at -= 1
    return at


@kernel
def _closing_quote(data, at):  # type: ignore[no-untyped-def]
    """Return (the quote that closes the one at ``at``, whether an escape before it has another spelling)."""
    at, respelled = at + 1, False
    while True:
        word = word_at(data, at)
        found = marks(word, _QUOTES) | marks(word, _BACKSLASHES)
        if not found:
            at += 8
            continue
        at += first_marked(found)
        if data[at] == _QUOTE:
            return at, respelled
        letter = data[at + 1]
        respelled |= letter in (_SMALL_U, _LARGE_U, _APOSTROPHE)
        at += 2


@kernel
def _suffix_stop(data, at):  # type: ignore[no-untyped-def]
    """Return the position behind the language (put in lower case) or datatype at ``at``, if there is any."""
    if data[at] == _AT:
        at, is_language = at + 1, True
        while IS_TAG[data[at]]:
            is_language = is_language and (data[at] != _MINUS or data[at + 1] != _MINUS)
            if is_language and 65 <= data[at] <= 90:
                data[at] += 32
            at += 1
    elif data[at] == _CARET:
        while data[at] > _SPACE and data[at] != _GREATER:
            at += 1
        at += data[at] == _GREATER
    return at


@kernel
def _character(data, at, stop):  # type: ignore[no-untyped-def]
    """Return the code point that hexadecimal digits say, -1 where it is none or is always written as an escape."""
    for place in range(at, stop):
        if not IS_HEX[data[place]]:
            return -1
    code = hexadecimal(data, at, stop)
    if code < 32 or code in (_QUOTE, _BACKSLASH, 127) or 0xD800 <= code < 0xE000 or code > 0x10FFFF:
        return -1
    return code


@kernel
def _unescaped(data, start, quote):  # type: ignore[no-untyped-def]
    """Put characters in the place of their escapes in ``data[start:quote]``; return where the text ends now."""
    end, at = start, start
    while at < quote:
        letter, width = data[at + 1], 1
        if data[at] == _BACKSLASH:
            width = 2
            if letter in (_SMALL_U, _LARGE_U):
                stop = at + (6 if letter == _SMALL_U else 10)
                code = _character(data, at + 2, stop)
                if code >= 0:
                    end, at = put_utf8(code, data, end), stop
                    continue
            elif letter == _APOSTROPHE:
                at, width = at + 1, 1
        for _ in range(width):
            data[end] = data[at]
            end, at = end + 1, at + 1
    return end


@kernel
def _literal(data, start, line_stop):  # type: ignore[no-untyped-def]
    """Return (position behind the literal at ``start``, bytes it has once it is written as oxigraph does)."""
    quote, respelled = _closing_quote(data, start)
    if quote >= line_stop:  # nothing may be changed in lines to come
        return -1, 0
    stop = _suffix_stop(data, quote + 1)
    kept = stop
    if stop - quote == len(_XSD_SUFFIX) + 1 and begins(data, quote + 1, _XSD_SUFFIX):
        kept = quote + 1
    if respelled:
        end = _unescaped(data, start + 1, quote)
        for place in range(quote, kept):
            data[end + place - quote] = data[place]
        kept -= quote - end
    if kept < stop:
        data[kept] = _SPACE  # what is judged later ends here
    return stop, kept - start


@kernel
def _term(data, at, line_stop):  # type: ignore[no-untyped-def]
    """Return (position behind the term that begins at ``at``, its bytes, its hash); -1 first where none begins so."""
    first = data[at]
    if first == _LESS:
        return _iri(data, at)
    if first == _UNDERSCORE:
        stop = _blank_stop(data, at)
        length = stop - at
    elif first == _QUOTE:
        stop, length = _literal(data, at, line_stop)
    else:
        stop, length = -1, 0
    return stop, length, hash_of(data, at, at + length)


@kernel
def _split(data, at, stop, graphs, line, starts, lengths, keys):  # type: ignore[no-untyped-def]
    """Fill in the terms of the line ``data[at:stop]`` and return its kind."""
    lengths[line, 3] = 0
    at = _behind_blanks(data, at)
    for column in range(4):
        first = data[at]
        if column == 3 and first == _DOT:
            break
        if (column == 1 and first != _LESS) or (column != 2 and first == _QUOTE) or (column == 3 and not graphs):
            return OTHER
        if column == 2 and first == _LESS and data[at + 1] == _LESS:
            return NESTED
        end, length, key = _term(data, at, stop)
        if end < 0 or end >= stop:  # a term may have run on into the next line
            return OTHER
        starts[line, column], lengths[line, column], keys[line, column] = at, length, key
        at = _behind_blanks(data, end)
    return PLAIN if data[at] == _DOT and _behind_blanks(data, at + 1) == stop else OTHER


@kernel
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
    block : bytes
        The lines as they were given.
    data : ndarray
        (size + SLACK_BYTES,) uint8: the block with its terms as oxigraph writes them, and bytes that may be read behind
        it.
    starts, lengths, keys : ndarray
        (n, 4) int64, int64, uint64: subject, predicate, object and graph of plain lines; length 0 where there is none.
    ends : ndarray
        (n,) int64: the position behind each line and its end.
    kinds : ndarray
        (n,) uint8: PLAIN, OTHER or NESTED.
    """

    block: bytes
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
        left = np.frombuffer(self.block, dtype=np.uint8)[kept].tobytes()
        return LineParts(n, b"", left, np.flatnonzero(others))


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
    return Tokens(block, data, starts, lengths, keys, ends, kinds)
