from __future__ import annotations

import json
import sys

import lightgbm
import numpy as np
import pytest

from graphrec.data.lists import ItemLists, empty_lists, item_lists
from graphrec.errors import ConfigError, DataError, MissingExtraError
from graphrec.evaluation.metrics import rank_metrics
from graphrec.fusion.boosted import Boosted, FittedBoosted, Trees, _flattened, fit_boosted, popularity_levels
from graphrec.fusion.calibrated import Calibrated, Curve
from graphrec.fusion.kernels import add_trees
from tests.close import assert_same_lists

RISING = Curve((0.0, 1.0), (0.0, 0.5))
N_ITEMS = 400
# Odd items are popular.
COUNTS = np.where(np.arange(N_ITEMS) % 2, 200, 2)


def _world(n: int, *, seed: int) -> tuple[dict[str, ItemLists], ItemLists]:
    """Return a channel that is right about popular items alone, one about the others alone, and the truth."""
    rng = np.random.default_rng(seed)
    truth: list[list[int]] = []
    lists: dict[str, list[list[int]]] = {"head": [], "tail": []}
    for _ in range(n):
        own = {"head": 2 * rng.permutation(N_ITEMS // 2)[:20] + 1, "tail": 2 * rng.permutation(N_ITEMS // 2)[:20]}
        wrong = {"head": 2 * rng.permutation(N_ITEMS // 2)[:20], "tail": 2 * rng.permutation(N_ITEMS // 2)[:20] + 1}
        truth.append(np.concatenate([items[:4] for items in own.values()]).tolist())
        for name in lists:
            lists[name].append(np.stack([wrong[name], own[name]], axis=1).ravel().tolist())
    scores = [np.linspace(2.0, 1.0, 40).tolist()] * n
    return {name: item_lists(part, scores) for name, part in lists.items()}, item_lists(truth)


def _fitted(n: int = 600, *, trees: int = 100) -> Boosted:
    lists, truth = _world(n, seed=0)
    return fit_boosted(lists, truth, cutoffs=(8,), counts=COUNTS, seed=0, trees=trees)


def _oracle(fusion: Boosted, lists: dict[str, ItemLists], query: int) -> list[tuple[int, float]]:
    found = []
    merged = fusion.base.merge(lists, 1000).query(query)
    for place, (item, score) in enumerate(zip(merged.lists.items.tolist(), merged.lists.scores.tolist(), strict=True)):
        x: list[float] = []
        for name in fusion.base.curves:
            head = sum(max(float(one), 0.0) for one in lists[name][query][1][:100]) if name in lists else 0.0
            rank = int(merged.ranks[place, merged.channels.index(name)]) if name in lists else 0
            own = float(merged.scores[place, merged.channels.index(name)]) if rank else 0.0
            x += [max(own, 0.0) / head if rank and head else 0.0, rank or 1e6, head]
        x += [float(np.log(score)), int(fusion.popularity[item], 36) if item < len(fusion.popularity) else 0]
        total = 0.0
        for root in fusion.trees.roots:
            node = root
            while fusion.trees.features[node] >= 0:
                left = np.float32(x[fusion.trees.features[node]]) <= fusion.trees.values[node]
                node = node + 1 if left else fusion.trees.rights[node]
            total += fusion.trees.values[node]
        found.append((item, score * float(np.exp(total))))
    return sorted(found, key=lambda pair: (-np.float32(pair[1]), pair[0]))


TREES = Trees(
    (0, 3, 6),
    (0, -1, -1, 4, -1, -1, 7, -1, 2, -1, -1),
    (0.2, -0.4, 0.5, 3.5, 0.2, -0.1, 6.5, 0.3, 9.0, 0.7, 0.0),
    (2, 0, 0, 5, 0, 0, 8, 0, 10, 0, 0),
)


@pytest.mark.parametrize("absent", [None, "a", "b"])
def test_scores_are_the_calibrated_ones_times_what_the_trees_say(absent: str | None) -> None:
    rng = np.random.default_rng(5)
    lists = {
        name: item_lists(
            [rng.permutation(50)[:size].tolist() for size in (30, 4, 17)],
            [np.sort(rng.normal(size=size))[::-1].tolist() for size in (30, 4, 17)],
        )
        for name in ("b", "new", "a")
        if name != absent
    }
    fusion = Boosted(Calibrated({"a": RISING, "b": RISING}, {"a": 0.5}), TREES, "0123456789abc" * 3)
    merged = fusion.merge(lists, 9)
    plain = fusion.base.merge(lists, 1000)
    for query in range(3):
        expected = _oracle(fusion, lists, query)[:9]
        items, scores = merged.lists[query]
        assert items.tolist() == [item for item, _ in expected]
        np.testing.assert_allclose(scores, [score for _, score in expected], rtol=1e-5)
        own = plain.query(query)
        places = [own.lists.items.tolist().index(item) for item in items.tolist()]
        np.testing.assert_array_equal(merged.query(query).ranks, own.ranks[places])


def test_trees_say_what_lightgbm_says() -> None:
    rng = np.random.default_rng(1)
    x = rng.normal(size=(2000, 6)).astype(np.float32)
    y = (x[:, 0] * x[:, 1] > x[:, 2]).astype(np.float64)
    grown = lightgbm.train({"objective": "binary", "num_leaves": 31, "verbose": -1}, lightgbm.Dataset(x, y), 30)
    trees = _flattened(grown.dump_model()["tree_info"])
    assert len(trees.roots) == 30
    ours = np.zeros(len(x))
    add_trees(x, *trees.arrays, ours)
    np.testing.assert_allclose(ours, np.asarray(grown.predict(x, raw_score=True)), rtol=1e-9)


def test_it_learns_what_no_weights_can_say() -> None:
    fusion = _fitted()
    lists, truth = _world(300, seed=9)
    boosted = rank_metrics(fusion.merge(lists, 8).lists, truth, 8).recall.mean()
    calibrated = rank_metrics(fusion.base.merge(lists, 8).lists, truth, 8).recall.mean()
    assert calibrated < 0.6
    assert boosted > 0.95


def test_a_channel_that_is_missing_leaves_the_others_their_worth() -> None:
    fusion = _fitted()
    lists, truth = _world(300, seed=9)
    for name in lists:
        two = {name: lists[name], "other": item_lists([[399]] * 300)}
        assert rank_metrics(fusion.merge(two, 4).lists, truth, 4).recall.mean() > 0.4


def test_a_query_that_one_channel_answers_keeps_its_order() -> None:
    fusion = _fitted(100, trees=5)
    lists, _ = _world(3, seed=2)
    np.testing.assert_array_equal(fusion.merge({"head": lists["head"]}, 40).lists.items, lists["head"].items)


def _assert_same_fusion(left: Boosted, right: Boosted) -> None:
    """Check that two fusions, grown apart, merge alike but for rounding."""
    lists, _ = _world(20, seed=5)
    assert_same_lists(left.merge(lists, 30).lists, right.merge(lists, 30).lists, rtol=1e-4)


def test_the_same_seed_gives_the_same_fusion_and_json_keeps_it() -> None:
    fusion = _fitted(200, trees=10)
    _assert_same_fusion(fusion, _fitted(200, trees=10))
    told = json.loads(json.dumps(fusion.to_dict()))
    assert told.pop("kind") == "boosted"
    assert Boosted(**told) == fusion


def test_the_recipe_tells_what_it_started_from() -> None:
    lists, truth = _world(100, seed=0)
    result = FittedBoosted(trees=4).fit(lists, truth, k=8, counts=COUNTS, seed=0)
    assert isinstance(result.fusion, Boosted)
    _assert_same_fusion(result.fusion, fit_boosted(lists, truth, cutoffs=(8,), counts=COUNTS, seed=0, trees=4))
    assert (result.found["cutoffs"], result.found["trees"]) == ([8], len(result.fusion.trees.roots))
    assert FittedBoosted().channel_depth(200) == result.fusion.channel_depth(200) == 400


def test_popularity_is_a_digit_an_item() -> None:
    assert popularity_levels(np.array([0, 1, 3, 1023, 10**9])) == "024kz"
    fusion = Boosted(Calibrated({"a": RISING}), Trees((), (), (), ()), "024kz")
    assert fusion.levels.tolist() == [0, 2, 4, 20, 35]


@pytest.mark.parametrize(
    ("trees", "message"),
    [
        (((0,), (0, -1), (0.1, 0.2), (1, 0)), "damaged"),  # no room for the left child
        (((0,), (0, -1, -1), (0.1, 0.2, 0.3), (0, 0, 0)), "damaged"),  # leads back to itself
        (((0,), (0, -1, -1), (0.1, 0.2, 0.3), (3, 0, 0)), "damaged"),  # leads outside
        (((1,), (-1,), (0.1,), (0,)), "damaged"),
        (((0,), (-1,), (float("nan"),), (0,)), "damaged"),
        (((0,), (-1, -1), (0.1,), (0, 0)), "2 features, 1 values and 2 right children"),
    ],
)
def test_damaged_trees_are_refused(trees: tuple[tuple[int, ...], ...], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Trees(*trees)


def test_bad_settings_are_refused() -> None:
    with pytest.raises(ConfigError, match="feature 9; 1 channels have 0 to 4"):
        Boosted(Calibrated({"a": RISING}), Trees((0,), (9, -1, -1), (0.1, 0.2, 0.3), (2, 0, 0)), "")
    with pytest.raises(ConfigError, match=r"popularity holds 'X'; legal: 0123"):
        Boosted(Calibrated({"a": RISING, "b": RISING}), TREES, "0X")
    with pytest.raises(ConfigError, match="trees is 0"):
        FittedBoosted(trees=0)
    with pytest.raises(ConfigError, match="leaves is 1; it must lie between 2 and 255"):
        FittedBoosted(leaves=1)
    with pytest.raises(ConfigError, match="learning_rate is 0"):
        FittedBoosted(learning_rate=0.0)
    with pytest.raises(ConfigError, match="legal: isotonic, logistic"):
        FittedBoosted(method="platt")  # type: ignore[arg-type]
    with pytest.raises(DataError, match="no user has a held-out item"):
        fit_boosted({"a": item_lists([[1]])}, empty_lists(1), cutoffs=(5,), counts=COUNTS, seed=0)


def test_without_lightgbm_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "lightgbm", None)
    with pytest.raises(MissingExtraError, match="boosted fusion needs an optional part"):
        _fitted(10)
