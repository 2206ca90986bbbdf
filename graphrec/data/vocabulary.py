"""External ids (strings) and the dense rows that stand for them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from typing import Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from graphrec.checks import check_rows
from graphrec.errors import DataError, UnknownIdError, nearest_names

# pyarrow.compute is imported where it is used: it writes its functions when it is imported, and that takes as long as
# half of numpy.

# Above this size the nearest names are not looked for: the search is linear and slow.
_SUGGEST_LIMIT = 200_000
# To search one id among n costs about what to hash so many of them does.
_SEARCHED = 8


def _ascends(array: pa.LargeStringArray) -> bool:
    """Return whether the ids ascend strictly: then none is repeated, and nothing need be hashed."""
    if len(array) < 2:  # as of a request: a call of Arrow takes longer than all else that is made of one id
        return True
    import pyarrow.compute as pc

    begin = array[:1000]
    return all(bool(pc.all(pc.less(part[:-1], part[1:]), min_count=0).as_py()) for part in (begin, array))


def _as_text(ids: Iterable[str] | pa.Array | pa.ChunkedArray, *, kind: str = "id") -> pa.LargeStringArray:
    """Return ids as one Arrow array of text.

    Raises
    ------
    DataError
        If they are one string, no sequence at all, or hold something that is no string.
    """
    if isinstance(ids, pa.ChunkedArray):
        ids = ids.combine_chunks()
    if isinstance(ids, pa.Array):
        return ids.cast(pa.large_string())
    if isinstance(ids, str) or not isinstance(ids, Iterable):
        raise DataError(f"{kind}s are {ids!r} ({type(ids).__name__}); give a sequence of strings")
    values = list(ids)
    try:
        return pa.array(values, pa.large_string())
    except (pa.ArrowTypeError, pa.ArrowInvalid) as error:
        wrong = next((value for value in values if value is not None and not isinstance(value, str)), values[0])
        raise DataError(_no_string(wrong, kind)) from error


def _plural(kind: str) -> str:
    return f"{kind[:-1]}ies" if kind.endswith("y") else f"{kind}s"


def _no_string(value: object, kind: str) -> str:
    return f"{kind} {value!r} is no string ({type(value).__name__}); ids are strings: {str(value)!r}"


class Vocabulary:
    """The order of external ids: id <-> row ``0..n-1``. Immutable.

    Parameters
    ----------
    ids : sequence of str, or Arrow string array
        Unique, none null. Their order is the row order. Held as one Arrow array
        (about 8 bytes an id and the text), so tens of millions fit.

    Raises
    ------
    DataError
        If an id is null, no string, or stands twice.
    """

    def __init__(self, ids: Sequence[str] | pa.Array | pa.ChunkedArray) -> None:
        array = _as_text(ids)
        if array.null_count:
            raise DataError(f"id at row {array.is_null().index(True).as_py()} is null; every id must be a string")
        self._ascending = _ascends(array)
        if not self._ascending and len(array.unique()) != len(array):
            counts = array.value_counts()
            twice = counts[int(np.argmax(counts.field("counts").to_numpy() > 1))]
            raise DataError(
                f"id {twice['values'].as_py()!r} stands {twice['counts'].as_py()} times; ids must be unique"
            )
        self._ids: pa.LargeStringArray = array

    @property
    def ids(self) -> pa.LargeStringArray:
        """All ids in row order, an Arrow large_string array of length n."""
        return self._ids

    @cached_property
    def _rows(self) -> dict[str, int]:
        return {external: row for row, external in enumerate(self._ids.to_pylist())}

    def __len__(self) -> int:
        return len(self._ids)

    def __iter__(self) -> Iterator[str]:
        return iter(self._ids.to_pylist())

    def __contains__(self, external: object) -> bool:
        return external in self._rows

    def __getitem__(self, row: int) -> str:
        if not 0 <= row < len(self):
            raise DataError(f"row {row} is out of range; legal rows are 0 to {len(self) - 1}")
        return str(self._ids[int(row)].as_py())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Vocabulary) and self._ids.equals(other._ids)

    def __hash__(self) -> int:
        return hash(self.fingerprint)

    def __repr__(self) -> str:
        shown = ", ".join(repr(i) for i in self._ids[:3].to_pylist())
        return f"Vocabulary({len(self)} ids: {shown}{', …' if len(self) > 3 else ''})"

    @cached_property
    def fingerprint(self) -> str:
        """sha256 (hex) over the ids in order; two vocabularies with one fingerprint have the same rows."""
        import pyarrow.compute as pc

        digest = hashlib.sha256()
        lengths = pc.binary_length(self._ids).to_numpy(zero_copy_only=False).astype("<i8")
        digest.update(lengths.tobytes())
        for start in range(0, len(self), 1_000_000):
            digest.update("".join(self._ids[start : start + 1_000_000].to_pylist()).encode("utf-8", "surrogatepass"))
        return digest.hexdigest()

    def get(self, external: str, default: int = -1) -> int:
        """Return the row of one id, or ``default`` where it is unknown. O(1) after the first call."""
        return self._rows.get(external, default)

    def row(self, external: str, *, kind: str = "id") -> int:
        """Return the row of one id; ``kind`` ("user", "item") names it in the error.

        Raises
        ------
        UnknownIdError
            With the nearest known ids; also where it is no string.
        """
        given: object = external
        if not isinstance(given, str):
            raise UnknownIdError(_no_string(given, kind))
        row = self._rows.get(external)
        if row is None:
            hint = nearest_names(external, self._rows) if len(self) <= _SUGGEST_LIMIT else ""
            raise UnknownIdError(f"{kind} {external!r} is not among the {len(self):,} known {_plural(kind)}{hint}")
        return row

    def rows(
        self,
        ids: Iterable[str] | pa.Array | pa.ChunkedArray,
        *,
        missing: Literal["error", "drop", "mark"] = "error",
        kind: str = "id",
    ) -> npt.NDArray[np.int32]:
        """Return the rows of many ids, int32.

        Parameters
        ----------
        ids : iterable of str, or Arrow array
            (m,) external ids.
        missing : {"error", "drop", "mark"}
            Unknown ids raise, are left out, or become -1.

        Raises
        ------
        UnknownIdError
            With ``missing="error"``, naming the first unknown id and how many there are.
        DataError
            If an id is no string.
        """
        array = _as_text(ids, kind=kind)
        rows = self._rows_of(array)
        if missing == "mark":
            return rows
        unknown = rows < 0
        if missing == "drop":
            return rows[~unknown]
        if unknown.any():
            first = array[int(np.argmax(unknown))].as_py()
            more = int(unknown.sum()) - 1
            also = f" (and {more:,} more)" if more else ""
            hint = nearest_names(str(first), self._ids.to_pylist()) if len(self) <= _SUGGEST_LIMIT else ""
            raise UnknownIdError(f"{kind} {first!r} is not among the {len(self):,} known {kind}s{also}{hint}")
        return rows

    def _rows_of(self, array: pa.LargeStringArray) -> npt.NDArray[np.int32]:
        """Return (m,) int32 rows, -1 for what is unknown: by searching where that costs less than hashing all ids."""
        few = len(array) * _SEARCHED < len(self)
        if self._ascending and not array.null_count and (few or _ascends(array)):
            from graphrec.data.sorted_ids import rows_of_sorted

            return rows_of_sorted(self._ids, array)
        import pyarrow.compute as pc

        places: npt.NDArray[np.int32] = pc.index_in(array, value_set=self._ids).fill_null(-1).to_numpy()
        return places.astype(np.int32, copy=False)

    def pick(self, rows: npt.ArrayLike | slice) -> Vocabulary:
        """Return the vocabulary of some rows, in their order; a slice of rows shares the memory of this vocabulary.

        Raises
        ------
        DataError
            If a row stands twice or is out of range.
        """
        picked = object.__new__(Vocabulary)
        if isinstance(rows, slice):
            start, stop, step = rows.indices(len(self))
            if step != 1:
                raise DataError(f"the step of {rows} is {step}; rows are picked one after the other")
            picked._ids = self._ids.slice(start, max(stop - start, 0))
            picked._ascending = self._ascending
            return picked
        chosen = np.asarray(rows, dtype=np.int64)
        check_rows(chosen, len(self), name="rows")
        times = np.bincount(chosen, minlength=1)
        if times.max() > 1:
            raise DataError(f"row {int(np.argmax(times > 1))} is picked {int(times.max())} times; ids must be unique")
        picked._ids = self._ids.take(pa.array(chosen))
        picked._ascending = self._ascending and bool((chosen[:-1] < chosen[1:]).all())
        return picked

    def take(self, rows: npt.ArrayLike) -> list[str]:
        """Return the ids of ``rows`` (m,) as a list of m strings."""
        return list(self._ids.take(pa.array(np.asarray(rows, dtype=np.int64))).to_pylist())

    def extend(self, ids: Iterable[str] | pa.Array) -> Vocabulary:
        """Return a new vocabulary with the unknown ones of ``ids`` appended in order; old rows stay as they are."""
        import pyarrow.compute as pc

        array = _as_text(ids).unique()
        fresh = array.filter(pc.invert(pc.is_in(array, value_set=self._ids)))
        return Vocabulary(pa.concat_arrays([self._ids, fresh]))
