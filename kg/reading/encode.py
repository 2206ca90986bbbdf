"""Canonical N-Quads bytes -> int32 term numbers: one open-addressing table of byte strings, filled by a kernel.

A term is the token as the serialiser wrote it: ``<iri>``, ``_:label``, ``"text"@en``. Numbers follow the order of first
appearance; a blank node of one file is never that of another. The kernel frees the GIL, so that parsing and encoding
run side by side.
"""

from __future__ import annotations

from typing import Any

import numba as nb
import numpy as np
import numpy.typing as npt

_SPACE, _NEWLINE, _QUOTE, _BACKSLASH, _DOT = 32, 10, 34, 92, 46
_LESS, _UNDERSCORE = 60, 95
# FNV-1a: Fowler, Noll, Vo; the finaliser is that of MurmurHash3 (Appleby).
_FNV_BASIS = np.uint64(14695981039346656037)
_FNV_PRIME = np.uint64(1099511628211)
_MIX_1, _MIX_2 = np.uint64(0xFF51AFD7ED558CCD), np.uint64(0xC4CEB9FE1A85EC53)
_SHIFT = np.uint64(33)
_BLANK = np.uint64(0x9E3779B97F4A7C15)


@nb.njit(nogil=True, cache=True)
def _mix(value: np.uint64) -> np.uint64:
    value ^= value >> _SHIFT
    value *= _MIX_1
    value ^= value >> _SHIFT
    value *= _MIX_2
    return value ^ (value >> _SHIFT)


@nb.njit(nogil=True, cache=True)
def _hash(data, start, stop):  # type: ignore[no-untyped-def]
    value = _FNV_BASIS
    for position in range(start, stop):
        value = (value ^ np.uint64(data[position])) * _FNV_PRIME
    return _mix(value)


@nb.njit(nogil=True, cache=True)
def _number(data, start, stop, key, floor, arena, offsets, hashes, slots, counts):  # type: ignore[no-untyped-def]
    """Return the number of the term ``data[start:stop]``, entering it where it is new (or known only below floor)."""
    length = stop - start
    mask = np.uint64(len(slots) - 1)
    slot = key & mask
    while True:
        term = slots[slot]
        if term < 0:
            break
        if term >= floor and hashes[term] == key and offsets[term + 1] - offsets[term] == length:
            base = offsets[term]
            same = True
            for position in range(length):
                if arena[base + position] != data[start + position]:
                    same = False
                    break
            if same:
                return term
        slot = (slot + np.uint64(1)) & mask
    term = counts[0]
    base = offsets[term]
    for position in range(length):
        arena[base + position] = data[start + position]
    offsets[term + 1] = base + length
    hashes[term] = key
    slots[slot] = term
    counts[0] = term + 1
    return term


@nb.njit(nogil=True, cache=True)
def _object_end(data, start):  # type: ignore[no-untyped-def]
    """Return where the object that begins at ``start`` ends; only a literal's text may hold spaces."""
    position = start
    if data[position] == _QUOTE:
        position += 1
        while data[position] != _QUOTE:
            position += 2 if data[position] == _BACKSLASH else 1
    while data[position] != _SPACE:
        position += 1
    return position


@nb.njit(nogil=True, cache=True)
def _encode(data, floor, graphs, arena, offsets, hashes, slots, counts, out):  # type: ignore[no-untyped-def]
    """Encode every line; return (rows written, triple terms met, position of the first one, sum of triple hashes)."""
    n, n_nested, first_nested, digest = 0, 0, -1, np.uint64(0)
    position, size = 0, len(data)
    while position < size:
        line = position
        while data[position] != _SPACE:
            position += 1
        subject_end = position
        predicate = position + 1
        position = predicate
        while data[position] != _SPACE:
            position += 1
        predicate_end = position
        obj = position + 1
        if data[obj] == _LESS and data[obj + 1] == _LESS:
            n_nested += 1
            if first_nested < 0:
                first_nested = line
            while data[position] != _NEWLINE:
                position += 1
            position += 1
            continue
        obj_end = _object_end(data, obj)
        position = obj_end + 1
        graph, graph_end = position, position
        if data[position] != _DOT:
            while data[position] != _SPACE:
                position += 1
            graph_end = position
        while data[position] != _NEWLINE:
            position += 1
        position += 1
        blank_subject, blank_object = data[line] == _UNDERSCORE, data[obj] == _UNDERSCORE
        key_s, key_p = _hash(data, line, subject_end), _hash(data, predicate, predicate_end)
        key_o = _hash(data, obj, obj_end)
        out[n, 0] = _number(
            data, line, subject_end, key_s, floor if blank_subject else 0, arena, offsets, hashes, slots, counts
        )
        out[n, 1] = _number(data, predicate, predicate_end, key_p, 0, arena, offsets, hashes, slots, counts)
        out[n, 2] = _number(
            data, obj, obj_end, key_o, floor if blank_object else 0, arena, offsets, hashes, slots, counts
        )
        out[n, 3] = -1
        if graphs and graph_end > graph:
            key_g = _hash(data, graph, graph_end)
            out[n, 3] = _number(data, graph, graph_end, key_g, 0, arena, offsets, hashes, slots, counts)
        n += 1
        # Blank nodes are masked, so that the digest of a file does not hang on their labels.
        part = _mix((_BLANK if blank_subject else key_s) + _mix(key_p))
        digest += _mix(part + (_BLANK if blank_object else key_o))
    return n, n_nested, first_nested, digest


@nb.njit(nogil=True, cache=True)
def _refill(hashes, n, slots):  # type: ignore[no-untyped-def]
    mask = np.uint64(len(slots) - 1)
    for term in range(n):
        slot = hashes[term] & mask
        while slots[slot] >= 0:
            slot = (slot + np.uint64(1)) & mask
        slots[slot] = term


class TermTable:
    """Terms seen so far: ``arena[offsets[i]:offsets[i + 1]]`` are the bytes of term ``i``. Grows as it is fed.

    Features
    ----------
    arena : ndarray
        (capacity,) uint8.
    offsets : ndarray
        (capacity + 1,) int64.
    n_nested, n_bytes : int
        Triple terms met and left out; bytes encoded.
    """

    def __init__(self) -> None:
        self.arena: npt.NDArray[np.uint8] = np.empty(1 << 16, dtype=np.uint8)
        self.offsets: npt.NDArray[np.int64] = np.zeros(1025, dtype=np.int64)
        self._hashes: npt.NDArray[np.uint64] = np.empty(1024, dtype=np.uint64)
        self._slots = np.full(2048, -1, dtype=np.int32)
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

    def clear(self) -> None:
        """Forget all terms and give their memory back."""
        self.__init__()  # type: ignore[misc]

    def encode(self, data: bytes, n_lines: int, *, graphs: bool = False) -> npt.NDArray[np.int32]:
        """Return (n, 4) int32 subject, predicate, object, graph (-1: default) of canonical N-Quads lines.

        Lines whose object is a triple term are left out and counted in ``n_nested``. O(len(data)).
        """
        self._reserve(len(data), 4 * n_lines)
        out = np.empty((n_lines, 4), dtype=np.int32)
        view = np.frombuffer(data, dtype=np.uint8)
        n, n_nested, first, digest = _encode(
            view, self._floor, graphs, self.arena, self.offsets, self._hashes, self._slots, self._counts, out
        )
        if n_nested and not self.n_nested:
            self.first_nested = data[first : data.index(b"\n", first)].decode()
        self.n_nested += int(n_nested)
        self._digest = (self._digest + int(digest)) % (1 << 64)
        return out[:n]

    def _reserve(self, n_bytes: int, n_terms: int) -> None:
        """Make room for what the next chunk could bring at most."""
        used, terms = int(self.offsets[len(self)]), len(self) + n_terms
        if used + n_bytes > len(self.arena):
            self.arena = _grown(self.arena, used, used + n_bytes)
        if terms > len(self._hashes):
            self._hashes = _grown(self._hashes, len(self), terms)
            self.offsets = _grown(self.offsets, len(self) + 1, len(self._hashes) + 1)
        if 2 * terms > len(self._slots):
            self._slots = np.full(1 << (2 * terms).bit_length(), -1, dtype=np.int32)
            _refill(self._hashes, len(self), self._slots)


def _grown(array: npt.NDArray[Any], used: int, needed: int) -> npt.NDArray[Any]:
    """Return a larger array with the first ``used`` entries copied; pages never touched cost nothing."""
    larger = np.empty(max(needed, len(array) * 3 // 2), dtype=array.dtype)
    larger[:used] = array[:used]
    return larger
