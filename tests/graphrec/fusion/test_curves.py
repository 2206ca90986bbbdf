import pytest

from graphrec.data.lists import item_lists
from graphrec.errors import ConfigError
from graphrec.fusion.curves import Curve, head_shares
from graphrec.fusion.stacked import stack


def test_shares_sum_to_one_over_the_head() -> None:
    lists = {"a": item_lists([[3, 1], [], [2, 0, 1]], [[3.0, 1.0], [], [2.0, -1.0, -4.0]])}
    stacked = stack(lists)
    shares, heads = head_shares(stacked)
    assert shares.tolist() == [0.75, 0.25, 1.0, 0.0, 0.0]
    assert heads.tolist() == [[4.0, 0.0, 2.0]]
    assert stacked.ranks().tolist() == [1, 2, 1, 2, 3]


def test_illegal_curves_are_refused() -> None:
    with pytest.raises(ConfigError, match="must rise"):
        Curve((0.2, 0.1), (0.0, 1.0))
    with pytest.raises(ConfigError, match="2 shares and 1 rates"):
        Curve((0.1, 0.2), (0.0,))
