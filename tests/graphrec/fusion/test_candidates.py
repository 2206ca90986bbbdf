import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from graphrec.data.lists import ItemLists, item_lists
from graphrec.fusion.candidates import number_candidates, with_provenance
from graphrec.fusion.selection import Selection
from graphrec.fusion.stacked import stack

# Items may stand twice in a list, and their rows may share a place in the table of the numbers.
one_list = st.lists(st.integers(0, 6) | st.sampled_from([256 * 16, 2**31 - 1]), max_size=14)


@settings(max_examples=100, deadline=None)
@given(
    st.integers(1, 4).flatmap(lambda n: st.lists(st.lists(one_list, min_size=n, max_size=n), min_size=1, max_size=3))
)
def test_every_distinct_item_has_a_number_in_order_of_appearance(answers: list[list[list[int]]]) -> None:
    stacked = stack({str(c): item_lists(lists) for c, lists in enumerate(answers)})
    candidates = number_candidates(stacked)
    for query in range(stacked.n):
        first, last = candidates.indptr[query], candidates.indptr[query + 1]
        everything = [item for lists in answers for item in lists[query]]
        assert candidates.items[first:last].tolist() == list(dict.fromkeys(everything))
        for c, lists in enumerate(answers):
            own = lists[query]
            numbers = candidates.numbers[stacked.starts[c, query] : stacked.stops[c, query]]
            for place, (item, number) in enumerate(zip(own, numbers.tolist(), strict=True)):
                repeated = item in own[:place]
                assert number == -1 if repeated else candidates.items[first:last][number - first] == item


def test_provenance_is_the_better_rank_and_its_score() -> None:
    lists = {"a": item_lists([[7, 3, 7], [1]], [[5, 4, 3], [2]]), "b": item_lists([[3], []], [[9], []])}
    stacked = stack(lists)
    candidates = number_candidates(stacked)  # 7, 3; 1
    fused = with_provenance(
        stacked, candidates, Selection(np.array([0, 2, 3]), np.array([1, 0, 2]), np.ones(3, dtype=np.float32))
    )
    assert fused.lists.items.tolist() == [3, 7, 1]
    assert fused.ranks.tolist() == [[2, 1], [1, 0], [1, 0]]
    np.testing.assert_array_equal(fused.scores, np.array([[4, 9], [5, np.nan], [2, np.nan]], dtype=np.float32))


def test_a_cut_list_gives_its_first_entries_alone() -> None:
    lists: dict[str, ItemLists] = {"a": item_lists([[4, 5, 6], [7, 8]]), "b": item_lists([[5], [8, 9, 7]])}
    candidates = number_candidates(stack(lists, depth=2))
    assert candidates.items.tolist() == [4, 5, 7, 8, 9]
    assert candidates.indptr.tolist() == [0, 2, 5]
