"""Files of a bundle that change under a reader, and readers beside publishers that remove what they read."""

from __future__ import annotations

import stat
import threading
from pathlib import Path

import pytest
from filelock import FileLock

from graphrec.bundle import open_bundle, publish
from graphrec.bundle.publish import LOCK, roll_back, switch_current
from graphrec.contracts.recaller import Recaller
from graphrec.errors import BundleError
from graphrec.serve.engine import Engine
from tests.faults.publishers import DATA, channels, publish_one
from tests.graphrec.bundle.make import write


@pytest.fixture(scope="module")
def made() -> dict[str, Recaller]:
    return channels()


def test_nothing_done_to_the_files_reaches_an_engine_that_holds_them_in_memory(
    tmp_path: Path, made: dict[str, Recaller]
) -> None:
    version = publish_one(tmp_path, made, "one")
    engine = Engine.open(tmp_path, in_memory=True)
    before = engine.recall("r0", k=5, explain=True).items
    for path in version.rglob("*"):
        if path.is_file():
            path.chmod(0o644)
            path.write_bytes(b"")
    assert engine.recall("r0", k=5, explain=True).items == before
    assert engine.neighbours("b0").ids


def test_files_of_a_version_are_read_only_and_old_versions_go_all_the_same(
    tmp_path: Path, made: dict[str, Recaller]
) -> None:
    first = publish_one(tmp_path, made, "one")
    modes = {stat.S_IMODE(path.stat().st_mode) & 0o222 for path in first.rglob("*") if path.is_file()}
    assert modes == {0}
    publish_one(tmp_path, made, "two")
    assert not first.exists()


def test_what_cannot_be_served_is_not_published(tmp_path: Path, made: dict[str, Recaller]) -> None:
    good = publish_one(tmp_path, made, "one")

    def written(directory: Path) -> None:
        publish_one(directory.parent / "other", made, "two").rename(directory)
        (directory / "pool.npy").unlink()

    with pytest.raises(BundleError, match=r"cannot be served, and is not published: pool\.npy is missing"):
        publish(tmp_path, written)
    assert open_bundle(tmp_path).path == good.resolve()
    assert sorted(path.name for path in tmp_path.iterdir()) == [LOCK, good.name, "current"]


def test_a_publisher_that_does_not_end_is_named_and_readers_do_not_wait(
    tmp_path: Path, made: dict[str, Recaller]
) -> None:
    good = publish_one(tmp_path, made, "one")
    with FileLock(tmp_path / LOCK):
        assert open_bundle(tmp_path).path == good.resolve()
        said = r"another process has been publishing below .* for 0\.1 s; try again"
        with pytest.raises(BundleError, match=said):
            roll_back(tmp_path, wait_s=0.1)
        with pytest.raises(BundleError, match=said):
            publish(tmp_path, lambda directory: write(directory, DATA, made), wait_s=0.1)
        with pytest.raises(BundleError, match=said):
            switch_current(tmp_path, good.name, wait_s=0.1)


def test_a_reader_never_misses_a_version_that_is_removed_meanwhile(tmp_path: Path, made: dict[str, Recaller]) -> None:
    publish_one(tmp_path, made, "first")
    ended, problems = threading.Event(), []

    def read() -> None:
        while not ended.is_set():
            try:
                open_bundle(tmp_path)
            except BundleError as error:
                problems.append(str(error))

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    for number in range(10):
        publish_one(tmp_path, made, f"{number}")
    ended.set()
    for reader in readers:
        reader.join()
    assert problems == []
