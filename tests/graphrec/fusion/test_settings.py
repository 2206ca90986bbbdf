import json
from typing import Any

import numpy as np
import pytest

from graphrec.data.lists import item_lists
from graphrec.errors import ConfigError
from graphrec.fusion.quota import merge_quota
from graphrec.fusion.rrf import merge_rrf
from graphrec.fusion.settings import Quota, Rrf, fusion_from_dict

LISTS = {"hot": item_lists([[1, 2, 3]]), "tag": item_lists([[3, 4, 5]])}


@pytest.mark.parametrize("fusion", [Rrf(), Rrf({"hot": 0.5, "tag": 2.0}, 30.0, 2), Quota({"hot": 2, "tag": 1})])
def test_settings_survive_json(fusion: Rrf | Quota) -> None:
    assert fusion_from_dict(json.loads(json.dumps(fusion.to_dict()))) == fusion


def test_rrf_merges_as_its_function() -> None:
    fused = Rrf({"tag": 3.0}, 10.0, 2).merge(LISTS, 4)
    expected = merge_rrf(LISTS, 4, weights={"hot": 1.0, "tag": 3.0}, c=10.0, depth=2)
    np.testing.assert_array_equal(fused.lists.items, expected.lists.items)
    np.testing.assert_array_equal(fused.lists.scores, expected.lists.scores)


def test_absent_channels_are_passed_over() -> None:
    only = {"hot": LISTS["hot"]}
    assert Rrf({"hot": 2.0, "tag": 9.0}).merge(only, 2).lists.items.tolist() == [1, 2]
    assert Quota({"tag": 3, "hot": 1}).merge(only, 2).lists.items.tolist() == [1, 2]
    assert Quota({"tag": 3}).merge(only, 2).lists.items.tolist() == [1, 2]


def test_silent_channels_speak_when_they_are_alone() -> None:
    assert Rrf({"hot": 0.0}).merge({"hot": LISTS["hot"]}, 2).lists.items.tolist() == [1, 2]


def test_quotas_shrink_to_the_k_asked_for() -> None:
    fused = Quota({"hot": 20, "tag": 10}).merge(LISTS, 3)
    expected = merge_quota(LISTS, 3, quotas={"hot": 2, "tag": 1})
    assert fused.lists.items.tolist() == expected.lists.items.tolist() == [1, 3, 2]


def test_how_deep_channels_are_asked() -> None:
    assert [Rrf().channel_depth(k) for k in (5, 100, 300)] == [200, 200, 600]
    assert [Rrf(depth=50).channel_depth(k) for k in (5, 100)] == [50, 100]
    assert Quota({"hot": 1}).channel_depth(7) == 7


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"kind": "borda"}, "'borda' is unknown; legal: rrf, quota, snake, priority"),
        ({}, "None is unknown"),
        ({"kind": "rrf", "weight": {}}, "nearest: 'weights'"),
        ({"kind": "rrf", "c": -1}, "c is -1"),
        ({"kind": "rrf", "weights": {"hot": -2}}, "'hot' is -2"),
        ({"kind": "quota", "quotas": {"hot": 0}}, "at least one"),
        ({"kind": "quota"}, "cannot be made"),
        ({"kind": "rrf", "c": "sixty"}, "must be a number"),
    ],
)
def test_illegal_settings(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        fusion_from_dict(settings)
