"""Recall from one ranked list a segment of users, backed by one for everybody."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Self

import numpy as np
import numpy.typing as npt

from graphrec.checks import as_array, check_finite, check_k, check_length
from graphrec.contracts.queries import Queries
from graphrec.contracts.recaller import BundleParts, Evidence, no_evidence
from graphrec.data.lists import ItemLists, lists_of
from graphrec.data.neighbours import NeighbourTable
from graphrec.errors import BundleError, DataError
from graphrec.kernels import kernel
from graphrec.recallers.files import check_items, read_array, read_settings, setting, write_array, write_settings
from graphrec.recallers.ranked import RankedRecaller
from graphrec.recallers.segments import Segments
from graphrec.sparse.topk import FloatArray, RowArray

# Scores of the list for everybody keep 16 binary digits, and those below this are 0: then no two of them become one
# float32 when they are multiplied by a segment's factor, and their order stays what it is.
_DIGITS, _LEAST = 2.0**16, 2.0**-80


@dataclass(frozen=True, slots=True, init=False, eq=False)
class SegmentedRecaller:
    r"""The items that a segment has its own score for, and all others by the score that everybody gives them.

    .. math:: s_g(i) = own_g(i) \text{ where } g \text{ has one, else } factor_g \cdot everyone(i)

    Only what differs from the list for everybody is stored, so that memory grows with what segments did, not with
    their number times the catalogue. A query whose segment is not known gets the list for everybody.

    Parameters
    ----------
    everyone : RankedRecaller
        The list for everybody.
    segments : Segments
        Who belongs where.
    own : NeighbourTable
        Segment -> items, in any order, over the item rows; each item at most once a segment.
    factors : ndarray
        (number of segments,) float64, > 0: what a score of ``everyone`` is worth in each segment.
    reason : str
        Template of the sentence for people.

    Raises
    ------
    DataError
        If the parts have different numbers of segments or items, or a factor is not above 0.
    """

    kind: ClassVar[str] = "segmented"

    everyone: RankedRecaller
    segments: Segments
    own: NeighbourTable
    factors: npt.NDArray[np.float64]
    reason: str
    _by_row: RowArray

    def __init__(
        self,
        everyone: RankedRecaller,
        segments: Segments,
        own: NeighbourTable,
        factors: npt.ArrayLike,
        reason: str = "widely {verb}",
    ) -> None:
        values = as_array(factors, np.float64, name="factors")
        check_length(values, len(segments), name="factors")
        check_finite(values, name="factors")
        if len(own) != len(segments):
            raise DataError(f"there are lists of {len(own)} segments; the label has {len(segments)} values")
        if len(values) and float(values.min()) <= 0:
            raise DataError(f"a segment has the factor {values.min()}; factors are above 0")
        if len(everyone.items) and int(everyone.items.max()) >= own.n_columns:
            raise DataError(f"item row {everyone.items.max()} is out of range; there are {own.n_columns} items")
        set_field = object.__setattr__
        set_field(self, "everyone", RankedRecaller(everyone.items, _rounded(everyone.scores), everyone.reason))
        set_field(self, "segments", segments)
        set_field(self, "own", _best_first(own))
        set_field(self, "factors", values)
        set_field(self, "reason", reason)
        set_field(self, "_by_row", _ascending(own))

    @property
    def users(self) -> npt.NDArray[np.int32]:
        """(n_users,) int32: the segment of each user, -1 where it is not known."""
        return self.segments.labels.codes

    def recall(self, queries: Queries, k: int) -> ItemLists:
        """Return the first ``k`` items of each query's segment. Time O(k log m) a query with m own items.

        Raises
        ------
        ConfigError
            If ``k < 1``.
        """
        check_k(k)
        codes = self.segments.of(queries)
        room = min(k, self.own.n_columns)
        indptr = np.zeros(len(codes) + 1, dtype=np.int64)
        items, scores = np.empty(len(codes) * room, np.int32), np.empty(len(codes) * room, np.float32)
        _merge(
            codes,
            self.own.indptr,
            self.own.neighbours,
            self.own.scores,
            self._by_row,
            self.factors,
            self.everyone.items,
            self.everyone.scores,
            room,
            indptr,
            items,
            scores,
        )
        return lists_of(indptr, items[: indptr[-1]], scores[: indptr[-1]])

    def evidence(self, query: Queries, items: npt.NDArray[np.int32]) -> Evidence:  # noqa: ARG002 - the protocol's
        """Return -1 throughout: the lists know nothing of the history."""
        return no_evidence(len(items))

    def save(self, directory: Path) -> None:
        """Write the lists, the segments and the reason."""
        settings = {"reason": self.reason, "n_items": self.own.n_columns, **self.segments.settings()}
        write_settings(directory, self.kind, settings)
        self.segments.save(directory, "users")
        for name, array in (
            ("items", self.everyone.items),
            ("scores", self.everyone.scores),
            ("factors", self.factors),
            ("own-indptr", self.own.indptr),
            ("own-items", self.own.neighbours),
            ("own-scores", self.own.scores),
        ):
            write_array(directory, name, array)

    @classmethod
    def load(cls, directory: Path, parts: BundleParts) -> Self:
        """Read what :meth:`save` wrote.

        Raises
        ------
        BundleError
            If a file is missing or damaged, or the lists are of another number of items.
        """
        settings = read_settings(directory, kind=cls.kind)
        n_items = setting(settings, "n_items", int, directory=directory)
        check_items(directory, n_items, parts.items)
        arrays = [
            read_array(directory, name, dtype)
            for name, dtype in (("own-indptr", np.int64), ("own-items", np.int32), ("own-scores", np.float32))
        ]
        try:
            return cls(
                RankedRecaller(read_array(directory, "items", np.int32), read_array(directory, "scores", np.float32)),
                Segments.load(directory, "users", settings),
                NeighbourTable(*arrays, n_columns=n_items),
                read_array(directory, "factors", np.float64),
                setting(settings, "reason", str, directory=directory),
            )
        except DataError as error:
            raise BundleError(f"{directory} is damaged: {error}") from error


def _rounded(scores: FloatArray) -> FloatArray:
    """Return the scores with 16 binary digits; those that are next to nothing become 0."""
    mantissa, exponent = np.frexp(scores.astype(np.float64))
    short = np.ldexp(np.round(mantissa * _DIGITS) / _DIGITS, exponent)
    rounded: FloatArray = np.where(np.abs(short) < _LEAST, 0.0, short).astype(np.float32)
    return rounded


def _best_first(own: NeighbourTable) -> NeighbourTable:
    """Return the table with each segment's items in order of score, ties by row."""
    rows = np.repeat(np.arange(len(own)), np.diff(own.indptr))
    order = np.lexsort((own.neighbours, -own.scores, rows))
    return NeighbourTable(own.indptr, own.neighbours[order], own.scores[order], n_columns=own.n_columns)


def _ascending(own: NeighbourTable) -> RowArray:
    """Return each segment's items in order of row.

    Raises
    ------
    DataError
        If an item stands twice in a segment.
    """
    rows = np.repeat(np.arange(len(own)), np.diff(own.indptr))
    order = np.lexsort((own.neighbours, rows))
    items: RowArray = own.neighbours[order]
    if ((np.diff(items) == 0) & (np.diff(rows) == 0)).any():
        raise DataError("an item stands twice in the list of a segment; each may stand once")
    return items


@kernel
def _holds(rows: RowArray, start: int, stop: int, row: int) -> bool:  # pragma: no cover - compiled
    """Tell whether ``row`` stands in the ascending ``rows[start:stop]``."""
    end = stop
    while start < stop:
        middle = (start + stop) // 2
        if rows[middle] < row:
            start = middle + 1
        else:
            stop = middle
    return bool(start < end and rows[start] == row)


@kernel
def _merge(
    codes: RowArray,
    own_indptr: npt.NDArray[np.int64],
    own_items: RowArray,
    own_scores: FloatArray,
    by_row: RowArray,
    factors: npt.NDArray[np.float64],
    items: RowArray,
    scores: FloatArray,
    k: int,
    indptr: npt.NDArray[np.int64],
    out_items: RowArray,
    out_scores: FloatArray,
) -> None:  # pragma: no cover - compiled
    """Merge, for each query, the list of its segment with the list for everybody; write at most k entries each."""
    total = 0
    for query in range(codes.size):
        start, stop, factor = 0, 0, 1.0
        if codes[query] >= 0:
            start, stop = own_indptr[codes[query]], own_indptr[codes[query] + 1]
            factor = factors[codes[query]]
        a, b, end = start, 0, total + k
        while total < end:
            while b < items.size and _holds(by_row, start, stop, items[b]):
                b += 1
            if a == stop and b == items.size:
                break
            first = b == items.size
            if not first and a < stop:
                common = np.float32(factor * scores[b])
                first = own_scores[a] > common or (own_scores[a] == common and own_items[a] < items[b])
            if first:
                out_items[total], out_scores[total] = own_items[a], own_scores[a]
                a += 1
            else:
                out_items[total], out_scores[total] = items[b], np.float32(factor * scores[b])
                b += 1
            total += 1
        indptr[query + 1] = total
