"""Lines taken apart into terms -> int32 term numbers: one open-addressing table of byte strings, filled by a kernel.

A term is the token as it was written: ``<iri>``, ``_:label``, ``"text"@en``. Numbers follow the order of first
appearance; a blank node of one file is never that of another. The kernel frees the GIL, so that taking apart and
numbering run side by side.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from graphrec.errors import DataError
from graphrec.kernels import kernel

from .canonical import blank_end, iri_end, literal_end
from .tokens import NESTED, OTHER, PLAIN, Tokens, tokenise
from .words import SLACK_BYTES, hash_of, mix, prefetch, same

_LESS, _QUOTE, _UNDERSCORE = 60, 34, 95
_BLANK = np.uint64(0x9E3779B97F4A7C15)
# A slot holds the number of a term and one (0: empty), and above them half of its hash.
_HALF, _NUMBER = np.uint64(32), np.uint64(0xFFFFFFFF)
_MOST_TERMS = (1 << 31) - 1
_STEPS = (24, 16, 8)  # lines ahead


@kernel
def _is_canonical(data, start, stop):  # type: ignore[no-untyped-def]
    """Return whether the term is legal and what oxigraph would write, by the part of the grammar in ``canonical``."""
    if data[start] == _LESS:
        return iri_end(data, start) == stop
    if data[start] == _QUOTE:
        return literal_end(data, start) == stop
    return blank_end(data, start) == stop


@kernel
def _number(data, start, length, key, floor, trusted, arena, offsets, slots, counts):  # type: ignore[no-untyped-def]
    """Return the number of a term, entering it where it is new (or known only below floor); -1 where it is refused."""
    mask, half = np.uint64(len(slots) - 1), key >> _HALF
    slot = key & mask
    while slots[slot] != 0:
        if slots[slot] >> _HALF == half:
            term = np.int64(slots[slot] & _NUMBER) - 1
            base = offsets[term]
            if term >= floor and offsets[term + 1] - base == length and same(arena, base, data, start, length):
                return term
        slot = (slot + np.uint64(1)) & mask
    if not trusted and not _is_canonical(data, start, start + length):
        return -1
    term = counts[0]
    base = offsets[term]
    for position in range(length):
        arena[base + position] = data[start + position]
    offsets[term + 1] = base + length
    slots[slot] = half << _HALF | np.uint64(term + 1)
    counts[0] = term + 1
    return term


@kernel
def _fetch(line, keys, kinds, arena, offsets, slots):  # type: ignore[no-untyped-def]
    """Have brought near what the lines after ``line`` will look up: slots, then offsets, then bytes of the terms.

    The table is larger than any cache, and each lookup would wait for the memory three times.
    """
    mask = np.uint64(len(slots) - 1)
    for step in range(3):
        later = line + _STEPS[step]
        if later >= len(kinds) or kinds[later] != PLAIN:
            continue
        for column in (0, 2):
            slot = np.int64(keys[later, column] & mask)
            if step == 0:
                prefetch(slots, slot)
            elif slots[slot] != 0:
                term = np.int64(slots[slot] & _NUMBER) - 1
                if step == 1:
                    prefetch(offsets, term)
                else:
                    prefetch(arena, offsets[term])


@kernel
def _encode(data, starts, lengths, keys, kinds, floor, trusted, arena, offsets, slots, counts, out):  # type: ignore[no-untyped-def]
    """Number the terms of the plain lines; return (rows written, sum of triple hashes). Refused lines become OTHER."""
    n, digest = 0, np.uint64(0)
    for line in range(len(kinds)):
        _fetch(line, keys, kinds, arena, offsets, slots)
        if kinds[line] != PLAIN:
            continue
        for column in range(4):
            length, start, key = lengths[line, column], starts[line, column], keys[line, column]
            if length == 0:
                out[n, column] = -1  # no graph is named
                continue
            lowest = floor if data[start] == _UNDERSCORE else 0
            term = _number(data, start, length, key, lowest, trusted, arena, offsets, slots, counts)
            if term < 0:
                kinds[line] = OTHER
                break
            out[n, column] = term
        if kinds[line] != PLAIN:
            continue
        n += 1
        # Blank nodes are masked, so that the digest of a file does not hang on their labels.
        subject = _BLANK if data[starts[line, 0]] == _UNDERSCORE else keys[line, 0]
        value = _BLANK if data[starts[line, 2]] == _UNDERSCORE else keys[line, 2]
        digest += mix(mix(subject + mix(keys[line, 1])) + value)
    return n, digest


@kernel
def _refill(arena, offsets, n, slots):  # type: ignore[no-untyped-def]
    mask = np.uint64(len(slots) - 1)
    ahead = np.empty(_STEPS[0], dtype=np.uint64)  # keys of the terms that come next, whose slots are being fetched
    for coming in range(n + len(ahead)):
        place = coming % len(ahead)
        key = ahead[place]
        if coming < n:
            ahead[place] = hash_of(arena, offsets[coming], offsets[coming + 1])
            prefetch(slots, np.int64(ahead[place] & mask))
        if coming < len(ahead):
            continue
        slot = key & mask
        while slots[slot] != 0:
            slot = (slot + np.uint64(1)) & mask
        slots[slot] = key >> _HALF << _HALF | np.uint64(coming - len(ahead) + 1)


@dataclass(frozen=True, slots=True, eq=False)
class Encoded:
    """Statements as term numbers: (n, 3) int32 ``triples``, and the (n,) int32 ``graphs`` they are in, -1: default."""

    triples: npt.NDArray[np.int32]
    graphs: npt.NDArray[np.int32]


class TermTable:
    """Terms seen so far: ``arena[offsets[i]:offsets[i + 1]]`` are the bytes of term ``i``. Grows as it is fed.

    Features
    ----------
    arena : ndarray
        (capacity,) uint8.
    offsets : ndarray
        (capacity + 1,) int64.
    n_nested : int
        Statements with triple terms met and left out.
    """

    def __init__(self) -> None:
        self.arena: npt.NDArray[np.uint8] = np.empty(1 << 16, dtype=np.uint8)
        self.offsets: npt.NDArray[np.int64] = np.zeros(1025, dtype=np.int64)
        self._slots = np.zeros(2048, dtype=np.uint64)
        self._counts = np.zeros(1, dtype=np.int64)
        self.n_nested = 0
        self.first_nested = ""
        self._floor = 0
        self._digest = 0

    def __len__(self) -> int:
        return int(self._counts[0])

    def begin_file(self) -> None:
        """Start the next file: its blank nodes are new, and its digest starts from nothing."""
        self._floor, self._digest = len(self), 0

    @property
    def file_digest(self) -> int:
        """64-bit hash of the current file's triples with blank nodes masked; their order does not matter."""
        return self._digest

    def forget_slots(self) -> None:
        """Give back what finds terms; nothing may be encoded afterwards."""
        self._slots = np.zeros(0, dtype=np.uint64)

    def clear(self) -> None:
        """Forget all terms and give their memory back."""
        self.__init__()  # type: ignore[misc]

    def encode_plain(self, tokens: Tokens) -> Encoded:
        """Return the plain lines; one with a term that is not surely legal and canonical becomes OTHER. O(bytes)."""
        tokens.kinds[tokens.kinds == NESTED] = OTHER
        return self._encode(tokens, trusted=False)

    def encode(self, data: bytes) -> Encoded:
        """Return what oxigraph wrote: canonical N-Quads. Statements with triple terms are left out and counted.

        Raises
        ------
        DataError
            On a line that is no statement.
        """
        tokens = tokenise(data, graphs=True)
        encoded = self._encode(tokens, trusted=True)
        nested = np.flatnonzero(tokens.kinds == NESTED)
        if len(nested):
            self.first_nested = self.first_nested or data.splitlines()[nested[0]].decode()
            self.n_nested += len(nested)
        if len(encoded.triples) + len(nested) < len(tokens.kinds):
            line = data.splitlines()[int(np.argmax(tokens.kinds == OTHER))]
            raise DataError(f"the parser wrote {line!r}, which is no canonical statement")
        return encoded

    def _encode(self, tokens: Tokens, *, trusted: bool) -> Encoded:
        self._reserve(len(tokens.data), 4 * len(tokens.kinds))
        out = np.empty((len(tokens.kinds), 4), dtype=np.int32)
        columns = (tokens.data, tokens.starts, tokens.lengths, tokens.keys, tokens.kinds)
        table = (self.arena, self.offsets, self._slots, self._counts)
        n, digest = _encode(*columns, self._floor, trusted, *table, out)
        self._digest = (self._digest + int(digest)) % (1 << 64)
        return Encoded(np.ascontiguousarray(out[:n, :3]), out[:n, 3].copy())

    def _reserve(self, n_bytes: int, n_terms: int) -> None:
        """Make room for what the next lines could bring at most."""
        used, terms = int(self.offsets[len(self)]), len(self) + n_terms
        if terms > _MOST_TERMS:
            raise DataError(f"the files hold more than {_MOST_TERMS - n_terms:,} terms; that many are legal at once")
        if used + n_bytes + SLACK_BYTES > len(self.arena):
            self.arena = _grown(self.arena, used, used + n_bytes + SLACK_BYTES)
        if terms >= len(self.offsets):
            self.offsets = _grown(self.offsets, len(self) + 1, terms + 1)
        if 3 * terms > 2 * len(self._slots):
            size = 1 << (3 * terms // 2).bit_length()
            self._slots = np.empty(0, dtype=np.uint64)  # given back before there is the larger one
            self._slots = np.zeros(size, dtype=np.uint64)
            _refill(self.arena, self.offsets, len(self), self._slots)


def _grown(array: npt.NDArray[Any], used: int, needed: int) -> npt.NDArray[Any]:
    """Return a larger array with the first ``used`` entries copied; pages never touched cost nothing."""
    larger = np.empty(max(needed, len(array) * 3 // 2), dtype=array.dtype)
    larger[:used] = array[:used]
    return larger
