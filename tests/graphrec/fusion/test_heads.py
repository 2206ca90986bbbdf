from collections.abc import Sequence

import numpy as np
import pytest

from graphrec.data.lists import item_lists
from graphrec.errors import DataError
from graphrec.fusion.heads import HEAD, Answers, head_factors, head_shares
from graphrec.fusion.stacked import stack


def test_shares_sum_to_one_over_the_head() -> None:
    lists = {"a": item_lists([[3, 1], [], [2, 0, 1]], [[3.0, 1.0], [], [2.0, -1.0, -4.0]])}
    stacked = stack(lists)
    shares, heads = head_shares(stacked)
    assert shares.tolist() == [0.75, 0.25, 1.0, 0.0, 0.0]
    assert heads.tolist() == [[4.0, 0.0, 2.0]]
    assert stacked.ranks().tolist() == [1, 2, 1, 2, 3]


def _answers(history: list[int], **heads: Sequence[float]) -> Answers:
    """Return lists of two items, whose scores sum to these heads, for histories of these lengths."""
    lists = {
        name: item_lists([[0, 1]] * len(history), [[head / 2] * 2 for head in sums]) for name, sums in heads.items()
    }
    return Answers(lists, item_lists([list(range(length)) for length in history]))


def test_heads_are_compared_for_as_long_a_history() -> None:
    # a: the square of the length, then three times as much; b: the length alone decides.
    many = 1_000
    learnt = _answers([1, 2, 4, 8] * many, a=[1, 4, 16, 64] * many, b=[5, 10, 20, 40] * many, old=[1] * 4 * many)
    served = _answers([2, 4, 8], a=[12, 48, 192], b=[10, 20, 40], new=[1, 1, 1])
    assert head_factors(learnt, served) == pytest.approx({"a": 1 / 3, "b": 1.0}, rel=1e-3)
    assert head_factors(learnt, learnt) == pytest.approx({"a": 1.0, "b": 1.0, "old": 1.0})
    assert head_factors(_answers([3], a=[1.0]), _answers([3], b=[1.0])) == {}


def test_where_histories_are_alike_means_are_compared() -> None:
    learnt, served = _answers([5, 5, 5], a=[2.0, 8.0, 4.0]), _answers([9, 9, 9], a=[1.0, 0.5, 4.0])
    assert head_factors(learnt, served) == pytest.approx({"a": 32 ** (1 / 3)}, rel=1e-5)


def test_two_users_make_no_slope() -> None:
    learnt, served = _answers([10, 11], a=[1.0, 9.0]), _answers([20, 21], a=[3.0, 3.0])
    assert head_factors(learnt, served) == pytest.approx({"a": 1.0}, rel=0.1)


def test_users_whose_list_holds_nothing_do_not_count() -> None:
    learnt = _answers([1, 4, 0, 9], a=[3.0, 3.0, -7.0, 0.0], b=[1.0, 1.0, 1.0, 1.0])
    served = _answers([0, 3, 5], a=[0.0, -1.0, 6.0], b=[0.0, -1.0, 0.0])
    assert head_factors(learnt, served) == {"a": 0.5}
    nobody = Answers({"a": item_lists([])}, item_lists([]))
    assert head_factors(nobody, nobody) == head_factors(learnt, nobody) == {}


def test_factors_are_of_heads_whatever_lies_below() -> None:
    head = np.full(HEAD, 2.0)
    deep, history = item_lists([range(HEAD + 50)], [[*head, *np.ones(50)]]), item_lists([[1]])
    assert head_factors(Answers({"a": item_lists([range(HEAD)], [head])}, history), Answers({"a": deep}, history)) == {
        "a": 1.0
    }


def test_other_numbers_of_histories_are_refused() -> None:
    two = Answers({"a": item_lists([[1], [2]])}, item_lists([[1]]))
    with pytest.raises(DataError, match="1 histories of 2 queries"):
        head_factors(two, two)
