import numpy as np
import pytest

from graphrec.data.lists import empty_lists, item_lists, slice_lists
from graphrec.errors import DataError
from graphrec.fusion.rrf import Rrf
from graphrec.fusion.stacked import merge_in_chunks, stack
from graphrec.fusion.sums import by_sum

LISTS = {"a": item_lists([[1, 2], [], [3]]), "b": item_lists([[4], [5, 6, 7], [8]])}


def test_a_part_is_stacked_as_if_it_stood_alone() -> None:
    for start in range(4):
        for stop in range(start, 4):
            part = stack(LISTS, start, stop)
            alone = stack({name: slice_lists(lists, start, stop) for name, lists in LISTS.items()})
            for field in ("starts", "stops", "items", "scores"):
                np.testing.assert_array_equal(getattr(part, field), getattr(alone, field))


def test_lengths_ranks_and_the_widest_query() -> None:
    stacked = stack(LISTS)
    assert stacked.lengths.tolist() == [[2, 0, 1], [1, 3, 1]]
    assert stacked.widest == 3
    assert stacked.ranks().tolist() == [1, 2, 1, 1, 1, 2, 3, 1]
    assert stacked.items[stacked.entries_of(1)].tolist() == [4, 5, 6, 7, 8]
    assert stack(LISTS, depth=2).lengths.tolist() == [[2, 0, 1], [1, 2, 1]]


def test_chunks_together_are_the_whole() -> None:
    rng = np.random.default_rng(0)
    lists = {name: item_lists([rng.permutation(30)[:8] for _ in range(70)]) for name in "abc"}
    whole = by_sum(stack(lists), np.ones(3 * 70 * 8), 5)
    parts = merge_in_chunks(lists, lambda stacked: by_sum(stacked, np.ones(len(stacked.items)), 5))
    np.testing.assert_array_equal(parts.lists.indptr, whole.lists.indptr)
    np.testing.assert_array_equal(parts.lists.items, whole.lists.items)
    np.testing.assert_array_equal(parts.ranks, whole.ranks)


def test_channels_that_answer_other_queries_are_refused() -> None:
    with pytest.raises(DataError, match="channel 'b' answers 2 queries, channel 'a' answers 3"):
        stack({"a": LISTS["a"], "b": empty_lists(2)})
    with pytest.raises(DataError, match="no channels"):
        Rrf().merge({}, 3)
