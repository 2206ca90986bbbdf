"""What values a setting may take in a search: a range of numbers, or a list of choices."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

# Figures of a number from a range without steps: 0.4837 is as good as 0.48369201, and can be read.
_FIGURES = 4


@dataclass(frozen=True, slots=True)
class Range:
    """Numbers from ``low`` to ``high``, both included; ``log`` draws their orders of magnitude evenly."""

    low: float
    high: float
    whole: bool = False
    log: bool = False
    step: float | None = None

    @property
    def ends(self) -> tuple[Any, ...]:
        """The values at which it is checked whether settings are legal."""
        return self.low, self.high

    @property
    def size(self) -> float:
        """How many values there are; inf where they are not counted."""
        step = 1 if self.whole and self.step is None else self.step
        return math.inf if step is None else round((self.high - self.low) / step) + 1

    def value(self, drawn: float) -> float:
        """Return the setting for a drawn number."""
        if self.whole:
            return drawn
        if self.step is not None:
            return round(drawn, 12)
        return min(max(float(f"{drawn:.{_FIGURES}g}"), self.low), self.high)

    def drawn(self, value: Any) -> float | None:
        """Return the number that stands for a setting, or None where it lies outside the range or between steps."""
        if isinstance(value, bool) or not isinstance(value, int | float) or not self.low <= value <= self.high:
            return None
        places = 0.0 if self.step is None else (value - self.low) / self.step
        return value if math.isclose(places, round(places), abs_tol=1e-8) else None

    def to_dict(self) -> dict[str, Any]:
        """Return the range as it stands in TOML."""
        written: dict[str, Any] = {"int" if self.whole else "float": [self.low, self.high]}
        return written | ({"log": True} if self.log else {}) | ({} if self.step is None else {"step": self.step})


@dataclass(frozen=True, slots=True)
class Choices:
    """A list of values of any kind; a drawn number is a place in it."""

    values: tuple[Any, ...]

    @property
    def ends(self) -> tuple[Any, ...]:
        """The values at which it is checked whether settings are legal."""
        return self.values

    @property
    def size(self) -> float:
        """How many values there are."""
        return len(self.values)

    def value(self, drawn: float) -> Any:
        """Return the setting at a drawn place."""
        return self.values[int(drawn)]

    def drawn(self, value: Any) -> float | None:
        """Return the place of a setting, or None where it is not in the list."""
        # True == 1 in Python; here they are two settings.
        written = [repr(choice) for choice in self.values]
        return written.index(repr(value)) if repr(value) in written else None

    def to_dict(self) -> list[Any]:
        """Return the list as it stands in TOML."""
        return list(self.values)


Domain = Range | Choices
Space = Mapping[str, Domain]


def ints(low: int, high: int, *, log: bool = False) -> Range:
    """Return the whole numbers from ``low`` to ``high``."""
    return Range(low, high, whole=True, log=log)


def floats(low: float, high: float, *, log: bool = False) -> Range:
    """Return the numbers from ``low`` to ``high``."""
    return Range(low, high, log=log)


def choices(*values: Any) -> Choices:
    """Return a list of values."""
    return Choices(values)
