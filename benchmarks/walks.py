"""Walks beside fastnode2vec: on Book-Crossing's user-book graph, and on a graph full of triangles.

``python -m benchmarks.walks [--data DIR] [--json FILE]``

Both walk the same graph from the same starts, in turns, in one process. Steps a second are given by the clock and by
the processor time of all threads, which other programs on the machine disturb less; the ratio to fastnode2vec is of the
latter, that of two threads to one by the clock, round by round. fastnode2vec is called as its own training calls it
(``Graph.generate_random_walk``). Walks that it does not have (with restart, along a meta-path, by edge weights) and
importance neighbourhoods stand alone.
"""

from __future__ import annotations

import argparse
import lzma
import os
import re
import statistics
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.harness import write_json
from graphrec.data.interactions import Interactions
from graphrec.data.vocabulary import Vocabulary
from graphrec.graph.adjacency import Adjacency, adjacency_from_edges
from graphrec.graph.catalogue import items_only, with_users
from graphrec.graph.importance import importance_neighbours
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


def triangle_graph(n: int, seed: int) -> Adjacency:
    """Return n nodes in groups of five, each group joined all with all; some nodes are in very many groups."""
    rng = np.random.default_rng(seed)
    groups = np.minimum(n * rng.random((n, 5)) ** 2.5, n - 1).astype(np.int32)
    left, right = np.triu_indices(5, 1)
    pairs = np.stack([groups[:, left].ravel(), groups[:, right].ravel()])
    pairs = np.unique(np.sort(pairs[:, pairs[0] != pairs[1]], axis=0), axis=1)
    sources, destinations = np.concatenate([pairs, pairs[::-1]], axis=1)
    relations = np.zeros(len(sources), np.int16)
    return adjacency_from_edges(
        sources, destinations, relations, type_offsets=[0, n], node_types=["node"], relation_names=["joined"]
    )


def measure(
    graph: str, adjacency: Adjacency, starts: npt.NDArray[np.int32], *, p: float, q: float, rounds: int
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
        one = speeds["graphrec, 1 thread"]
        rows.append(
            {
                "name": f"{graph}: {name}, p={p:g}, q={q:g}",
                "graph": graph,
                "threads": threads,
                "steps_per_s": round(clock),
                "steps_per_cpu_s": round(processor),
                "ratio_vs_fastnode2vec": round(ratio, 2),
            }
        )
        if threads == 2:
            rows[-1]["ratio_vs_1_thread"] = round(
                statistics.median(a[0] / b[0] for a, b in zip(runs, one, strict=True)), 2
            )
    return rows


def measure_alone(graph: str, adjacency: Adjacency, starts: npt.NDArray[np.int32], rounds: int) -> list[dict[str, Any]]:
    """Return the rows of the walks that the peer does not have, on one thread."""
    weights = np.random.default_rng(1).random(adjacency.n_edges, np.float32) + np.float32(0.1)
    weighted = _reweighted(adjacency, weights)
    pattern = [adjacency.node_types[0], adjacency.node_types[-1], adjacency.node_types[0]]
    kinds: dict[str, tuple[Adjacency, dict[str, Any]]] = {
        "with restart, .15": (adjacency, {"restart": 0.15}),
        f"along {' - '.join(pattern)}": (adjacency, {"metapath": pattern}),
        "by edge weights": (weighted, {}),
    }

    def walks(kind: str) -> int:
        of, settings = kinds[kind]
        made = generate_walks(of, walks_per_node=1, length=LENGTH, seed=1, starts=starts, threads=1, **settings)
        return int((made.lengths - 1).sum())

    def importance() -> int:
        rows = starts[: len(starts) // 8]
        importance_neighbours(adjacency, rows, walks=100, length=10, seed=1, threads=1)
        return len(rows) * 1000

    work: dict[str, Callable[[], int]] = {kind: partial(walks, kind) for kind in kinds}
    work["importance neighbours, 100 walks of 10 steps"] = importance
    rows = []
    for name, run in work.items():
        run()  # compiles
        speeds = [timed(run) for _ in range(rounds)]
        clock, processor = (statistics.median(column) for column in zip(*speeds, strict=True))
        rows.append(
            {
                "name": f"{graph}: graphrec, 1 thread, {name}",
                "graph": graph,
                "threads": 1,
                "steps_per_s": round(clock),
                "steps_per_cpu_s": round(processor),
            }
        )
    return rows


def _reweighted(adjacency: Adjacency, weights: npt.NDArray[np.float32]) -> Adjacency:
    return Adjacency(
        adjacency.indptr,
        adjacency.indices,
        adjacency.relations,
        weights,
        type_offsets=adjacency.type_offsets,
        node_types=adjacency.node_types,
        relation_names=adjacency.relation_names,
    )


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=os.environ.get("GRAPHREC_DATA"))
    parser.add_argument("--json", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    if arguments.data is None:
        parser.error("name the folder of test data: --data DIR or GRAPHREC_DATA")
    graphs = {
        "books": read_graph(Path(arguments.data) / "rdf" / "bookcrossing.nt.xz"),
        "triangles": triangle_graph(200_000, seed=0),
    }
    results, load = [], os.getloadavg()[0]
    for graph, adjacency in graphs.items():
        starts = np.arange(0, adjacency.n_nodes, 4, dtype=np.int32)
        print(f"{graph}: {adjacency.n_nodes:,} nodes, {adjacency.n_edges:,} directed edges, walks of {LENGTH} nodes")
        for p, q in ((0.5, 2.0), (2.0, 0.5), (1.0, 1.0)):
            results += measure(graph, adjacency, starts, p=p, q=q, rounds=arguments.rounds)
        if graph == "books":
            results += measure_alone(graph, adjacency, starts, arguments.rounds)
    for row in results:
        beside = f"  {row['ratio_vs_fastnode2vec']:6.2f} x fastnode2vec" if "ratio_vs_fastnode2vec" in row else ""
        threads = f"  {row['ratio_vs_1_thread']:.2f} x 1 thread" if "ratio_vs_1_thread" in row else ""
        print(
            f"{row['name']:<66} {row['steps_per_s'] / 1e6:7.2f} M steps/s  {row['steps_per_cpu_s'] / 1e6:7.2f} M "
            f"per processor second{beside}{threads}"
        )
    if arguments.json:
        settings = {
            "graphs": {
                "books": "Book-Crossing, users and books",
                "triangles": "groups of five of 200,000 nodes, joined all with all, seed 0",
            },
            "n_nodes": {name: graph.n_nodes for name, graph in graphs.items()},
            "n_edges": {name: graph.n_edges for name, graph in graphs.items()},
            "length": LENGTH,
            "starts": "every fourth node",
            "rounds": arguments.rounds,
            "ratio": "median over rounds of steps per processor second, ours by fastnode2vec's",
            "load_at_start": round(load, 1),
        }
        write_json(arguments.json, "walks", settings, results, packages=["fastnode2vec"])


if __name__ == "__main__":
    main()
