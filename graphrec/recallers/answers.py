"""What a channel returned, checked before anything reads an array by it.

Kernels trust the rows that they are given: a row out of range would be read and written outside of the arrays. Channels
may come from other packages, so each answer is looked at once, here, on its way into the filter or out of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from graphrec.data.lists import ItemLists
from graphrec.errors import DataError
from graphrec.kernels import kernel

Dtypes = Mapping[str, np.dtype[Any]]

_DTYPES: Dtypes = {"indptr": np.dtype(np.int64), "items": np.dtype(np.int32), "scores": np.dtype(np.float32)}
_BOUNDS, _ROW, _SCORE, _TWICE, _LEFT_IN, _LONG = range(1, 7)


def check_answer(answer: object, n: int, *, n_items: int) -> None:
    """Raise DataError unless ``answer`` is n lists of distinct rows below ``n_items`` with finite scores.

    Parameters
    ----------
    answer : object
        What ``recall`` returned.
    n : int
        Queries that it was given.
    n_items : int
        Rows that there are.

    Raises
    ------
    DataError
        If it is no ItemLists, its arrays have other types or lengths, there is not one list a query, or an entry is
        out of range, not finite, or there twice. The sentence names the first such entry.

    Notes
    -----
    Time O(n + m) for m entries; memory n_items bits. Some microseconds for a list of 400.
    """
    lists = _well_formed(answer, n)
    fault, place = _first_fault(lists.indptr, lists.items, lists.scores, n_items)
    if fault:
        raise DataError(_sentence(lists, fault, place, n_items))


def check_filtered_answer(
    answer: object, n: int, k: int, *, exclude: ItemLists, allowed: npt.NDArray[np.bool_]
) -> None:
    """Raise DataError as :func:`check_answer` does, and where a list is too long or holds an item to be left out.

    Parameters
    ----------
    k : int
        Entries that a list may have.
    exclude : ItemLists
        n lists of items to be left out.
    allowed : ndarray
        (n_items,) bool: items that may be there.
    """
    lists = _well_formed(answer, n)
    fault, place = _first_fault_of_filtered(
        lists.indptr, lists.items, lists.scores, k, exclude.indptr, exclude.items, allowed
    )
    if fault == _LONG:
        raise DataError(f"list {place} of the answer has {lists.lengths[place]} entries; at most {k} are wanted")
    if fault:
        raise DataError(_sentence(lists, fault, place, allowed.size))


def check_arrays(value: object, dtypes: Dtypes, noun: str) -> None:
    """Raise DataError unless the fields that ``dtypes`` names are such that kernels may be given them."""
    for name, dtype in dtypes.items():
        array = getattr(value, name, None)
        if not isinstance(array, np.ndarray):
            raise DataError(f"{name} of {noun} is of type {type(array).__name__}; it must be an array of {dtype}")
        if array.dtype != dtype or array.ndim != 1 or not array.flags.c_contiguous:
            held = f"holds {array.dtype} in shape {array.shape}"
            raise DataError(f"{name} of {noun} {held}; it must be a contiguous row of {dtype}")


def _well_formed(answer: object, n: int) -> ItemLists:
    """Return the answer as lists, where its arrays are such that kernels may be given them."""
    if not isinstance(answer, ItemLists):
        raise DataError(f"the answer is of type {type(answer).__name__}; a channel returns ItemLists")
    check_arrays(answer, _DTYPES, "the answer")
    if len(answer.indptr) != n + 1:
        raise DataError(f"the answer has {len(answer.indptr) - 1} lists for {n} queries; each query gets one list")
    if len(answer.scores) != len(answer.items):
        raise DataError(f"the answer has {len(answer.items)} items and {len(answer.scores)} scores; each has one")
    return answer


def _sentence(lists: ItemLists, fault: int, place: int, n_items: int) -> str:
    """Say what is wrong with the entry, or the bound, at ``place``."""
    if fault == _BOUNDS:
        return (
            f"indptr of the answer is {lists.indptr[place]} at {place}; it starts at 0, never falls and ends at "
            f"{len(lists.items)}"
        )
    item, score = int(lists.items[place]), float(lists.scores[place])
    where = f"list {int(np.searchsorted(lists.indptr, place, side='right')) - 1} of the answer"
    return {
        _ROW: f"{where} holds item row {item}; legal rows are 0 to {n_items - 1}",
        _SCORE: f"{where} gives item row {item} the score {score}; scores must be finite",
        _TWICE: f"{where} holds item row {item} twice; each item stands in a list once",
        _LEFT_IN: f"{where} holds item row {item}, which was seen, is excluded, or is not in the pool",
    }[fault]


@kernel
def _first_fault(
    indptr: npt.NDArray[np.int64], items: npt.NDArray[np.int32], scores: npt.NDArray[np.float32], n_items: int
) -> tuple[int, int]:  # pragma: no cover - compiled
    """Return the kind of the first fault and where it is; (0, 0) where there is none."""
    n = indptr.size - 1
    if indptr[0] != 0:
        return _BOUNDS, 0
    if indptr[n] != items.size:
        return _BOUNDS, n
    for i in range(n):
        if indptr[i + 1] < indptr[i]:
            return _BOUNDS, i + 1
    # One bit an item, cleared behind each list.
    present = np.zeros((n_items >> 6) + 1, dtype=np.uint64)
    for i in range(n):
        for p in range(indptr[i], indptr[i + 1]):
            item = items[p]
            if item < 0 or item >= n_items:
                return _ROW, p
            if not np.isfinite(scores[p]):
                return _SCORE, p
            bit = np.uint64(1) << np.uint64(item & 63)
            if present[item >> 6] & bit:
                return _TWICE, p
            present[item >> 6] |= bit
        for p in range(indptr[i], indptr[i + 1]):
            present[items[p] >> 6] = 0
    return 0, 0


@kernel
def _first_left_in(
    indptr: npt.NDArray[np.int64],
    items: npt.NDArray[np.int32],
    k: int,
    exclude_indptr: npt.NDArray[np.int64],
    exclude_items: npt.NDArray[np.int32],
    allowed: npt.NDArray[np.bool_],
) -> tuple[int, int]:  # pragma: no cover - compiled
    """Return the kind and place of the first list that is too long or entry that may not be there, as above."""
    excluded = np.zeros((allowed.size >> 6) + 1, dtype=np.uint64)
    for i in range(indptr.size - 1):
        if indptr[i + 1] - indptr[i] > k:
            return _LONG, i
        for p in range(exclude_indptr[i], exclude_indptr[i + 1]):
            excluded[exclude_items[p] >> 6] |= np.uint64(1) << np.uint64(exclude_items[p] & 63)
        for p in range(indptr[i], indptr[i + 1]):
            bit = np.uint64(1) << np.uint64(items[p] & 63)
            if not allowed[items[p]] or excluded[items[p] >> 6] & bit:
                return _LEFT_IN, p
        for p in range(exclude_indptr[i], exclude_indptr[i + 1]):
            excluded[exclude_items[p] >> 6] = 0
    return 0, 0


@kernel
def _first_fault_of_filtered(
    indptr: npt.NDArray[np.int64],
    items: npt.NDArray[np.int32],
    scores: npt.NDArray[np.float32],
    k: int,
    exclude_indptr: npt.NDArray[np.int64],
    exclude_items: npt.NDArray[np.int32],
    allowed: npt.NDArray[np.bool_],
) -> tuple[int, int]:  # pragma: no cover - compiled
    """Return the kind of the first fault and where it is: of any lists, then of lists without what is left out."""
    fault, place = _first_fault(indptr, items, scores, allowed.size)
    if fault:
        return fault, place
    return _first_left_in(indptr, items, k, exclude_indptr, exclude_items, allowed)
