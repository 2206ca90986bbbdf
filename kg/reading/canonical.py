"""Lines of N-Triples and N-Quads that are canonical already: no parser need take them apart and write them again.

Most dumps are written by programs, in the form in which oxigraph would write them too. A kernel recognises such lines,
a few instructions a byte, by a part of the grammar in which nothing is left open: what it takes is legal and comes out
of oxigraph as it is. What it does not take may be legal all the same, and is the parser's.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from graphrec.data.line_ends import n_lines
from graphrec.kernels import kernel

_TAB, _LF, _CR, _SPACE, _QUOTE, _DOT, _SLASH, _COLON = 9, 10, 13, 32, 34, 46, 47, 58
_HASH, _PERCENT, _MINUS, _LESS, _GREATER, _QUESTION, _AT, _BACKSLASH, _CARET, _UNDERSCORE = (
    35, 37, 45, 60, 62, 63, 64, 92, 94, 95,
)  # fmt: skip
# What a byte may be part of.
_LETTER, _SCHEME, _HOST, _IRI, _HEX, _DIGIT, _TEXT, _ESCAPE, _LABEL, _LABEL_LATER, _TAG = (
    1 << bit for bit in range(11)
)
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_DIGITS = "0123456789"
_KINDS_OF = {
    _LETTER: _LETTERS,
    _SCHEME: _LETTERS + _DIGITS + "+-.",
    _HOST: _LETTERS + _DIGITS + "._-~",
    _IRI: _LETTERS + _DIGITS + "._-~!$&'()*+,;=:@/?",
    _HEX: _DIGITS + "abcdefABCDEF",
    _DIGIT: _DIGITS,
    _TEXT: "".join(map(chr, range(32, 127))).replace('"', "").replace("\\", ""),
    _ESCAPE: 'tbnrf"\\',
    _LABEL: _LETTERS + _DIGITS + "_",
    _LABEL_LATER: _LETTERS + _DIGITS + "_-",
    _TAG: _LETTERS[26:],
}


def _kinds() -> npt.NDArray[np.int16]:
    kinds = np.zeros(256, dtype=np.int16)
    for kind, letters in _KINDS_OF.items():
        kinds[list(letters.encode())] |= kind
    return kinds


_KINDS = _kinds()
IS_HEX = _KINDS & _HEX != 0
"""(256,) bool: whether a byte is a hexadecimal digit."""
IS_TAG = np.isin(np.arange(256), list((_LETTERS + _DIGITS + "-").encode()))
"""(256,) bool: whether a byte may stand in a language and its direction."""
# The datatype that is left out where a literal is written, and the two that stand beside a language alone.
XSD_STRING = np.frombuffer(b"<http://www.w3.org/2001/XMLSchema#string>", dtype=np.uint8)
_RDF = b"<http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_LANG, _DIR_LANG = (np.frombuffer(_RDF + name, dtype=np.uint8) for name in (b"langString>", b"dirLangString>"))


@kernel
def _utf8(data, at):  # type: ignore[no-untyped-def]
    """Return (code point, bytes) of the character of several bytes at ``at``; (-1, 0) where it is none."""
    first = np.int64(data[at])
    if first < 0xC2 or first > 0xF4:
        return -1, 0
    width = 2 if first < 0xE0 else 3 if first < 0xF0 else 4
    code = first & (0x7F >> width)
    for position in range(at + 1, at + width):
        byte = np.int64(data[position])
        if byte & 0xC0 != 0x80:
            return -1, 0
        code = code << 6 | (byte & 0x3F)
    least = 0x80 if width == 2 else 0x800 if width == 3 else 0x10000
    if code < least or code > 0x10FFFF or 0xD800 <= code < 0xE000:
        return -1, 0
    return code, width


@kernel
def begins(data, at, word):  # type: ignore[no-untyped-def]
    """Return whether ``word`` stands at ``at``."""
    for position in range(len(word)):  # noqa: SIM110 - compiled: no generator is made
        if data[at + position] != word[position]:
            return False
    return True


@kernel
def iri_end(data, at):  # type: ignore[no-untyped-def]
    """Return the position behind the absolute IRI that ``<`` at ``at`` begins, or -1."""
    at += 1
    if not _KINDS[data[at]] & _LETTER:
        return -1
    while _KINDS[data[at]] & _SCHEME:
        at += 1
    if data[at] != _COLON:
        return -1
    at += 1
    if data[at] == _SLASH and data[at + 1] == _SLASH:
        at += 2
        while _KINDS[data[at]] & _HOST:
            at += 1
        if data[at] == _COLON:
            at += 1
            while _KINDS[data[at]] & _DIGIT:
                at += 1
        byte = data[at]
        if byte != _SLASH and byte != _QUESTION and byte != _HASH and byte != _GREATER:
            return -1
    in_fragment = False
    while True:
        while _KINDS[data[at]] & _IRI:
            at += 1
        byte = data[at]
        if byte == _GREATER:
            return at + 1
        if byte == _PERCENT:
            if not _KINDS[data[at + 1]] & _HEX or not _KINDS[data[at + 2]] & _HEX:
                return -1
            at += 3
        elif byte == _HASH and not in_fragment:
            in_fragment = True
            at += 1
        elif byte > 127:
            code, width = _utf8(data, at)
            if code < 0xA0 or code > 0xD7FF:
                return -1
            at += width
        else:
            return -1


# Characters of several bytes in the label of a blank node, first and last of each range: PN_CHARS_BASE of N-Triples,
# and what PN_CHARS adds to it.
_LABEL_RANGES = np.array(
    [
        (0xC0, 0xD6), (0xD8, 0xF6), (0xF8, 0x2FF), (0x370, 0x37D), (0x37F, 0x1FFF), (0x200C, 0x200D), (0x2070, 0x218F),
        (0x2C00, 0x2FEF), (0x3001, 0xD7FF), (0xF900, 0xFDCF), (0xFDF0, 0xFFFD), (0x10000, 0xEFFFF),
        (0xB7, 0xB7), (0x300, 0x36F), (0x203F, 0x2040),
    ]
)  # fmt: skip
_N_FIRST_RANGES = 12  # those that may begin a label


@kernel
def _label_width(data, at, kind, n_ranges):  # type: ignore[no-untyped-def]
    """Return how many bytes the character at ``at`` of a label has, 0 where it may not stand there."""
    if data[at] < 128:
        return 1 if _KINDS[data[at]] & kind else 0
    code, width = _utf8(data, at)
    for i in range(n_ranges):
        if _LABEL_RANGES[i, 0] <= code <= _LABEL_RANGES[i, 1]:
            return width
    return 0


@kernel
def blank_end(data, at):  # type: ignore[no-untyped-def]
    """Return the position behind the blank node at ``at``, or -1: BLANK_NODE_LABEL of N-Triples."""
    at += 2
    width = _label_width(data, at, _LABEL, _N_FIRST_RANGES)
    if data[at - 1] != _COLON or width == 0:
        return -1
    end = at
    while width > 0:
        end = at + width
        at = end
        while data[at] == _DOT:  # full stops belong to a label that goes on behind them
            at += 1
        width = _label_width(data, at, _LABEL_LATER, len(_LABEL_RANGES))
    return end


@kernel
def literal_end(data, at):  # type: ignore[no-untyped-def]
    """Return the position behind the literal that the quote at ``at`` begins, or -1."""
    at += 1
    while True:
        while _KINDS[data[at]] & _TEXT:
            at += 1
        byte = data[at]
        if byte == _QUOTE:
            break
        if byte == _BACKSLASH:
            if not _KINDS[data[at + 1]] & _ESCAPE:
                return -1
            at += 2
        elif byte > 127:
            code, width = _utf8(data, at)
            if code < 0 or code == 0xFFFE or code == 0xFFFF:
                return -1
            at += width
        else:
            return -1
    at += 1
    if data[at] == _AT:
        return _tag_end(data, at + 1)
    if data[at] == _CARET:
        at += 2
        if data[at - 1] != _CARET or data[at] != _LESS or begins(data, at, _LANG) or begins(data, at, _DIR_LANG):
            return -1
        end = iri_end(data, at)
        return -1 if end - at == len(XSD_STRING) and begins(data, at, XSD_STRING) else end
    return at


# How far a language has been read: what may follow depends on nothing else.
_LANGUAGE, _EXTENDED, _SCRIPT, _REGION, _OPENED, _EXTENSION, _OPENED_PRIVATE, _PRIVATE = range(8)
_MOST_EXTENDED = 3
_X = ord("x")
_LTR, _RTL = (np.frombuffer(word, dtype=np.uint8) for word in (b"--ltr", b"--rtl"))


@kernel
def _tag_end(data, at):  # type: ignore[no-untyped-def]
    """Return the position behind a language and its direction, or -1: LANG_DIR of N-Triples 1.2, in lower case.

    Languages are those of BCP 47 (RFC 5646, section 2.1), but for a few registered ones that have a form of their own.
    """
    start = at
    while _KINDS[data[at]] & _TAG:
        at += 1
    if at - start < 2 or at - start > 8:
        return -1
    state = _LANGUAGE if at - start < 4 else _EXTENDED
    n_extended = 0
    while data[at] == _MINUS and data[at + 1] != _MINUS:
        start = at + 1
        at, n_letters = start, 0
        while _KINDS[data[at]] & (_TAG | _DIGIT):
            n_letters += _KINDS[data[at]] & _TAG != 0
            at += 1
        state = _after_subtag(state, at - start, n_letters, data[start])
        n_extended += state == _LANGUAGE
        if state < 0 or n_extended > _MOST_EXTENDED:
            return -1
    if state in (_OPENED, _OPENED_PRIVATE):
        return -1
    if data[at] != _MINUS:
        return at
    return at + len(_LTR) if begins(data, at, _LTR) or begins(data, at, _RTL) else -1


@kernel
def _after_subtag(state, n, n_letters, first):  # type: ignore[no-untyped-def]
    """Return what a language is in after a subtag of ``n`` letters and digits, or -1 where that may not stand there."""
    if n < 1 or n > 8:
        return -1
    if state in (_OPENED_PRIVATE, _PRIVATE):
        return _PRIVATE
    if n == 1:
        if state == _OPENED:
            return -1
        return _OPENED_PRIVATE if first == _X else _OPENED
    if state in (_OPENED, _EXTENSION):
        return _EXTENSION
    if state == _LANGUAGE and n == 3 and n_letters == 3:
        return _LANGUAGE
    if state <= _EXTENDED and n == 4 and n_letters == 4:
        return _SCRIPT
    if state <= _SCRIPT and ((n == 2 and n_letters == 2) or (n == 3 and n_letters == 0)):
        return _REGION
    return _REGION if n >= 5 or (n == 4 and _KINDS[first] & _DIGIT) else -1


@kernel
def _resource_end(data, at):  # type: ignore[no-untyped-def]
    if data[at] == _LESS:
        return iri_end(data, at)
    return blank_end(data, at) if data[at] == _UNDERSCORE else -1


@kernel
def _statement_end(data, at, graphs):  # type: ignore[no-untyped-def]
    """Return the position of the line feed behind the statement that begins at ``at``, or -1."""
    at = _resource_end(data, at)
    if at < 0 or data[at] != _SPACE or data[at + 1] != _LESS:
        return -1
    at = iri_end(data, at + 1)
    if at < 0 or data[at] != _SPACE:
        return -1
    at = literal_end(data, at + 1) if data[at + 1] == _QUOTE else _resource_end(data, at + 1)
    if at < 0 or data[at] != _SPACE:
        return -1
    if graphs and data[at + 1] != _DOT:
        at = _resource_end(data, at + 1)
        if at < 0 or data[at] != _SPACE:
            return -1
    if data[at + 1] != _DOT:
        return -1
    at += 2
    if data[at] == _CR:
        at += 1
    return at if data[at] == _LF else -1


@kernel
def _lines(data, graphs, ends, canonical):  # type: ignore[no-untyped-def]
    """Fill in where each line ends and whether it is canonical; return their number. ``data`` ends in a line feed."""
    n, at = 0, 0
    while at < len(data):
        end = _statement_end(data, at, graphs)
        canonical[n] = end >= 0
        if end < 0:
            end = at
            while data[end] != _LF and data[end] != _CR:
                end += 1
            if data[end] == _CR and end + 1 < len(data) and data[end + 1] == _LF:
                end += 1
        at = end + 1
        ends[n] = at
        n += 1
    return n


@dataclass(frozen=True, slots=True, eq=False)
class LineParts:
    """A block of lines in two parts: ``canonical`` lines, and ``others`` with their (m,) numbers, the first being 0."""

    n: int
    canonical: bytes
    others: bytes
    numbers: npt.NDArray[np.int64]


def parted(block: bytes, *, graphs: bool) -> LineParts:
    """Return the lines of ``block`` in two parts; ``graphs`` where a statement may name one. O(len(block)).

    A line ends with a line feed, a carriage return or both, as ``bytes.splitlines`` has it. The last one may lack its
    end, and is then among the others.
    """
    data = np.frombuffer(block, dtype=np.uint8)
    n = n_lines(block)
    ends, canonical = np.empty(n, dtype=np.int64), np.zeros(n, dtype=np.bool_)
    whole = block.rfind(b"\n") + 1
    n_whole = _lines(data[:whole], graphs, ends, canonical)
    if n_whole < n:  # what follows the last line feed
        ends[n_whole:] = whole + np.cumsum([len(line) for line in block[whole:].splitlines(keepends=True)])
    if canonical.all():
        return LineParts(n, block, b"", np.empty(0, dtype=np.int64))
    if not canonical.any():
        return LineParts(n, b"", block, np.arange(n))
    kept = np.repeat(canonical, np.diff(ends, prepend=0))
    return LineParts(n, data[kept].tobytes(), data[~kept].tobytes(), np.flatnonzero(~canonical))
