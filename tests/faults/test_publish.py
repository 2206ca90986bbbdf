"""Publishers that are killed, that run out of space, and that run beside each other: the old state or the new one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from graphrec.bundle import open_bundle
from graphrec.bundle.publish import versions
from graphrec.contracts.recaller import Recaller
from graphrec.errors import BundleError
from tests.faults.figures import report
from tests.faults.publishers import CROWD, channels, publish_one, state
from tests.pipelines.cli.test_cli import Command, command
from tests.pipelines.shelf import write_shelf

__all__ = ["command"]

COMMAND = [sys.executable, "-m", "graphrec.pipelines.cli.app"]
ALS = '\n[channels.als]\ndim = 64\nindex = "hnsw"\niterations = 1\n[publish]\nkeep = 1\n'


@pytest.fixture(scope="module")
def made() -> dict[str, Recaller]:
    return channels()


def started(mode: str, root: Path, number: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.faults.publishers", mode, str(root), str(number)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def result(process: subprocess.Popen[str]) -> dict[str, Any]:
    out, err = process.communicate(timeout=900)
    assert process.returncode == 0, err
    answer: dict[str, Any] = json.loads(out)
    return answer


def killed(root: Path, times: int) -> dict[str, Any]:
    answer = result(started("kill", root, times))
    assert answer["lost"] == 0
    assert answer["left"] == []
    assert answer["versions"] == 1
    return answer


def crowd(root: Path, times: int) -> list[str]:
    publishers = [started("several", root, times) for _ in range(CROWD)]
    refused = [sentence for publisher in publishers for sentence in result(publisher)["refused"]]
    assert refused == []
    assert open_bundle(root)
    assert len(versions(root)) == 1
    assert sorted(path.name for path in root.iterdir() if not path.name.startswith(".")) == [*versions(root), "current"]
    return refused


def test_a_publisher_that_is_killed_leaves_a_whole_bundle(tmp_path: Path) -> None:
    killed(tmp_path, 8)


def test_publishers_exclude_each_other(tmp_path: Path) -> None:
    crowd(tmp_path / "root", 6)


@pytest.mark.slow
def test_200_kills(tmp_path: Path) -> None:
    answer = killed(tmp_path, 200)
    report("publish", kills=200, lost=0, of_which_after_the_switch=answer["published"])


@pytest.mark.slow
def test_three_publishers_at_once(tmp_path: Path) -> None:
    crowd(tmp_path / "root", 100)
    report("three publishers at once", published=300, refused=0, dangling=0)


def test_a_limit_on_the_size_of_files_leaves_the_old_state(tmp_path: Path) -> None:
    answer = result(started("limit", tmp_path, 400))
    assert not answer["changed"]
    assert len(answer["sentences"]) > 5
    for sentence in answer["sentences"]:
        assert "File too large" in sentence or "was not written whole" in sentence
        assert "\n" not in sentence
    assert any("index.hnsw was not written whole" in sentence for sentence in answer["sentences"])


def train(config: Path, out: Path, *, limit_kb: int | None = None) -> subprocess.CompletedProcess[str]:
    limit = f"ulimit -f {limit_kb}; " if limit_kb is not None else ""
    arguments = " ".join([*COMMAND, "train", str(config), "--out", str(out), "--no-cache"])
    # A fit may write scratch files: they fall under the limit too.
    return subprocess.run(["bash", "-c", limit + arguments], capture_output=True, text=True, timeout=300, check=False)


@pytest.mark.slow
def test_train_under_limits_at_every_stage(tmp_path: Path) -> None:
    config, out = write_shelf(tmp_path), tmp_path / "out"
    text = config.read_text(encoding="utf-8").replace("[evaluate]", ALS + "[evaluate]")
    config.write_text(
        text[: text.index("[channels.node2vec]")] + text[text.index("\n[channels.als]") :], encoding="utf-8"
    )
    first = train(config, out)
    assert first.returncode == 0, first.stderr
    before = state(out)
    refused = 0
    for limit_kb in (0, 1, 2, 3, 4, 5, 6, 8, 10, 12, 14, 16, 20):
        run = train(config, out, limit_kb=limit_kb)
        assert "Traceback" not in run.stderr, run.stderr
        if run.returncode:
            refused += 1
            assert run.returncode in (1, 2), run.stderr
            assert state(out) == before, limit_kb
        before = state(out)
    assert refused >= 5
    report("train under a limit on files", runs=13, refused=refused, lost=0)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_directory_that_is_read_only(tmp_path: Path, made: dict[str, Recaller]) -> None:
    publish_one(tmp_path, made, "first")
    before = state(tmp_path)
    tmp_path.chmod(0o555)
    try:
        with pytest.raises(Exception, match=r"cannot take a new version: Permission denied"):
            publish_one(tmp_path, made, "second")
        assert state(tmp_path) == before
    finally:
        tmp_path.chmod(0o755)


def test_a_full_disk(tmp_path: Path, made: dict[str, Recaller]) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=400k", "tmpfs", str(disk)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("this user may not mount a small disk")
    try:
        publish_one(disk, made, "first")
        before, free, sentences = state(disk), os.statvfs(disk), []
        rest = free.f_bavail * free.f_bsize
        for left in range(0, rest, rest // 12):
            (disk / "ballast").write_bytes(b"x" * (rest - left))
            try:
                publish_one(disk, made, f"{left}")
                break
            except BundleError as error:
                sentences.append(str(error))
            assert [name for name in state(disk) if name != "ballast"] == before
        assert len(sentences) > 2
        for sentence in sentences:
            assert "No space left on device" in sentence or "not written whole" in sentence
    finally:
        subprocess.run(["umount", str(disk)], check=True)


@pytest.mark.parametrize("broken", ["truncated", "gone"])
def test_current_that_cannot_be_used_is_rolled_back_by_one_command(
    tmp_path: Path, made: dict[str, Recaller], command: Command, broken: str
) -> None:
    good, bad = (publish_one(tmp_path, made, name, keep=3) for name in ("good", "bad"))
    if broken == "truncated":
        (bad / "pool.npy").unlink()
    else:
        bad.rename(tmp_path / "elsewhere")
    assert command("verify", str(tmp_path)).code == 2
    inspected = command("inspect", str(tmp_path))
    assert inspected.code == 2
    assert f"graphrec rollback {tmp_path}" in inspected.err
    back = command("rollback", str(tmp_path))
    assert (back.code, good.name in back.out) == (0, True)
    assert open_bundle(tmp_path).path == good.resolve()
    again = command("rollback", str(tmp_path))
    assert again.code == 2
    assert "has no version before" in again.err
