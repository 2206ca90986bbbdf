from __future__ import annotations

import ctypes
import subprocess
import sys
from pathlib import Path

import pytest

from graphrec import memory
from graphrec.errors import ConfigError
from graphrec.memory import available_bytes, check_memory, release_free_memory


def test_what_fits_passes_and_what_does_not_is_refused_with_the_figures() -> None:
    check_memory(1, "it", "do less")
    with pytest.raises(ConfigError, match=r"10 tables take 1,000,000\.0 GB of memory, and [\d.,]+ GB are .*; do less"):
        check_memory(10**15, "10 tables", "do less")


def test_the_least_that_any_limit_leaves_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    info, limit, use = tmp_path / "meminfo", tmp_path / "limit", tmp_path / "use"
    info.write_text("MemTotal: 9 kB\nMemAvailable:   2000000 kB\n")
    monkeypatch.setattr(memory, "_MEMINFO", info)
    monkeypatch.setattr(memory, "_GROUPS", ((str(limit), str(use)),))
    assert available_bytes() == 2_048_000_000
    limit.write_text("1000000000\n")
    use.write_text("400000000\n")
    assert available_bytes() == 600_000_000
    limit.write_text("max\n")
    assert available_bytes() == 2_048_000_000
    use.write_text("1\n")
    limit.write_text("0\n")
    assert available_bytes() == 0
    info.unlink()
    limit.unlink()
    monkeypatch.setattr(memory, "_STATUS", tmp_path / "nothing")
    assert available_bytes() is None
    check_memory(10**18, "it", "do less")


@pytest.mark.skipif(sys.platform != "linux", reason="ulimit -v is of Linux")
def test_a_limit_of_the_process_counts() -> None:
    code = (
        "import resource, graphrec.memory as m; resource.setrlimit(resource.RLIMIT_AS, (10**9, 10**9)); "
        "print(m.available_bytes())"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert 0 < int(run.stdout) < 10**9


def test_freed_memory_is_released_where_the_c_library_can(monkeypatch: pytest.MonkeyPatch) -> None:
    trimmed: list[int] = []
    monkeypatch.setattr(ctypes, "CDLL", lambda _: type("C", (), {"malloc_trim": trimmed.append}))
    release_free_memory()
    assert trimmed == [0]
    monkeypatch.setattr(ctypes, "CDLL", lambda _: object())  # a C library that is not glibc
    release_free_memory()
    assert trimmed == [0]
