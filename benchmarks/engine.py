"""Speed of the engine in process: known users, strangers with a history, nobody; each channel alone.

    python -m benchmarks.engine [BUNDLE] [--queries N] [--k K] [--json FILE]

Without BUNDLE the demonstration on goodbooks is trained first, in a temporary directory. One thread asks, one request
after the other; the engine has one thread.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp
from rich.console import Console
from rich.table import Table

from benchmarks.harness import write_json
from graphrec.contracts.queries import known_queries
from graphrec.errors import BundleError, GraphRecError
from graphrec.recallers.filtering import recall_allowed
from graphrec.recallers.neighbours import NeighbourRecaller
from graphrec.serve import Engine

# Item-CF alone, by hand: every other row is told as a multiple of it.
FLOOR = "floor: item-cf by scipy and numpy"

Ask = Callable[[int], Any]


@contextmanager
def demo_bundle() -> Iterator[Path]:
    """Train the demonstration and yield where its bundle lies."""
    from graphrec.pipelines.config.load import load_config
    from graphrec.pipelines.jobs.train import train
    from graphrec.pipelines.registry.datasets import datasets_directory

    with TemporaryDirectory() as directory:
        train(load_config(datasets_directory() / "goodbooks" / "demo.toml"), directory)
        yield Path(directory)


def measure(ask: Ask, n: int) -> dict[str, float]:
    """Return the spread of the wall time of ``ask(0) .. ask(n - 1)`` in ms, and requests a second."""
    times = np.empty(n)
    for number in range(n):
        started = time.perf_counter_ns()
        ask(number)
        times[number] = time.perf_counter_ns() - started
    times /= 1e6
    p50, p95, p99, highest = np.percentile(times, [50, 95, 99, 100]).round(3).tolist()
    return {"median_ms": p50, "p95_ms": p95, "p99_ms": p99, "max_ms": highest, "qps": round(1e3 / times.mean(), 1)}


def requests(engine: Engine, users: npt.NDArray[np.int64], k: int) -> dict[str, Ask]:
    """Return the sorts of requests, by name."""
    bundle = engine.bundle
    ids = bundle.users.take(users)
    histories = [bundle.items.take(known_queries(bundle.history, [row]).history.items) for row in users.tolist()]
    return {
        "known user": lambda i: engine.recall(ids[i], k=k),
        "known user, explained": lambda i: engine.recall(ids[i], k=k, explain=True),
        "stranger with a history": lambda i: engine.recall("stranger", histories[i], k=k),
        "stranger with 5 items": lambda i: engine.recall("stranger", histories[i][-5:], k=k),
        "nobody": lambda _: engine.recall(k=k),
        "known user, k=10": lambda i: engine.recall(ids[i], k=10),
        "neighbours, k=20": lambda i: engine.neighbours(histories[i][-1], k=20),
    }


def batches(engine: Engine, k: int, *, rounds: int = 5) -> dict[str, Any]:
    """Return the speed of one table for all users of the bundle: the best of some rounds."""
    n, best = len(engine.bundle.users), float("inf")
    for _ in range(rounds):
        started = time.perf_counter()
        engine.recall_many(k=k)
        best = min(best, time.perf_counter() - started)
    return {
        "name": "recall_many, all users",
        "users": n,
        "ms_per_user": round(1e3 * best / n, 4),
        "qps": round(n / best, 1),
    }


def channel_requests(engine: Engine, users: npt.NDArray[np.int64], k: int) -> dict[str, Ask]:
    """Return one sort of request a channel: the channel itself, filter included, without the engine around it."""
    bundle = engine.bundle
    queries = [known_queries(bundle.history, [row]) for row in users.tolist()]

    def ask(name: str) -> Ask:
        recaller = bundle.channels[name]
        return lambda i: recall_allowed(recaller, queries[i], k, exclude=queries[i].history, allowed=bundle.pool)

    return {f"channel {name}": ask(name) for name in bundle.channels}


def floor(engine: Engine, users: npt.NDArray[np.int64], k: int) -> Ask:
    """Return what anybody would write for one channel with scipy and numpy: a sparse product, a mask, a partition."""
    bundle = engine.bundle
    channel = bundle.channels["item-cf"]
    if not isinstance(channel, NeighbourRecaller):
        raise BundleError(f"bundle {str(bundle.path)!r}: channel item-cf is no neighbour table; the floor needs one")
    table = channel.tables[0]
    scores = sp.csr_array((table.scores, table.neighbours, table.indptr), shape=(len(table), table.n_columns))
    histories = [known_queries(bundle.history, [row]).history[0] for row in users.tolist()]

    def ask(number: int) -> object:
        items, weights = histories[number]
        found = np.asarray(weights @ scores[items])
        found[items] = -np.inf
        best = np.argpartition(-found, k)[:k]
        return best[np.argsort(-found[best], kind="stable")]

    return ask


def run(path: Path, *, n: int, k: int, seed: int) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return the settings and one row a sort of request."""
    started = time.perf_counter()
    engine = Engine.open(path)
    open_s = time.perf_counter() - started
    bundle = engine.bundle
    busy = np.flatnonzero(bundle.history.lengths)
    users = np.random.default_rng(seed).choice(busy, size=n)
    sorts = {FLOOR: floor(engine, users, k)} | requests(engine, users, k) | channel_requests(engine, users, k)
    results: list[dict[str, Any]] = [{"name": name, **measure(ask, n)} for name, ask in sorts.items()]
    for row in results:
        row["ratio_vs_floor"] = round(row["median_ms"] / results[0]["median_ms"], 3)
    settings = {
        "queries": n,
        "k": k,
        "seed": seed,
        "threads": 1,
        "users": len(bundle.users),
        "items": len(bundle.items),
        "mean_history": statistics.fmean(bundle.history.lengths.tolist()),
        "channels": list(bundle.channels),
        "fusion": dict(bundle.fusion),
        "bundle_bytes": bundle.manifest.size_bytes,
        "open_s": open_s,
    }
    many = batches(engine, k)
    many["ratio_vs_loop"] = round(many["qps"] / next(row["qps"] for row in results if row["name"] == "known user"), 2)
    return settings, [*results, many]


def show(settings: dict[str, Any], results: list[dict[str, Any]]) -> None:
    """Print the results as a table."""
    columns = ("median_ms", "p95_ms", "p99_ms", "max_ms", "qps")
    size = f"{settings['items']:,} items, {settings['users']:,} users"
    title = f"{size}, k={settings['k']}, {settings['queries']} requests each"
    table = Table("request", title=title, caption=f"opened and warmed in {settings['open_s']:.2f} s")
    for column in (*columns, "x floor"):
        table.add_column(column, justify="right")
    *single, many = results
    for row in single:
        cells = [f"{row[column]:,.3f}" for column in columns[:-1]]
        table.add_row(row["name"], *cells, f"{row['qps']:,.0f}", f"{row['ratio_vs_floor']:.2f}")
    Console(width=110).print(table)
    rate = f"{many['qps']:,.0f} users a second, {many['ms_per_user']:.3f} ms each"
    Console(width=110).print(f"{many['name']}: {rate}; {many['ratio_vs_loop']:.1f} times the loop")


def main() -> None:
    """Read the arguments, measure, print, write."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.engine", description=__doc__.splitlines()[0])
    parser.add_argument("bundle", nargs="?", type=Path, help="a bundle, or a directory with 'current' in it")
    parser.add_argument("--queries", type=int, default=2000)
    parser.add_argument("-k", "--k", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, help="where the results are written")
    given = parser.parse_args()
    try:
        settings, results = measured(given)
    except GraphRecError as error:
        parser.exit(2, f"{error}\n")
    show(settings, results)
    if given.json:
        write_json(given.json, "engine", settings, results)


def measured(given: argparse.Namespace) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Measure the given bundle, or that of the demonstration."""
    if given.bundle is not None:
        return run(given.bundle, n=given.queries, k=given.k, seed=given.seed)
    with demo_bundle() as path:
        return run(path, n=given.queries, k=given.k, seed=given.seed)


if __name__ == "__main__":
    main()
