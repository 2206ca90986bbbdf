import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphrec.data.interactions import Interactions
from graphrec.data.lists import ItemLists, empty_lists, item_lists
from graphrec.errors import ConfigError, DataError
from graphrec.evaluation.metrics import (
    coverage,
    exposure,
    gini,
    hit_mask,
    mean,
    metrics_at,
    novelty,
    popularity_overlap,
    rank_metrics,
    truth_sizes,
    user_counts,
)

rows = st.lists(st.integers(0, 25), unique=True, max_size=15)


@st.composite
def answers(draw: st.DrawFn) -> tuple[list[list[int]], list[list[int]]]:
    n = draw(st.integers(1, 6))
    return draw(st.lists(rows, min_size=n, max_size=n)), draw(st.lists(rows, min_size=n, max_size=n))


def slow(answer: list[int], truth: list[int], k: int) -> tuple[float, float, float, float]:
    hits = [position for position, item in enumerate(answer[:k], start=1) if item in truth]
    ideal = sum(1 / math.log2(position + 1) for position in range(1, min(k, len(truth)) + 1))
    gained = sum(1 / math.log2(position + 1) for position in hits)
    return len(hits) / len(truth), gained / ideal, float(bool(hits)), len(hits) / k


def test_values_by_hand() -> None:
    # Hits at positions 1 and 3; three true items, of which one was never returned.
    metrics = rank_metrics(item_lists([[7, 1, 8, 2]]), item_lists([[8, 7, 99]]), 4)
    assert metrics.recall.tolist() == pytest.approx([2 / 3])
    ideal = 1 + 1 / math.log2(3) + 1 / 2
    assert metrics.ndcg.tolist() == pytest.approx([(1 + 1 / 2) / ideal])
    assert metrics.hit_rate.tolist() == [1.0]
    assert metrics.precision.tolist() == [0.5]


def test_the_ideal_is_over_at_most_k_and_recall_over_all_truth() -> None:
    metrics = rank_metrics(item_lists([[1, 2]]), item_lists([[1, 2, 3, 4]]), 2)
    assert metrics.ndcg.tolist() == pytest.approx([1.0])
    assert metrics.recall.tolist() == [0.5]


def test_order_matters_to_ndcg_alone() -> None:
    late, early = item_lists([[5, 6, 1]]), item_lists([[1, 5, 6]])
    truth = item_lists([[1]])
    assert rank_metrics(late, truth, 3).recall == rank_metrics(early, truth, 3).recall
    assert rank_metrics(late, truth, 3).ndcg.tolist() == pytest.approx([0.5])
    assert rank_metrics(early, truth, 3).ndcg.tolist() == pytest.approx([1.0])


@settings(max_examples=200, deadline=None)
@given(answers(), st.integers(1, 20))
def test_as_the_obvious_version(pair: tuple[list[list[int]], list[list[int]]], k: int) -> None:
    lists, truth = pair
    metrics = rank_metrics(item_lists(lists), item_lists(truth), k)
    for query, (answer, true) in enumerate(zip(lists, truth, strict=True)):
        found = [metrics.recall[query], metrics.ndcg[query], metrics.hit_rate[query], metrics.precision[query]]
        if true:
            np.testing.assert_allclose(found, slow(answer, true, k), atol=1e-12)
            assert all(0 <= value <= 1 + 1e-12 for value in found)
        else:
            assert np.isnan(found).all()


@settings(deadline=None)
@given(st.lists(rows.filter(bool), min_size=1, max_size=5))
def test_the_truth_itself_is_perfect(truth: list[list[int]]) -> None:
    lists = item_lists(truth)
    metrics = rank_metrics(lists, lists, 25)
    for values in (metrics.recall, metrics.ndcg, metrics.hit_rate):
        np.testing.assert_allclose(values, 1.0, rtol=1e-12)


def test_several_cutoffs_at_once() -> None:
    lists, truth = item_lists([[1, 2, 3], [4]]), item_lists([[3], [5, 4]])
    both = metrics_at(lists, truth, [1, 3])
    for k in (1, 3):
        np.testing.assert_allclose(both[k].ndcg, rank_metrics(lists, truth, k).ndcg, rtol=1e-12)


def test_an_item_twice_in_a_list_is_found_once() -> None:
    lists, truth = item_lists([[3, 3, 4]]), item_lists([[3, 5]])
    assert hit_mask(lists, truth).tolist() == [True, False, False]
    assert rank_metrics(lists, truth, 3).recall.tolist() == [0.5]


def test_items_of_no_weight_are_no_truth() -> None:
    truth = item_lists([[1, 2, 3], [4]], [[1.0, 0.0, -1.0], [-2.0]])
    assert truth_sizes(truth).tolist() == [1, 0]
    assert rank_metrics(item_lists([[2, 1], [4]]), truth, 2).recall.tolist()[0] == 1.0


def test_queries_without_truth_are_left_out_of_the_mean() -> None:
    recall = rank_metrics(item_lists([[1], [2]]), item_lists([[1], []]), 5).recall
    assert mean(recall) == 1.0
    assert math.isnan(mean(recall[1:]))


def test_empty_lists_score_zero() -> None:
    metrics = rank_metrics(empty_lists(2), item_lists([[1], [2]]), 5)
    assert metrics.recall.tolist() == metrics.ndcg.tolist() == metrics.hit_rate.tolist() == [0.0, 0.0]


def test_bad_arguments() -> None:
    with pytest.raises(ConfigError, match=r"\[0\]"):
        rank_metrics(empty_lists(1), empty_lists(1), 0)
    with pytest.raises(DataError, match="truth has 2 entries; it must have 1"):
        rank_metrics(empty_lists(1), empty_lists(2), 3)
    with pytest.raises(DataError, match="item 9; there are 5"):
        exposure(item_lists([[9]]), 1, n_items=5)


def test_coverage_and_gini_count_the_pool_alone() -> None:
    shown = exposure(item_lists([[0, 1, 3], [0, 2]]), 2, n_items=5)
    assert shown.tolist() == [2, 1, 1, 0, 0]
    pool = np.array([True, True, False, True, False])
    assert coverage(shown, pool) == pytest.approx(2 / 3)
    # Exposures 0, 1, 2: ((2 - 4) * 0 + (4 - 4) * 1 + (6 - 4) * 2) / (3 * 3).
    assert gini(shown, pool) == pytest.approx(4 / 9)
    assert coverage(shown, np.zeros(5, dtype=np.bool_)) == 0.0


def test_gini_at_its_ends() -> None:
    pool = np.ones(4, dtype=np.bool_)
    assert gini(np.array([3, 3, 3, 3]), pool) == pytest.approx(0.0)
    assert gini(np.array([0, 0, 0, 7]), pool) == pytest.approx(3 / 4)
    assert gini(np.zeros(4, dtype=np.int64), pool) == 0.0


def test_novelty_in_bits() -> None:
    lists = item_lists([[0, 1, 2], [], [3]])
    popularity = np.array([8, 4, 1, 0])
    bits = novelty(lists, 2, popularity=popularity, n_users=8)
    assert bits[[0, 2]].tolist() == pytest.approx([0.5, 3.0])
    assert math.isnan(bits[1])


def test_popularity_overlap() -> None:
    found = popularity_overlap(item_lists([[0, 5, 1], [7]]), 2, np.array([0, 1], dtype=np.int32))
    assert found.tolist() == [0.5, 0.0]


def test_user_counts_count_users_once() -> None:
    events = Interactions([0, 0, 1, 1], [2, 2, 2, 0], n_users=2, n_items=4)
    assert user_counts(events).tolist() == [1, 0, 2, 0]


def test_many_lists_against_the_obvious_version() -> None:
    rng = np.random.default_rng(5)
    lists = [rng.permutation(60)[: rng.integers(0, 40)] for _ in range(80)]
    truth = [rng.permutation(60)[: rng.integers(1, 9)] for _ in range(80)]
    for k in (1, 7, 50):
        metrics = rank_metrics(item_lists(lists), item_lists(truth), k)
        expected = np.array([slow(a.tolist(), t.tolist(), k) for a, t in zip(lists, truth, strict=True)])
        found = np.stack([metrics.recall, metrics.ndcg, metrics.hit_rate, metrics.precision], axis=1)
        np.testing.assert_allclose(found, expected, atol=1e-12)


def test_lists_without_any_query() -> None:
    nothing: ItemLists = empty_lists(0)
    assert rank_metrics(nothing, nothing, 3).recall.shape == (0,)
