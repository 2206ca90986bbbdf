"""Hostile bundles and flipped bits: one sentence, or a bundle that answers; no traceback, no hang, no dead process."""

from __future__ import annotations

import json
import queue
import shutil
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path
from typing import IO, Any

import numpy as np
import pytest

from graphrec.bundle import open_bundle, verify_bundle
from graphrec.bundle.manifest import MANIFEST
from graphrec.errors import BundleError
from tests.faults.figures import report
from tests.faults.hostile_bundles import write_whole

# No bundle of this size takes a hundredth of it to open; a machine may be busy.
HUNG_S = 120


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_whole(tmp_path_factory.mktemp("whole") / "bundle")


def results(whole: Path, first: int, last: int) -> list[dict[str, Any]]:
    """Return a result for every seed; behind one that hung or died, another process goes on."""
    done: list[dict[str, Any]] = []
    while first < last:
        end = _run(whole, first, last, done)
        if done and done[-1]["seed"] == last - 1:
            break
        seed = done[-1]["seed"] + 1 if done else first
        done.append(
            {"seed": seed, "what": end, "grown_mb": 0, "verified": f"! {end}", "opened": f"! {end}", "asked": ""}
        )
        first = seed + 1
    return done


def _run(whole: Path, first: int, last: int, done: list[dict[str, Any]]) -> str:
    """Let one process try the seeds; add its results to ``done`` and return how it ended."""
    command = [sys.executable, "-m", "tests.faults.hostile_bundles", str(whole), str(first), str(last)]
    tried = {"what": "the first seed"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        lines: queue.Queue[str] = queue.Queue()
        threading.Thread(target=_read, args=(process.stdout, lines), daemon=True).start()
        try:
            while line := lines.get(timeout=HUNG_S):
                tried = json.loads(line)
                done.extend([tried] if "opened" in tried else [])
        except queue.Empty:
            process.kill()
            return f"hung at {tried['what']}"
    return f"ended with {process.returncode} at {tried['what']}"


def _read(stream: IO[str], lines: queue.Queue[str]) -> None:
    for line in stream:
        lines.put(line)
    lines.put("")


def check(done: list[dict[str, Any]]) -> dict[str, int]:
    """Assert that each was refused with a sentence or serves, for ``verify`` and the engine alike."""
    wrong = [
        line
        for line in done
        if line["verified"].startswith("!")
        or line["opened"].startswith("!")
        or bool(line["verified"]) != bool(line["opened"])
        or line["asked"]
        or line["grown_mb"] > 1500
    ]
    assert wrong == []
    counts = Counter("refused" if line["opened"] else "served" for line in done)
    assert counts["refused"]
    assert counts["served"]
    return dict(counts)


def test_a_sample_of_resealed_bundles(whole: Path) -> None:
    done = results(whole, 1000, 1040)
    assert len(done) == 40
    check(done)


@pytest.mark.slow
def test_530_resealed_bundles(whole: Path) -> None:
    done = results(whole, 0, 530)
    assert len(done) == 530
    report("resealed bundles", tried=530, **check(done), crashed=0, hung=0, tracebacks=0, verify_unlike_open=0)


def flipped(whole: Path, copy: Path, seed: int) -> str:
    """Flip one bit of one file; return the file's name."""
    draw = np.random.default_rng(seed)
    files = [path for path in sorted(whole.rglob("*")) if path.is_file() and path.stat().st_size]
    source = files[int(draw.integers(len(files)))]
    name = source.relative_to(whole)
    data = bytearray(source.read_bytes())
    data[int(draw.integers(len(data)))] ^= 1 << int(draw.integers(8))
    (copy / name).write_bytes(bytes(data))
    return str(name)


def refused(whole: Path, copy: Path, seeds: range) -> int:
    count = 0
    for seed in seeds:
        name = flipped(whole, copy, seed)
        with pytest.raises(BundleError) as caught:
            open_bundle(copy)
        assert name in str(caught.value)
        if name == MANIFEST:
            with pytest.raises(BundleError):
                verify_bundle(copy)
        else:
            assert [entry.file for entry in verify_bundle(copy) if not entry.ok] == [name]
        shutil.copyfile(whole / name, copy / name)
        count += 1
    return count


def test_a_sample_of_flipped_bits(whole: Path, tmp_path: Path) -> None:
    refused(whole, Path(shutil.copytree(whole, tmp_path / "copy")), range(1000, 1040))


@pytest.mark.slow
def test_500_flipped_bits(whole: Path, tmp_path: Path) -> None:
    count = refused(whole, Path(shutil.copytree(whole, tmp_path / "copy")), range(500))
    report("flipped bits", flipped=500, refused=count, served=0)
