import numpy as np
import pytest

from graphrec.data.lists import ItemLists, item_lists
from graphrec.errors import DataError
from graphrec.fusion.heads import HEAD, head_factors, head_shares
from graphrec.fusion.stacked import stack


def test_shares_sum_to_one_over_the_head() -> None:
    lists = {"a": item_lists([[3, 1], [], [2, 0, 1]], [[3.0, 1.0], [], [2.0, -1.0, -4.0]])}
    stacked = stack(lists)
    shares, heads = head_shares(stacked)
    assert shares.tolist() == [0.75, 0.25, 1.0, 0.0, 0.0]
    assert heads.tolist() == [[4.0, 0.0, 2.0]]
    assert stacked.ranks().tolist() == [1, 2, 1, 2, 3]


def _constant(*scores: float, n: int = 2) -> ItemLists:
    """Return a list a user: n items with the same score."""
    return item_lists([list(range(n))] * len(scores), [[score] * n for score in scores])


def test_factors_are_geometric_means_over_users_with_two_heads() -> None:
    learnt = {"a": _constant(2.0, 0.0, 4.0, 1.0), "b": _constant(1.0, 1.0, 1.0, 1.0), "old": _constant(1, 1, 1, 1)}
    served = {"a": _constant(0.5, 7.0, 4.0, -1.0), "b": _constant(-3.0, 0.0, -1.0, 0.0), "new": _constant(1, 1, 1, 1)}
    # Of a the first and the third user, 4 and 1; of b nobody.
    assert head_factors(learnt, served) == {"a": 2.0}
    assert head_factors(served, learnt) == {"a": 0.5}
    assert head_factors(learnt, learnt) == {"a": 1.0, "b": 1.0, "old": 1.0}
    assert head_factors({"a": learnt["a"]}, {"b": served["b"]}) == {}
    nobody = {"a": item_lists([])}
    assert head_factors(nobody, nobody) == {}


def test_factors_are_of_heads_whatever_lies_below() -> None:
    head = np.full(HEAD, 2.0)
    deep = item_lists([range(HEAD + 50)], [[*head, *np.ones(50)]])
    assert head_factors({"a": item_lists([range(HEAD)], [head])}, {"a": deep}) == {"a": 1.0}


def test_other_numbers_of_users_are_refused() -> None:
    with pytest.raises(DataError, match="learnt from are of 2 users, those served of 3"):
        head_factors({"a": _constant(1.0, 1.0)}, {"a": _constant(1.0, 1.0, 1.0)})
