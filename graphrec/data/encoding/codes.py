"""From names of categories to codes: by the vocabulary of train, or by a hash that is the same everywhere."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from graphrec.data.encoding.encoded import FIRST, MISSING, RARE, Codes
from graphrec.data.encoding.settings import EncoderSettings
from graphrec.data.lists import indptr_of
from graphrec.data.vocabulary import Vocabulary

# Row and code share one sortable number; codes are int32.
_CODE_BITS = 31


def stable_hash(text: str) -> int:
    """Return 64 bits of a text's BLAKE2b: the same on every machine, in every process and release."""
    return int.from_bytes(hashlib.blake2b(text.encode("utf-8"), digest_size=8).digest(), "little")


def mixed(keys: npt.NDArray[np.int64]) -> npt.NDArray[np.uint64]:
    """Return a bijective mixing of 64-bit keys (SplitMix64's finaliser)."""
    bits = keys.astype(np.uint64)
    bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return bits ^ (bits >> np.uint64(31))


@dataclass(frozen=True, slots=True)
class Codebook:
    """The codes of one column of categories.

    ``names`` has the categories with codes of their own (2, 3, …), None where the column is hashed into ``buckets``.
    """

    names: tuple[str, ...] | None
    buckets: int = 0
    _codes: Mapping[str, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        codes = {name: FIRST + place for place, name in enumerate(self.names or ())}
        object.__setattr__(self, "_codes", codes)

    @property
    def size(self) -> int:
        """Rows of the embedding table."""
        return FIRST + (self.buckets if self.names is None else len(self.names))

    def code(self, name: str) -> int:
        """Return the code of one category."""
        if self.names is None:
            return FIRST + stable_hash(name) % self.buckets
        return self._codes.get(name, RARE)

    def codes(self, names: Vocabulary, rows: npt.NDArray[np.integer]) -> npt.NDArray[np.int32]:
        """Return the (m,) codes of ``rows`` (m,) of a vocabulary; only the names that occur are looked up."""
        used, places = np.unique(rows, return_inverse=True)
        own = np.fromiter(map(self.code, names.take(used)), np.int32, len(used))
        return own[places]

    def document(self) -> dict[str, Any]:
        """Return what JSON holds."""
        return {"buckets": self.buckets} if self.names is None else {"names": list(self.names)}

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> Codebook:
        """Return the codebook of :meth:`document`."""
        names = document.get("names")
        return cls(None, int(document["buckets"])) if names is None else cls(tuple(map(str, names)))


def fit_codebook(
    names: Sequence[str], counts: npt.NDArray[np.integer], settings: EncoderSettings, column: str
) -> Codebook:
    """Return the codes of a column whose category ``names[i]`` ``counts[i]`` rows of train have.

    Codes are in alphabetical order of the names, so that they do not depend on the order of rows.
    """
    kept = sorted(names[place] for place in np.flatnonzero(counts >= settings.min_count).tolist())
    if column in settings.hashed or len(kept) > settings.max_vocabulary:
        return Codebook(None, settings.hash_buckets)
    return Codebook(tuple(kept))


def ragged(n: int, rows: npt.NDArray[np.int64], codes: npt.NDArray[np.integer]) -> Codes:
    """Return the codes of n rows from pairs of row and code: each once, ascending; a row without any is missing.

    Time O(m log m).
    """
    bare = np.ones(n, dtype=np.bool_)
    bare[rows] = False
    gaps = np.flatnonzero(bare) << _CODE_BITS | MISSING
    keys = np.unique(np.concatenate([rows.astype(np.int64) << _CODE_BITS | codes.astype(np.int64), gaps]))
    lengths = np.bincount(keys >> _CODE_BITS, minlength=n)
    return indptr_of(lengths), (keys & ((1 << _CODE_BITS) - 1)).astype(np.int32)


def single(codes: npt.NDArray[np.integer]) -> Codes:
    """Return the codes of rows that have one each."""
    return np.arange(len(codes) + 1, dtype=np.int64), codes.astype(np.int32)


def hashed_words(
    texts: Iterable[str | None], words_of: Callable[[str], list[str]], buckets: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int32]]:
    """Return the row and the code of every word of texts; a word is hashed once."""
    known: dict[str, int] = {}
    rows, codes = [], []
    for row, text in enumerate(texts):
        for word in words_of(text) if text else ():
            if word not in known:
                known[word] = FIRST + stable_hash(word) % buckets
            rows.append(row)
            codes.append(known[word])
    return np.array(rows, dtype=np.int64), np.array(codes, dtype=np.int32)
