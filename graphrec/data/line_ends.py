"""Counting lines of text in bytes."""

from __future__ import annotations

import numpy as np


def count_byte(data: bytes, letter: str) -> int:
    """Return how often an ASCII letter stands in ``data``; faster than ``bytes.count`` where it is frequent."""
    return int(np.count_nonzero(np.frombuffer(data, dtype=np.uint8) == ord(letter)))


def n_line_ends(data: bytes) -> int:
    r"""Return the number of line ends: a line feed, a carriage return, or both.

    >>> n_line_ends(b"a\nb\r\nc\rd")
    3
    """
    ends = count_byte(data, "\n")
    if b"\r" in data:
        ends += data.count(b"\r") - data.count(b"\r\n")
    return ends


def n_lines(data: bytes) -> int:
    r"""Return the number of lines, as ``bytes.splitlines`` has them: the last one may lack its end.

    >>> n_lines(b"a\nb\r\nc\rd")
    4
    """
    return n_line_ends(data) + bool(data and not data.endswith((b"\n", b"\r")))
