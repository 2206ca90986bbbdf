"""Literal values of a knowledge graph: distinct values, and the statements that carry them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from graphrec.checks import as_array, check_length, check_rows


@dataclass(frozen=True, slots=True, init=False, eq=False)
class Literals:
    """Distinct literal values (rows ``0..n-1``) and m statements that lead to them.

    Parameters
    ----------
    statements : ndarray
        (m, 3) int32 entity row, relation row, value row; sorted, unique.
    texts : Arrow large_string array
        (n,) lexical forms, unescaped.
    languages : Arrow dictionary array of strings
        (n,) language tags in lower case, null where there is none.
    datatypes : Arrow dictionary array of strings
        (n,) datatype IRIs; ``rdf:langString`` with a language.
    """

    statements: npt.NDArray[np.int32]
    texts: pa.LargeStringArray
    languages: pa.DictionaryArray
    datatypes: pa.DictionaryArray

    def __init__(
        self, statements: npt.ArrayLike, texts: pa.Array, languages: pa.DictionaryArray, datatypes: pa.DictionaryArray
    ) -> None:
        rows = as_array(statements, np.int32, name="statements", ndim=2)
        check_length(languages, len(texts), name="languages")
        check_length(datatypes, len(texts), name="datatypes")
        check_rows(rows[:, 2], len(texts), name="statements[:, 2]")
        for name, value in (
            ("statements", rows),
            ("texts", texts.cast(pa.large_string())),
            ("languages", languages),
            ("datatypes", datatypes),
        ):
            object.__setattr__(self, name, value)

    def __len__(self) -> int:
        return len(self.statements)


def no_literals() -> Literals:
    """Return a table of no values."""
    empty = pa.array([], pa.string()).dictionary_encode()
    return Literals(np.empty((0, 3), np.int32), pa.array([], pa.large_string()), empty, empty)


def as_numbers(texts: pa.LargeStringArray) -> npt.NDArray[np.float64]:
    """Return (n,) float64: the number each text stands for, NaN where it is none.

    Dates and years of XML Schema count as their year: ``"1999-03-31"`` is 1999.
    """
    trimmed = pc.utf8_trim_whitespace(texts)
    number = pc.match_substring_regex(trimmed, r"^[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?$")
    date = pc.match_substring_regex(trimmed, r"^-?\d{4,}(-\d\d(-\d\d(T.*)?)?)?(Z|[+-]\d\d:\d\d)?$")
    year = pc.extract_regex(trimmed, r"^(?P<year>-?\d{4,})").field("year")
    chosen = pc.if_else(number, trimmed, pc.if_else(date, year, pa.scalar(None, pa.large_string())))
    values: npt.NDArray[np.float64] = pc.cast(chosen, pa.float64()).to_numpy(zero_copy_only=False)
    return np.where(np.isnan(values), np.nan, values).astype(np.float64)
