"""How each kind of column becomes fields: numbers, labels, tags, texts, moments and vectors."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol, Self

import numpy as np
import numpy.typing as npt

from graphrec.data.encoding.codes import Codebook, fit_codebook, hashed_words, ragged, single
from graphrec.data.encoding.encoded import FIRST, MISSING, Codes, EncodedField
from graphrec.data.encoding.scale import Float, Scale, fit_scale
from graphrec.data.encoding.settings import EncoderSettings
from graphrec.data.features import Features
from graphrec.errors import DataError

_WORD = re.compile(r"\w+")
# Values of the parts of a moment that are categories.
_PART_SIZES = {"hour": 24, "weekday": 7, "month": 12}
_DAY = 86_400
# Beyond three million years either way a moment is none.
_FAR = 1e14


@dataclass(slots=True, eq=False)
class Output:
    """What the columns put their fields into: categories, numbers and vectors by field; ages are counted to ``now``."""

    n: int
    now: float
    categories: dict[str, Codes] = field(default_factory=dict)
    numbers: dict[str, npt.NDArray[np.float32]] = field(default_factory=dict)
    vectors: dict[str, npt.NDArray[np.float32]] = field(default_factory=dict)


class Column(Protocol):
    """One column of features, with what was learnt of it."""

    KIND: ClassVar[str]

    @property
    def name(self) -> str:
        """The column."""
        ...

    @property
    def fields(self) -> tuple[EncodedField, ...]:
        """What it becomes, in order."""
        ...

    def encode(self, features: Features, out: Output) -> None:
        """Put the fields of the column into ``out``; a column that features lack is missing in every row."""
        ...

    def document(self) -> dict[str, Any]:
        """Return what JSON holds, without the name."""
        ...

    @classmethod
    def of(cls, name: str, document: Mapping[str, Any]) -> Self:
        """Return the column of :meth:`document`."""
        ...


def indicator(name: str) -> EncodedField:
    """Return the field that is 1 where a column is missing and 0 elsewhere."""
    return EncodedField(f"{name}:missing", "number", 1)


@dataclass(frozen=True, slots=True, eq=False)
class NumberColumn:
    """A number by its quantile, and whether it is missing where train has rows without.

    ``scale`` is None where all numbers of train are equal: then only their being there says something.
    """

    KIND: ClassVar[str] = "number"

    name: str
    scale: Scale | None
    gaps: bool

    @property
    def fields(self) -> tuple[EncodedField, ...]:
        """The number, and its indicator."""
        own = () if self.scale is None else (EncodedField(self.name, "number", 1),)
        return own + ((indicator(self.name),) if self.gaps else ())

    def encode(self, features: Features, out: Output) -> None:
        """Put the number and the indicator into ``out``."""
        values = features.numbers.get(self.name)
        known = np.full(out.n, np.nan) if values is None else np.asarray(values, dtype=np.float64)
        if self.scale is not None:
            out.numbers[self.name] = self.scale(known)
        if self.gaps:
            out.numbers[f"{self.name}:missing"] = np.isnan(known).astype(np.float32)

    def document(self) -> dict[str, Any]:
        """Return what JSON holds."""
        return {"scale": None if self.scale is None else self.scale.document(), "gaps": self.gaps}

    @classmethod
    def of(cls, name: str, document: Mapping[str, Any]) -> Self:
        """Return the column of :meth:`document`."""
        scale = document["scale"]
        return cls(name, None if scale is None else Scale.of(scale), bool(document["gaps"]))

    @classmethod
    def fit(cls, name: str, values: Float, settings: EncoderSettings) -> Self:
        """Return the column of these (n,) numbers of train."""
        numbers = np.asarray(values, dtype=np.float64)
        return cls(name, fit_scale(numbers, settings.quantiles), _mixed_gaps(np.isnan(numbers)))


@dataclass(frozen=True, slots=True, eq=False)
class LabelColumn:
    """One category a row."""

    KIND: ClassVar[str] = "label"

    name: str
    codebook: Codebook

    @property
    def fields(self) -> tuple[EncodedField, ...]:
        """The category."""
        return (EncodedField(self.name, "category", self.codebook.size),)

    def encode(self, features: Features, out: Output) -> None:
        """Put the codes into ``out``."""
        column = features.labels.get(self.name)
        codes = np.full(out.n, MISSING, dtype=np.int32)
        if column is not None:
            known = column.codes >= 0
            codes[known] = self.codebook.codes(column.names, column.codes[known])
        out.categories[self.name] = single(codes)

    def document(self) -> dict[str, Any]:
        """Return what JSON holds."""
        return self.codebook.document()

    @classmethod
    def of(cls, name: str, document: Mapping[str, Any]) -> Self:
        """Return the column of :meth:`document`."""
        return cls(name, Codebook.of(document))

    @classmethod
    def fit(cls, name: str, features: Features, settings: EncoderSettings) -> Self:
        """Return the column of the labels of train."""
        column = features.labels[name]
        counts = np.bincount(column.codes[column.codes >= 0], minlength=len(column.names))
        return cls(name, fit_codebook(list(column.names), counts, settings, name))


@dataclass(frozen=True, slots=True, eq=False)
class TagColumn:
    """Any number of categories a row, of which the heaviest ``most`` are kept; weights do not count further."""

    KIND: ClassVar[str] = "tag"

    name: str
    codebook: Codebook
    most: int

    @property
    def fields(self) -> tuple[EncodedField, ...]:
        """The category."""
        return (EncodedField(self.name, "category", self.codebook.size),)

    def encode(self, features: Features, out: Output) -> None:
        """Put the codes into ``out``."""
        rows, tags = _tags(features, self.name, self.most)
        codes = self.codebook.codes(features.tags[self.name].tags, tags) if len(tags) else tags
        out.categories[self.name] = ragged(out.n, rows, codes)

    def document(self) -> dict[str, Any]:
        """Return what JSON holds."""
        return {**self.codebook.document(), "most": self.most}

    @classmethod
    def of(cls, name: str, document: Mapping[str, Any]) -> Self:
        """Return the column of :meth:`document`."""
        return cls(name, Codebook.of(document), int(document["most"]))

    @classmethod
    def fit(cls, name: str, features: Features, settings: EncoderSettings) -> Self:
        """Return the column of the tags of train."""
        _, tags = _tags(features, name, settings.max_values)
        names = features.tags[name].tags
        counts = np.bincount(tags, minlength=len(names))
        return cls(name, fit_codebook(list(names), counts, settings, name), settings.max_values)


@dataclass(frozen=True, slots=True, eq=False)
class TextColumn:
    """The bag of a text's first ``most`` different words, each hashed into ``buckets``; upper case does not count."""

    KIND: ClassVar[str] = "text"

    name: str
    buckets: int
    most: int

    @property
    def fields(self) -> tuple[EncodedField, ...]:
        """The category of words."""
        return (EncodedField(self.name, "category", FIRST + self.buckets),)

    def encode(self, features: Features, out: Output) -> None:
        """Put the codes into ``out``."""
        column = features.texts.get(self.name)
        texts = [] if column is None else column.to_pylist()
        out.categories[self.name] = ragged(out.n, *hashed_words(texts, self._words, self.buckets))

    def document(self) -> dict[str, Any]:
        """Return what JSON holds."""
        return {"buckets": self.buckets, "most": self.most}

    @classmethod
    def of(cls, name: str, document: Mapping[str, Any]) -> Self:
        """Return the column of :meth:`document`."""
        return cls(name, int(document["buckets"]), int(document["most"]))

    def _words(self, text: str) -> list[str]:
        words = _WORD.findall(unicodedata.normalize("NFKC", text).casefold())
        return list(dict.fromkeys(words))[: self.most]


@dataclass(frozen=True, slots=True, eq=False)
class MomentColumn:
    """A moment, UTC: hour, weekday (Monday first) and month as categories, and its age at the moment of the encoding.

    ``parts`` are those categories that differ in train; ``age`` is None where no age is asked for, or all are equal.
    """

    KIND: ClassVar[str] = "moment"

    name: str
    parts: tuple[str, ...]
    age: NumberColumn | None

    @property
    def fields(self) -> tuple[EncodedField, ...]:
        """The parts, the age, and its indicator."""
        own = [EncodedField(f"{self.name}:{part}", "category", FIRST + _PART_SIZES[part]) for part in self.parts]
        return (*own, *(() if self.age is None else self.age.fields))

    def encode(self, features: Features, out: Output) -> None:
        """Put the parts and the age into ``out``."""
        values = features.numbers.get(self.name)
        moments = np.full(out.n, np.nan) if values is None else np.asarray(values, dtype=np.float64)
        for part in self.parts:
            out.categories[f"{self.name}:{part}"] = single(_part_codes(part, moments))
        if self.age is not None:
            self.age.encode(Features(out.n, numbers={self.age.name: out.now - moments}), out)

    def document(self) -> dict[str, Any]:
        """Return what JSON holds."""
        return {"parts": list(self.parts), "age": None if self.age is None else self.age.document()}

    @classmethod
    def of(cls, name: str, document: Mapping[str, Any]) -> Self:
        """Return the column of :meth:`document`."""
        age = document["age"]
        parts = tuple(part for part in _PART_SIZES if part in document["parts"])
        return cls(name, parts, None if age is None else NumberColumn.of(f"{name}:age", age))

    @classmethod
    def fit(cls, name: str, moments: Float, settings: EncoderSettings, now: float) -> Self:
        """Return the column of these (n,) moments of train."""
        parts = tuple(
            part
            for part in settings.time_parts
            if part in _PART_SIZES and len(np.unique(_part_codes(part, moments))) > 1
        )
        age = NumberColumn.fit(f"{name}:age", now - moments, settings) if "age" in settings.time_parts else None
        return cls(name, parts, age if age is not None and age.fields else None)


@dataclass(frozen=True, slots=True, eq=False)
class VectorColumn:
    """A vector at length 1, and whether it is missing where train has rows without."""

    KIND: ClassVar[str] = "vector"

    name: str
    dim: int
    gaps: bool

    @property
    def fields(self) -> tuple[EncodedField, ...]:
        """The vector, and its indicator."""
        return (EncodedField(self.name, "vector", self.dim), *((indicator(self.name),) if self.gaps else ()))

    def encode(self, features: Features, out: Output) -> None:
        """Put the vectors and the indicator into ``out``."""
        given = features.vectors.get(self.name)
        vectors = np.full((out.n, self.dim), np.nan, np.float32) if given is None else np.asarray(given, np.float32)
        _check_dim(self.name, vectors.shape[1], self.dim)
        missing = _no_vector(vectors)
        wide = np.where(missing[:, None], 0.0, vectors.astype(np.float64))  # squares of float32 fit
        lengths: Float = np.sqrt(np.square(wide).sum(axis=1, keepdims=True))
        out.vectors[self.name] = (wide / np.where(lengths > 0, lengths, 1.0)).astype(np.float32)
        if self.gaps:
            out.numbers[f"{self.name}:missing"] = missing.astype(np.float32)

    def document(self) -> dict[str, Any]:
        """Return what JSON holds."""
        return {"dim": self.dim, "gaps": self.gaps}

    @classmethod
    def of(cls, name: str, document: Mapping[str, Any]) -> Self:
        """Return the column of :meth:`document`."""
        return cls(name, int(document["dim"]), bool(document["gaps"]))

    @classmethod
    def fit(cls, name: str, vectors: npt.NDArray[np.float32]) -> Self:
        """Return the column of the (n, dim) vectors of train."""
        return cls(name, vectors.shape[1], _mixed_gaps(_no_vector(vectors)))


def _mixed_gaps(missing: npt.NDArray[np.bool_]) -> bool:
    """Return whether some rows are missing and some are not: only then is there something to learn from it."""
    return bool(missing.any() and not missing.all())


def _no_vector(vectors: npt.NDArray[np.float32]) -> npt.NDArray[np.bool_]:
    """Return (n,) bool: the rows that have no vector."""
    missing: npt.NDArray[np.bool_] = np.asarray(np.isnan(vectors).any(axis=1))
    return missing


def _part_codes(part: str, moments: Float) -> npt.NDArray[np.int32]:
    """Return (n,) int32: the code of a part of each moment."""
    known = ~np.isnan(moments)
    seconds = np.floor(np.clip(np.where(known, moments, 0.0), -_FAR, _FAR)).astype(np.int64)
    if part == "hour":
        values = seconds % _DAY // 3600
    elif part == "weekday":
        values = (seconds // _DAY + 3) % 7  # the first of January 1970 was a Thursday
    else:
        values = seconds.astype("M8[s]").astype("M8[M]").astype(np.int64) % 12
    return np.where(known, FIRST + values, MISSING).astype(np.int32)


def _tags(features: Features, name: str, most: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int32]]:
    """Return the row and the tag of the first ``most`` tags of each row; tables have the heaviest first."""
    column = features.tags.get(name)
    if column is None:
        return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int32)
    indptr = column.table.indptr
    rows = np.repeat(np.arange(len(indptr) - 1, dtype=np.int64), np.diff(indptr))
    kept = np.arange(len(rows)) - indptr[rows] < most
    return rows[kept], column.table.neighbours[kept]


def _check_dim(name: str, given: int, fitted: int) -> None:
    if given != fitted:
        raise DataError(f"the vectors {name!r} have {given} dimensions; the encoder was fitted on {fitted}")
