"""What is known of the rows of one space beside events: numbers and labels by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from graphrec.checks import as_array, check_length
from graphrec.data.vocabulary import Vocabulary
from graphrec.errors import ConfigError, DataError, nearest_names


@dataclass(frozen=True, slots=True, init=False, eq=False)
class Labels:
    """One label a row, such as the country of each user: ``names[codes[row]]``.

    Parameters
    ----------
    names : Vocabulary
        The labels that occur.
    codes : ndarray
        (n,) int32 rows of ``names``; -1 where the label is not known.

    Raises
    ------
    DataError
        If a code lies outside -1 to ``len(names) - 1``.
    """

    names: Vocabulary
    codes: npt.NDArray[np.int32]

    def __init__(self, names: Vocabulary, codes: npt.ArrayLike) -> None:
        rows = as_array(codes, np.int32, name="codes")
        if rows.size and (int(rows.min()) < -1 or int(rows.max()) >= len(names)):
            raise DataError(f"codes run from {rows.min()} to {rows.max()}; legal are -1 to {len(names) - 1}")
        object.__setattr__(self, "names", names)
        object.__setattr__(self, "codes", rows)

    def __len__(self) -> int:
        return len(self.codes)


@dataclass(frozen=True, slots=True, eq=False)
class Attributes:
    """Columns that describe the n rows of one space (items, or users).

    Parameters
    ----------
    n : int
        Rows.
    numbers : mapping of str to ndarray
        (n,) float64 by name; NaN where a number is not known. Moments are seconds UTC.
    labels : mapping of str to Labels
        n labels by name.

    Raises
    ------
    DataError
        If a column has another length, holds an infinite number, or a name stands in both mappings.
    """

    n: int
    numbers: Mapping[str, npt.NDArray[np.float64]] = field(default_factory=lambda: MappingProxyType({}))
    labels: Mapping[str, Labels] = field(default_factory=lambda: MappingProxyType({}))

    def __post_init__(self) -> None:
        if both := sorted(set(self.numbers) & set(self.labels)):
            raise DataError(f"the attribute {both[0]!r} is given as a number and as a label; it must be one of them")
        for name, column in self.numbers.items():
            check_length(column, self.n, name=name)
            if np.isinf(column).any():
                raise DataError(f"{name}[{int(np.argmax(np.isinf(column)))}] is infinite; a number is finite or NaN")
        for name, labels in self.labels.items():
            check_length(labels.codes, self.n, name=name)

    def number(self, name: str) -> npt.NDArray[np.float64]:
        """Return the (n,) numbers of one column; raise ConfigError, with the nearest names, where there is none."""
        if name not in self.numbers:
            raise ConfigError(_unknown("number", name, self.numbers, self.labels))
        return self.numbers[name]

    def label(self, name: str) -> Labels:
        """Return the labels of one column; raise ConfigError, with the nearest names, where there is none."""
        if name not in self.labels:
            raise ConfigError(_unknown("label", name, self.labels, self.numbers))
        return self.labels[name]


def _unknown(kind: str, name: str, known: Mapping[str, object], other: Mapping[str, object]) -> str:
    if name in other:
        return f"the attribute {name!r} is not a {kind}; the {kind}s are: {', '.join(known) or 'none'}"
    near = nearest_names(name, known)
    return f"there is no {kind} {name!r} among the attributes ({', '.join(known) or 'none'}){near}"
