"""Features as arrays of codes and numbers: what every learned model reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from graphrec.checks import as_array, check_choice, check_count, check_finite, check_indptr, check_rows, typed_fields
from graphrec.data.lists import indptr_of
from graphrec.errors import DataError, brief

# Codes of a category: of a row of which nothing is known, and of a value that is rare in train or unknown to it.
MISSING, RARE = 0, 1
FIRST = 2

Codes = tuple[npt.NDArray[np.int64], npt.NDArray[np.int32]]


@typed_fields
@dataclass(frozen=True, slots=True)
class EncodedField:
    """One input of a model.

    Parameters
    ----------
    name : str
        Unique among the fields of one encoder: the column, or ``column:part`` (``released:hour``, ``price:missing``),
        or ``column*column`` of a cross.
    kind : {"category", "number", "vector"}
        What it holds.
    size : int
        Of a category the rows of its embedding table, codes are 0 to ``size - 1`` (0 missing, 1 rare or unknown, from 2
        the values of train or their hash buckets); of a number 1; of a vector its width.

    Raises
    ------
    ConfigError
        If the kind is another, or the size below 1.
    """

    name: str
    kind: Literal["category", "number", "vector"]
    size: int

    def __post_init__(self) -> None:
        check_choice("kind", self.kind, ("category", "number", "vector"))
        check_count("size", self.size, 1)


@typed_fields
@dataclass(frozen=True, slots=True, eq=False)
class EncodedFeatures:
    """n rows of the same fields: codes to look embeddings up by, numbers and vectors. No gap is left in any of them.

    Parameters
    ----------
    n : int
        Rows.
    fields : tuple of EncodedField
        In the encoder's order. Numbers stand in ``numbers`` in the order of the number fields.
    categories : mapping of str to (ndarray, ndarray)
        For each category field ``indptr`` (n + 1,) int64 and ``codes`` (m,) int32: row ``i`` has the codes
        ``codes[indptr[i]:indptr[i + 1]]``, each once, ascending, at least one (``[0]`` where nothing is known).
    numbers : ndarray
        (n, number fields) float32, finite.
    vectors : mapping of str to ndarray
        For each vector field (n, size) float32, finite; a row of zeros where nothing is known.

    Raises
    ------
    DataError
        If a field is missing, a column has another size than its field, a row no code, or a value is not finite.
    """

    n: int
    fields: tuple[EncodedField, ...]
    categories: Mapping[str, Codes]
    numbers: npt.NDArray[np.float32]
    vectors: Mapping[str, npt.NDArray[np.float32]]

    def __post_init__(self) -> None:
        names = [field.name for field in self.fields]
        if len(set(names)) < len(names):
            raise DataError(f"the field {max(names, key=names.count)!r} stands twice; names of fields are unique")
        _check_names("category", self.fields, self.categories)
        _check_names("vector", self.fields, self.vectors)
        categories = {name: _checked_codes(name, self.n, column) for name, column in self.categories.items()}
        width = sum(field.kind == "number" for field in self.fields)
        numbers = _checked_matrix("numbers", (self.n, width), self.numbers)
        sizes = {field.name: field.size for field in self.fields}
        for name, (_, codes) in categories.items():
            check_rows(codes, sizes[name], name=f"codes of {name!r}")
        vectors = {
            name: _checked_matrix(f"vectors {name!r}", (self.n, sizes[name]), matrix)
            for name, matrix in self.vectors.items()
        }
        for name, value in (("categories", categories), ("numbers", numbers), ("vectors", vectors)):
            object.__setattr__(self, name, value)

    def __len__(self) -> int:
        return self.n

    def take(self, rows: npt.ArrayLike) -> EncodedFeatures:
        """Return the rows ``rows`` (n',), each 0 to n - 1, in that order; rows may repeat. O(what is taken).

        Raises
        ------
        DataError
            If a row is out of range.
        """
        chosen = as_array(rows, np.int64, name="rows")
        check_rows(chosen, self.n, name="rows")
        categories = {name: _taken(column, chosen) for name, column in self.categories.items()}
        vectors = {name: matrix[chosen] for name, matrix in self.vectors.items()}
        return trusted(len(chosen), self.fields, categories, self.numbers[chosen], vectors)

    def number(self, name: str) -> npt.NDArray[np.float32]:
        """Return the (n,) column of one number field; raise DataError where there is none of that name."""
        names = [field.name for field in self.fields if field.kind == "number"]
        if name not in names:
            raise DataError(f"there is no number field {name!r}; the number fields are: {', '.join(names) or 'none'}")
        return self.numbers[:, names.index(name)]


def trusted(
    n: int,
    fields: tuple[EncodedField, ...],
    categories: Mapping[str, Codes],
    numbers: npt.NDArray[np.float32],
    vectors: Mapping[str, npt.NDArray[np.float32]],
) -> EncodedFeatures:
    """Return encoded features of arrays that are right by construction: a request does not pay for their checks."""
    result = object.__new__(EncodedFeatures)
    given = {"n": n, "fields": fields, "categories": categories, "numbers": numbers, "vectors": vectors}
    for name, value in given.items():
        object.__setattr__(result, name, value)
    return result


def _taken(column: Codes, rows: npt.NDArray[np.int64]) -> Codes:
    """Return the codes of ``rows``."""
    indptr, codes = column
    if len(codes) == len(indptr) - 1:  # one code a row, for none has no code
        return np.arange(len(rows) + 1, dtype=np.int64), codes[rows]
    starts, lengths = indptr[rows], indptr[rows + 1] - indptr[rows]
    taken = indptr_of(lengths)
    places = np.repeat(starts - taken[:-1], lengths) + np.arange(taken[-1])
    return taken, codes[places]


def _check_names(kind: str, fields: tuple[EncodedField, ...], columns: Mapping[str, object]) -> None:
    names = [field.name for field in fields if field.kind == kind]
    if not isinstance(columns, Mapping):
        raise DataError(f"the {kind} columns are {brief(columns)}; legal: a mapping from names of fields to columns")
    if set(names) != set(columns):
        raise DataError(
            f"the {kind} fields are {', '.join(names) or 'none'}, the columns given {', '.join(columns) or 'none'}; "
            "each field has a column of its name"
        )


def _checked_codes(name: str, n: int, column: Codes) -> Codes:
    indptr = as_array(column[0], np.int64, name=f"indptr of {name!r}")
    codes = as_array(column[1], np.int32, name=f"codes of {name!r}")
    check_indptr(indptr, len(codes), name=f"indptr of {name!r}")
    if len(indptr) != n + 1:
        raise DataError(f"the category {name!r} has {len(indptr) - 1} rows; it must have {n}")
    empty = np.flatnonzero(indptr[1:] == indptr[:-1])
    if len(empty):
        raise DataError(f"row {empty[0]} of the category {name!r} has no code; what is missing has the code {MISSING}")
    return indptr, codes


def _checked_matrix(name: str, shape: tuple[int, int], matrix: npt.ArrayLike) -> npt.NDArray[np.float32]:
    array: npt.NDArray[np.float32] = as_array(matrix, np.float32, name=name, ndim=2)
    if array.shape != shape:
        raise DataError(f"{name} are of shape {array.shape}; they must be {shape}")
    check_finite(array, name=name)
    return array
