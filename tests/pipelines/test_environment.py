from __future__ import annotations

import importlib.metadata
import re
import tomllib
from pathlib import Path

import pytest

from graphrec.channels.registry import RECIPES, recipe_class
from graphrec.contracts.recipe import libraries_of
from graphrec.pipelines.environment import BASE, GIVES, environment, parts, requirements

ROOT = Path(__file__).parents[2]
PYPROJECT = ROOT / "pyproject.toml"


def test_every_part_is_active_where_everything_is_installed() -> None:
    assert {part.name: part.active for part in parts()} == dict.fromkeys(GIVES, True)
    train = parts()[1]
    learned = (
        "two-tower, esam, mobius, tdm, fm, ffm, sasrec, bert4rec, youtube-dnn, gru4rec, comirec, din, pinsage, kge"
    )
    assert train.gives.endswith(f"channels gf-cf, bspm, cheby-cf, {learned}")
    base = {package.name: package.version for package in parts()[0].packages}
    assert base["numpy"] == importlib.metadata.version("numpy")


def test_every_extra_of_the_distribution_is_a_part() -> None:
    """Those that add to what commands can do, that is; and each library of a recipe is brought by one of them."""
    extras = tomllib.loads(PYPROJECT.read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    assert {BASE, *extras} - {"all", "bench", "dev"} == set(GIVES)
    brought = {re.split(r"[<>=\[]", line)[0] for lines in extras.values() for line in lines}
    for channel in RECIPES:
        assert set(libraries_of(recipe_class(channel))) <= brought


def test_every_extra_that_an_error_names_is_a_part() -> None:
    sources = [path for room in ("graphrec", "kg", "pipelines", "serve") for path in (ROOT / room).rglob("*.py")]
    named = {
        name
        for path in sources
        for name in re.findall(r'MissingExtraError\(.*extra="(\w+)"', path.read_text(encoding="utf-8"))
    }
    assert {"train", "tensorboard"} <= named <= set(GIVES)


def test_packages_of_a_part_are_read_from_the_metadata(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [
        "numpy>=2.0",
        'torch<3,>=2; extra == "train"',
        "zope.interface ; extra=='train'",
        'graphrec[map]; extra == "all"',
    ]
    monkeypatch.setattr(importlib.metadata, "requires", lambda name: lines)
    assert requirements() == {BASE: ("numpy",), "train": ("torch", "zope.interface"), "all": ("graphrec",)}


def test_a_folder_that_is_not_installed_has_parts_without_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> list[str]:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "requires", missing)
    assert requirements() == {}
    assert [part.name for part in parts()] == list(GIVES)


def test_a_missing_package_makes_its_part_inactive(monkeypatch: pytest.MonkeyPatch) -> None:
    version = importlib.metadata.version

    def without_gensim(name: str) -> str:
        if name == "gensim":
            raise importlib.metadata.PackageNotFoundError(name)
        return version(name)

    monkeypatch.setattr(importlib.metadata, "version", without_gensim)
    state = {part.name: part for part in parts()}
    assert not state["train"].active
    assert state["kg"].active
    assert [p.name for p in state["train"].packages if p.version is None] == ["gensim"]


def test_environment_names_our_variables_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRAPHREC_CACHE", "/somewhere")
    monkeypatch.setenv("SECRET", "no")
    assert environment()["variables"]["GRAPHREC_CACHE"] == "/somewhere"
    assert "SECRET" not in str(environment())
