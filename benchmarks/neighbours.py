"""Milliseconds of neighbour queries around hubs: ``python -m benchmarks.neighbours [--degrees N,N] [--json FILE]``.

A catalogue of 200,000 items with a maker of few items each, of which as many as a hub's degree share one more entity:
an item of the hub, the hub itself, a path over it, and a user with 20 items of it. Median and 95th percentile of
repeated queries of 20 neighbours on one thread, answers in words included: of processor time, which a busy machine
changes little.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.harness import write_json
from graphrec.contracts.recall_data import RecallData
from graphrec.data.interactions import Interactions
from graphrec.data.vocabulary import Vocabulary
from graphrec.graph.adjacency import adjacency_from_edges
from graphrec.graph.catalogue import CatalogueGraph
from graphrec.serve.near import NeighbourSearch

N_ITEMS, PER_MAKER, TAKEN = 200_000, 20, 20
HUB = "http://example.org/hub"


def world(degree: int) -> RecallData:
    """Return the catalogue with one hub, and a user who took items of it."""
    items = np.arange(N_ITEMS, dtype=np.int32)
    n_makers = N_ITEMS // PER_MAKER
    heads = np.concatenate([items, items[:degree]])
    tails = np.concatenate([N_ITEMS + 1 + items // PER_MAKER, np.full(degree, N_ITEMS, dtype=np.int32)])
    relations = np.concatenate([np.zeros(N_ITEMS, dtype=np.int16), np.full(degree, 2, dtype=np.int16)])
    graph = adjacency_from_edges(
        np.concatenate([heads, tails]), np.concatenate([tails, heads]), np.concatenate([relations, relations + 1]),
        type_offsets=[0, N_ITEMS, N_ITEMS + 1 + n_makers], node_types=["item", "entity"],
        relation_names=["maker", "rev_maker", "genre", "rev_genre"],
    )  # fmt: skip
    ids = Vocabulary([f"i{item}" for item in items])
    entities = Vocabulary([HUB, *(f"http://example.org/maker/{maker}" for maker in range(n_makers))])
    taken = np.arange(TAKEN, dtype=np.int32) * (degree // TAKEN)
    events = Interactions(np.zeros(TAKEN, dtype=np.int32), taken, n_users=1, n_items=N_ITEMS)
    return RecallData(Vocabulary(["u0"]), ids, events, CatalogueGraph(graph, ids, entities))


def timed(query: Callable[[], object], rounds: int) -> tuple[float, float]:
    """Return median and 95th percentile of a query in milliseconds of its thread's processor time."""
    query()
    seconds = []
    for _ in range(rounds):
        started = time.thread_time()
        query()
        seconds.append(time.thread_time() - started)
    median, high = np.quantile(seconds, [0.5, 0.95]) * 1e3
    return float(median), float(high)


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--degrees", default="100,10000,100000")
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    results: list[dict[str, Any]] = []
    for degree in map(int, arguments.degrees.split(",")):
        search = NeighbourSearch.of(world(degree))
        queries: dict[str, dict[str, str]] = {
            "item": {"item": "i7"},
            "item along genre": {"item": "i7", "relation": "genre"},
            "entity": {"entity": HUB},
            "path genre/^genre": {"item": "i7", "path": "genre/^genre"},
            "user of 20 items": {"user": "u0"},
        }
        for name, query in queries.items():
            rounds = arguments.rounds if "user" not in query else arguments.rounds // 5
            median, high = timed(partial(search.find, **query), rounds)  # type: ignore[arg-type]
            results.append({"name": f"{name}/{degree}", "p50_ms": round(median, 3), "p95_ms": round(high, 3)})
            print(f"degree {degree:>7,}  {name:<20} median {median:7.3f} ms  95 % {high:7.3f} ms", flush=True)
    if arguments.json:
        settings = {"items": N_ITEMS, "k": 20, "threads": 1, "rounds": arguments.rounds}
        write_json(arguments.json, "neighbours", settings, results)


if __name__ == "__main__":
    main()
