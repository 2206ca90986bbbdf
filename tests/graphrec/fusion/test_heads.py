from graphrec.data.lists import item_lists
from graphrec.fusion.heads import head_shares
from graphrec.fusion.stacked import stack


def test_shares_sum_to_one_over_the_head() -> None:
    lists = {"a": item_lists([[3, 1], [], [2, 0, 1]], [[3.0, 1.0], [], [2.0, -1.0, -4.0]])}
    stacked = stack(lists)
    shares, heads = head_shares(stacked)
    assert shares.tolist() == [0.75, 0.25, 1.0, 0.0, 0.0]
    assert heads.tolist() == [[4.0, 0.0, 2.0]]
    assert stacked.ranks().tolist() == [1, 2, 1, 2, 3]
