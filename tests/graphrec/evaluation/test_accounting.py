from collections.abc import Mapping

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphrec.data.lists import ItemLists, empty_lists, item_lists
from graphrec.errors import ConfigError, DataError
from graphrec.evaluation.accounting import marginal_recall, overlap, shares, union_recall, without_each
from graphrec.evaluation.metrics import rank_metrics
from graphrec.fusion.settings import Rrf
from tests.graphrec.fusion.test_rrf import channel_lists, one_list

A = item_lists([[1, 2, 3], [7]])
B = item_lists([[3, 4, 1], []])
TRUTH = item_lists([[2, 3, 9], [7]])


def merge(lists: Mapping[str, ItemLists], k: int) -> ItemLists:
    return Rrf().merge(lists, k).lists


def test_shares_by_hand() -> None:
    found = shares({"a": A, "b": B}, TRUTH, 3)
    assert found.channels == ("a", "b")
    assert found.common.tolist() == [[4, 2], [2, 3]]
    assert found.unique_hits.tolist() == [2, 0]  # items 2 and 7; item 3 is found by both
    assert found.union_hits.tolist() == [2, 1]
    np.testing.assert_allclose(overlap(found.common), [[1, 2 / 4], [2 / 3, 1]])
    np.testing.assert_allclose(union_recall({"a": A, "b": B}, TRUTH, 3), [2 / 3, 1])


def test_the_cutoff_counts() -> None:
    found = shares({"a": A, "b": B}, TRUTH, 1)
    assert found.common.tolist() == [[2, 0], [0, 1]]
    assert found.unique_hits.tolist() == [1, 1]


@settings(max_examples=100, deadline=None)
@given(channel_lists(), st.integers(1, 12), st.data())
def test_as_sets_say(lists: dict[str, ItemLists], k: int, data: st.DataObject) -> None:
    n = len(next(iter(lists.values())))
    truth = data.draw(st.lists(one_list, min_size=n, max_size=n))
    found = shares(lists, item_lists(truth), k)
    tops = {name: [set(items[:k].tolist()) for items, _ in part] for name, part in lists.items()}
    for row, (a, mine) in enumerate(tops.items()):
        for column, theirs in enumerate(tops.values()):
            assert found.common[row, column] == sum(len(x & y) for x, y in zip(mine, theirs, strict=True))
        others = [set().union(*(tops[b][query] for b in tops if b != a)) for query in range(n)]
        alone = [(mine[query] & set(truth[query])) - others[query] for query in range(n)]
        assert found.unique_hits[row] == sum(map(len, alone))
    together = [set().union(*(tops[a][query] for a in tops)) & set(truth[query]) for query in range(n)]
    assert found.union_hits.tolist() == [len(one) for one in together]


def test_a_channel_without_answers_has_no_overlap() -> None:
    found = shares({"a": A, "none": empty_lists(2)}, TRUTH, 3)
    np.testing.assert_array_equal(overlap(found.common), [[1, 0], [0, 0]])


def test_union_recall_leaves_out_queries_without_truth() -> None:
    assert np.isnan(union_recall({"a": A}, item_lists([[1], []]), 3)).tolist() == [False, True]


def test_marginal_recall_is_the_difference_of_two_merges() -> None:
    lists = {"a": A, "b": B, "same-as-b": B}
    gains = marginal_recall(lists, TRUTH, merge, 2, rounds=50, seed=0)
    full = rank_metrics(merge(lists, 2), TRUTH, 2).recall.mean()
    for name, gain in gains.items():
        rest = {other: part for other, part in lists.items() if other != name}
        assert gain.estimate == pytest.approx(full - rank_metrics(merge(rest, 2), TRUTH, 2).recall.mean())
        assert gain.low <= gain.estimate <= gain.high
    # The second query is answered by channel a alone.
    assert gains["a"].estimate > 0
    assert gains["a"].estimate > gains["b"].estimate


def test_the_only_channel_brings_everything() -> None:
    gains = marginal_recall({"a": A}, TRUTH, merge, 3, rounds=20)
    assert gains["a"].estimate == pytest.approx(np.mean([2 / 3, 1]))
    assert without_each({"a": A}, merge, 3)["a"].lengths.tolist() == [0, 0]


def test_a_channel_that_says_nothing_brings_nothing() -> None:
    gains = marginal_recall({"a": A, "none": empty_lists(2)}, TRUTH, merge, 3, rounds=20)
    assert gains["none"].to_list() == [0.0, 0.0, 0.0]


def test_bad_arguments() -> None:
    with pytest.raises(ConfigError, match="k is 0"):
        shares({"a": A}, TRUTH, 0)
    with pytest.raises(DataError, match="truth has 3 entries"):
        shares({"a": A}, empty_lists(3), 1)
    with pytest.raises(DataError, match="no users"):
        marginal_recall({"a": A, "b": B}, empty_lists(2), merge, 3)
