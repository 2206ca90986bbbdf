"""Declared settings: what they hold, what they refuse, how they say it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pytest

from graphrec.contracts.domains import Choices, floats, ints
from graphrec.contracts.settings import (
    Settings,
    choice,
    count,
    flag,
    number,
    settings_of,
    space_of,
    text,
    texts,
    weights,
)
from graphrec.errors import ConfigError

Colour = Literal["red", "green"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Base(Settings):
    last: int = count(0, unit="items")


@dataclass(frozen=True, slots=True, kw_only=True)
class Example(Base):
    k: int = count(10, least=1, search=ints(5, 50, log=True))
    m: int = count(2, least=2, most=512)
    share: float = number(0.5, most=1, search=floats(0.0, 1.0))
    rate: float = number(0.1, above=0)
    sure: float = number(0.8, least=0.5, below=1)
    days: float = number(30.0, above=0, infinite=True)
    power: float = number(0.0, least=-5, most=5)
    deep: bool = flag(True, searched=True)
    colour: Colour = choice("red", Colour, searched=True)
    label: str = text(legal="the name of a label, or empty")
    file: str = text("rules.toml", legal="the name of a file", empty=False)
    avoid: tuple[str, ...] = texts(legal="a list of tags")
    relations: Mapping[str, float] = weights(of="relations")

    def check(self) -> None:
        if self.k < self.m:
            raise ConfigError(f"k is {self.k} and m {self.m}; k must be m or more")


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"k": 0}, "k is 0; it must be a whole number of 1 or more"),
        ({"k": 2.0}, "k is 2.0; it must be a whole number of 1 or more"),
        ({"k": True}, "k is True; it must be a whole number of 1 or more"),
        ({"k": np.float64(3)}, "k is np.float64(3.0); it must be a whole number of 1 or more"),
        ({"m": 513}, "m is 513; it must be a whole number from 2 to 512"),
        ({"last": "2"}, "last is '2'; it must be a whole number of 0 or more"),
        ({"share": 1.5}, "share is 1.5; it must be a number from 0 to 1"),
        ({"share": math.nan}, "share is nan; it must be a number from 0 to 1"),
        ({"rate": 0}, "rate is 0; it must be a number above 0"),
        ({"rate": math.inf}, "rate is inf; it must be a number above 0"),
        ({"sure": 1.0}, "sure is 1.0; it must be a number of at least 0.5 and below 1"),
        ({"days": 0.0}, "days is 0.0; it must be a number above 0, or inf"),
        ({"days": -math.inf}, "days is -inf; it must be a number above 0, or inf"),
        ({"power": -6}, "power is -6; it must be a number from -5 to 5"),
        ({"deep": 1}, "deep is 1; it must be true or false"),
        ({"colour": "gren"}, "colour is 'gren'; it must be 'red' or 'green'; nearest: 'green'"),
        ({"colour": ["red"]}, "colour is ['red']; it must be 'red' or 'green'"),
        ({"label": None}, "label is None; it must be the name of a label, or empty"),
        ({"file": ""}, "file is ''; it must be the name of a file"),
        ({"avoid": "nsfw"}, "avoid is 'nsfw'; it must be a list of tags"),
        ({"avoid": ["nsfw", 1]}, "avoid is ['nsfw', 1]; it must be a list of tags"),
        (
            {"relations": {"author": -1}},
            "relations is {'author': -1}; it must be a table of names of relations and weights of 0 or more",
        ),
        (
            {"relations": {3: 1.0}},
            "relations is {3: 1.0}; it must be a table of names of relations and weights of 0 or more",
        ),
        ({"k": [1] * 1000}, "k is a list; it must be a whole number of 1 or more"),
        ({"k": np.ones((3, 3))}, "k is a ndarray; it must be a whole number of 1 or more"),
        ({"share": 10**5000}, "share is a int; it must be a number from 0 to 1"),
        ({"k": 5, "m": 9}, "k is 5 and m 9; k must be m or more"),
    ],
)
def test_refusals_are_one_sentence(settings: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ConfigError) as refused:
        Example(**settings)
    assert str(refused.value) == sentence


def test_values_are_held_in_one_form() -> None:
    given: dict[str, Any] = {
        "k": np.int32(7),
        "share": 1,
        "days": math.inf,
        "avoid": ["a", "b"],
        "relations": {"by": 2},
    }
    held = Example(**given)
    assert held == Example(k=7, share=1.0, days=math.inf, avoid=("a", "b"), relations={"by": 2.0})
    assert repr(held.share) == "1.0"
    assert type(held.k) is int


def test_a_table_that_the_caller_changes_later_changes_no_recipe() -> None:
    given = {"author": 1.0}
    held = Example(relations=given)
    given["author"] = -3.0
    assert held.relations == {"author": 1.0}


def test_what_is_declared_can_be_read_from_the_class() -> None:
    declared = settings_of(Example)
    assert list(declared)[:2] == ["last", "k"]
    assert declared["last"].unit == "items"
    assert space_of(Example) == {
        "k": ints(5, 50, log=True),
        "share": floats(0.0, 1.0),
        "deep": Choices((True, False)),
        "colour": Choices(("red", "green")),
    }
