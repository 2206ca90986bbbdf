import numpy as np
import pytest

from graphrec.data.interactions import Interactions
from graphrec.data.lists import item_lists
from graphrec.pipelines.evaluation.accumulator import Accumulator, evaluator, popularity_strata
from graphrec.pipelines.report.parts import StrataRecall


def test_each_stratum_holds_about_a_third_of_the_pairs() -> None:
    popularity = np.array([1, 6, 3, 0, 1, 1, 3, 3])
    # In falling order 6 | 3 3 3 | 1 1 1 with 0, 6, 9, 12, 15, 16, 17 pairs of 18 before each.
    assert popularity_strata(popularity).tolist() == [2, 0, 1, 2, 2, 2, 1, 2]


def test_without_any_pair_all_is_tail() -> None:
    assert popularity_strata(np.zeros(3, dtype=np.int64)).tolist() == [2, 2, 2]


def test_popular_items_are_those_of_the_pool() -> None:
    train = Interactions([0, 1, 2, 0, 1, 0], [3, 3, 3, 1, 1, 0], n_users=4, n_items=5)
    against = evaluator(train, np.array([True, True, True, False, True]), [2])
    assert against.popularity.tolist() == [1, 2, 0, 3, 0]
    assert against.popular.tolist() == [1, 0, 2, 4]
    assert against.n_users == 4


def test_results_by_hand() -> None:
    train = Interactions([0, 1, 2, 0, 1, 0], [3, 3, 3, 1, 1, 0], n_users=4, n_items=5)
    against = evaluator(train, np.ones(5, dtype=np.bool_), [1, 2])
    accumulator = Accumulator(against, 2)
    accumulator.add(0, item_lists([[3, 2]]), item_lists([[2]]))
    accumulator.add(1, item_lists([[]]), item_lists([[3]]))
    row = accumulator.results(np.array([1, 0, 1]))
    assert (row["recall"][1], row["recall"][2], row["hit_rate"][2]) == (0.0, 0.5, 0.5)
    assert row["coverage"][2] == pytest.approx(2 / 5)
    assert row["novelty"][2] == pytest.approx((-np.log2(3 / 4) - np.log2(1 / 4)) / 2)
    assert row["popularity_overlap"][1] == 1.0
    assert row["strata_recall"][2] == StrataRecall(head=0.0, torso=None, tail=1.0)


def test_a_channel_that_never_answers_has_no_novelty() -> None:
    against = evaluator(Interactions([0], [0], n_users=1, n_items=2), np.ones(2, dtype=np.bool_), [1])
    accumulator = Accumulator(against, 1)
    accumulator.add(0, item_lists([[]]), item_lists([[1]]))
    assert accumulator.results(np.array([0, 0, 1]))["novelty"][1] is None
