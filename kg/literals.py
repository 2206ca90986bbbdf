"""Literal values of a knowledge graph: distinct values, and the statements that carry them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from graphrec.checks import as_array, check_length, check_rows
from graphrec.data.text_buffers import row_values


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


def language_ranks(literals: Literals, languages: Sequence[str]) -> npt.NDArray[np.int16]:
    """Return (n,) int16: the place of each value's language among ``languages``, the regional kinds of one with it.

    A value without a language comes after these, then those of all other languages.
    """
    tags = literals.languages.dictionary.to_pylist()
    ranks = np.asarray([_language_rank(tag, languages) for tag in tags] + [len(languages)], dtype=np.int16)
    by_value: npt.NDArray[np.int16] = ranks[row_values(literals.languages.indices, null=len(tags))]
    return by_value


def _language_rank(tag: str, languages: Sequence[str]) -> int:
    for rank, wanted in enumerate(languages):
        if tag == wanted.lower() or tag.startswith(wanted.lower() + "-"):
            return rank
    return len(languages) + 1
