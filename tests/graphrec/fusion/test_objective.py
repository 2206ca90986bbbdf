import numpy as np
import pytest

from graphrec.data.lists import ItemLists, take_lists
from graphrec.evaluation.metrics import mean, rank_metrics
from graphrec.evaluation.value import value_at
from graphrec.fusion.objective import Objective
from graphrec.fusion.rrf import merge_rrf
from tests.graphrec.fusion.test_fit_rrf import world


@pytest.mark.parametrize("with_ndcg", [False, True])
def test_the_objective_is_that_of_the_merged_list(with_ndcg: bool) -> None:
    lists, truth = world(n=15)
    candidates = merge_rrf(lists, 1000)
    ranks = candidates.ranks.T.astype(np.float64)
    parts = np.where(ranks > 0, 1 / (60.0 + ranks), 0.0)
    objective = Objective(candidates.lists, parts, truth, cutoffs=(3, 7), with_ndcg=with_ndcg)
    for weights in ([1.0, 1.0, 1.0], [0.0, 2.0, 0.5], [4.0, 0.25, 1.0], [0.0, 1.0, 0.0]):
        named = dict(zip(lists, weights, strict=True))
        metrics = [rank_metrics(merge_rrf(lists, k, weights=named).lists, truth, k) for k in (3, 7)]
        expected = sum(mean(at.recall) + with_ndcg * mean(at.ndcg) for at in metrics) / 2
        for channel in range(3):
            assert objective.along(np.array(weights), channel)(weights[channel]) == pytest.approx(expected)
    assert objective.along(np.zeros(3), 1)(0.0) == 0.0


def test_the_objective_among_some_is_that_of_these_alone() -> None:
    lists, truth = world(n=15)
    rows = np.array([2, 3, 11])
    candidates, some = (
        merge_rrf(lists, 1000),
        merge_rrf({name: take_lists(part, rows) for name, part in lists.items()}, 1000),
    )
    parts = [np.where(fused.ranks.T > 0, 1 / (60.0 + fused.ranks.T), 0.0) for fused in (candidates, some)]
    among = Objective(candidates.lists, parts[0], truth, cutoffs=(7,)).among(rows)
    alone = Objective(some.lists, parts[1], take_lists(truth, rows), cutoffs=(7,))
    for weight in (0.0, 0.3, 2.0):
        assert among.along(np.ones(3), 1)(weight) == pytest.approx(alone.along(np.ones(3), 1)(weight))


def test_the_objective_by_value_is_what_the_hits_are_worth() -> None:
    lists, truth = world(n=15)
    n_items = 1 + max(int(part.items.max()) for part in (*lists.values(), truth))
    worth = np.random.default_rng(0).lognormal(size=n_items).astype(np.float32)
    priced = ItemLists(truth.indptr, truth.items, worth[truth.items])
    candidates = merge_rrf(lists, 1000)
    parts = np.where(candidates.ranks.T > 0, 1 / (60.0 + candidates.ranks.T), 0.0)
    objective = Objective(candidates.lists, parts, priced, cutoffs=(3,), by_value=True)
    for weights in ([1.0, 1.0, 1.0], [0.0, 2.0, 0.5], [4.0, 0.25, 1.0]):
        merged = merge_rrf(lists, 3, weights=dict(zip(lists, weights, strict=True))).lists
        expected = value_at(merged, priced, [3], worth.astype(np.float64))[3].sum() / worth[truth.items].sum()
        assert objective.along(np.array(weights), 1)(weights[1]) == pytest.approx(expected, rel=1e-5)
