from __future__ import annotations

import importlib.metadata
import importlib.util
import re
import tomllib
from pathlib import Path

import pytest

from graphrec.channels.registry import RECIPES, recipe_class
from graphrec.contracts.recipe import libraries_of
from graphrec.pipelines.environment import PARTS, environment, parts

PYPROJECT = Path(__file__).parents[2] / "pyproject.toml"


def test_every_part_is_active_where_everything_is_installed() -> None:
    assert {part.name: part.active for part in parts()} == dict.fromkeys(PARTS, True)
    train = parts()[1]
    assert train.gives.endswith("channels gf-cf, bspm, cheby-cf, pinsage")
    base = {package.name: package.version for package in parts()[0].packages}
    assert base["numpy"] == importlib.metadata.version("numpy")


def test_parts_are_the_extras_of_the_distribution() -> None:
    """What a recipe's library is brought by is an extra, and doctor knows the packages of each."""
    project = tomllib.loads(PYPROJECT.read_text(encoding="utf-8"))["project"]
    required = {"base": project["dependencies"], **project["optional-dependencies"]}
    ours = {name: {distribution for _, distribution in packages} for name, packages in PARTS.items()}
    assert ours == {name: {re.split(r"[^\w-]", line)[0] for line in required[name]} for name in PARTS}
    for channel in RECIPES:
        assert set(libraries_of(recipe_class(channel))) <= ours["train"]


def test_a_missing_package_makes_its_part_inactive(monkeypatch: pytest.MonkeyPatch) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "gensim" else found(name))
    state = {part.name: part for part in parts()}
    assert not state["train"].active
    assert state["kg"].active
    assert [p.name for p in state["train"].packages if p.version is None] == ["gensim"]


def test_environment_names_our_variables_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRAPHREC_CACHE", "/somewhere")
    monkeypatch.setenv("SECRET", "no")
    assert environment()["variables"]["GRAPHREC_CACHE"] == "/somewhere"
    assert "SECRET" not in str(environment())
