"""Settings in words are those that the code declares."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field

from graphrec.channels.registry import RECIPES, recipe_class
from graphrec.contracts.domains import Range, ints
from graphrec.contracts.settings import Settings, choice, count, flag, number
from graphrec.fusion.settings import FUSIONS, fusion_class
from graphrec.fusion.settings import RECIPES as FITTED
from graphrec.pipelines.config.declared import Row, plain, references, rows_of, sections_below
from graphrec.pipelines.config.sections import TrainConfig
from graphrec.pipelines.config.settings_page import settings_page
from graphrec.pipelines.readers.table_source import TableSource, UserTagsSource
from graphrec.pool.rules import RULES


@dataclass(frozen=True, slots=True, kw_only=True)
class Shared(Settings):
    """What several have.

    Parameters
    ----------
    width, height : int, default 3
        Rows and columns,
        of :class:`graphrec.data.lists.ItemLists`.
    """

    width: int = count(3, least=1, unit="cells", search=ints(1, 9, log=True))
    height: int = count(3, most=7)


@dataclass(frozen=True, slots=True, kw_only=True)
class Made(Shared):
    r"""Boxes.

    .. math:: a = b

    Parameters
    ----------
    width, height :
        See :class:`Shared`.
    ratio : float, default inf
        After Ohm [1]_; ``inf`` is all | nothing.
    kind : {"a", "b"}
        Which.
    on : bool
        Whether.

    Notes
    -----
    on : is no parameter here.

    References
    ----------
    .. [1] Ohm, "On boxes",
       1827.
    .. [2] Watt, "Boxes".
    """

    ratio: float = number(float("inf"), above=0, infinite=True, search=Range(0.5, 2.0, step=0.5))
    kind: str = choice("a", ("a", "b"), searched=True)
    on: bool = flag(False)


def test_a_recipe_says_all_of_its_settings() -> None:
    shared = "Rows and columns, of `ItemLists`."
    assert rows_of(Made) == [
        Row("width", "`3`", "a whole number of 1 or more", "cells", "1 to 9, by orders of magnitude", shared),
        Row("height", "`3`", "a whole number from 0 to 7", "", "", shared),
        Row(
            "ratio", "`inf`", "a number above 0, or inf", "", "0.5 to 2, in steps of 0.5",
            "After Ohm [1]; `inf` is all | nothing.",
        ),
        Row("kind", '`"a"`', "'a' or 'b'", "", '"a", "b"', "Which."),
        Row("on", "`false`", "true or false", "", "", "Whether."),
    ]  # fmt: skip
    assert references(Made) == ['Ohm, "On boxes", 1827.', 'Watt, "Boxes".']
    assert references(Shared) == []


class Part(BaseModel):
    """A part."""

    size: int = 1


@dataclass(frozen=True)
class Bounds:
    """Bounds.

    Parameters
    ----------
    low : float, default 1
        The least.
    """

    low: float
    names: dict[str, int] = field(default_factory=dict)


class Whole(BaseModel):
    """A whole.

    Parameters
    ----------
    share : float
        How much.
    """

    share: Annotated[float, Field(gt=0, le=1)]
    names: list[Annotated[str, Field(min_length=1)]] = ["a"]
    mode: Literal["x", "y"] | None = None
    weights: dict[str, float] = {}
    part: Part = Part()
    other: Part | None = None
    bounds: Bounds = Bounds(1.0)


def test_a_section_says_all_of_its_settings() -> None:
    assert rows_of(Whole) == [
        Row("share", "", "a number above 0 and at most 1", "", "", "How much."),
        Row("names", '`["a"]`', "a list of: a text, not empty", "", "", ""),
        Row("mode", "none", '`"x"`, `"y"`', "", "", ""),
        Row("weights", "`{}`", "a table of: a number", "", "", ""),
    ]
    assert list(sections_below(Whole)) == [("part", Part), ("other", Part), ("bounds", Bounds)]
    assert rows_of(Bounds) == [
        Row("low", "", "float", "", "", "The least."),
        Row("names", "`{}`", "dict[str, int]", "", "", ""),
    ]


def test_a_table_says_what_it_has_beside_every_table() -> None:
    whole, own = rows_of(UserTagsSource), rows_of(UserTagsSource, without=TableSource)
    assert [row.name for row in own] == ["min_users"]
    # Limits are a table of their own.
    assert [row.name for row in whole] == [
        *(name for name in TableSource.model_fields if name != "limits"),
        "min_users",
    ]
    # A section that has a key of the same name without being a table keeps it.
    knowledge: Any = dict(sections_below(TrainConfig))["data.knowledge"]
    assert "max_reject_share" in [row.name for row in rows_of(knowledge, without=TableSource)]


DECLARED: dict[str, type[Any]] = {
    **{f"channel {name}": recipe_class(name) for name in RECIPES},
    **{f"rule {kind}": rule for kind, rule in RULES.items()},
    **{f"fusion {kind}": fusion_class(kind) for kind in (*FUSIONS, *FITTED)},
    "file": TrainConfig,
    **dict(sections_below(TrainConfig)),
}


@pytest.mark.parametrize("name", DECLARED)
def test_every_setting_says_what_is_legal_and_what_it_means(name: str) -> None:
    for row in rows_of(DECLARED[name]):
        assert row.legal, row.name
        assert row.meaning, row.name


def test_the_page_holds_every_recipe_section_and_rule() -> None:
    page = settings_page()
    for name in (*RECIPES, *RULES):
        assert f"`{name}`" in page or f'"{name}"' in page
    for place, section in sections_below(TrainConfig):
        assert not rows_of(section) or f"`[{place}]`" in page
    # A bar in a cell would end it.
    tables = [line for line in page.splitlines() if line.startswith("| `")]
    assert all(line.replace(r"\|", "").count("|") >= 4 for line in tables)


def test_roles_become_code() -> None:
    assert plain("a :func:`graphrec.x.y`,\n  :math:`a_b` and ``c``") == "a `y`, `a_b` and `c`"
