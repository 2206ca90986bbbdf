"""Time and memory of work on mapped user-item graphs as edges grow tenfold, and the exponents of that growth.

    python -m benchmarks.graph_scaling [--json FILE] [--smallest 1e6] [--largest 1e7|1e8] [--limit SECONDS]
        [--folder DIR]

Events are those of :mod:`benchmarks.scaling` (m events of m / 50 users on 10 sqrt(m) items, power laws of activity and
popularity, drawn with a seed, mapped when read). The graph is written from them in the files, and mapped for the rest:
walks of 20 nodes from every node, by blocks that are not kept; importance neighbourhoods of all items (top 50 of 50
walks of 10 steps); and a layer of pooling, the mean of 32 numbers over the neighbours of every node. Each row is a
process of its own, after a warm-up on a small graph. Memory is its peak above that warm-up, once with the pages of
mapped files that it touched, which the system may drop at any time, and once without (what the process allocated).
Seconds are by the clock and by the processor time of all threads; exponents are of the latter, which other programs
disturb less.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.harness import write_json
from benchmarks.scaling import generate, sizes

LENGTH, TOP, DIM = 20, 50, 32
WALKS, STEPS = 50, 10
_ROWS = 1 << 15
JOBS = ("write", "walks", "importance", "pooling")


def _memory(name: str) -> int:
    """Return the bytes of a line of this process's status."""
    found = re.search(rf"{name}:\s*(\d+) kB", Path("/proc/self/status").read_text())
    return int(found[1]) * 1024 if found else 0


class Allocated:
    """The most memory that this process has allocated within the block, mapped files left out; sampled."""

    def __enter__(self) -> Allocated:
        self.most, self._done = 0, threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)
        self._thread.start()
        return self

    def _sample(self) -> None:
        while not self._done.wait(0.02):
            self.most = max(self.most, _memory("RssAnon"))

    def __exit__(self, *_: object) -> None:
        self.most = max(self.most, _memory("RssAnon"))
        self._done.set()
        self._thread.join()


def write(folder: Path, m: int) -> int:
    """Write the graph of the events in a folder; return the number of directed edges."""
    from graphrec.graph.stored import write_user_item_graph

    users, items = (np.load(folder / f"{name}.npy", mmap_mode="r") for name in ("users", "items"))
    n_users, n_items = sizes(m)
    return write_user_item_graph(folder / "graph", users, items, n_users=n_users, n_items=n_items).n_edges


def walks(folder: Path, m: int) -> int:
    """Walk from every node, block by block; return the number of steps."""
    from graphrec.graph.stored import open_adjacency
    from graphrec.graph.walks import stream_walks

    stream = stream_walks(open_adjacency(folder / "graph"), walks_per_node=1, length=LENGTH, seed=m)
    return sum(int(block.lengths.sum()) - len(block.lengths) for block in stream)


def importance(folder: Path, m: int) -> int:
    """Make the neighbourhoods of all items; return the number of steps."""
    from graphrec.graph.importance import importance_neighbours
    from graphrec.graph.stored import open_adjacency

    n_users, n_items = sizes(m)
    importance_neighbours(
        open_adjacency(folder / "graph"),
        targets=(n_users, n_users + n_items),
        top=TOP,
        walks=WALKS,
        length=STEPS,
        seed=m,
    )
    return n_items * WALKS * STEPS


def pooling(folder: Path, m: int) -> int:
    """Pool numbers over the neighbours of every node, in blocks of rows; return the number of edges."""
    import scipy.sparse as sp

    from graphrec.graph.stored import open_adjacency

    graph = open_adjacency(folder / "graph")
    n = graph.n_nodes
    values = np.random.default_rng(m).random((n, DIM), np.float32)
    pooled: npt.NDArray[np.float32] = np.empty_like(values)
    for start in range(0, n, _ROWS):
        bounds = graph.indptr[start : start + _ROWS + 1]
        entries = slice(bounds[0], bounds[-1])
        shape = (len(bounds) - 1, n)
        edges = np.ones(bounds[-1] - bounds[0], np.float32)
        rows = sp.csr_array((edges, graph.indices[entries], bounds - bounds[0]), shape=shape)
        pooled[start : start + _ROWS] = (rows @ values) / np.maximum(np.diff(bounds), 1)[:, None].astype(np.float32)
    return graph.n_edges


WORK: dict[str, Callable[[Path, int], int]] = {
    "write": write, "walks": walks, "importance": importance, "pooling": pooling
}  # fmt: skip


def run_one(job: str, folder: Path, m: int) -> None:
    """Do one job in this process and print the figures as JSON."""
    with TemporaryDirectory() as small:
        generate(Path(small), 2000)
        for name in ("write", job) if job != "write" else ("write",):
            WORK[name](Path(small), 2000)
    mapped, allocated = _memory("VmHWM"), _memory("RssAnon")
    clock, processor = time.perf_counter(), time.process_time()
    with Allocated() as peak:
        units = WORK[job](folder, m)
    figures = {
        "s": round(time.perf_counter() - clock, 3),
        "cpu_s": round(time.process_time() - processor, 3),
        "units": units,
        "allocated_bytes": max(0, peak.most - allocated),
        "peak_bytes": max(0, _memory("VmHWM") - mapped),
    }
    print(json.dumps(figures))


def measure(job: str, folder: Path, m: int, limit_s: float) -> dict[str, Any]:
    """Return the row of one job and size, measured in a process of its own."""
    n_users, n_items = sizes(m)
    row: dict[str, Any] = {"name": f"{job}, {m:.0e}", "job": job, "interactions": m, "users": n_users, "items": n_items}
    command = [sys.executable, "-m", "benchmarks.graph_scaling", "--one", job, "--folder", str(folder), "--m", str(m)]
    row["load_at_start"] = round(os.getloadavg()[0], 1)
    try:
        done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=limit_s)
    except subprocess.TimeoutExpired:
        return row | {"outcome": f"stopped at the limit of {limit_s:g} s"}
    if done.returncode:
        return row | {"outcome": (done.stderr.strip().splitlines() or [f"ended with {done.returncode}"])[-1]}
    measured: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return row | measured


def exponents(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return, for each job measured at two sizes or more, the slopes in logarithms, beside that of its own units."""
    slopes = []
    for job in JOBS:
        own = [row for row in rows if row["job"] == job and "cpu_s" in row]
        if len(own) > 1:
            slopes.append(
                {
                    "name": f"{job}, exponents",
                    "job": job,
                    "sizes": len(own),
                    "time_exponent": _slope(own, "interactions", "cpu_s"),
                    "time_by_units_exponent": _slope(own, "units", "cpu_s"),
                    "allocated_exponent": _slope(own, "interactions", "allocated_bytes"),
                }
            )
    return slopes


def _slope(rows: list[dict[str, Any]], size: str, key: str) -> float:
    sizes_of_rows, values = [row[size] for row in rows], [max(row[key], 1e-6) for row in rows]
    return round(float(np.polyfit(np.log(sizes_of_rows), np.log(values), 1)[0]), 2)


def merged(path: Path | None, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the rows together with those of an earlier file that were not measured anew."""
    known = json.loads(path.read_text(encoding="utf-8"))["results"] if path and path.exists() else []
    by_name = {row["name"]: row for row in [*known, *rows] if "interactions" in row}
    return sorted(by_name.values(), key=lambda row: (JOBS.index(row["job"]), row["interactions"]))


def main() -> None:
    """Read the arguments, measure, print, write."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.graph_scaling", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("--json", type=Path, help="where the results are written")
    parser.add_argument("--smallest", type=float, default=1e6)
    parser.add_argument("--largest", type=float, default=1e7)
    parser.add_argument("--limit", type=float, default=900, help="seconds that one row may take")
    parser.add_argument(
        "--folder", type=Path, help="where events and graphs are written; a temporary folder by default"
    )
    parser.add_argument("--one", choices=JOBS, help=argparse.SUPPRESS)
    parser.add_argument("--m", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        run_one(given.one, given.folder, given.m)
        return
    rows, m = [], int(given.smallest)
    while m <= given.largest:
        with TemporaryDirectory(dir=given.folder) as folder:
            generate(Path(folder), m)
            for job in JOBS:
                rows.append(measure(job, Path(folder), m, given.limit))
                print(rows[-1], flush=True)
        m *= 10
    rows = merged(given.json, rows)
    slopes = exponents(rows)
    for row in slopes:
        print(row)
    if given.json:
        settings = {
            "walk_length": LENGTH,
            "top": TOP,
            "walks": WALKS,
            "steps": STEPS,
            "dim": DIM,
            "events": "benchmarks.scaling",
        }
        write_json(given.json, "graph_scaling", settings, rows + slopes)


if __name__ == "__main__":
    main()
