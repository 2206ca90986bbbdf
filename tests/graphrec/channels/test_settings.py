"""Every field of every recipe is declared, documented, and refuses what it cannot hold."""

from __future__ import annotations

import dataclasses
import inspect
import math
import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from graphrec.channels.registry import RECIPES, recipe_class
from graphrec.contracts.domains import Choices, Range
from graphrec.contracts.recipe import About
from graphrec.contracts.settings import settings_of
from graphrec.errors import ConfigError

FIELDS = [(name, field) for name in RECIPES for field in dataclasses.fields(recipe_class(name))]
EVERY_FIELD = pytest.mark.parametrize(("name", "field"), FIELDS, ids=lambda value: getattr(value, "name", value))


def _wrong(default: Any) -> Iterator[Any]:
    """Yield values that a field with this default cannot hold."""
    yield from (None, b"x", object(), {1: 2.0}, {"author": "much"}, ["x", 1], {1, 2}, np.ones(3))
    if not isinstance(default, bool):
        yield from (True, False)
    if isinstance(default, bool):
        yield from (0, 1, "true", 1.0)
    if isinstance(default, int | float):
        yield from ("64", "many", -7, math.nan, -math.inf, [3], 3j, 10**400 if isinstance(default, float) else 3.5)
    if isinstance(default, str):
        yield from (3, math.nan, ("a",))
    if isinstance(default, tuple | dict):
        yield from (3, "fantasy", math.nan)


@EVERY_FIELD
def test_a_wrong_value_gets_a_sentence_that_names_field_value_and_what_is_legal(
    name: str, field: dataclasses.Field[Any]
) -> None:
    recipe = recipe_class(name)
    legal = settings_of(recipe)[field.name].legal
    for value in _wrong(getattr(recipe(), field.name)):
        with pytest.raises(ConfigError) as refused:
            recipe(**{field.name: value})
        sentence = str(refused.value)
        assert sentence.startswith(f"{field.name} is ")
        assert f"; it must be {legal}" in sentence
        assert "\n" not in sentence
        assert len(sentence) < 300


@EVERY_FIELD
def test_the_default_is_legal_and_held_as_it_is(name: str, field: dataclasses.Field[Any]) -> None:
    recipe = recipe_class(name)
    default = getattr(recipe(), field.name)
    again = getattr(recipe(**{field.name: default}), field.name)
    assert again == default
    assert type(again) is type(default)


@EVERY_FIELD
def test_numbers_of_numpy_are_held_as_those_of_python(name: str, field: dataclasses.Field[Any]) -> None:
    recipe = recipe_class(name)
    default = getattr(recipe(), field.name)
    if isinstance(default, bool | int | float):
        given = np.bool_(default) if isinstance(default, bool) else np.asarray(default)[()]
        again = getattr(recipe(**{field.name: given}), field.name)
        assert type(again) is type(default)
        assert again == default


@EVERY_FIELD
def test_what_is_searched_is_legal(name: str, field: dataclasses.Field[Any]) -> None:
    recipe = recipe_class(name)
    domain = settings_of(recipe)[field.name].search
    if isinstance(domain, Range | Choices):
        for value in domain.ends:
            recipe(**{field.name: value})
        assert domain.drawn(getattr(recipe(), field.name)) is not None or field.name == "dim"


@pytest.mark.parametrize("name", RECIPES)
def test_every_setting_has_a_paragraph_in_the_docstring(name: str) -> None:
    recipe = recipe_class(name)
    families = [kind for kind in recipe.__mro__ if dataclasses.is_dataclass(kind)]
    words = "\n".join(inspect.getdoc(kind) or "" for kind in families)
    documented = {
        word for line in re.findall(r"^[a-z].* :.*$", words, re.MULTILINE) for word in re.findall(r"\w+", line)
    }
    assert {field.name for field in dataclasses.fields(recipe)} - documented == set()


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_says_what_it_is(name: str) -> None:
    about = recipe_class(name).about
    assert isinstance(about, About)
    assert all([about.recalls, about.artefact, about.unknown_users, about.cold_items])


def test_settings_that_are_no_fields_of_a_recipe_are_refused_by_python() -> None:
    with pytest.raises(TypeError, match="unexpected keyword argument 'kk'"):
        recipe_class("item-cf")(kk=3)
