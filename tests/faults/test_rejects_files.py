"""Rejects files of tables and of RDF: two runs do not write into each other's, and the killed leave nothing behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from graphrec.kg.reading.bad_lines import BadLines
from graphrec.pipelines.readers.rejects import Rejects

Add = Callable[[str], None]


def table(path: Path) -> tuple[Add, Callable[[], None]]:
    """Return how a reader of tables adds a bad row, and how it ends."""
    rejects = Rejects(path, name="rows.csv", place="line")
    return lambda text: rejects.add("no item", 3, (text,), value=text), rejects.close


def rdf(path: Path) -> tuple[Add, Callable[[], None]]:
    """Return how a reader of RDF adds a bad line, and how it ends."""
    bad = BadLines(path=path)
    return lambda text: bad.add(Path("a.nt"), 3, "no triple", text.encode()), bad.close


KINDS: dict[str, Callable[[Path], tuple[Add, Callable[[], None]]]] = {"table": table, "rdf": rdf}


def texts(path: Path, kind: str) -> list[str]:
    lines = path.read_text(encoding="utf-8").splitlines()
    if kind == "table":
        return [line.rpartition(",")[2] for line in lines[1:]]
    return [json.loads(line)["text"] for line in lines]


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.mark.parametrize("first_ends_first", [True, False])
def test_two_runs_at_once_each_write_a_whole_file(tmp_path: Path, kind: str, first_ends_first: bool) -> None:
    path = tmp_path / "rejects"
    (add, end), (add_too, end_too) = KINDS[kind](path), KINDS[kind](path)
    for number in range(200):
        add(f"a{number}")
        add_too(f"b{number}")
    ends = [(end, "a"), (end_too, "b")]
    for close, letter in ends if first_ends_first else ends[::-1]:
        close()
        assert texts(path, kind) == [f"{letter}{number}" for number in range(200)]
    assert list(tmp_path.iterdir()) == [path]


def test_the_old_file_stands_until_the_new_is_whole(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "rejects"
    add, end = KINDS[kind](path)
    add("old")
    end()
    add, end = KINDS[kind](path)
    add("new")
    assert texts(path, kind) == ["old"]
    end()
    assert texts(path, kind) == ["new"]
    _, end = KINDS[kind](path)
    end()
    assert list(tmp_path.iterdir()) == []


KILLED = """
import os, signal, sys
from pathlib import Path
from tests.faults.test_rejects_files import KINDS

add, _ = KINDS[sys.argv[2]](Path(sys.argv[1]))
for number in range(100_000):
    add(f"killed {number}")
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_a_killed_run_left_is_swept_by_the_next(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "rejects"
    died = subprocess.run([sys.executable, "-c", KILLED, str(path), kind], check=False, timeout=120)
    assert died.returncode == -signal.SIGKILL
    assert len(list(tmp_path.iterdir())) == 1
    add, end = KINDS[kind](path)
    add("next")
    end()
    assert texts(path, kind) == ["next"]
    assert list(tmp_path.iterdir()) == [path]


def test_what_a_living_run_writes_is_not_swept(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "rejects"
    add, end = KINDS[kind](path)
    add("slow")
    script = KILLED.replace("os.kill(os.getpid(), signal.SIGKILL)", "os._exit(0)")
    assert subprocess.run([sys.executable, "-c", script, str(path), kind], check=False, timeout=120).returncode == 0
    end()
    assert texts(path, kind) == ["slow"]


def test_a_disk_that_is_full_is_one_sentence_and_leaves_the_old_file(tmp_path: Path, kind: str) -> None:
    """A file-size limit, in a child: the process keeps it."""
    path = tmp_path / "rejects"
    add, end = KINDS[kind](path)
    add("old")
    end()
    limited: Any = """
import resource, signal, sys
from pathlib import Path
from graphrec.errors import DataError
from tests.faults.test_rejects_files import KINDS

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (5_000, resource.RLIM_INFINITY))
add, end = KINDS[sys.argv[2]](Path(sys.argv[1]))
for last in (lambda: [add(f"new {number}") for number in range(5_000)], end):
    try:
        last()
    except DataError as error:
        print(error)
"""
    command = [sys.executable, "-c", limited, str(path), kind]
    result = subprocess.run(command, check=False, timeout=120, capture_output=True, encoding="utf-8", env=os.environ)
    assert result.stderr == ""
    assert set(result.stdout.splitlines()) <= {
        f"rejects file {path} cannot be written: File too large",
        f"the rejects file {path} cannot be written: File too large",
    }
    assert result.stdout
    assert texts(path, kind) == ["old"]
    assert list(tmp_path.iterdir()) == [path]
