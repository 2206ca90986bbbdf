"""Second-order walks beside fastnode2vec on Book-Crossing's user-book graph.

``python -m benchmarks.walks [--data DIR] [--json FILE]``

Both walk the same graph from the same starts, in turns, in one process. Steps a second are given by the clock and, for
one thread, by the processor time of that thread, which other programs on the machine disturb less; the ratio is of the
latter. fastnode2vec is called as its own training calls it (``Graph.generate_random_walk``).
"""

from __future__ import annotations

import argparse
import lzma
import os
import re
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.harness import write_json
from graphrec.data.interactions import Interactions
from graphrec.data.vocabulary import Vocabulary
from graphrec.graph.adjacency import Adjacency
from graphrec.graph.catalogue import items_only, with_users
from graphrec.graph.walks import generate_walks

LENGTH = 40
EDGE = re.compile(rb"<http://example\.org/bx/user/(\d+)> <http://example\.org/bx/(?:rated|interacted)> <([^>]+)>")


def read_graph(path: Path) -> Adjacency:
    """Return the user-book graph of ``bookcrossing.nt.xz``: one edge either way for each pair."""
    users: dict[bytes, int] = {}
    books: dict[bytes, int] = {}
    pairs = []
    with lzma.open(path) as lines:
        for line in lines:
            found = EDGE.match(line)
            if found:
                pairs.append((users.setdefault(found[1], len(users)), books.setdefault(found[2], len(books))))
    rows, items = np.array(pairs, dtype=np.int32).T
    events = Interactions(rows, items, n_users=len(users), n_items=len(books))
    return with_users(items_only(Vocabulary([book.decode() for book in books])), events)


def timed(work: Callable[[], int]) -> tuple[float, float]:
    """Return steps a second of ``work`` by the clock and by this process's processor time."""
    clock, processor = time.perf_counter(), time.process_time()
    steps = work()
    return steps / (time.perf_counter() - clock), steps / (time.process_time() - processor)


def fastnode2vec_graph(adjacency: Adjacency) -> Any:
    """Return the graph in fastnode2vec's form, its arrays set directly (its own reader takes minutes)."""
    from fastnode2vec import Graph

    graph = Graph([(0, 1)], directed=False, weighted=False, verbose=False)
    graph.indptr = adjacency.indptr.astype(np.int32)
    graph.indices = adjacency.indices
    graph.node_names = np.arange(adjacency.n_nodes)
    return graph


def measure(
    adjacency: Adjacency, starts: npt.NDArray[np.int32], *, p: float, q: float, rounds: int
) -> list[dict[str, Any]]:
    """Return the rows of one setting: ours on one thread and on two, and fastnode2vec."""
    peer_graph = fastnode2vec_graph(adjacency)
    peer_starts = starts[:: max(1, len(starts) // 20_000)].tolist()

    def ours(threads: int) -> Callable[[], int]:
        def work() -> int:
            walks = generate_walks(
                adjacency, walks_per_node=1, length=LENGTH, p=p, q=q, seed=1, starts=starts, threads=threads
            )
            return int((walks.lengths - 1).sum())

        return work

    def peer() -> int:
        return sum(len(peer_graph.generate_random_walk(LENGTH, p, q, node)) - 1 for node in peer_starts)

    contenders = {"graphrec, 1 thread": ours(1), "graphrec, 2 threads": ours(2), "fastnode2vec, 1 thread": peer}
    for work in contenders.values():
        work()  # compiles
    speeds: dict[str, list[tuple[float, float]]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, work in contenders.items():
            speeds[name].append(timed(work))
    rows = []
    for name, runs in speeds.items():
        threads = 2 if "2 threads" in name else 1
        clock = statistics.median(run[0] for run in runs)
        processor = statistics.median(run[1] for run in runs)
        ratio = statistics.median(a[1] / b[1] for a, b in zip(runs, speeds["fastnode2vec, 1 thread"], strict=True))
        rows.append(
            {
                "name": f"{name}, p={p:g}, q={q:g}",
                "threads": threads,
                "steps_per_s": round(clock),
                "steps_per_cpu_s": round(processor),
                "ratio_vs_fastnode2vec": round(ratio, 2),
            }
        )
    return rows


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=os.environ.get("GRAPHREC_DATA"))
    parser.add_argument("--json", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    if arguments.data is None:
        parser.error("name the folder of test data: --data DIR or GRAPHREC_DATA")
    adjacency = read_graph(Path(arguments.data) / "rdf" / "bookcrossing.nt.xz")
    starts = np.arange(adjacency.n_nodes, dtype=np.int32)
    print(f"{adjacency.n_nodes:,} nodes, {adjacency.n_edges:,} directed edges, walks of {LENGTH} nodes")
    results = []
    for p, q in ((0.5, 2.0), (1.0, 1.0)):
        results += measure(adjacency, starts, p=p, q=q, rounds=arguments.rounds)
    for row in results:
        print(
            f"{row['name']:<40} {row['steps_per_s'] / 1e6:7.2f} M steps/s  {row['steps_per_cpu_s'] / 1e6:7.2f} M "
            f"per processor second  {row['ratio_vs_fastnode2vec']:6.2f} x fastnode2vec"
        )
    if arguments.json:
        settings = {
            "graph": "Book-Crossing, users and books",
            "n_nodes": adjacency.n_nodes,
            "n_edges": adjacency.n_edges,
            "length": LENGTH,
            "rounds": arguments.rounds,
            "ratio": "median over rounds of steps per processor second, ours by fastnode2vec's",
        }
        write_json(arguments.json, "walks", settings, results, packages=["fastnode2vec"])


if __name__ == "__main__":
    main()
