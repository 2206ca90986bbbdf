"""What is known of items or of users beside events: numbers, categories, texts and vectors by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from graphrec.checks import as_array, check_rows, typed, typed_fields
from graphrec.data.vocabulary import Vocabulary
from graphrec.errors import ConfigError, DataError, nearest_names

if TYPE_CHECKING:
    # Serving reads labels; the sparse matrices that tags are made with are not loaded for that.
    from graphrec.data.item_tags import ItemTags

# What a column may be; the fields of Features are their plurals.
_KINDS = ("number", "label", "tag", "text", "vector")


@typed_fields
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


@typed_fields
@dataclass(frozen=True, slots=True, eq=False)
class Features:
    """What is known of the n rows of one space (items, or users) beside events; each column has a name.

    What is not known is explicit: NaN in a number, -1 for a label, no tag at all, null for a text, a row of NaN in
    vectors.

    Parameters
    ----------
    n : int
        Rows.
    numbers : mapping of str to ndarray
        (n,) float64; NaN where a number is not known. Moments among them are seconds UTC.
    labels : mapping of str to Labels
        One category a row.
    tags : mapping of str to ItemTags
        Any number of categories a row, with weights.
    texts : mapping of str to Arrow string array
        (n,) texts, such as titles; null where a row has none.
    vectors : mapping of str to ndarray
        (n, dim) float32; a row is finite, or NaN altogether.
    moments : tuple of str
        The numbers that are moments, seconds UTC: readers name them, and encoders make hours and ages of them.

    Raises
    ------
    DataError
        If a moment is no number, a column has another length, a number is infinite, a vector is NaN in part, or a name
        stands twice.
    """

    n: int
    numbers: Mapping[str, npt.NDArray[np.float64]] = field(default_factory=lambda: MappingProxyType({}))
    labels: Mapping[str, Labels] = field(default_factory=lambda: MappingProxyType({}))
    tags: Mapping[str, ItemTags] = field(default_factory=lambda: MappingProxyType({}))
    texts: Mapping[str, pa.LargeStringArray] = field(default_factory=lambda: MappingProxyType({}))
    vectors: Mapping[str, npt.NDArray[np.float32]] = field(default_factory=lambda: MappingProxyType({}))
    moments: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        kinds: dict[str, str] = {}
        for kind in _KINDS:
            for name, column in getattr(self, f"{kind}s").items():
                if name in kinds:
                    raise DataError(f"the column {name!r} is given as a {kinds[name]} and as a {kind}; it must be one")
                kinds[name] = kind
                rows = column.table if kind == "tag" else column
                if len(rows) != self.n:
                    raise DataError(f"the {kind} {name!r} has {len(rows)} rows; it must have {self.n}")
        for name in self.moments:
            if name not in self.numbers:
                raise DataError(_unknown("number", name, self.numbers, self.labels))
        for name, numbers in self.numbers.items():
            if np.isinf(numbers).any():
                raise DataError(f"{name}[{int(np.argmax(np.isinf(numbers)))}] is infinite; a number is finite or NaN")
        for name, vectors in self.vectors.items():
            _check_vectors(name, vectors)

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


@typed
def take_features(features: Features, rows: npt.ArrayLike) -> Features:
    """Return the columns at ``rows`` (n',), each 0 to n - 1, in that order; rows may repeat.

    Raises
    ------
    DataError
        If ``rows`` are no rows of the table.
    """
    chosen = as_array(rows, np.int64, name="rows")
    check_rows(chosen, features.n, name="rows")
    tags: Mapping[str, ItemTags] = {}
    if features.tags:
        # Loaded already, for there are tags.
        from graphrec.data.item_tags import take_item_tags

        tags = {name: take_item_tags(column, chosen) for name, column in features.tags.items()}
    return Features(
        len(chosen),
        numbers={name: column[chosen] for name, column in features.numbers.items()},
        labels={name: Labels(column.names, column.codes[chosen]) for name, column in features.labels.items()},
        tags=tags,
        texts={name: column.take(pa.array(chosen)) for name, column in features.texts.items()},
        vectors={name: column[chosen] for name, column in features.vectors.items()},
        moments=features.moments,
    )


def merged_features(first: Features | None, second: Features | None) -> Features | None:
    """Return the columns of both; of two columns of one name, that of ``first``."""
    if first is None or second is None:
        return first or second
    taken = {name for kind in _KINDS for name in getattr(first, f"{kind}s")}
    columns = {
        f"{kind}s": {
            **{name: column for name, column in getattr(second, f"{kind}s").items() if name not in taken},
            **getattr(first, f"{kind}s"),
        }
        for kind in _KINDS
    }
    moments = (*first.moments, *(name for name in second.moments if name not in taken))
    return Features(first.n, **columns, moments=moments)


def _check_vectors(name: str, vectors: npt.NDArray[np.float32]) -> None:
    """Raise DataError unless each row is finite, or NaN altogether."""
    if vectors.ndim != 2:
        raise DataError(f"the vectors {name!r} have {vectors.ndim} dimension(s); they must have 2, (n, dim)")
    finite, unknown = np.isfinite(vectors).all(axis=1), np.isnan(vectors).all(axis=1)
    if not (finite | unknown).all():
        row = int(np.argmin(finite | unknown))
        raise DataError(f"the vector {name!r} of row {row} is finite in part; it must be finite, or NaN altogether")


def _unknown(kind: str, name: str, known: Mapping[str, object], other: Mapping[str, object]) -> str:
    if name in other:
        return f"the attribute {name!r} is not a {kind}; the {kind}s are: {', '.join(known) or 'none'}"
    near = nearest_names(name, known)
    return f"there is no {kind} {name!r} among the attributes ({', '.join(known) or 'none'}){near}"
