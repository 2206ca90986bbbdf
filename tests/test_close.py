import pytest

from graphrec.data.lists import item_lists
from tests.close import assert_same_lists

LEFT = item_lists([[3, 1, 2], [4]], [[2.0, 1.0, 1.0 - 1e-7], [5.0]])


@pytest.mark.parametrize("items", [[3, 1, 2], [3, 2, 1], [3, 2, 9], [3, 1, 9]])
def test_items_may_move_among_scores_that_are_nearly_equal(items: list[int]) -> None:
    assert_same_lists(LEFT, item_lists([items, [4]], [[2.0, 1.0, 1.0], [5.0]]))


@pytest.mark.parametrize(
    ("items", "scores"),
    [
        ([1, 3, 2], [2.0, 1.0, 1.0]),  # scores are far apart
        ([9, 1, 2], [2.0, 1.0, 1.0]),  # the best item is another
        ([3, 1, 2], [2.0, 1.1, 1.0]),
        ([3, 1], [2.0, 1.0]),
    ],
)
def test_anything_else_is_a_difference(items: list[int], scores: list[float]) -> None:
    with pytest.raises(AssertionError):
        assert_same_lists(LEFT, item_lists([items, [4]], [scores, [5.0]]))
