"""Time and memory of each behaviour channel's fit as interactions grow tenfold, and the exponents of that growth.

    python -m benchmarks.scaling [--json FILE] [--smallest 1e5] [--largest 1e7|1e8] [--limit SECONDS] [--channels a,b]

Events are drawn with a seed and written to disk in parts, memory-mapped when read: m events of m / 50 users on
10 sqrt(m) items, users by activity u^-0.5 and items by popularity i^-0.8. Each row is a process of its own; memory is
its peak, mapped pages of the input included, above that of a process that has compiled its kernels on a small world. A
row beyond the limit is reported as such. At 10^8 only ``hot`` and ``item-cf`` run, the latter with
``max_items_per_user`` 500.
"""

from __future__ import annotations

import argparse
import json
import math
import resource
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from benchmarks.harness import write_json

CHANNELS = ("hot", "item-cf", "user-cf", "rp3beta", "swing", "ease", "als", "gf-cf")
HUGE = ("hot", "item-cf")
_PART = 1 << 22
_MOST = {"ease": 10**6, "node2vec": 10**6}


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

    from graphrec.catalogue import items_only
    from graphrec.interactions import Interactions
    from graphrec.recall import RecallData
    from graphrec.vocabulary import Vocabulary

    n_users, n_items = sizes(m)
    users, items, times = (np.load(directory / f"{name}.npy", mmap_mode="r") for name in ("users", "items", "times"))
    events = Interactions(users, items, None, times, n_users=n_users, n_items=n_items)
    names = [Vocabulary(pa.array(np.arange(n)).cast(pa.large_string())) for n in (n_users, n_items)]
    return RecallData(names[0], names[1], events, items_only(names[1]))


def _peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def run_one(channel: str, directory: Path, m: int) -> None:
    """Fit one channel in this process and print the figures as JSON."""
    from graphrec.channels.registry import recipe_class

    recipe_type = recipe_class(channel)
    bounded = channel == "item-cf" and m >= 10**8
    recipe = recipe_type(max_items_per_user=500) if bounded else recipe_type()
    with TemporaryDirectory() as small:
        generate(Path(small), 2000)
        recipe.fit(load(Path(small), 2000), seed=0)
    base = _peak_bytes()
    data = load(directory, m)
    started = time.perf_counter()
    recipe.fit(data, seed=0)
    print(json.dumps({"fit_s": round(time.perf_counter() - started, 3), "peak_bytes": _peak_bytes() - base}))


def measure(channel: str, directory: Path, m: int, limit_s: float) -> dict[str, Any]:
    """Return the row of one channel and size, measured in a process of its own."""
    n_users, n_items = sizes(m)
    row: dict[str, Any] = {"name": f"{channel}, {m:.0e}", "channel": channel, "interactions": m}
    row |= {"users": n_users, "items": n_items}
    command = [sys.executable, "-m", "benchmarks.scaling", "--one", channel, "--events", str(directory), "--m", str(m)]
    try:
        done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=limit_s)
    except subprocess.TimeoutExpired:
        return row | {"outcome": f"stopped at the limit of {limit_s:g} s"}
    if done.returncode:
        return row | {"outcome": (done.stderr.strip().splitlines() or [f"ended with {done.returncode}"])[-1]}
    measured: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return row | measured


def _slope(x: Any, y: Any) -> float:
    return float(np.polyfit(x, y, 1)[0])


def exponents(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return, for each channel measured at two sizes or more, the slopes of time and memory in logarithms."""
    found = []
    for channel in dict.fromkeys(row["channel"] for row in rows):
        own = [row for row in rows if row["channel"] == channel and "fit_s" in row]
        if len(own) > 1:
            size = np.log([row["interactions"] for row in own])
            slopes = {
                f"{name}_exponent": round(
                    float(np.polyfit(size, np.log([max(row[key], 1e-6) for row in own]), 1)[0]), 2
                )
                for name, key in (("time", "fit_s"), ("memory", "peak_bytes"))
            }
            found.append({"name": f"{channel}, exponents", "sizes": len(own), **slopes})
    return found


def run(smallest: int, largest: int, limit_s: float, channels: list[str]) -> list[dict[str, Any]]:
    """Measure every size in turn; each size's events are deleted before the next."""
    rows = []
    m = smallest
    while m <= largest:
        with TemporaryDirectory() as directory:
            generate(Path(directory), m)
            for channel in channels:
                if m <= _MOST.get(channel, 10**7) or channel in HUGE:
                    rows.append(measure(channel, Path(directory), m, limit_s))
                    print(rows[-1], flush=True)
        m *= 10
    return rows


def main() -> None:
    """Read the arguments, measure, print, write."""
    from graphrec.channels.registry import RECIPES

    parser = argparse.ArgumentParser(prog="python -m benchmarks.scaling", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--json", type=Path, help="where the results are written")
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
    rows = run(int(given.smallest), int(given.largest), given.limit, channels)
    rows += exponents(rows)
    for row in rows:
        print(row)
    if given.json:
        settings = {
            "users": "m / 50",
            "items": "10 * sqrt(m)",
            "activity_exponent": 0.5,
            "popularity_exponent": 0.8,
            "seed": 0,
            "limit_s": given.limit,
            "bounds": "max_items_per_user 500 for item-cf at 1e8",
        }
        write_json(given.json, "scaling", settings, rows)


if __name__ == "__main__":
    main()
