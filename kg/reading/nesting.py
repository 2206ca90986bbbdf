"""Watching the bytes of an RDF document for what would be too much for a parser: depth, long values, many names.

Parsers recurse into triple terms and JSON objects until the process dies, and look up each XML namespace among all
others. So each byte passes one of three automata first, compiled, a few instructions a byte: they know strings, IRIs
and comments, in which a bracket is none, and keep their state from block to block. They do not judge syntax. Most bytes
mean nothing where they stand; runs of them are passed over by one look at a table each.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from graphrec.data.limits import Limits, beyond_limit
from graphrec.kernels import kernel

from .formats import RdfFile

# Places in the state of an automaton.
_MODE, _DEPTH, _LINE, _LINE_START, _OFFSET, _LENGTH, _A, _B, _NAMES, _COST, _SCOPED, _CONTEXT = range(12)
# XML has no contexts, and counts the attributes of a tag and keeps the quote of a value in their places.
_ATTRIBUTES, _QUOTE = _COST, _CONTEXT
_TOO_DEEP, _TOO_LONG, _TOO_MANY, _TOO_COSTLY = 1, 2, 3, 4
# Objects of JSON-LD that change the context copy it: so many terms may be copied freely, and so many a byte.
_FREE_COPIES, _COPIES_A_BYTE = 1 << 24, 16

TEXT_PARSER_BYTES = (1 << 24) - (1 << 16)
"""What the parser of the text syntaxes holds of one value, line or comment: 16 MiB less what stands around it."""
_JSON_PARSER_BYTES = (1 << 23) - (1 << 16)


def _quiet(meaning: Mapping[int, bytes]) -> npt.NDArray[np.uint16]:
    """Return (256,) bits: bit ``mode`` of a byte is set where it is not among those that mean something in it."""
    quiet = np.zeros(256, dtype=np.uint16)
    for mode, letters in meaning.items():
        quiet[[byte for byte in range(256) if byte not in b"\n" + letters]] |= 1 << mode
    return quiet


_SPACES = bytes(range(33))
_TURTLE_QUIET = _quiet({0: _SPACES + b"<>\"'#\\[]{}(),;", 1: b">", 2: b"\r", 4: b"\"'\\", 5: b"\"'\\"})
_JSON_QUIET = _quiet({1: b'"\\'})
_XML_QUIET = _quiet({0: b"<", 2: _SPACES + b">\"'=", 3: b">", 4: b"\"'", 7: b">-", 8: b">]"})


@kernel
def _run_end(data, position, most, quiet, mode):  # type: ignore[no-untyped-def]
    """Return the end of the run of bytes that mean nothing in ``mode``, ``most`` bytes on at the latest."""
    bit, stop = 1 << mode, min(len(data), position + most)
    while position < stop and quiet[data[position]] & bit:
        position += 1
    return position


@kernel
def _turtle(data, state, names, most_depth, most_bytes, most_names):  # type: ignore[no-untyped-def] # noqa: ARG001
    """Follow Turtle and TriG; return a fault and its position, or (0, 0)."""
    mode, depth, length, quote, count = state[_MODE], state[_DEPTH], state[_LENGTH], state[_A], state[_B]
    fault, position = 0, 0
    while position < len(data):
        end = _run_end(data, position, most_bytes - length, _TURTLE_QUIET, mode)
        if end > position:
            length += end - position
            position = end
            count = 0 if mode == 5 else count
            continue
        byte = data[position]
        if byte == 10:
            state[_LINE] += 1
            state[_LINE_START] = state[_OFFSET] + position + 1
        length += 1
        if mode == 3:  # one or two quotes have been seen
            if byte == quote:
                count += 1
                if count == 3:
                    mode, count = 5, 0
                position += 1
                continue
            mode = 0 if count == 2 else 4  # two quotes are the empty string
            count = 0
        elif mode == 8:  # after <
            if byte == 60:
                mode = 0
                depth += 1
                position += 1
                length = 0
                if depth > most_depth:
                    fault = _TOO_DEEP
                    break
                continue
            mode = 1
        elif mode == 9:  # after >
            mode = 0
            if byte == 62:
                depth = max(depth - 1, 0)
                position += 1
                continue
        if mode == 0:
            if byte == 60:
                mode, length = 8, 0
            elif byte == 62:
                mode = 9
            elif byte == 34 or byte == 39:
                mode, quote, count, length = 3, byte, 1, 0
            elif byte == 35:
                mode, length = 2, 0
            elif byte == 92:
                mode = 10
            elif byte == 91 or byte == 40 or byte == 123:
                depth += 1
                length = 0
                if depth > most_depth:
                    fault = _TOO_DEEP
                    break
            elif byte == 93 or byte == 41 or byte == 125:
                depth = max(depth - 1, 0)
                length = 0
            elif byte <= 32 or byte == 44 or byte == 59:
                length = 0
        elif mode == 1:
            if byte == 62:
                mode, length = 0, 0
        elif mode == 2:
            if byte == 10 or byte == 13:
                mode, length = 0, 0
        elif mode == 4:
            if byte == quote:
                mode, length = 0, 0
            elif byte == 92:
                mode = 6
        elif mode == 5:
            if byte == quote:
                count += 1
                if count == 3:
                    mode, length, count = 0, 0, 0
            else:
                count = 0
                if byte == 92:
                    mode = 7
        elif mode == 6:
            mode = 4
        elif mode == 7:
            mode = 5
        else:  # after a backslash in a name
            mode = 0
        if length > most_bytes:
            fault = _TOO_LONG
            break
        position += 1
    state[_MODE], state[_DEPTH], state[_LENGTH], state[_A], state[_B] = mode, depth, length, quote, count
    return fault, position


@kernel
def _json(data, state, names, most_depth, most_bytes, most_names):  # type: ignore[no-untyped-def]
    """Follow JSON; ``names`` counts the terms set at each level. ``matched`` letters of a string are ``@context``."""
    word = (64, 99, 111, 110, 116, 101, 120, 116)  # @context
    mode, depth, length, matched = state[_MODE], state[_DEPTH], state[_LENGTH], state[_A]
    fault, position = 0, 0
    while position < len(data):
        if mode == 1 and (matched == -1 or matched == 9):
            end = _run_end(data, position, most_bytes - length, _JSON_QUIET, mode)
            if end > position:
                length += end - position
                position = end
                continue
        byte = data[position]
        if byte == 10:
            state[_LINE] += 1
            state[_LINE_START] = state[_OFFSET] + position + 1
        length += 1
        if mode == 1:  # in a string
            if byte == 34:
                mode, length = 2, 0
            elif byte == 92:
                mode, matched = 3, 9  # an escape may stand for any letter
            elif matched != 9:
                matched = matched + 1 if 0 <= matched < 8 and byte == word[matched] else -1
        elif mode == 3:
            mode = 1
        elif byte == 34:
            mode, length, matched = 1, 0, 0
        elif byte == 58 and mode == 2:  # the string was a key
            mode, length = 0, 0
            inside = state[_CONTEXT] > 0
            if inside:
                names[state[_CONTEXT]] += 1
                state[_NAMES] += 1
                if state[_NAMES] > most_names:
                    fault = _TOO_MANY
                    break
            if matched >= 8:
                state[_COST] += state[_NAMES]
                if inside:
                    state[_SCOPED] = 1  # a context inside a context: each object may bring it in again
                else:
                    state[_CONTEXT] = depth
        elif byte == 123 or byte == 91:
            mode, length = 0, 0
            depth += 1
            if depth > most_depth:
                fault = _TOO_DEEP
                break
            if byte == 123 and state[_SCOPED] == 1:
                state[_COST] += state[_NAMES]
        elif byte == 125 or byte == 93:
            mode, length = 0, 0
            if state[_CONTEXT] == depth:
                state[_CONTEXT] = 0
            if byte == 125:
                state[_NAMES] -= names[depth]
                names[depth] = 0
            depth = max(depth - 1, 0)
        elif byte == 44:
            mode, length = 0, 0
            if state[_CONTEXT] == depth:
                state[_CONTEXT] = 0
        elif byte <= 32:
            length = 0
        if length > most_bytes:
            fault = _TOO_LONG
            break
        if state[_COST] > _FREE_COPIES and state[_COST] > _COPIES_A_BYTE * (state[_OFFSET] + position):
            fault = _TOO_COSTLY
            break
        position += 1
    state[_MODE], state[_DEPTH], state[_LENGTH], state[_A] = mode, depth, length, matched
    return fault, position


@kernel
def _xml(data, state, names, most_depth, most_bytes, most_names):  # type: ignore[no-untyped-def]
    """Follow XML; ``names`` counts the namespaces declared at each level."""
    word = (120, 109, 108, 110, 115)  # xmlns
    mode, depth, length, matched, last = state[_MODE], state[_DEPTH], state[_LENGTH], state[_A], state[_B]
    fault, position = 0, 0
    while position < len(data):
        if mode != 2 or matched == -1:
            end = _run_end(data, position, most_bytes - length, _XML_QUIET, mode)
            if end > position:
                length += end - position
                position = end
                if mode == 2 or mode == 7 or mode == 8:
                    last = data[position - 1] if mode == 2 else 1 if mode == 7 else 0
                continue
        byte = data[position]
        if byte == 10:
            state[_LINE] += 1
            state[_LINE_START] = state[_OFFSET] + position + 1
        length += 1
        if mode == 0:  # text
            if byte == 60:
                mode, length = 1, 0
        elif mode == 1:  # after <
            if byte == 47:
                mode = 3
            elif byte == 33:
                mode, last = 6, 0
            elif byte == 63:
                mode, last = 9, 0
            else:
                mode, last, matched = 2, 0, -1
                state[_ATTRIBUTES] = 0
        elif mode == 2:  # in an opening tag
            if byte == 62:
                mode, length = 0, 0
                if last == 47:
                    state[_NAMES] -= names[depth + 1]
                    names[depth + 1] = 0
                else:
                    depth += 1
                    if depth > most_depth:
                        fault = _TOO_DEEP
                        break
            elif byte == 34 or byte == 39:
                mode, state[_QUOTE], length = 4, byte, 0
            elif byte == 61:
                state[_ATTRIBUTES] += 1
                if matched >= 5:
                    names[depth + 1] += 1
                    state[_NAMES] += 1
                if state[_ATTRIBUTES] > most_names or state[_NAMES] > most_names:
                    fault = _TOO_MANY
                    break
                matched = -1
            elif byte <= 32:
                matched = 0
            elif 0 <= matched < 5:
                matched = matched + 1 if byte == word[matched] else -1
            last = byte
        elif mode == 3:  # in a closing tag
            if byte == 62:
                mode, length = 0, 0
                state[_NAMES] -= names[depth]
                names[depth] = 0
                depth = max(depth - 1, 0)
        elif mode == 4:  # in the value of an attribute
            if byte == state[_QUOTE]:
                mode, length, matched, last = 2, 0, 0, byte
        elif mode == 6:  # after <!
            if byte == 45:
                mode, last = 7, 0
            elif byte == 91:
                mode, last = 8, 0
            else:
                mode, length = 0, 0
        elif mode == 7:  # in a comment
            if byte == 62 and last >= 3:
                mode, length = 0, 0
            elif byte == 45:
                last += 1  # the one that opens it is counted: <!--> is no whole comment
            else:
                last = 1
        elif mode == 8:  # in CDATA
            if byte == 62 and last >= 2:
                mode, length = 0, 0
            elif byte == 93:
                last += 1
            else:
                last = 0
        elif byte == 62 and last == 63:  # the end of an instruction
            mode, length = 0, 0
        else:
            last = byte
        if length > most_bytes:
            fault = _TOO_LONG
            break
        position += 1
    state[_MODE], state[_DEPTH], state[_LENGTH], state[_A], state[_B] = mode, depth, length, matched, last
    return fault, position


_AUTOMATA: dict[str, tuple[Callable[..., tuple[int, int]], int | None]] = {
    "turtle": (_turtle, TEXT_PARSER_BYTES),
    "trig": (_turtle, TEXT_PARSER_BYTES),
    "json-ld": (_json, _JSON_PARSER_BYTES),
    "rdf-xml": (_xml, None),
}
_NAMES_ARE = {"json-ld": "terms in the contexts that hold there", "rdf-xml": "namespaces or attributes that hold there"}


class NestingGuard:
    """Follows one document block by block. Lines are counted from 1, and so are columns, in bytes.

    Parameters
    ----------
    file : RdfFile
        Turtle, TriG, JSON-LD or RDF/XML.
    limits : Limits
        ``depth``, ``text_bytes`` and ``names`` are used.
    """

    def __init__(self, file: RdfFile, limits: Limits) -> None:
        self._file, self._limits = file, limits
        self._follow, self._parser_bytes = _AUTOMATA[file.format]
        self._state: Any = np.zeros(12, dtype=np.int64)
        self._state[_LINE] = 1
        self._names = np.zeros(limits.depth + 3, dtype=np.int64)
        self._most_bytes = min(limits.text_bytes, self._parser_bytes or limits.text_bytes)

    def feed(self, data: bytes) -> None:
        """Look at the next bytes. O(len(data)).

        Raises
        ------
        DataError
            At the byte with which a limit is passed.
        """
        limits, state = self._limits, self._state
        fault, position = self._follow(
            np.frombuffer(data, dtype=np.uint8), state, self._names, limits.depth, self._most_bytes, limits.names
        )
        if not fault:
            state[_OFFSET] += len(data)
            return
        column = int(state[_OFFSET]) + position - int(state[_LINE_START]) + 1
        place = f"{self._file.path}, line {state[_LINE]}, column {column}"
        if fault == _TOO_DEEP:
            raise beyond_limit(place, f"{limits.depth + 1:,} levels are nested", limits, "depth")
        if fault == _TOO_LONG:
            raise beyond_limit(
                place, "a value, name, comment or tag is too many bytes", limits, "text_bytes", most=self._most_bytes
            )
        if fault == _TOO_MANY:
            what = f"there are {limits.names + 1:,} {_NAMES_ARE[self._file.format]}"
            raise beyond_limit(place, what, limits, "names")
        what = f"contexts inside contexts copy {state[_COST]:,} terms (bound: {_COPIES_A_BYTE} for each byte)"
        raise beyond_limit(place, what, limits, "names")


def is_too_deep(line: bytes, limits: Limits) -> bool:
    """Return whether the triple terms of one line of N-Triples or N-Quads nest beyond ``limits.depth``."""
    state, unused = np.zeros(12, dtype=np.int64), np.zeros(1, dtype=np.int64)
    fault, _ = _turtle(np.frombuffer(line, dtype=np.uint8), state, unused, limits.depth, len(line) + 1, 1)
    return bool(fault == _TOO_DEEP)
