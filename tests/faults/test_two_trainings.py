"""Two processes that train into one folder at once: the report and the bundle that are left are of one of them."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from graphrec.bundle import open_bundle
from graphrec.bundle.publish import versions
from graphrec.pipelines.report.report import Report
from tests.pipelines.shelf import CONFIG, write_shelf

CHANNELS = CONFIG[CONFIG.index("[channels.hot]") : CONFIG.index("[evaluate]")]
# A process that trains N times over, and waits where it is told to: before it publishes, or afterwards.
_CHILD = """
import sys, time
from pathlib import Path
import graphrec.pipelines.jobs.train as job

config, out, place, times = sys.argv[1:]
folder = Path(config).parent

def wait(name):
    (folder / name).touch()
    while not (folder / "go").exists():
        time.sleep(0.01)

publish = job.publish

def publish_and_wait(*given, **settings):
    if place == "before":
        wait("paused")
    version = publish(*given, **settings)
    if place == "after":
        wait("paused")
    return version

job.publish = publish_and_wait
if place == "ready":
    wait("ready")
for _ in range(int(times)):
    job.train(config, out)
"""


def shelf(folder: Path, name: str) -> Path:
    """Write a small shelf whose report goes by ``name``."""
    folder.mkdir()
    config = write_shelf(folder)
    text = config.read_text(encoding="utf-8").replace(CHANNELS, "[channels.hot]\n[channels.item-cf]\n")
    config.write_text(text.replace('name = "shelf"', f'name = "{name}"'), encoding="utf-8")
    return config


def started(config: Path, out: Path, place: str = "", times: int = 1) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", _CHILD, str(config), str(out), place, str(times)]
    return subprocess.Popen(command, stderr=subprocess.PIPE, encoding="utf-8")


def ended(process: subprocess.Popen[str]) -> None:
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors


def waited(path: Path) -> None:
    while not path.exists():
        time.sleep(0.01)


def assert_of_one_run(out: Path) -> str:
    """Check that the report of a folder is that of its bundle; return whose it is."""
    bundle = open_bundle(out)
    own = Report.read(bundle.path)
    assert json.loads((out / "report.json").read_text(encoding="utf-8")) == json.loads(own.rounded().to_json())
    assert bundle.manifest.config["name"] == own.dataset
    assert own.dataset in (out / "report.html").read_text(encoding="utf-8")
    assert {path.name for path in out.iterdir()} - {".fits", ".graphrec-lock"} == {
        "current",
        "report.html",
        "report.json",
        *versions(out),
    }
    return own.dataset


@pytest.mark.parametrize(
    ("place", "last"), [pytest.param("before", "slow", marks=pytest.mark.slow), ("after", "quick")]
)
def test_a_run_that_is_overtaken(tmp_path: Path, place: str, last: str) -> None:
    out = tmp_path / "out"
    slow, quick = shelf(tmp_path / "a", "slow"), shelf(tmp_path / "b", "quick")
    overtaken = started(slow, out, place)
    waited(slow.parent / "paused")
    ended(started(quick, out))
    assert open_bundle(out).manifest.config["name"] == "quick"
    (slow.parent / "go").touch()
    ended(overtaken)
    assert assert_of_one_run(out) == last


@pytest.mark.slow
def test_two_runs_side_by_side(tmp_path: Path) -> None:
    out, configs = tmp_path / "out", [shelf(tmp_path / name, name) for name in ("left", "right")]
    both = [started(config, out, "ready", times=3) for config in configs]
    for config in configs:
        waited(config.parent / "ready")
    for config in configs:
        (config.parent / "go").touch()
    for process in both:
        ended(process)
    assert_of_one_run(out)
