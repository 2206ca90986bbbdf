from __future__ import annotations

import dataclasses
import json
import sys

import numpy as np
import pytest

from graphrec.data.lists import ItemLists, empty_lists, item_lists
from graphrec.errors import ConfigError, DataError, MissingExtraError
from graphrec.evaluation.metrics import rank_metrics
from graphrec.fusion.boosted import Boosted
from graphrec.fusion.fit_boosted import FittedBoosted, fit_boosted
from graphrec.fusion.graph_levels import GraphLevels, graph_levels
from graphrec.fusion.network import NO_NETWORK
from graphrec.fusion.settings import Fusion, fusion_from_dict
from graphrec.graph.catalogue import items_only
from tests.close import assert_same_lists
from tests.worlds import Relation, catalogue, vocabulary

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


def test_it_learns_what_no_weights_can_say() -> None:
    fusion = _fitted()
    lists, truth = _world(300, seed=9)
    boosted = rank_metrics(fusion.merge(lists, 8).lists, truth, 8).recall.mean()
    calibrated = rank_metrics(fusion.base.merge(lists, 8).lists, truth, 8).recall.mean()
    assert calibrated < 0.6
    assert boosted > 0.95


def test_what_the_graph_says_is_learnt_where_a_channel_of_it_has_hits() -> None:
    rng = np.random.default_rng(0)
    returned = [rng.permutation(N_ITEMS)[:16].tolist() for _ in range(700)]
    scores = [np.linspace(2.0, 1.0, 16).tolist()] * 700
    lists = {"kg": item_lists(returned, scores), "hot": item_lists(returned, scores), "silent": empty_lists(700)}
    # Odd items are right, wherever they stand.
    truth = item_lists([[item for item in items if item % 2] for items in returned])
    recalls = []
    for channels in (("silent",), ("kg", "silent")):
        graph = GraphLevels({"author: items": "01" * (N_ITEMS // 2)}, channels)
        fusion = fit_boosted(
            lists, truth, cutoffs=(8,), counts=np.full(N_ITEMS, 5), seed=0, trees=10, learning_rate=0.5, graph=graph
        )
        assert (fusion.graph == graph) == ("kg" in channels)
        recalls.append(rank_metrics(fusion.merge(lists, 4).lists, truth, 4).recall.mean())
        left = fusion.merge({name: part for name, part in lists.items() if name != "kg"}, 4).lists
        assert rank_metrics(left, truth, 4).recall.mean() == pytest.approx(recalls[0], abs=0.05)
    assert recalls[0] < 0.3 < 0.45 < recalls[1]


def test_what_links_an_item_to_the_history_is_learnt() -> None:
    # Whoever took an item of a class goes on with items of that class; the list says nothing of it.
    rng, n = np.random.default_rng(0), 600
    author = Relation("author", "author", [(item, item % 10) for item in range(N_ITEMS)])
    graph = graph_levels(catalogue(vocabulary("i", N_ITEMS), {"author": 10}, [author]), np.full(N_ITEMS, 5), ["kg"])
    taken = rng.integers(N_ITEMS, size=n)
    histories = item_lists([[int(item)] for item in taken])
    returned = [rng.permutation(N_ITEMS)[:60].tolist() for _ in range(n)]
    scores = [np.linspace(2.0, 1.0, 60).tolist()] * n
    lists = {"kg": item_lists(returned, scores), "hot": item_lists(returned, scores)}
    truth = item_lists([[i for i in items if i % 10 == own % 10] for items, own in zip(returned, taken, strict=True)])
    fusion = fit_boosted(
        lists, truth, cutoffs=(8,), counts=np.full(N_ITEMS, 5), seed=0, trees=10, learning_rate=0.5, graph=graph,
        histories=histories,
    )  # fmt: skip

    def recall(fusion: Fusion, known: ItemLists | None) -> float:
        return float(np.nanmean(rank_metrics(fusion.merge(lists, 8, histories=known).lists, truth, 8).recall))

    assert recall(fusion, None) < 0.3 < 0.9 < recall(fusion, histories)
    settings = json.loads(json.dumps(fusion.to_dict()))
    assert recall(fusion_from_dict(settings), histories) == recall(fusion, None)
    read = fusion_from_dict(settings, catalogue(vocabulary("i", N_ITEMS), {"author": 10}, [author]))
    assert recall(read, histories) == recall(fusion, histories)
    with pytest.raises(ConfigError, match="along 'author', which the graph of the catalogue does not have"):
        fusion_from_dict(settings, items_only(vocabulary("i", N_ITEMS)))
    with pytest.raises(DataError, match="there are 1 histories of 600 queries"):
        fusion.merge(lists, 8, histories=item_lists([[1]]))


def test_trees_stop_where_users_held_out_gain_no_more() -> None:
    lists, truth = _world(300, seed=0)
    learnt = fit_boosted(lists, truth, cutoffs=(8,), counts=COUNTS, seed=0, learning_rate=0.3)
    rng = np.random.default_rng(1)
    chance = item_lists([rng.permutation(N_ITEMS)[:100].tolist() for _ in range(300)])
    nothing = fit_boosted(lists, chance, cutoffs=(8,), counts=COUNTS, seed=0, learning_rate=0.3)
    assert len(nothing.trees.roots) < 50 < len(learnt.trees.roots)


def test_a_network_learns_what_no_weights_can_say_and_trees_go_on_from_there() -> None:
    lists, truth = _world(600, seed=0)
    asked, wanted = _world(300, seed=9)
    fusion = fit_boosted(lists, truth, cutoffs=(8,), counts=COUNTS, seed=0, trees=2, network=(16, 8))
    assert [len(layer) for layer in fusion.network.biases] == [16, 8, 1]
    assert rank_metrics(fusion.merge(asked, 8).lists, wanted, 8).recall.mean() > 0.95
    left = dataclasses.replace(fusion, network=NO_NETWORK)
    assert rank_metrics(left.merge(asked, 8).lists, wanted, 8).recall.mean() < 0.9
    settings = json.loads(json.dumps(fusion.to_dict()))
    assert fusion_from_dict(settings) == fusion
    del settings["network"]  # as a bundle of before
    assert fusion_from_dict(settings) == left


def test_there_is_no_network_where_trees_alone_do_better() -> None:
    lists, _ = _world(60, seed=0)
    rng = np.random.default_rng(1)
    chance = item_lists([rng.permutation(N_ITEMS)[:100].tolist() for _ in range(60)])
    fusion = fit_boosted(lists, chance, cutoffs=(8,), counts=COUNTS, seed=0, network=(256, 256))
    assert fusion.network == NO_NETWORK


def test_hits_that_few_people_took_may_weigh_more() -> None:
    lists, truth = _world(300, seed=0)
    asked, _ = _world(100, seed=9)
    tails = []
    for exponent in (0.0, 0.5):
        fusion = fit_boosted(lists, truth, cutoffs=(8,), counts=COUNTS, seed=0, trees=30, popularity_exponent=exponent)
        tails.append(float((fusion.merge(asked, 4).lists.items % 2 == 0).mean()))
    assert tails[0] < 0.7 < 0.9 < tails[1]


def test_a_channel_that_is_missing_leaves_the_others_what_they_know() -> None:
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
    fusion = dataclasses.replace(_fitted(200, trees=10), graph=GraphLevels({"a": "0z"}, ("head",)))
    _assert_same_fusion(fusion, _fitted(200, trees=10))
    settings = json.loads(json.dumps(fusion.to_dict()))
    assert settings.pop("kind") == "boosted"
    assert Boosted(**settings) == fusion


def test_the_recipe_tells_what_it_started_from() -> None:
    lists, truth = _world(100, seed=0)
    result = FittedBoosted(trees=4).fit(lists, truth, k=8, counts=COUNTS, seed=0)
    assert isinstance(result.fusion, Boosted)
    _assert_same_fusion(result.fusion, fit_boosted(lists, truth, cutoffs=(8,), counts=COUNTS, seed=0, trees=4))
    assert (result.report["cutoffs"], result.report["trees"]) == ([8], len(result.fusion.trees.roots))
    assert result.report["network"] == []
    assert FittedBoosted().channel_depth(200) == result.fusion.channel_depth(200) == 400


def test_without_lightgbm_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "lightgbm", None)
    with pytest.raises(MissingExtraError, match="boosted fusion needs an optional part"):
        _fitted(10)


def test_bad_settings_are_refused() -> None:
    with pytest.raises(ConfigError, match="trees is 0"):
        FittedBoosted(trees=0)
    with pytest.raises(ConfigError, match="leaves is 1; it must lie between 2 and 255"):
        FittedBoosted(leaves=1)
    with pytest.raises(ConfigError, match="learning_rate is 0"):
        FittedBoosted(learning_rate=0.0)
    with pytest.raises(ConfigError, match="popularity_exponent is -1"):
        FittedBoosted(popularity_exponent=-1.0)
    for units in (0, 2000, True, 1.5):
        with pytest.raises(ConfigError, match=f"network has {units} units in a layer; legal: a whole number from 1 to"):
            FittedBoosted(network=(8, units))  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="legal: isotonic, logistic"):
        FittedBoosted(method="platt")  # type: ignore[arg-type]
    with pytest.raises(DataError, match="no user has a held-out item"):
        fit_boosted({"a": item_lists([[1]])}, empty_lists(1), cutoffs=(5,), counts=COUNTS, seed=0)
