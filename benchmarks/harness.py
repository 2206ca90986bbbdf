"""What every benchmark shares: the machine, the versions, and the form of the results."""

from __future__ import annotations

import json
import os
import platform
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from graphrec.contracts.queries import Queries
from graphrec.contracts.recaller import Recaller
from graphrec.threads import at_most

# Requests that come before those that are timed.
_WARM = 20
_DEFAULT = ("graphrec", "numpy", "scipy", "numba", "polars", "pyarrow", "hnswlib")


def machine() -> dict[str, Any]:
    """Return processor, cores, memory and system of this machine."""
    return {
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "system": platform.system(),
    }


def _processor() -> str:
    """Return the processor's name, where the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def versions(*packages: str) -> dict[str, str]:
    """Return the installed versions of Python, of what we stand on, and of ``packages``."""
    found = {"python": platform.python_version()}
    for name in dict.fromkeys((*_DEFAULT, *packages)):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found


def request_times(channel: Recaller, queries: Sequence[Queries], k: int) -> dict[str, float]:
    """Return milliseconds of a channel's answers, asked for one after the other on one thread.

    The processor's time beside the clock's tells a busy machine from a slow channel. The first 20 do not count.
    """
    took: list[tuple[float, float]] = []
    with at_most(1):
        for query in queries:
            started = time.perf_counter(), time.thread_time()
            channel.recall(query, k)
            took.append((time.perf_counter() - started[0], time.thread_time() - started[1]))
    walls, works = 1000 * np.array(took[_WARM:]).T
    return {
        "median_ms": float(np.median(walls)),
        "p99_ms": float(np.percentile(walls, 99)),
        "median_cpu_ms": float(np.median(works)),
    }


def write_json(
    path: Path,
    benchmark: str,
    settings: Mapping[str, Any],
    results: Sequence[Mapping[str, Any]],
    *,
    packages: Sequence[str] = (),
) -> None:
    """Write the results with machine, versions and date; ``packages`` are peers whose versions belong to them."""
    document = {
        "benchmark": benchmark,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine(),
        "versions": versions(*packages),
        "settings": dict(settings),
        "results": [dict(row) for row in results],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
