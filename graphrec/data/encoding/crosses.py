"""Crosses: the combinations of two category fields as a field of their own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from graphrec.data.encoding.codes import mixed, ragged
from graphrec.data.encoding.encoded import FIRST, MISSING, RARE, Codes, EncodedField
from graphrec.data.encoding.settings import EncoderSettings

Keys = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Cross:
    """Pairs of the codes of two category fields.

    A row has every pair of a code of ``first`` and a code of ``second``. It is missing where either is, and rare where
    either code is, or where fewer than ``min_count`` rows of train have the pair.

    Parameters
    ----------
    first, second : str
        The fields.
    width : int
        Codes that ``second`` has: the pair (a, b) is the number ``a * width + b``.
    keys : ndarray or None
        (p,) int64, ascending: the pairs that have a code of their own. None where pairs are hashed.
    buckets : int
        Buckets of a hashed cross.
    """

    first: str
    second: str
    width: int
    keys: Keys | None
    buckets: int = 0

    @property
    def name(self) -> str:
        """The field."""
        return f"{self.first}*{self.second}"

    @property
    def field(self) -> EncodedField:
        """The category of pairs."""
        own = self.buckets if self.keys is None else len(self.keys)
        return EncodedField(self.name, "category", FIRST + own)

    def encode(self, n: int, categories: Mapping[str, Codes]) -> Codes:
        """Return the codes of n rows from those of the two fields. O(pairs log pairs)."""
        rows, first, second = _pairs(categories[self.first], categories[self.second])
        known = (first >= FIRST) & (second >= FIRST)
        codes = np.where(known, self._codes(first.astype(np.int64) * self.width + second), RARE)
        there = (first != MISSING) & (second != MISSING)
        return ragged(n, rows[there], codes[there])

    def _codes(self, pairs: Keys) -> Keys:
        if self.keys is None:
            return FIRST + (mixed(pairs) % np.uint64(self.buckets)).astype(np.int64)
        if not len(self.keys):
            return np.full(len(pairs), RARE, dtype=np.int64)
        places = np.minimum(np.searchsorted(self.keys, pairs), len(self.keys) - 1)
        return np.where(self.keys[places] == pairs, FIRST + places, RARE)

    def document(self) -> dict[str, Any]:
        """Return what JSON holds; keys are an array beside it."""
        keys = None if self.keys is None else len(self.keys)
        return {"of": [self.first, self.second], "width": self.width, "keys": keys, "buckets": self.buckets}

    @classmethod
    def of(cls, document: Mapping[str, Any], keys: Keys) -> Cross:
        """Return the cross of :meth:`document`; ``keys`` are its own."""
        first, second = map(str, document["of"])
        own = None if document["keys"] is None else keys
        return cls(first, second, int(document["width"]), own, int(document["buckets"]))


def fit_cross(pair: tuple[str, str], categories: Mapping[str, Codes], width: int, settings: EncoderSettings) -> Cross:
    """Return the cross of two fields of train; ``width`` is the size of the second."""
    _, first, second = _pairs(categories[pair[0]], categories[pair[1]])
    known = (first >= FIRST) & (second >= FIRST)
    keys, counts = np.unique(first[known].astype(np.int64) * width + second[known], return_counts=True)
    kept = keys[counts >= settings.min_count]
    if "*".join(pair) in settings.hashed or len(kept) > settings.max_vocabulary:
        return Cross(*pair, width, None, settings.hash_buckets)
    return Cross(*pair, width, kept)


def _pairs(first: Codes, second: Codes) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int32], npt.NDArray[np.int32]]:
    """Return the row and the two codes of every pair of codes within a row."""
    (starts, codes), (other_starts, other_codes) = first, second
    lengths, others = np.diff(starts), np.diff(other_starts)
    pairs = lengths * others
    rows = np.repeat(np.arange(len(pairs), dtype=np.int64), pairs)
    within = np.arange(len(rows), dtype=np.int64) - np.repeat(np.cumsum(pairs) - pairs, pairs)
    place, other = np.divmod(within, others[rows])
    return rows, codes[starts[rows] + place], other_codes[other_starts[rows] + other]
