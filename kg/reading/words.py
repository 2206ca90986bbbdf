"""Eight bytes at a time: loading them from anywhere, finding a byte among them, and hashing.

A word is what eight bytes are as a little-endian number, so that its lowest byte is the first.
"""

# numba names the arguments of an intrinsic by its signature, whether they are used or not.
# ruff: noqa: ARG001

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from graphrec.kernels import kernel

_as_intrinsic: Callable[[Callable[..., Any]], Any] = intrinsic
_declared: Any = cgutils.get_or_insert_function
_ONES, _HIGHS = np.uint64(0x0101010101010101), np.uint64(0x8080808080808080)
# KEPT[n] keeps the first n bytes of a word.
KEPT = np.array([(1 << (8 * n)) - 1 for n in range(9)], dtype=np.uint64)
_BASIS, _PRIME = np.uint64(0x2D358DCCAA6C78A5), np.uint64(0x9E3779B97F4A7C15)
# The finaliser of MurmurHash3 (Appleby).
_MIX_1, _MIX_2 = np.uint64(0xFF51AFD7ED558CCD), np.uint64(0xC4CEB9FE1A85EC53)
_SHIFT = np.uint64(33)
SLACK_BYTES = 64
"""Bytes that must follow what is read by words."""


@_as_intrinsic
def word_at(_: Any, data: Any, at: Any) -> Any:
    """Return the eight bytes of (n,) uint8 ``data`` from ``at`` on, which need not be a multiple of eight."""

    def load(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array = context.make_array(signature.args[0])(context, builder, arguments[0])
        pointer = builder.bitcast(builder.gep(array.data, [arguments[1]]), ir.IntType(64).as_pointer())
        return builder.load(pointer, align=1)

    return types.uint64(data, types.intp), load


@_as_intrinsic
def prefetch(_: Any, data: Any, at: Any) -> Any:
    """Have ``data[at]`` brought near the processor, without waiting for it; nothing happens where there is none."""

    def fetch(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array = context.make_array(signature.args[0])(context, builder, arguments[0])
        number, pointer = ir.IntType(32), ir.IntType(8).as_pointer()
        kind = ir.FunctionType(ir.VoidType(), [pointer, number, number, number])
        function = _declared(builder.module, kind, "llvm.prefetch.p0")
        place = builder.bitcast(builder.gep(array.data, [arguments[1]]), pointer)
        builder.call(function, [place, number(0), number(3), number(1)])  # to be read, kept, data
        return context.get_dummy_value()

    return types.void(data, types.intp), fetch


@_as_intrinsic
def _n_trailing_zeros(_: Any, word: Any) -> Any:
    def count(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 1))

    return types.intp(types.uint64), count


@_as_intrinsic
def _bytes_reversed(_: Any, word: Any) -> Any:
    def reverse(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.bswap(arguments[0])

    return types.uint64(types.uint64), reverse


@kernel
def sort_key(data, at, length):  # type: ignore[no-untyped-def]
    """Return a number by which texts order: their first seven bytes, then how many there were, 8 for more than seven.

    Of two texts with the same number they are the same where it ends in 7 or less.
    """
    word = _bytes_reversed(word_at(data, at))
    if length > 7:
        return word & ~np.uint64(0xFF) | np.uint64(8)
    return word & ~(~np.uint64(0) >> np.uint64(8 * length)) | np.uint64(length)


@kernel
def marks(word, letters):  # type: ignore[no-untyped-def]
    """Return a word whose lowest bit set is in the first byte that the two have in common; 0 if none."""
    word ^= letters
    return (word - _ONES) & ~word & _HIGHS


@kernel
def first_marked(marked):  # type: ignore[no-untyped-def]
    """Return which byte holds the lowest bit set."""
    return _n_trailing_zeros(marked) >> 3


@kernel
def mix(value):  # type: ignore[no-untyped-def]
    """Return ``value`` with every bit spread over all."""
    value ^= value >> _SHIFT
    value *= _MIX_1
    value ^= value >> _SHIFT
    value *= _MIX_2
    return value ^ (value >> _SHIFT)


@kernel
def hashed(value, word):  # type: ignore[no-untyped-def]
    """Return the running hash ``value`` after one more word; it begins as :func:`basis`, and ends in :func:`mix`."""
    value = (value ^ word) * _PRIME
    return value ^ (value >> np.uint64(32))


@kernel
def basis():  # type: ignore[no-untyped-def]
    """Return what the hash of nothing is."""
    return _BASIS


@kernel
def hash_of(data, start, stop):  # type: ignore[no-untyped-def]
    """Return the 64-bit hash of ``data[start:stop]``; ``SLACK_BYTES`` may be read behind it."""
    value = _BASIS
    while start + 8 <= stop:
        value = hashed(value, word_at(data, start))
        start += 8
    if start < stop:
        value = hashed(value, word_at(data, start) & KEPT[stop - start])
    return mix(value)


@kernel
def same(first, at, second, start, length):  # type: ignore[no-untyped-def]
    """Return whether ``length`` bytes are the same; ``SLACK_BYTES`` may be read behind them."""
    done = 0
    while done + 8 <= length:
        if word_at(first, at + done) != word_at(second, start + done):
            return False
        done += 8
    difference = word_at(first, at + done) ^ word_at(second, start + done)
    return done == length or difference & KEPT[length - done] == 0


@kernel
def put_utf8(code, out, end):  # type: ignore[no-untyped-def]
    """Write a character of UTF-8 to ``out`` from ``end`` on and return the position behind it."""
    if code < 0x80:
        out[end] = code
        return end + 1
    if code < 0x800:
        out[end], out[end + 1] = 0xC0 | code >> 6, 0x80 | code & 0x3F
        return end + 2
    if code < 0x10000:
        out[end], out[end + 1], out[end + 2] = 0xE0 | code >> 12, 0x80 | code >> 6 & 0x3F, 0x80 | code & 0x3F
        return end + 3
    out[end], out[end + 1] = 0xF0 | code >> 18, 0x80 | code >> 12 & 0x3F
    out[end + 2], out[end + 3] = 0x80 | code >> 6 & 0x3F, 0x80 | code & 0x3F
    return end + 4


@kernel
def hexadecimal(data, start, stop):  # type: ignore[no-untyped-def]
    """Return the number that hexadecimal digits say."""
    code = 0
    for position in range(start, stop):
        digit = data[position]
        code = code * 16 + (digit - 48 if digit < 58 else (digit | 32) - 87)
    return code
