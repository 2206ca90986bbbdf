"""Numbers of a report as people read them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from graphrec.evaluation.bootstrap import Interval

DASH = "\N{EN DASH}"
_DIGITS = 6


def percent(value: float | None, digits: int = 2) -> str:
    """Return a share in hundredths: 0.1234 as ``12.34``."""
    return DASH if value is None else f"{100 * value:.{digits}f}"


def points(value: float | None, digits: int = 2) -> str:
    """Return a difference of shares in hundredths, with its sign: ``+1.20``, ``−0.31``."""
    return DASH if value is None else f"{100 * value:+.{digits}f}".replace("-", "\N{MINUS SIGN}")


def points_interval(interval: Interval | None) -> str:
    """Return a difference with its interval as ``+1.20 [+1.01, +1.39]``."""
    if interval is None:
        return DASH
    return f"{points(interval.estimate)} [{points(interval.low)}, {points(interval.high)}]"


def seconds(value: float | None) -> str:
    """Return seconds with two or three figures."""
    if value is None:
        return DASH
    return f"{value:.2f}" if value < 10 else f"{value:,.0f}"


def microseconds(value: float | None) -> str:
    """Return whole microseconds."""
    return DASH if value is None else f"{value:,.0f}"


def size(value: float | None) -> str:
    """Return bytes as kB or MB."""
    if value is None:
        return DASH
    return f"{value / 1e6:,.1f} MB" if value >= 1e6 else f"{value / 1e3:,.0f} kB"


def verdict(interval: Interval) -> str:
    """Return what an interval says of a difference: ``better``, ``worse`` or ``no clear difference``."""
    if interval.low > 0:
        return "better"
    return "worse" if interval.high < 0 else "no clear difference"


def rounded_values(value: Any) -> Any:
    """Return JSON values with floats rounded to 6 digits and without NaN (null); the order of keys is kept."""
    if isinstance(value, Mapping):
        return {str(key): rounded_values(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [rounded_values(entry) for entry in value]
    if isinstance(value, float):
        # Adding 0.0 turns -0.0 into 0.0: no difference reads as "-0".
        return round(value, _DIGITS) + 0.0 if math.isfinite(value) else None
    return value
