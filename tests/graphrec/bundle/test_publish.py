"""Versions below a root, and the link that moves between them."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from graphrec.bundle import open_bundle, publish, switch_current
from graphrec.bundle.publish import LOCK, versions
from graphrec.contracts.recaller import Recaller
from graphrec.errors import BundleError, ConfigError
from tests.graphrec.bundle.make import RECIPES, fit, write
from tests.worlds import library

DATA = library()


@pytest.fixture(scope="module")
def channels() -> dict[str, Recaller]:
    return fit(DATA, {"hot": RECIPES["hot"]})


def one(root: Path, channels: dict[str, Recaller], name: str = "one", *, keep: int = 3) -> Path:
    return publish(root, lambda directory: write(directory, DATA, channels, config={"name": name}), keep=keep)


def test_each_version_becomes_current(tmp_path: Path, channels: dict[str, Recaller]) -> None:
    first = one(tmp_path / "root", channels)
    assert open_bundle(tmp_path / "root").path == first.resolve()
    second = one(tmp_path / "root", channels, "two")
    assert open_bundle(tmp_path / "root").manifest.config == {"name": "two"}
    assert open_bundle(tmp_path / "root" / "current").path == second.resolve()
    assert versions(tmp_path / "root") == [first.name, second.name]
    assert first.name[-8:] != second.name[-8:]
    switch_current(tmp_path / "root", first.name)
    assert open_bundle(tmp_path / "root").manifest.config == {"name": "one"}
    assert sorted(path.name for path in (tmp_path / "root").iterdir()) == [LOCK, first.name, second.name, "current"]


def test_the_same_content_has_the_same_hash(tmp_path: Path, channels: dict[str, Recaller]) -> None:
    assert one(tmp_path, channels).name[-8:] == one(tmp_path, channels).name[-8:]


def test_old_versions_go_but_never_what_else_is_there(tmp_path: Path, channels: dict[str, Recaller]) -> None:
    (tmp_path / "report.json").write_text("{}", encoding="utf-8")
    (tmp_path / "rejects").mkdir()
    made = [one(tmp_path, channels, keep=2).name for _ in range(4)]
    assert versions(tmp_path) == made[-2:]
    assert sorted(path.name for path in tmp_path.iterdir()) == [LOCK, *made[-2:], "current", "rejects", "report.json"]
    with pytest.raises(ConfigError, match="keep is 0; at least 1 version must stay"):
        one(tmp_path, channels, keep=0)


def test_what_is_current_stays_even_when_the_clock_went_back(tmp_path: Path, channels: dict[str, Recaller]) -> None:
    first = one(tmp_path, channels)
    future = f"20990101T000000.000000Z-{first.name[-8:]}"
    first.rename(tmp_path / future)
    second = one(tmp_path, channels, keep=1)
    assert versions(tmp_path) == [second.name, future]
    assert open_bundle(tmp_path).path == second.resolve()


def test_a_failure_leaves_the_old_version_current(tmp_path: Path, channels: dict[str, Recaller]) -> None:
    first = one(tmp_path, channels)

    def broken(directory: Path) -> None:
        write(directory, DATA, channels)
        raise OSError(5, "Input/output error")

    with pytest.raises(BundleError, match="cannot take a new version: Input/output error"):
        publish(tmp_path, broken)
    assert open_bundle(tmp_path).path == first.resolve()
    assert sorted(path.name for path in tmp_path.iterdir()) == [LOCK, first.name, "current"]


def test_switching_to_nothing_is_refused(tmp_path: Path) -> None:
    for name in ("gone", "../elsewhere"):
        with pytest.raises(BundleError, match="has no version"):
            switch_current(tmp_path, name)
    (tmp_path / "version").mkdir()
    (tmp_path / "current").mkdir()
    with pytest.raises(BundleError, match="is no link; move it away"):
        switch_current(tmp_path, "version")


def test_there_is_no_moment_without_a_current(tmp_path: Path, channels: dict[str, Recaller]) -> None:
    first = one(tmp_path, channels).name
    second = one(tmp_path, channels, "two").name
    stop, missing = threading.Event(), []

    def watch() -> None:
        while not stop.is_set():
            if not (tmp_path / "current" / "manifest.json").exists():
                missing.append(1)

    watcher = threading.Thread(target=watch)
    watcher.start()
    for _ in range(100):
        switch_current(tmp_path, first)
        switch_current(tmp_path, second)
    stop.set()
    watcher.join()
    assert missing == []
