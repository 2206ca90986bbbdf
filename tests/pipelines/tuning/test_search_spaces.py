"""Spaces are checked whole: channels, fields, kinds of values, and whether any of them is legal."""

from __future__ import annotations

from typing import Any

import pytest

from graphrec.channels.behaviour.ease import Ease
from graphrec.channels.behaviour.item_cf import ItemCF
from graphrec.channels.behaviour.swing import Swing
from graphrec.channels.popular.high_efficiency import HighEfficiency
from graphrec.channels.registry import RECIPES, recipe_class
from graphrec.contracts.domains import Choices, Range
from graphrec.contracts.recipe import Recipe
from graphrec.contracts.settings import space_of
from graphrec.errors import ConfigError
from graphrec.pipelines.tuning.search_spaces import present_settings, search_spaces, with_settings

MODEL: dict[str, Recipe] = {"item-cf": ItemCF(k=20), "near": ItemCF(k=5), "ease": Ease()}


def spaces(tables: dict[str, Any]) -> dict[str, Any]:
    return dict(search_spaces(tables, MODEL, place="tune.channels"))


@pytest.mark.parametrize("kind", RECIPES)
def test_declared_spaces_fit_their_recipes(kind: str) -> None:
    recipe = recipe_class(kind)()
    space = space_of(type(recipe))
    for field, domain in space.items():
        for value in domain.ends:
            assert getattr(with_settings(recipe, {field: value}), field) == value
    # The present settings are the first observation of a search, so defaults lie inside.
    present = present_settings(recipe, space)
    assert all(domain.drawn(present[field]) is not None for field, domain in space.items())


def test_every_channel_that_learns_from_events_declares_a_space() -> None:
    # The other two hold what people decree, and what was shown.
    without = {kind for kind in RECIPES if not space_of(recipe_class(kind))}
    assert without == {"operations", "high-efficiency"}


def test_a_table_replaces_the_known_space_and_an_empty_one_leaves_the_channel() -> None:
    found = spaces({"item-cf": {"k": {"int": [10, 50]}, "normalise": [True, False]}, "ease": {}})
    assert found["item-cf"] == {"k": Range(10, 50, whole=True), "normalise": Choices((True, False))}
    assert found["near"] == space_of(ItemCF)
    assert set(found["near"]) >= {"similarity", "weighting"}
    assert "ease" not in found


def test_a_recipe_that_declares_no_space_is_left() -> None:
    assert search_spaces({}, {"mine": HighEfficiency()}, place="tune") == {}


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
