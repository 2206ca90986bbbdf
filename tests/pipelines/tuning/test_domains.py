"""Ranges and choices: what TOML may say, and what a drawn number stands for."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphrec.channels.behaviour.ease import Ease
from graphrec.channels.behaviour.item_cf import ItemCF
from graphrec.channels.content.kg_neighbours import KgNeighbours
from graphrec.contracts.domains import Choices, Range
from graphrec.errors import ConfigError
from graphrec.pipelines.tuning.domains import fitted_to, parse_domain


def test_forms_of_toml() -> None:
    assert parse_domain({"int": [50, 1000], "log": True}, place="k") == Range(50, 1000, whole=True, log=True)
    assert parse_domain({"float": [0, 1]}, place="x") == Range(0.0, 1.0)
    assert parse_domain([True, False], place="n") == Choices((True, False))


def test_steps_end_on_the_last_that_fits() -> None:
    assert parse_domain({"int": [10, 100], "step": 40}, place="k") == Range(10, 90, whole=True, step=40)
    halves = parse_domain({"float": [0.0, 1.0], "step": 0.3}, place="x")
    assert halves == Range(0.0, 0.9, step=0.3)
    assert halves.size == 4
    assert halves.value(0.30000000000000004) == 0.3
    assert halves.drawn(0.6) == 0.6
    assert halves.drawn(0.5) is None


@pytest.mark.parametrize(
    ("raw", "sentence"),
    [
        (3, r"k is 3; write \{ int = \[50, 1000\]"),
        ([5], r"k is \[5\]; a list to choose from holds two values or more"),
        ([1, 1], r"each once"),
        ({"ints": [1, 2]}, r"k\.ints is not a known key; nearest: 'int'; legal: int, float, log, step"),
        ({"log": True}, r"k has neither int nor float"),
        ({"int": [1, 2], "float": [1, 2]}, r"k has int and float"),
        ({"int": [9, 1]}, r"k\.int runs from 9 to 1; the first bound must lie below the second"),
        ({"int": [1, 1]}, r"runs from 1 to 1"),
        ({"int": [1, 2.5]}, r"k\.int is \[1, 2\.5\]; it must hold two whole numbers"),
        ({"float": [0.0, math.inf]}, r"it must hold two finite numbers"),
        ({"float": 3.0}, r"k\.float is 3\.0; it must hold two"),
        ({"int": [0, 9], "log": True}, r"k starts at 0; a range with log = true must start above 0"),
        ({"int": [1, 9], "log": 1}, r"k\.log is 1; it must be true or false"),
        ({"int": [1, 9], "log": True, "step": 2}, r"a range takes one of the two"),
        ({"int": [1, 9], "step": 0.5}, r"k\.step is 0\.5; it must be a whole number above 0 and at most 8"),
        ({"float": [0.0, 1.0], "step": 2.0}, r"k\.step is 2\.0; it must be a number above 0 and at most 1"),
    ],
)
def test_illegal_forms(raw: Any, sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        parse_domain(raw, place="k")


@given(st.floats(0.001, 1000.0))
def test_values_of_a_range_are_short_and_inside(drawn: float) -> None:
    value = Range(0.001, 1000.0, log=True).value(drawn)
    assert 0.001 <= value <= 1000.0
    assert math.isclose(value, drawn, rel_tol=1e-3)
    assert len(f"{value:e}".rstrip("0")) <= 12


def test_true_and_one_are_two_choices() -> None:
    domain = Choices((True, 1, {"author": 1.0}))
    assert [domain.drawn(value) for value in (1, True, {"author": 1.0}, {"author": 2.0})] == [1, 0, 2, None]
    assert domain.value(2) == {"author": 1.0}


def test_a_present_value_outside_has_no_number() -> None:
    assert Range(50, 100, whole=True).drawn(20) is None
    assert Range(0.0, 1.0).drawn(True) is None
    assert Range(50, 100, whole=True).drawn(50) == 50


def test_values_must_fit_the_field() -> None:
    assert fitted_to(Choices((0, 10)), ItemCF, "half_life", place="h") == Choices((0.0, 10.0))
    weights = Choices(({}, {"author": 2}))
    assert fitted_to(weights, KgNeighbours, "relations", place="r") == Choices(({}, {"author": 2.0}))
    with pytest.raises(ConfigError, match=r"k takes 50\.0: input should be a valid integer"):
        fitted_to(Range(50.0, 100.0), Ease, "k", place="k")
    with pytest.raises(ConfigError, match=r"n takes 'yes': input should be a valid boolean"):
        fitted_to(Choices(("yes", "no")), ItemCF, "normalise", place="n")
