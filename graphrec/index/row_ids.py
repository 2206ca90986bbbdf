"""Which node each row of a matrix stands for: its id, and where known its kind and its label."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from graphrec.data.features import Labels
from graphrec.data.vocabulary import Vocabulary
from graphrec.errors import ConfigError, DataError, UnknownIdError, nearest_names

Query = str | tuple[str, str]
"""An id, or a kind and an id: ``("user", "42")``."""


class Near(NamedTuple):
    """A node, and how near it is: higher is nearer under every metric. An unknown ``kind`` or ``label`` is None."""

    id: str
    score: float
    kind: str | None = None
    label: str | None = None


@dataclass(frozen=True, slots=True, init=False, eq=False)
class RowIds:
    """The nodes behind n rows. An id is unique within its kind: user "1" and item "1" may stand side by side.

    Parameters
    ----------
    ids : Vocabulary, sequence of str, or Arrow array
        n ids.
    kinds : Labels, sequence of str, or None
        (n,) what each id is, such as "user", "item", "author"; none is missing.
    labels : sequence of str or None, or Arrow array
        (n,) names for people; null where there is none.

    Raises
    ------
    DataError
        If an id is null or stands twice in its kind, or the lengths differ.
    """

    ids: pa.LargeStringArray
    kinds: Labels | None
    labels: pa.LargeStringArray | None
    _places: dict[str | None, tuple[Vocabulary, npt.NDArray[np.int64]]] = field(repr=False)

    def __init__(
        self,
        ids: Vocabulary | Sequence[str] | pa.Array,
        kinds: Labels | Sequence[str] | None = None,
        labels: Sequence[str | None] | pa.Array | None = None,
    ) -> None:
        texts = ids.ids if isinstance(ids, Vocabulary) else _texts(ids, "ids")
        coded = kinds if kinds is None or isinstance(kinds, Labels) else _coded(kinds)
        named = None if labels is None else _texts(labels, "labels")
        for what, length in (("kinds", coded), ("labels", named)):
            if length is not None and len(length) != len(texts):
                raise DataError(f"there are {len(length)} {what} for {len(texts)} ids; give one an id")
        object.__setattr__(self, "ids", texts)
        object.__setattr__(self, "kinds", coded)
        object.__setattr__(self, "labels", named)
        object.__setattr__(self, "_places", _places(ids, texts, coded))

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def kind_names(self) -> list[str]:
        """The kinds that occur; none where kinds are not known."""
        return [kind for kind in self._places if kind is not None]

    @property
    def vocabulary(self) -> Vocabulary:
        """All ids; DataError where an id stands in two kinds."""
        if None in self._places:
            return self._places[None][0]
        try:
            return Vocabulary(self.ids)
        except DataError as error:
            raise DataError(f"{error} over all kinds; take one kind: {', '.join(self.kind_names)}") from error

    def holds(self, external: object) -> bool:
        """Tell whether an id, or a kind and an id, is among the rows."""
        if isinstance(external, tuple):
            place = self._places.get(external[0]) if len(external) == 2 else None
            return place is not None and external[1] in place[0]
        return any(external in vocabulary for vocabulary, _ in self._places.values())

    def row(self, query: Query) -> int:
        """Return the row of an id, or of a kind and an id.

        Raises
        ------
        UnknownIdError
            If it is not among the rows, with the nearest ids.
        ConfigError
            If the kind is unknown, or the id stands in several kinds and none is given.
        """
        kind, external = query if isinstance(query, tuple) else (None, query)
        if kind is not None:
            vocabulary, rows = self._of(kind)
            return int(rows[vocabulary.row(external)])
        places = [(name, *place) for name, place in self._places.items() if external in place[0]]
        if len(places) > 1:
            names = " and ".join(f"({name!r}, {external!r})" for name, *_ in places)
            raise ConfigError(f"id {external!r} stands in {len(places)} kinds; say which: {names}")
        if not places:
            known = self._places[None][0] if None in self._places else list(dict.fromkeys(self.ids.to_pylist()))
            hint = nearest_names(external, known) if len(known) <= 200_000 else ""
            raise UnknownIdError(f"id {external!r} is not among the {len(self):,} known ids{hint}")
        _, vocabulary, rows = places[0]
        return int(rows[vocabulary.row(external)])

    def of_kind(self, kind: str) -> npt.NDArray[np.int64]:
        """Return the rows of a kind, ascending."""
        return self._of(kind)[1]

    def _of(self, kind: str) -> tuple[Vocabulary, npt.NDArray[np.int64]]:
        if kind not in self._places or kind is None:
            known = ", ".join(map(repr, self.kind_names)) or "none: the kinds of these ids are not known"
            raise ConfigError(f"kind is {kind!r}; legal: {known}")
        return self._places[kind]

    def mask(self, ids: Iterable[Query], *, name: str) -> npt.NDArray[np.bool_]:
        """Return (n,) bool: the rows of the ``ids``, in every kind that holds them; unknown ids are passed over."""
        if isinstance(ids, str) or not isinstance(ids, Iterable):
            raise ConfigError(f"{name} is {ids!r}; it must be a list of ids")
        wanted = np.zeros(len(self), dtype=np.bool_)
        queries = list(ids)
        plain = [query for query in queries if not isinstance(query, tuple)]
        for kind, (vocabulary, rows) in self._places.items():
            own = [query[1] for query in queries if isinstance(query, tuple) and query[0] == kind]
            wanted[rows[vocabulary.rows(plain + own, missing="drop")]] = True
        return wanted

    def take(self, rows: npt.NDArray[np.integer]) -> RowIds:
        """Return the nodes of ``rows``."""
        places = pa.array(np.asarray(rows, dtype=np.int64))
        kinds = None if self.kinds is None else Labels(self.kinds.names, self.kinds.codes[rows])
        return RowIds(self.ids.take(places), kinds, None if self.labels is None else self.labels.take(places))

    def columns(self) -> dict[str, pa.Array]:
        """Return the columns ``id`` and, where known, ``kind`` and ``label``."""
        columns: dict[str, pa.Array] = {"id": self.ids}
        if self.kinds is not None:
            columns["kind"] = self.kinds.names.ids.take(pa.array(self.kinds.codes))
        if self.labels is not None:
            columns["label"] = self.labels
        return columns

    def near(self, rows: npt.NDArray[np.integer], scores: npt.NDArray[np.floating]) -> list[Near]:
        """Return the nodes of ``rows`` with their ``scores``."""
        nodes = self.columns()
        places = pa.array(np.asarray(rows, dtype=np.int64))
        texts = {name: column.take(places).to_pylist() for name, column in nodes.items()}
        missing = [None] * len(rows)
        return [
            Near(*node)
            for node in zip(
                texts["id"], scores.tolist(), texts.get("kind", missing), texts.get("label", missing), strict=True
            )
        ]


def _places(
    given: object, texts: pa.LargeStringArray, kinds: Labels | None
) -> dict[str | None, tuple[Vocabulary, npt.NDArray[np.int64]]]:
    """Return by kind, None where kinds are not known: the ids, and the rows that these have."""
    if kinds is None:
        vocabulary = given if isinstance(given, Vocabulary) else Vocabulary(texts)
        return {None: (vocabulary, np.arange(len(texts)))}
    if len(kinds) and int(kinds.codes.min()) < 0:
        raise DataError(f"id {texts[int(np.argmin(kinds.codes))].as_py()!r} has no kind; give every id one, or none")
    parts: dict[str | None, tuple[Vocabulary, npt.NDArray[np.int64]]] = {}
    for code, kind in enumerate(kinds.names):
        rows = np.flatnonzero(kinds.codes == code)
        if len(rows) == 0:
            continue
        try:
            parts[kind] = Vocabulary(texts.take(pa.array(rows))), rows
        except DataError as error:
            raise DataError(f"kind {kind!r}: {error}") from error
    return parts


def _coded(kinds: Sequence[str]) -> Labels:
    """Return kinds, one a row, as names and codes."""
    coded = _texts(kinds, "kinds").dictionary_encode()
    codes = coded.indices.fill_null(-1).to_numpy(zero_copy_only=False)
    return Labels(Vocabulary(coded.dictionary), codes.astype(np.int32))


def _texts(values: Any, name: str) -> pa.LargeStringArray:
    """Return texts as one Arrow array; raise DataError where they are something else."""
    if isinstance(values, str) or not isinstance(values, Iterable):
        raise DataError(f"{name} are {values!r} ({type(values).__name__}); give a sequence of strings")
    if isinstance(values, pa.ChunkedArray):
        values = pa.concat_arrays(values.chunks) if values.num_chunks else pa.array([], values.type)
    listed = values if isinstance(values, pa.Array) else list(values)
    try:
        return listed.cast(pa.large_string()) if isinstance(listed, pa.Array) else pa.array(listed, pa.large_string())
    except (pa.ArrowTypeError, pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        wrong = next((value for value in listed if value is not None and not isinstance(value, str)), None)
        raise DataError(f"{name} hold {wrong!r} ({type(wrong).__name__}); they are strings") from error
