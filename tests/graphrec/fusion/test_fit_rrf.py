import numpy as np
import pytest

from graphrec.data.lists import ItemLists, empty_lists, item_lists
from graphrec.errors import DataError
from graphrec.evaluation.metrics import mean, rank_metrics
from graphrec.fusion.fit_rrf import fit_weights
from graphrec.fusion.rrf import merge_rrf


def world(n: int = 40, n_items: int = 200, seed: int = 1) -> tuple[dict[str, ItemLists], ItemLists]:
    """A good channel, a noisy one, and one that is always wrong but crowds the list."""
    rng = np.random.default_rng(seed)
    truth, good, noisy, wrong = [], [], [], []
    for _ in range(n):
        liked = rng.choice(100, size=5, replace=False)
        truth.append(liked)
        good.append(rng.permutation(np.concatenate([liked[:4], rng.choice(np.arange(100, 150), 6, replace=False)])))
        noisy.append(rng.permutation(np.concatenate([liked[2:], rng.choice(np.arange(100, 150), 20, replace=False)])))
        wrong.append(rng.choice(np.arange(150, n_items), size=20, replace=False))
    return {"wrong": item_lists(wrong), "good": item_lists(good), "noisy": item_lists(noisy)}, item_lists(truth)


def recall(lists: dict[str, ItemLists], truth: ItemLists, k: int, weights: dict[str, float] | None) -> float:
    return mean(rank_metrics(merge_rrf(lists, k, weights=weights).lists, truth, k).recall)


def test_fitted_weights_beat_equal_ones_and_silence_the_useless() -> None:
    lists, truth = world()
    weights = fit_weights(lists, truth, k=10, seed=0)
    assert list(weights) == list(lists)
    assert max(weights.values()) == 1.0
    assert weights["wrong"] < weights["good"]
    assert recall(lists, truth, 10, weights) > recall(lists, truth, 10, None) + 0.1


def test_same_seed_same_weights_also_on_a_sample() -> None:
    lists, truth = world()
    first = fit_weights(lists, truth, k=5, seed=4, max_users=10)
    assert first == fit_weights(lists, truth, k=5, seed=4, max_users=10)


def test_users_without_truth_do_not_matter() -> None:
    lists, truth = world(n=12)
    wider = {name: item_lists([*(items for items, _ in part), [1, 2]]) for name, part in lists.items()}
    more = item_lists([*(items for items, _ in truth), []])
    assert fit_weights(wider, more, k=5, seed=0) == fit_weights(lists, truth, k=5, seed=0)


def test_one_channel_and_empty_channels() -> None:
    lists, truth = world(n=8)
    assert fit_weights({"good": lists["good"]}, truth, k=5, seed=0) == {"good": 1.0}
    assert fit_weights({"good": lists["good"], "empty": empty_lists(8)}, truth, k=5, seed=0)["good"] == 1.0


def test_no_truth_is_an_error() -> None:
    with pytest.raises(DataError, match="no user has a held-out item"):
        fit_weights({"a": empty_lists(3)}, empty_lists(3), k=5, seed=0)
