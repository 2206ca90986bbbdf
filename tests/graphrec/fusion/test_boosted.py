from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from graphrec.data.lists import ItemLists, item_lists
from graphrec.errors import ConfigError
from graphrec.fusion.boosted import Boosted
from graphrec.fusion.calibrated import Calibrated
from graphrec.fusion.curves import Curve
from graphrec.fusion.graph_levels import GraphLevels
from graphrec.fusion.heads import Answers
from graphrec.fusion.network import Network, network_from_layers
from graphrec.fusion.trees import Trees
from tests.close import assert_same_lists
from tests.oracles.fusion import walk_trees

RISING = Curve((0.0, 1.0), (0.0, 0.5))


def _level(digits: str, item: int) -> int:
    return int(digits[item], 36) if item < len(digits) else 0


def _oracle(fusion: Boosted, lists: dict[str, ItemLists], query: int) -> list[tuple[int, float]]:
    rescored = []
    merged = fusion.base.merge(lists, 1000).query(query)
    for place, (item, score) in enumerate(zip(merged.lists.items.tolist(), merged.lists.scores.tolist(), strict=True)):
        x: list[float] = []
        for name in fusion.base.curves:
            head = sum(max(float(value), 0.0) for value in lists[name][query][1][:100]) if name in lists else 0.0
            rank = int(merged.ranks[place, merged.channels.index(name)]) if name in lists else 0
            own = float(merged.scores[place, merged.channels.index(name)]) if rank else 0.0
            x += [max(own, 0.0) / head if rank and head else 0.0, rank or 1e6, head]
        x += [float(np.log(score)), _level(fusion.popularity, item)]
        told = any(name in lists for name in fusion.graph.channels)
        x += [_level(digits, item) if told else 0 for digits in fusion.graph.relations.values()]
        total = walk_trees(fusion.trees, np.array([x], dtype=np.float32))[0]
        rescored.append((item, score * float(np.exp(total))))
    return sorted(rescored, key=lambda pair: (-np.float32(pair[1]), pair[0]))


TREES = Trees(
    (0, 3, 6, 11),
    (0, -1, -1, 4, -1, -1, 7, -1, 2, -1, -1, 9, -1, -1),
    (0.2, -0.4, 0.5, 3.5, 0.2, -0.1, 6.5, 0.3, 9.0, 0.7, 0.0, 4.5, -0.2, 0.3),
    (2, 0, 0, 5, 0, 0, 8, 0, 10, 0, 0, 13, 0, 0),
)
# What trees do not look at, what they do; items from 30 on are unknown.
LEVELS = GraphLevels({"author: items": "z" * 30, "author: events": "9182736450" * 3}, ("a",))


def _lists(*names: str) -> dict[str, ItemLists]:
    """Return lists of three users."""
    rng, sizes = np.random.default_rng(5), (30, 4, 17)
    return {
        name: item_lists(
            [rng.permutation(50)[:size].tolist() for size in sizes],
            [np.sort(rng.normal(size=size))[::-1].tolist() for size in sizes],
        )
        for name in names
    }


FUSION = Boosted(Calibrated({"a": RISING, "b": RISING}, {"a": 0.5}), TREES, "0123456789abc" * 3, LEVELS)


@pytest.mark.parametrize("absent", [None, "a", "b"])
def test_scores_are_the_calibrated_ones_times_what_the_trees_say(absent: str | None) -> None:
    fusion, lists = FUSION, _lists(*(name for name in ("b", "new", "a") if name != absent))
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


@pytest.mark.parametrize("network", [False, True])
def test_channels_with_other_scores_merge_alike_once_the_fusion_is_told(*, network: bool) -> None:
    layers = [(np.full((1, 10), 0.3), np.zeros(1))]
    fusion = replace(FUSION, network=network_from_layers(np.zeros(10), np.ones(10), layers)) if network else FUSION
    learnt = _lists("b", "new", "a")
    factors = {"a": 4.0, "b": 0.125, "new": 16.0}
    served = {
        name: ItemLists(part.indptr, part.items, part.scores * np.float32(factors[name]))
        for name, part in learnt.items()
    }
    expected = fusion.merge(learnt, 9).lists
    before, after = (Answers(lists, item_lists([[1, 2], [3], [4, 5, 6]])) for lists in (learnt, served))
    told = fusion.on_scores(before, after)
    assert told.head_factors == {"a": 0.25, "b": 8.0}
    assert_same_lists(told.merge(served, 9).lists, expected)
    assert not np.array_equal(fusion.merge(served, 9).lists.scores, expected.scores)
    # What was told before is of no matter.
    assert told.on_scores(before, before).head_factors == {"a": 1.0, "b": 1.0}
    assert_same_lists(told.on_scores(before, before).merge(learnt, 9).lists, expected)


def test_bad_settings_are_refused() -> None:
    with pytest.raises(ConfigError, match="feature 9; 1 channels have 0 to 4"):
        Boosted(Calibrated({"a": RISING}), Trees((0,), (9, -1, -1), (0.1, 0.2, 0.3), (2, 0, 0)), "")
    both = Calibrated({"a": RISING, "b": RISING})
    with pytest.raises(ConfigError, match="feature 9; 2 channels and 1 numbers of the graph have 0 to 8"):
        Boosted(both, TREES, "", GraphLevels({"author: items": ""}, ("a",)))
    with pytest.raises(ConfigError, match="the network looks at 3 features; 2 channels have 8"):
        Boosted(both, Trees((), (), (), ()), "", network=Network((0.0,) * 3, (1.0,) * 3, ((1.0, 1.0, 1.0),), ((0.0,),)))
    for factor in (0.0, -1.0, float("inf"), float("nan")):
        with pytest.raises(ConfigError, match=f"head_factors has {factor} for 'a'; it must be finite and above 0"):
            replace(FUSION, head_factors={"a": factor})
    with pytest.raises(ConfigError, match="head_factors names 'c', which has no curve; legal: a, b"):
        replace(FUSION, head_factors={"c": 1.0})
    with pytest.raises(ConfigError, match=r"popularity holds 'X'; legal: 0123"):
        Boosted(both, TREES, "0X", LEVELS)
