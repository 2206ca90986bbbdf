"""What hot and high-efficiency refuse."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from graphrec.channels.popular.high_efficiency import HighEfficiency
from graphrec.channels.popular.hot import Hot
from graphrec.data.exposures import Exposures
from graphrec.errors import ConfigError
from tests.worlds import described, skewed


@pytest.mark.parametrize(
    ("recipe", "words"),
    [
        (HighEfficiency(), "learns from exposures, and the data has none"),
        (Hot(by_user="country"), "by_user = 'country' needs labels of users"),
        (Hot(by_item="colour"), "by_item = 'colour' needs labels of items"),
    ],
)
def test_what_the_data_lacks_is_named(recipe: Any, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        recipe.fit(skewed())


@pytest.mark.parametrize(
    ("recipe", "words"),
    [
        (Hot(by_user="contry"), "nearest: 'country'"),
        (Hot(by_item="color"), "nearest: 'colour'"),
        (HighEfficiency(by_user="contry"), "nearest: 'country'"),
        (HighEfficiency(value=True), "value = true needs the value of exposures"),
        (HighEfficiency(half_life_days=3), "needs the times of exposures"),
    ],
)
def test_labels_and_columns_that_are_not_there_are_named(recipe: Any, words: str) -> None:
    data = described(skewed())
    shown = data.exposures
    assert shown is not None
    bare = Exposures(shown.users, shown.items, shown.converted, n_users=shown.n_users, n_items=shown.n_items)
    with pytest.raises(ConfigError, match=words):
        recipe.fit(replace(data, exposures=bare))


@pytest.mark.parametrize(
    ("made", "settings", "words"),
    [
        (Hot, {"prior": 0.0}, "prior"),
        (Hot, {"half_life_days": -1.0}, "half_life_days"),
        (Hot, {"list_length": -1}, "list_length"),
        (Hot, {"by_user": "a", "by_item": "b"}, "give one of them"),
        (HighEfficiency, {"bound": "wilsn"}, "it must be 'posterior' or 'wilson'; nearest: 'wilson'"),
        (HighEfficiency, {"confidence": 1.0}, "confidence"),
        (HighEfficiency, {"confidence": 0.2}, "confidence is 0.2; it must be a number of at least 0.5 and below 1"),
        (HighEfficiency, {"min_exposures": 0}, "min_exposures"),
        (HighEfficiency, {"value": 1}, "true or false"),
        (HighEfficiency, {"value_prior": 0.0}, "value_prior"),
        (HighEfficiency, {"by_user": "a", "by_item": "b"}, "give one of them"),
    ],
)
def test_illegal_settings_are_refused(made: Any, settings: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        made(**settings)
