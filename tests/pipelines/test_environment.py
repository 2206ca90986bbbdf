from __future__ import annotations

import importlib.metadata
import importlib.util

import pytest

from graphrec.pipelines.environment import PARTS, environment, parts


def test_every_part_is_active_where_everything_is_installed() -> None:
    assert {part.name: part.active for part in parts()} == dict.fromkeys(PARTS, True)
    base = {package.name: package.version for package in parts()[0].packages}
    assert base["numpy"] == importlib.metadata.version("numpy")


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
