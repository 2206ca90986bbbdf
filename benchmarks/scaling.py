"""Time and memory of each behaviour channel's fit as interactions grow tenfold, and the exponents of that growth.

    python -m benchmarks.scaling [--json FILE] [--plot SVG] [--smallest 1e5] [--largest 1e7|1e8] [--limit SECONDS]
        [--channels a,b]

Events are drawn with a seed and written to disk in parts, memory-mapped when read: m events of m / 50 users on
10 sqrt(m) items, users by activity u^-0.5 and items by popularity i^-0.8. Each row is a process of its own; memory is
its peak, mapped pages of the input included, above that of a process that has compiled its kernels on a small world.
Settings are the defaults but for those in ``SETTINGS``, which the rows say. A row beyond the limit is reported as such;
a channel is not tried beyond its size in ``MOST``. Rows of an earlier file stay, unless measured anew.
"""

from __future__ import annotations

import argparse
import json
import math
import re
import resource
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from benchmarks.harness import write_json

CHANNELS = (
    "hot", "item-cf", "user-cf", "rp3beta", "swing", "turbo-cf", "gf-cf", "cheby-cf",
    "als", "lightgcn", "ease", "node2vec",
)  # fmt: skip
# Where a fit is a number of rounds or ranks, a few of them say how it grows.
SETTINGS: dict[str, dict[str, Any]] = {
    "gf-cf": {"rank": 64},
    "cheby-cf": {"rank": 64},
    "als": {"dim": 64, "iterations": 2},
    "lightgcn": {"dim": 64, "steps": 5},
    "ease": {"neighbourhood": 100},
    "node2vec": {"walks_per_node": 1},
}
MOST = {"hot": 10**8, "item-cf": 10**8, "node2vec": 10**6}
WORLD = {"users": "m / 50", "items": "10 * sqrt(m)", "activity_exponent": 0.5, "popularity_exponent": 0.8, "seed": 0}
_PART = 1 << 22


def sizes(m: int) -> tuple[int, int]:
    """Return how many users and items m events have."""
    return max(2, m // 50), max(2, int(10 * math.sqrt(m)))


def _power_rows(rng: np.random.Generator, n: int, size: int, exponent: float) -> np.ndarray[Any, np.dtype[np.int32]]:
    """Return ``size`` rows below n, row r drawn about as often as (r + 1)^-exponent."""
    drawn = (n ** (1 - exponent) * rng.random(size)) ** (1 / (1 - exponent))
    rows: np.ndarray[Any, np.dtype[np.int32]] = np.minimum(drawn.astype(np.int64), n - 1).astype(np.int32)
    return rows


def generate(directory: Path, m: int, seed: int = 0) -> None:
    """Write users.npy, items.npy (int32) and times.npy (int64) of m events, in parts of bounded memory."""
    n_users, n_items = sizes(m)
    rng = np.random.default_rng(seed)
    files = {
        name: np.lib.format.open_memmap(directory / f"{name}.npy", "w+", dtype, (m,))
        for name, dtype in (("users", np.int32), ("items", np.int32), ("times", np.int64))
    }
    for start in range(0, m, _PART):
        size = min(_PART, m - start)
        files["users"][start : start + size] = _power_rows(rng, n_users, size, 0.5)
        files["items"][start : start + size] = _power_rows(rng, n_items, size, 0.8)
        files["times"][start : start + size] = 1_700_000_000 + rng.integers(0, 365 * 86_400, size)


def load(directory: Path, m: int) -> Any:
    """Return the events as RecallData; the arrays stay on disk."""
    import pyarrow as pa

    from graphrec.contracts.recall_data import RecallData
    from graphrec.data.interactions import Interactions
    from graphrec.data.vocabulary import Vocabulary
    from graphrec.graph.catalogue import items_only

    n_users, n_items = sizes(m)
    users, items, times = (np.load(directory / f"{name}.npy", mmap_mode="r") for name in ("users", "items", "times"))
    events = Interactions(users, items, None, times, n_users=n_users, n_items=n_items)
    names = [Vocabulary(pa.array(np.arange(n)).cast(pa.large_string())) for n in (n_users, n_items)]
    return RecallData(names[0], names[1], events, items_only(names[1]))


def _peak_bytes() -> int:
    """Return the most memory this process has held; on Linux not what getrusage says, which begins at the parent's."""
    status = Path("/proc/self/status")
    if status.exists():
        return int(re.search(r"VmHWM:\s*(\d+) kB", status.read_text())[1]) * 1024  # type: ignore[index]
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def run_one(channel: str, directory: Path, m: int) -> None:
    """Fit one channel in this process and print the figures as JSON."""
    from graphrec.channels.registry import recipe_class

    recipe = recipe_class(channel)(**SETTINGS.get(channel, {}))
    with TemporaryDirectory() as small:
        generate(Path(small), 2000)
        recipe.fit(load(Path(small), 2000))
    base = _peak_bytes()
    data = load(directory, m)
    started = time.perf_counter()
    recipe.fit(data)
    print(json.dumps({"fit_s": round(time.perf_counter() - started, 3), "peak_bytes": _peak_bytes() - base}))


def measure(channel: str, directory: Path, m: int, limit_s: float) -> dict[str, Any]:
    """Return the row of one channel and size, measured in a process of its own."""
    n_users, n_items = sizes(m)
    row: dict[str, Any] = {"name": f"{channel}, {m:.0e}", "channel": channel, "interactions": m}
    row |= {"users": n_users, "items": n_items, "settings": SETTINGS.get(channel, {})}
    command = [sys.executable, "-m", "benchmarks.scaling", "--one", channel, "--events", str(directory), "--m", str(m)]
    try:
        done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=limit_s)
    except subprocess.TimeoutExpired:
        return row | {"outcome": f"stopped at the limit of {limit_s:g} s"}
    if done.returncode:
        return row | {"outcome": (done.stderr.strip().splitlines() or [f"ended with {done.returncode}"])[-1]}
    measured: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return row | measured


def exponents(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return, for each channel measured at two sizes or more, the slopes of time and memory in logarithms."""
    found = []
    for channel in dict.fromkeys(row["channel"] for row in rows):
        own = [row for row in rows if row["channel"] == channel and "fit_s" in row]
        if len(own) > 1:
            slopes = {"time_exponent": _slope(own, "fit_s"), "memory_exponent": _slope(own, "peak_bytes")}
            found.append({"name": f"{channel}, exponents", "channel": channel, "sizes": len(own), **slopes})
    return found


def _slope(rows: list[dict[str, Any]], key: str) -> float:
    sizes_of_rows, values = [row["interactions"] for row in rows], [max(row[key], 1e-6) for row in rows]
    return round(float(np.polyfit(np.log(sizes_of_rows), np.log(values), 1)[0]), 2)


def merged(path: Path | None, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the rows together with those of an earlier file that were not measured anew, by channel and size."""
    known = json.loads(path.read_text(encoding="utf-8"))["results"] if path and path.exists() else []
    by_name = {row["name"]: row for row in [*known, *rows] if "interactions" in row}
    order = {name: place for place, name in enumerate(CHANNELS)}
    return sorted(by_name.values(), key=lambda row: (order.get(row["channel"], len(order)), row["interactions"]))


def run(smallest: int, largest: int, limit_s: float, channels: list[str]) -> list[dict[str, Any]]:
    """Measure every size in turn; each size's events are deleted before the next."""
    rows = []
    m = smallest
    while m <= largest:
        with TemporaryDirectory() as directory:
            generate(Path(directory), m)
            for channel in channels:
                if m <= MOST.get(channel, 10**7):
                    rows.append(measure(channel, Path(directory), m, limit_s))
                    print(rows[-1], flush=True)
        m *= 10
    return rows


def main() -> None:
    """Read the arguments, measure, print, write."""
    from graphrec.channels.registry import RECIPES

    parser = argparse.ArgumentParser(prog="python -m benchmarks.scaling", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--json", type=Path, help="where the results are written")
    parser.add_argument("--plot", type=Path, help="where an SVG of the results is written; needs matplotlib")
    parser.add_argument("--smallest", type=float, default=1e5)
    parser.add_argument("--largest", type=float, default=1e7)
    parser.add_argument("--limit", type=float, default=600, help="seconds that one row may take")
    parser.add_argument("--channels", default=",".join(CHANNELS), help="names, with commas between")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    parser.add_argument("--events", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--m", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        run_one(given.one, given.events, given.m)
        return
    asked = given.channels.split(",")
    print("\n".join(f"{name}: left out, the registry has no such channel" for name in asked if name not in RECIPES))
    channels = [name for name in asked if name in RECIPES]
    rows = merged(given.json, run(int(given.smallest), int(given.largest), given.limit, channels))
    slopes = exponents(rows)
    for row in slopes:
        print(row)
    if given.json:
        write_json(given.json, "scaling", WORLD, rows + slopes)
    if given.plot:
        from benchmarks.scaling_plot import write_plot

        write_plot(given.plot, rows, slopes)


if __name__ == "__main__":
    main()
