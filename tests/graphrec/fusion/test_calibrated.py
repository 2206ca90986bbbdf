from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphrec.data.lists import ItemLists, empty_lists, item_lists
from graphrec.errors import ConfigError
from graphrec.fusion.calibrated import Calibrated
from graphrec.fusion.curves import Curve
from tests.oracles.fusion import calibrated_rate

RISING = Curve((0.0, 1.0), (0.0, 0.5))


def _oracle(fusion: Calibrated, lists: dict[str, ItemLists], query: int, k: int) -> list[tuple[int, float]]:
    sums: dict[int, float] = {}
    for name, part in lists.items():
        items, scores = part[query]
        head = sum(max(float(score), 0.0) for score in scores[:100])
        for position, (item, score) in enumerate(zip(items.tolist(), scores.tolist(), strict=True)):
            share = max(score, 0.0) / head if head > 0 else 0.0
            rate = max(calibrated_rate(fusion.curves[name], share, position + 1.0), 1e-9)
            rate *= 1 + 1e-6 * (10_000 - (position + 1))
            sums[item] = sums.get(item, 0.0) + fusion.weights.get(name, 1.0) * rate
    best = sorted(sums.items(), key=lambda pair: (-np.float32(pair[1]), pair[0]))
    return [(item, score) for item, score in best if score > 0][:k]


@pytest.mark.parametrize(
    "curves",
    [
        {"a": RISING, "b": Curve((0.01, 0.2, 0.3), (0.1, 0.1, 0.9))},
        {"a": Curve((), (), -1.0, 0.7, -0.3), "b": RISING},
    ],
)
def test_it_adds_weighted_rates(curves: dict[str, Curve]) -> None:
    rng = np.random.default_rng(3)
    lists = {
        name: item_lists(
            [rng.permutation(50)[:size].tolist() for size in (20, 0, 7)],
            [np.sort(rng.normal(size=size))[::-1].tolist() for size in (20, 0, 7)],
        )
        for name in ("a", "b")
    }
    fusion = Calibrated(curves, {"a": 0.5, "b": 2.0})
    merged = fusion.merge(lists, 9)
    for query in range(3):
        expected = _oracle(fusion, lists, query, 9)
        items, scores = merged.lists[query]
        assert items.tolist() == [item for item, _ in expected]
        np.testing.assert_allclose(scores, [score for _, score in expected], rtol=1e-5)


def test_a_channel_without_a_curve_or_a_list_is_passed_over() -> None:
    fusion = Calibrated({"a": RISING, "late": RISING})
    merged = fusion.merge({"a": item_lists([[1, 2]], [[2.0, 1.0]]), "new": item_lists([[7]])}, 5)
    assert merged.lists.items.tolist() == [1, 2]
    alone = fusion.merge({"new": item_lists([[7, 3]], [[1.0, 4.0]])}, 5)
    assert alone.lists.items.tolist() == [3, 7]
    assert len(fusion.merge({"a": empty_lists(3)}, 5)) == 3


def test_an_entry_that_was_never_a_hit_still_comes_back_last() -> None:
    fusion = Calibrated({"a": Curve((0.1, 0.9), (0.0, 0.5)), "b": RISING})
    merged = fusion.merge({"a": item_lists([[4, 2, 9]], [[8.0, 0.4, 0.2]]), "b": item_lists([[1]])}, 5)
    assert sorted(merged.lists.items.tolist()[:2]) == [1, 4]
    assert merged.lists.items.tolist()[2:] == [2, 9]


@given(st.lists(st.lists(st.integers(0, 30), unique=True, max_size=12), min_size=1, max_size=4), st.integers(1, 20))
def test_one_channel_keeps_its_order(rows: list[list[int]], k: int) -> None:
    lists = item_lists(rows, [np.arange(len(row), 0, -1).tolist() for row in rows])
    merged = Calibrated({"a": Curve((0.0, 1.0), (0.01, 0.9))}).merge({"a": lists}, k)
    for query, row in enumerate(rows):
        assert merged.query(query).lists.items.tolist() == row[:k]


def test_illegal_settings_are_said() -> None:
    with pytest.raises(ConfigError, match="no curve"):
        Calibrated({})
    with pytest.raises(ConfigError, match="a weight is a number of 0 or more"):
        Calibrated({"a": RISING}, {"a": -1.0})
    with pytest.raises(ConfigError, match="nearest"):
        Calibrated({"item-cf": RISING}, {"item-fc": 1.0})
