"""Spaces are checked whole: channels, fields, kinds of values, and whether any of them is legal."""

from __future__ import annotations

from typing import Any

import pytest

from graphrec.channels.behaviour.ease import Ease
from graphrec.channels.behaviour.item_cf import ItemCF
from graphrec.channels.behaviour.swing import Swing
from graphrec.channels.popular.hot import Hot
from graphrec.channels.registry import RECIPES, recipe_class
from graphrec.contracts.recipe import Recipe
from graphrec.errors import ConfigError
from graphrec.pipelines.tuning.domains import Choices, Range
from graphrec.pipelines.tuning.search_spaces import DEFAULTS, present_settings, search_spaces, with_settings

MODEL: dict[str, Recipe] = {"item-cf": ItemCF(k=20), "near": ItemCF(k=5), "ease": Ease()}
KINDS = {"item-cf": "item-cf", "near": "item-cf", "ease": "ease"}


def spaces(tables: dict[str, Any]) -> dict[str, Any]:
    return dict(search_spaces(tables, MODEL, KINDS, place="tune.channels"))


@pytest.mark.parametrize("kind", DEFAULTS)
def test_known_spaces_fit_their_recipes(kind: str) -> None:
    assert kind in RECIPES
    recipe = recipe_class(kind)()
    space = search_spaces({}, {kind: recipe}, {kind: kind}, place="tune")[kind]
    # The present settings are the first observation of a search, so defaults lie inside.
    present = present_settings(recipe, space)
    assert all(domain.drawn(present[field]) is not None for field, domain in space.items())


def test_every_channel_that_learns_from_events_has_a_known_space() -> None:
    # The other two hold what people decree, and what was shown.
    assert set(RECIPES) - set(DEFAULTS) == {"operations", "high-efficiency"}


def test_a_table_replaces_the_known_space_and_an_empty_one_leaves_the_channel() -> None:
    found = spaces({"item-cf": {"k": {"int": [10, 50]}, "normalise": [True, False]}, "ease": {}})
    assert found["item-cf"] == {"k": Range(10, 50, whole=True), "normalise": Choices((True, False))}
    assert set(found["near"]) == set(DEFAULTS["item-cf"]) >= {"similarity", "weighting"}
    assert "ease" not in found


def test_a_kind_that_nobody_knows_is_left() -> None:
    assert search_spaces({}, {"hot": Hot()}, {"hot": "unheard-of"}, place="tune") == {}


@pytest.mark.parametrize(
    ("tables", "sentence"),
    [
        ({"item-fc": {}}, r"tune\.channels\.item-fc searches a channel that is not among .*nearest: 'item-cf'"),
        (
            {"item-cf": {"user_exponnt": [0.0, 1.0]}},
            r"tune\.channels\.item-cf\.user_exponnt: the channel has no such setting; nearest: 'user_exponent'",
        ),
        ({"item-cf": {"k": {"int": [9, 1]}}}, r"tune\.channels\.item-cf\.k\.int runs from 9 to 1"),
        ({"item-cf": {"k": {"float": [1.0, 9.0]}}}, r"tune\.channels\.item-cf\.k takes 1\.0: input should be a valid"),
        ({"item-cf": {"k": {"int": [0, 9]}}}, r"tune\.channels\.item-cf\.k takes 0, which is illegal: k is 0; it must"),
        ({"ease": {"regularisation": [0.0, 9.0]}}, r"regularisation takes 0\.0, which is illegal: regularisation is 0"),
    ],
)
def test_illegal_spaces(tables: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        spaces(tables)


def test_settings_are_checked_as_any_other() -> None:
    assert with_settings(Swing(), {"k": 7}) == Swing(k=7)
    with pytest.raises(ConfigError, match="k is 0"):
        with_settings(Swing(), {"k": 0})
