"""Compiled part of ``iris``: last parts of IRIs, made readable straight from the bytes."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from graphrec.kernels import kernel

Int64 = npt.NDArray[np.int64]
Bytes = npt.NDArray[np.uint8]
_SPACE, _HASH, _PERCENT, _ZERO, _TWO, _SLASH, _UNDERSCORE = 32, 35, 37, 48, 50, 47, 95
# Letters that stand for themselves at the end of an IRI.
_PLAIN = np.zeros(256, dtype=np.bool_)
_PLAIN[list(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.,'()!~*&;=+$@_-")] = True


@kernel
def readable_tails(offsets: Int64, data: Bytes, out: Bytes, ends: Int64) -> None:  # pragma: no cover - compiled
    """Write the readable last part of each IRI to ``out``, and where it ends to ``ends`` (n + 1,).

    A last part begins behind the last ``#`` or ``/``. It is read here if it holds letters of ``_PLAIN`` and ``%20``
    alone; underscores and spaces become single spaces, none of them at either end. Nothing is written otherwise.
    """
    end = 0
    for i in range(len(offsets) - 1):
        start, stop = offsets[i], offsets[i + 1]
        at = stop
        while at > start and data[at - 1] != _SLASH and data[at - 1] != _HASH:
            at -= 1
        begin, is_plain, waits = end, at > start, False
        while at < stop and is_plain:
            byte = data[at]
            at += 1
            if byte == _PERCENT and at + 1 < stop and data[at] == _TWO and data[at + 1] == _ZERO:
                at += 2
                waits = True
            elif byte == _UNDERSCORE:
                waits = True
            elif _PLAIN[byte]:
                if waits and end > begin:
                    out[end] = _SPACE
                    end += 1
                waits = False
                out[end] = byte
                end += 1
            else:
                is_plain = False
        end = end if is_plain else begin
        ends[i + 1] = end
