"""Ragged scored lists of item rows: histories, candidates and ground truth alike."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from graphrec.checks import as_array, check_finite, check_indptr, check_length, typed_late


@dataclass(frozen=True, slots=True, init=False, eq=False)
class ItemLists:
    """n lists of (item row, score), each of its own length; there is no padding value.

    Parameters
    ----------
    indptr : ndarray
        (n + 1,) int64; list ``i`` is ``items[indptr[i]:indptr[i + 1]]``.
    items : ndarray
        (m,) int32 rows.
    scores : ndarray or None
        (m,) float32, finite; higher is better. None means 1 each.

    Raises
    ------
    DataError
        If ``indptr`` does not start at 0, falls, or does not end at m; or a score is not finite.
    """

    indptr: npt.NDArray[np.int64]
    items: npt.NDArray[np.int32]
    scores: npt.NDArray[np.float32]

    def __init__(self, indptr: npt.ArrayLike, items: npt.ArrayLike, scores: npt.ArrayLike | None = None) -> None:
        set_field = object.__setattr__
        set_field(self, "indptr", as_array(indptr, np.int64, name="indptr"))
        set_field(self, "items", as_array(items, np.int32, name="items"))
        filled = np.ones(len(self.items), dtype=np.float32) if scores is None else scores
        set_field(self, "scores", as_array(filled, np.float32, name="scores"))
        check_indptr(self.indptr, len(self.items), name="indptr")
        check_length(self.scores, len(self.items), name="scores")
        check_finite(self.scores, name="scores")

    def __len__(self) -> int:
        return len(self.indptr) - 1

    def __getitem__(self, position: int) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.float32]]:
        if not -len(self) <= position < len(self):
            raise IndexError(f"list {position} is out of range; there are {len(self)} lists")
        position %= len(self)
        start, stop = self.indptr[position], self.indptr[position + 1]
        return self.items[start:stop], self.scores[start:stop]

    def __iter__(self) -> Iterator[tuple[npt.NDArray[np.int32], npt.NDArray[np.float32]]]:
        for position in range(len(self)):
            yield self[position]

    @property
    def lengths(self) -> npt.NDArray[np.int64]:
        """(n,) int64: entries each list has."""
        lengths: npt.NDArray[np.int64] = self.indptr[1:] - self.indptr[:-1]
        return lengths


def lists_of(indptr: npt.NDArray[np.int64], items: npt.NDArray[np.int32], scores: npt.NDArray[np.float32]) -> ItemLists:
    """Return lists of arrays that a kernel made, or that were cut from other lists: they are not checked again.

    A request makes some twenty of them, and the checks would take longer than most channels.
    """
    result, set_field = object.__new__(ItemLists), object.__setattr__
    set_field(result, "indptr", indptr)
    set_field(result, "items", items)
    set_field(result, "scores", scores)
    return result


def indptr_of(lengths: Sequence[int] | npt.NDArray[np.integer] | npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    """Return (n + 1,) int64: where each of n lists of these lengths starts, and where the last ends."""
    indptr = np.zeros(len(lengths) + 1, dtype=np.int64)
    np.add.accumulate(lengths, out=indptr[1:])
    return indptr


def empty_lists(n: int) -> ItemLists:
    """Return n empty lists."""
    return lists_of(np.zeros(n + 1, dtype=np.int64), np.empty(0, dtype=np.int32), np.empty(0, dtype=np.float32))


@typed_late
def item_lists(
    lists: Iterable[Sequence[int] | npt.NDArray[np.integer]],
    scores: Iterable[Sequence[float] | npt.NDArray[np.floating]] | None = None,
) -> ItemLists:
    """Return ItemLists from Python sequences of rows, and of scores where given."""
    parts = [as_array(items, np.int32, name="a list") for items in lists]
    indptr = indptr_of([len(part) for part in parts])
    items = np.concatenate(parts) if parts else np.empty(0, dtype=np.int32)
    flat = None if scores is None else [as_array(values, np.float32, name="scores of a list") for values in scores]
    return ItemLists(indptr, items, None if flat is None else np.concatenate([*flat, np.empty(0, np.float32)]))


def take_lists(lists: ItemLists, rows: npt.ArrayLike) -> ItemLists:
    """Return the lists at ``rows`` (n',), in that order; -1 gives an empty list."""
    chosen = np.asarray(rows, dtype=np.int64)
    safe = np.maximum(chosen, 0)
    starts = lists.indptr[safe] if len(lists) else np.zeros_like(safe)
    lengths = np.where(chosen >= 0, lists.indptr[safe + 1] - starts, 0) if len(lists) else np.zeros_like(safe)
    indptr = indptr_of(lengths)
    # Entry p of the result stands at starts[list] + (p - indptr[list]).
    positions = np.repeat(starts - indptr[:-1], lengths) + np.arange(indptr[-1])
    return lists_of(indptr, lists.items[positions], lists.scores[positions])


def places_among(lists: ItemLists, rows: npt.NDArray[np.integer]) -> ItemLists:
    """Return the items that are among ``rows`` (t,), which ascend, as places there; the others are left out."""
    if len(rows) == 0:
        return empty_lists(len(lists))
    places = np.minimum(np.searchsorted(rows, lists.items), len(rows) - 1)
    return entries_where(ItemLists(lists.indptr, places, lists.scores), rows[places] == lists.items)


def slice_lists(lists: ItemLists, start: int, stop: int) -> ItemLists:
    """Return the lists ``start:stop``; their entries are shared, not copied."""
    first, last = lists.indptr[start], lists.indptr[stop]
    return lists_of(lists.indptr[start : stop + 1] - first, lists.items[first:last], lists.scores[first:last])


def entries_where(lists: ItemLists, keep: npt.NDArray[np.bool_]) -> ItemLists:
    """Return the lists with the entries alone that the mask ``keep`` (m,) holds."""
    return lists_of(indptr_of(keep)[lists.indptr], lists.items[keep], lists.scores[keep])


def truncate(lists: ItemLists, k: int) -> ItemLists:
    """Return the first ``k`` entries of each list."""
    if len(lists) == 0 or int(lists.lengths.max()) <= k:
        return lists
    within = np.arange(len(lists.items)) - np.repeat(lists.indptr[:-1], lists.lengths)
    return entries_where(lists, within < k)


def concatenate(parts: Sequence[ItemLists]) -> ItemLists:
    """Return the lists of all parts, in order."""
    if len(parts) == 1:
        return parts[0]
    lengths = np.concatenate([np.empty(0, dtype=np.int64), *(part.lengths for part in parts)])
    indptr = indptr_of(lengths)
    items = np.concatenate([np.empty(0, dtype=np.int32), *(part.items for part in parts)])
    return ItemLists(indptr, items, np.concatenate([np.empty(0, dtype=np.float32), *(part.scores for part in parts)]))
