"""The features behind a query as a tower reads them: what is stored of its user, and what the request says itself."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from graphrec.contracts.queries import Queries
from graphrec.data.encoding.encoded import MISSING, EncodedFeatures
from graphrec.data.encoding.encoder import FeatureEncoder, column_kinds
from graphrec.data.features import Features, Labels
from graphrec.data.vocabulary import Vocabulary
from graphrec.errors import BundleError
from graphrec.recallers.files import read_array, write_array

Matrices = dict[str, npt.NDArray[Any]]
_FOLDER = "features"

Column = TypeVar("Column")


def padded(features: EncodedFeatures) -> Matrices:
    """Return encoded features as matrices of n rows.

    ``category:NAME`` (n, w) int64 codes from the left, filled up with 0 (nothing known), ``numbers`` (n, k) float32 and
    ``vector:NAME`` (n, size) float32; those kinds alone that there are.
    """
    matrices: Matrices = {}
    for name, (indptr, codes) in features.categories.items():
        lengths = np.diff(indptr)
        table = np.full((features.n, int(lengths.max(initial=1))), MISSING, dtype=np.int64)
        rows = np.repeat(np.arange(features.n), lengths)
        table[rows, np.arange(len(codes)) - indptr[rows]] = codes
        matrices[f"category:{name}"] = table
    if features.numbers.shape[1]:
        matrices["numbers"] = features.numbers
    return matrices | {f"vector:{name}": matrix for name, matrix in features.vectors.items()}


@dataclass(frozen=True, slots=True, eq=False)
class RowFeatures:
    """Encoded features of n rows, and of which of them anything is ``known`` (n,) bool.

    A row of which nothing is known has features all the same: that they are missing.
    """

    encoder: FeatureEncoder
    encoded: EncodedFeatures
    known: npt.NDArray[np.bool_]

    @classmethod
    def of(cls, features: Features) -> RowFeatures:
        """Return the features of train, encoded by what they are."""
        encoder = FeatureEncoder.fit(features)
        return cls(encoder, encoder.encode(features), known_rows(features, [column.name for column in encoder.columns]))


def known_rows(features: Features, names: Iterable[str]) -> npt.NDArray[np.bool_]:
    """Return (n,) bool: the rows of which one of the columns ``names`` says anything; columns may be missing."""
    known = np.zeros(features.n, dtype=np.bool_)
    for name in names:
        if name in features.numbers:
            known |= ~np.isnan(features.numbers[name])
        elif name in features.labels:
            known |= features.labels[name].codes >= 0
        elif name in features.tags:
            known |= np.diff(features.tags[name].table.indptr) > 0
        elif name in features.texts:
            known |= np.asarray(features.texts[name].is_valid())
        elif name in features.vectors and features.vectors[name].shape[1]:
            known |= ~np.isnan(features.vectors[name][:, 0])
    return known


@dataclass(frozen=True, slots=True, eq=False)
class QueryFields:
    """Features of n_users users, encoded, and the encoder for those that come with a request.

    What a request says goes before what is stored, column by column: a label of its context, or a column of its
    features. Crosses are those of the stored columns.

    Parameters
    ----------
    encoder : FeatureEncoder
        Fitted on the users of train.
    stored : mapping of str to ndarray
        :func:`padded` of the users.
    known : ndarray
        (n_users,) bool: users of whom anything is known.
    """

    encoder: FeatureEncoder
    stored: Mapping[str, npt.NDArray[Any]]
    known: npt.NDArray[np.bool_]
    # Of nobody, a row is what training saw where all columns are missing.
    _nothing: Mapping[str, npt.NDArray[Any]] = field(init=False)
    # Where each number stands in the matrix of numbers.
    _places: Mapping[str, int] = field(init=False)

    def __post_init__(self) -> None:
        numbers = [own.name for own in self.encoder.fields if own.kind == "number"]
        object.__setattr__(self, "_nothing", padded(self.encoder.encode(Features(1))))
        object.__setattr__(self, "_places", {name: place for place, name in enumerate(numbers)})

    @classmethod
    def of(cls, users: RowFeatures) -> QueryFields:
        """Return the fields of the users of train."""
        return cls(users.encoder, padded(users.encoded), users.known)

    def inputs(self, queries: Queries) -> tuple[Matrices, npt.NDArray[np.bool_]]:
        """Return the matrices of n queries, and (n,) bool: those of which a feature is known."""
        stranger = (queries.users < 0) | (queries.users >= len(self.known))
        rows = np.where(stranger, 0, queries.users)
        matrices: Matrices = {}
        for name, matrix in self.stored.items():
            own = matrix[rows] if len(self.known) else np.zeros((len(rows), matrix.shape[1]), matrix.dtype)
            matrices[name] = _over(stranger, self._nothing[name], own) if stranger.any() else own
        known = ~stranger & (self.known[rows] if len(self.known) else False)
        given = _given(queries, self.encoder.kinds)
        if given is None:
            return matrices, known
        return self._with(matrices, given), known | known_rows(given, self.encoder.kinds)

    def _with(self, matrices: Matrices, given: Features) -> Matrices:
        """Return the matrices with what the requests say in place of what is stored."""
        names = column_kinds(given)
        columns = tuple(column for column in self.encoder.columns if column.name in names)
        said, place = padded(replace(self.encoder, columns=columns, crosses=()).encode(given)), 0
        for column in columns:
            rows = known_rows(given, [column.name])
            for own in column.fields:
                if own.kind == "number":
                    matrices["numbers"][rows, self._places[own.name]] = said["numbers"][rows, place]
                    place += 1
                else:
                    name = f"{own.kind}:{own.name}"
                    matrices[name] = _over(rows, said[name], matrices[name])
        return matrices

    def save(self, directory: Path) -> None:
        """Write the encoder and the matrices into ``features/``."""
        (directory / _FOLDER).mkdir()
        self.encoder.save(directory / _FOLDER)
        write_array(directory / _FOLDER, "known", self.known)
        for place, matrix in enumerate(self.stored.values()):
            write_array(directory / _FOLDER, f"users-{place}", np.ascontiguousarray(matrix).reshape(-1))

    @classmethod
    def load(cls, directory: Path) -> QueryFields:
        """Return what :meth:`save` wrote; raise BundleError where a file is missing, damaged or of other users."""
        folder = directory / _FOLDER
        encoder, known = FeatureEncoder.load(folder), read_array(folder, "known", np.bool_)
        stored: Matrices = {}
        for place, (name, empty) in enumerate(padded(encoder.encode(Features(1))).items()):
            flat = read_array(folder, f"users-{place}", empty.dtype)
            if len(flat) % max(len(known), 1):
                raise BundleError(f"{folder} holds {name!r} of other users; train the channel again")
            stored[name] = flat.reshape(len(known), -1 if len(known) else empty.shape[1])
        return cls(encoder, stored, known)


def _given(queries: Queries, kinds: Mapping[str, str]) -> Features | None:
    """Return what the requests say of columns that training knew, the labels of their context among them."""
    features, n = queries.features, len(queries)
    labels = {} if features is None else dict(features.labels)
    for name, texts in queries.context.items():
        if kinds.get(name) == "label":
            names = Vocabulary(sorted({text for text in texts if text is not None}))
            labels[name] = Labels(names, [-1 if text is None else names.row(text) for text in texts])
    if features is None:
        return Features(n, {}, labels) if labels else None
    return Features(
        n,
        _known_columns(features.numbers, kinds),
        _known_columns(labels, kinds),
        _known_columns(features.tags, kinds),
        _known_columns(features.texts, kinds),
        _known_columns(features.vectors, kinds),
        moments=tuple(name for name in features.moments if name in kinds),
    )


def _known_columns(columns: Mapping[str, Column], kinds: Mapping[str, str]) -> dict[str, Column]:
    return {name: column for name, column in columns.items() if name in kinds}


def _over(rows: npt.NDArray[np.bool_], said: npt.NDArray[Any], own: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return ``said`` at ``rows`` (n,) bool, ``own`` elsewhere, as wide as the wider of the two."""
    width = max(said.shape[1], own.shape[1])
    both = [part if part.shape[1] == width else np.pad(part, ((0, 0), (0, width - part.shape[1])))
            for part in (said, own)]  # fmt: skip
    return np.where(rows[:, None], *both)
