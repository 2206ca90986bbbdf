"""Random numbers by counter: the n-th draw of a stream is a function of its key and n, on any thread, in any order.

Splitmix64 [1]_: a stream's state grows by a constant with each draw, and :func:`mix` of the state is the draw. A walk's
stream is keyed by the seed and the walk's number, so a walk comes out the same in any chunk. Everything that touches
these numbers stays uint64, since numba turns uint64 mixed with int64 into float64.

References
----------
.. [1] G. Steele, D. Lea, C. Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014.
"""

from __future__ import annotations

import numpy as np

from graphrec.kernels import kernel

GAMMA = np.uint64(0x9E3779B97F4A7C15)
"""What the state of a stream grows by with each draw."""
_M1, _M2 = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_S27, _S30, _S31 = np.uint64(27), np.uint64(30), np.uint64(31)
S11, S32 = np.uint64(11), np.uint64(32)
LOW = np.uint64(0xFFFFFFFF)
TO_UNIT = 2.0**-53


def key_of(seed: int) -> np.uint64:
    """Return the key of a seed: its lowest 64 bits."""
    return np.uint64(seed & 0xFFFFFFFFFFFFFFFF)


@kernel(inline="always")
def mix(z: np.uint64) -> np.uint64:  # pragma: no cover - compiled
    """Return the splitmix64 output function of ``z``."""
    z = (z ^ (z >> _S30)) * _M1
    z = (z ^ (z >> _S27)) * _M2
    return z ^ (z >> _S31)


@kernel(inline="always")
def stream(key: np.uint64, number: np.uint64) -> np.uint64:  # pragma: no cover - compiled
    """Return the first state of stream ``number`` of a key; itself a key for streams within the stream."""
    return mix(key ^ mix(number + GAMMA))


@kernel(inline="always")
def below(z: np.uint64, n: np.int64) -> np.int64:  # pragma: no cover - compiled
    """Return a whole number below ``n`` < 2^32 from the upper 32 bits of a draw."""
    return np.int64(((z >> S32) * np.uint64(n)) >> S32)


@kernel(inline="always")
def unit(z: np.uint64) -> float:  # pragma: no cover - compiled
    """Return a number in [0, 1) from the upper 53 bits of a draw."""
    return np.float64(z >> S11) * TO_UNIT
