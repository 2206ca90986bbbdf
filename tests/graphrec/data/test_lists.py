from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphrec.data.lists import (
    ItemLists,
    concatenate,
    empty_lists,
    entries_where,
    indptr_of,
    item_lists,
    places_among,
    slice_lists,
    take_lists,
    truncate,
)
from graphrec.data.neighbours import NeighbourTable
from graphrec.errors import DataError

ragged = st.lists(st.lists(st.integers(0, 50), max_size=6), max_size=6)


@given(ragged, st.data())
def test_take_lists_equals_indexing_one_by_one(lists: list[list[int]], data: st.DataObject) -> None:
    packed = item_lists(lists)
    rows = data.draw(st.lists(st.integers(-1, len(lists) - 1), max_size=8))
    taken = take_lists(packed, rows)
    assert [items.tolist() for items, _ in taken] == [[] if r < 0 else lists[r] for r in rows]


@given(ragged, st.integers(0, 7))
def test_truncate_keeps_the_first_k(lists: list[list[int]], k: int) -> None:
    assert [items.tolist() for items, _ in truncate(item_lists(lists), k)] == [one[:k] for one in lists]


@given(ragged, st.data())
def test_a_slice_and_a_mask_of_lists_equal_those_of_python(lists: list[list[int]], data: st.DataObject) -> None:
    packed = item_lists(lists)
    assert packed.indptr.tolist() == indptr_of([len(one) for one in lists]).tolist()
    start, stop = sorted(data.draw(st.tuples(*[st.integers(0, len(lists))] * 2)))
    assert [items.tolist() for items, _ in slice_lists(packed, start, stop)] == lists[start:stop]
    even = entries_where(packed, packed.items % 2 == 0)
    assert [items.tolist() for items, _ in even] == [[item for item in one if item % 2 == 0] for one in lists]


def test_scores_travel_with_items() -> None:
    lists = item_lists([[3, 1], [], [2]], [[0.5, 0.25], [], [9.0]])
    assert lists.lengths.tolist() == [2, 0, 1]
    assert lists[-1][1].tolist() == [9.0]
    assert len(empty_lists(3)) == 3
    with pytest.raises(IndexError, match="list 3 is out of range; there are 3 lists"):
        lists[3]


@pytest.mark.parametrize(
    ("indptr", "sentence"),
    [
        ([1, 3], "indptr must start with 0; it starts with 1"),
        ([], "indptr must start with 0; it is empty"),
        ([0, 2], "indptr ends at 2; it must end at the number of entries, 3"),
        ([0, 3, 1, 3], "indptr falls from 3 to 1 at list 1"),
    ],
)
def test_broken_indptr(indptr: list[int], sentence: str) -> None:
    with pytest.raises(DataError, match=sentence):
        ItemLists(np.array(indptr, dtype=np.int64), [0, 1, 2])


def test_scores_must_be_finite() -> None:
    with pytest.raises(DataError, match=r"scores\[1\] is inf"):
        item_lists([[0, 1]], [[0.0, float("inf")]])


def test_neighbour_table_checks_its_columns() -> None:
    table = NeighbourTable([0, 1, 2], [1, 2], [0.5, 0.25], n_columns=3)
    assert len(table) == 2
    assert table[1][0].tolist() == [2]
    with pytest.raises(IndexError, match="row 2 is out of range; the table has 2 rows"):
        table[2]
    with pytest.raises(DataError, match=r"neighbours\[0\] is 3; legal rows are 0 to 2"):
        NeighbourTable([0, 1], [3], [1.0], n_columns=3)


@given(ragged, st.integers(0, 6))
def test_parts_of_lists_put_together_are_the_whole(lists: list[list[int]], cut: int) -> None:
    whole = item_lists(lists)
    parts = [item_lists(lists[:cut]), item_lists(lists[cut:])]
    np.testing.assert_array_equal(concatenate(parts).indptr, whole.indptr)
    np.testing.assert_array_equal(concatenate(parts).items, whole.items)
    assert len(concatenate([])) == 0


def test_places_among_rows() -> None:
    lists = item_lists([[7, 2], [], [9, 3, 0]], [[1.0, 2.0], [], [3.0, 4.0, 5.0]])
    found = places_among(lists, np.array([2, 3, 7]))
    assert [items.tolist() for items, _ in found] == [[2, 0], [], [1]]
    assert found.scores.tolist() == [1.0, 2.0, 4.0]
    assert places_among(lists, np.empty(0, np.int32)).lengths.tolist() == [0, 0, 0]
