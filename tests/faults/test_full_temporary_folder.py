"""A temporary folder that is full, at every stage of every command: one sentence, an exit code, and the old state."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from graphrec.errors import GraphRecError
from graphrec.pipelines.jobs.train import train
from tests.faults.figures import report as figures
from tests.faults.processes import COMMAND
from tests.faults.publishers import state
from tests.pipelines.cli.test_cli import Command, command
from tests.pipelines.shelf import CONFIG, write_shelf

__all__ = ["command"]

CHANNELS = CONFIG[CONFIG.index("[channels.hot]") : CONFIG.index("[evaluate]")]
OWN = """[channels.hot]
[channels.item-cf]
[channels.als]
dim = 8
iterations = 1
index = "hnsw"
[channels.node2vec]
dim = 8
walks_per_node = 4
length = 10
epochs = 1
trainer = "gensim"

"""
KB = 1024
SIZE_KB = 4096


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = write_shelf(tmp_path)
    path.write_text(path.read_text(encoding="utf-8").replace(CHANNELS, OWN), encoding="utf-8")
    return path


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """Mount a small disk where the system allows it."""
    disk = tmp_path / "temporary"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={SIZE_KB}k,mode=1777", "tmpfs", str(disk)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("this user may not mount a small disk")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def leave(disk: Path, left_kb: int) -> None:
    """Fill a disk until so many kilobytes are left."""
    (disk / "ballast").write_bytes(b"")
    about = os.statvfs(disk)
    (disk / "ballast").write_bytes(b"x" * max(0, about.f_bavail * about.f_bsize - left_kb * KB))


@pytest.mark.slow
def test_every_command_at_every_stage(
    config: Path, small: Path, tmp_path: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, report = tmp_path / "out", tmp_path / "report"
    assert command("train", config, "--out", out, "--no-cache").code == 0
    assert command("evaluate", config, "--out", report).code == 0
    # The folder was chosen while there was room.
    monkeypatch.setattr(tempfile, "tempdir", str(small))
    refused = {"train": 0, "evaluate": 0}
    for left_kb in (0, 4, 12, 24, 48):
        leave(small, left_kb)
        for name, folder, more in (("train", out, ["--no-cache"]), ("evaluate", report, ["--no-cache"])):
            before = state(out), (report / "report.json").read_bytes()
            ran = command(name, config, "--out", folder, *more)
            assert "Traceback" not in ran.err
            assert [path.name for path in small.iterdir()] == ["ballast"]
            if ran.code == 0:
                continue
            refused[name] += 1
            sentence = ran.err[ran.err.index("error: ") :]
            assert ran.code in (1, 2), sentence
            assert "No space left on device" in sentence or "was not written whole" in sentence
            assert len(sentence) < 400
            assert (state(out), (report / "report.json").read_bytes()) == before
        for asked in (["recall", out, "--user", "r1"], ["inspect", out], ["verify", out], ["doctor"]):
            assert command(*asked).code == 0, left_kb
    assert min(refused.values()) > 0
    figures("full temporary folder", runs=10, **{f"{name}_refused": n for name, n in refused.items()}, lost=0)
    leave(small, SIZE_KB)
    assert command("train", config, "--out", out, "--no-cache").code == 0


def test_the_sentence_names_the_folder_and_the_remedy(
    config: Path, small: Path, tmp_path: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(small))
    leave(small, 0)
    ran = command("evaluate", config)
    assert ran.code == 1
    assert f"error: the system refused: {small}: No space left on device; " in ran.err
    assert "TMPDIR" in ran.err
    with pytest.raises(OSError, match="TMPDIR") as caught:
        train(config, tmp_path / "out", cached=False)
    assert not isinstance(caught.value, GraphRecError)
    assert not (tmp_path / "out" / "current").exists()


@pytest.mark.parametrize(
    "kind", ["full", pytest.param("missing", marks=pytest.mark.slow), pytest.param("read-only", marks=pytest.mark.slow)]
)
def test_a_folder_that_was_never_of_use(config: Path, small: Path, tmp_path: Path, kind: str) -> None:
    """Python looks for another one; where there is none, one sentence."""
    if kind == "full":
        leave(small, 0)
    elif kind == "read-only":
        subprocess.run(["mount", "-o", "remount,ro", str(small)], check=True)
    where = small / "nowhere" if kind == "missing" else small
    ran = subprocess.run(
        [*COMMAND, "evaluate", str(config)],
        env={**os.environ, "TMPDIR": str(where)},
        capture_output=True,
        encoding="utf-8",
        check=False,
        timeout=300,
    )
    assert "Traceback" not in ran.stderr
    assert ran.returncode == 0, ran.stderr
