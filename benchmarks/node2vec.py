"""Node2Vec from graph to vectors beside gensim and fastnode2vec, and how much its quality varies.

    python -m benchmarks.node2vec [--json FILE] [--rounds N] [--parts speed quality spread]

Speed: the bundled readers and books as a graph, walks of 40 nodes, dim 64, window 5, 5 negatives; every contender makes
the walks and learns from them, in turns, in one process. Nodes of walks a second are given by the clock, and by the
processor time of the process, which other programs on the machine disturb less; ratios are of the latter.

Quality: Recall@20 and Recall@200 of the recipe as it is by default, on the random 80/20 split of the demonstration: of
5 seeds with one thread, of one seed 5 times with two threads, and of gensim with the same settings.

Spread: the same of 5 seeds with two threads.
"""

from __future__ import annotations

import argparse
import hashlib
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.harness import write_json
from graphrec.contracts.progress import FitContext
from graphrec.contracts.recall_data import RecallData
from graphrec.data.interactions import Interactions
from graphrec.evaluation.held_out import held_out_panel
from graphrec.evaluation.metrics import rank_metrics
from graphrec.graph.adjacency import Adjacency
from graphrec.graph.catalogue import items_only, with_users
from graphrec.graph.walks import generate_walks, stream_walks, write_corpus
from graphrec.models.node_embeddings.gensim_skip_gram import train_gensim
from graphrec.models.node_embeddings.node2vec import Node2Vec
from graphrec.models.node_embeddings.skip_gram import SkipGram, block_walks, node_counts, train_skip_gram
from graphrec.pipelines.config.load import load_config
from graphrec.pipelines.evaluation.panel_lists import ask_channel
from graphrec.pipelines.jobs.train import prepare
from graphrec.pipelines.progress import Silent
from graphrec.pipelines.registry.datasets import datasets_directory

LENGTH, WALKS_PER_NODE = 40, 2
SETTINGS = SkipGram(dim=64, window=5, negative=5, ns_exponent=0.75, lr=0.05)
PARTS = ("speed", "quality", "spread")
# Runs of a row of the quality part, and of the spread.
RUNS = 5


def by_graphrec(graph: Adjacency, threads: int) -> object:
    """Return our vectors of walks drawn as they are learnt from."""
    walks = stream_walks(
        graph, walks_per_node=WALKS_PER_NODE, length=LENGTH, seed=1, threads=1, block_walks=block_walks(LENGTH)
    )
    counts = node_counts(walks, graph.n_nodes, walks.n_walks)
    return train_skip_gram(walks, counts, SETTINGS, seed=1, threads=threads)


def by_gensim_file(graph: Adjacency, threads: int) -> object:
    """Return gensim's vectors of our walks, read from a file."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "walks.txt"
        corpus = write_corpus(graph, path, walks_per_node=WALKS_PER_NODE, length=LENGTH, seed=1)
        return train_gensim(path, corpus, SETTINGS, epochs=1, seed=1, threads=threads)


def by_gensim_lists(graph: Adjacency, threads: int) -> object:
    """Return gensim's vectors of our walks, handed over as lists of words."""
    from gensim.models import Word2Vec

    walks = generate_walks(graph, walks_per_node=WALKS_PER_NODE, length=LENGTH, seed=1)
    sentences = [list(map(str, walk)) for walk in walks.nodes.tolist()]
    return Word2Vec(sentences, workers=threads, **_gensim_settings(), min_count=0, sample=0)


def by_fastnode2vec(graph: Adjacency, threads: int) -> object:
    """Return fastnode2vec's vectors, of walks of its own."""
    from fastnode2vec import Node2Vec as Peer

    from benchmarks.walks import fastnode2vec_graph

    settings = {
        name: value for name, value in _gensim_settings().items() if name not in {"sg", "vector_size", "epochs"}
    }
    peer = Peer(fastnode2vec_graph(graph), SETTINGS.dim, LENGTH, workers=threads, seed=1, sample=0, **settings)
    peer.train(WALKS_PER_NODE, verbose=False)
    return peer


def _gensim_settings() -> dict[str, Any]:
    return {"vector_size": SETTINGS.dim, "window": SETTINGS.window, "sg": 1, "negative": SETTINGS.negative, "epochs": 1,
            "ns_exponent": SETTINGS.ns_exponent, "alpha": SETTINGS.lr, "min_alpha": 1e-4}  # fmt: skip


CONTENDERS: dict[str, tuple[Callable[[Adjacency, int], object], int]] = {
    "graphrec, 1 thread": (by_graphrec, 1),
    "graphrec, 2 threads": (by_graphrec, 2),
    "gensim, corpus file, 1 worker": (by_gensim_file, 1),
    "gensim, corpus file, 2 workers": (by_gensim_file, 2),
    "gensim, lists, 1 worker": (by_gensim_lists, 1),
    "fastnode2vec, 1 worker": (by_fastnode2vec, 1),
}


def speed(graph: Adjacency, rounds: int) -> list[dict[str, Any]]:
    """Return a row for each contender; the peer of the ratios is the fastest of the others with one worker."""
    n_nodes = WALKS_PER_NODE * LENGTH * graph.n_nodes
    by_graphrec(graph, 1)  # compiles
    seen: dict[str, list[tuple[float, float]]] = {name: [] for name in CONTENDERS}
    for _ in range(rounds):
        for name, (train, threads) in CONTENDERS.items():
            clock, processor = time.perf_counter(), time.process_time()
            train(graph, threads)
            seen[name].append((time.perf_counter() - clock, time.process_time() - processor))
    clocks, processors = (
        {name: statistics.median(run[i] for run in runs) for name, runs in seen.items()} for i in (0, 1)
    )
    alone = [name for name, (_, threads) in CONTENDERS.items() if threads == 1 and "graphrec" not in name]
    peer = min(alone, key=processors.__getitem__)
    return [
        {
            "name": name, "nodes_per_s": round(n_nodes / clocks[name]),
            "nodes_per_cpu_s": round(n_nodes / processors[name]),
            "ratio_vs_peer": round(processors[peer] / processors[name], 2), "peer": peer,
        }
        for name in seen
    ]  # fmt: skip


def quality(data: RecallData, test: Interactions, parts: Sequence[str]) -> list[dict[str, Any]]:
    """Return rows of the recipe by default: seeds with one thread, runs and seeds with two threads, and gensim."""
    panel = held_out_panel(data, test).panel

    def fits(recipe: Node2Vec, seeds: Sequence[int]) -> dict[str, Any]:
        recalls, seconds, digests = [], [], set()
        for seed in seeds:
            started = time.perf_counter()
            channel = recipe.fit(data, FitContext(seed=seed))
            seconds.append(time.perf_counter() - started)
            lists = ask_channel("node2vec", channel, panel, 200)
            recalls.append([float(np.nanmean(rank_metrics(lists, panel.truth, k).recall)) for k in (20, 200)])
            digests.add(hashlib.sha256(channel.sources.tobytes()).hexdigest())
        at_20, at_200 = np.array(recalls).T
        return {
            "runs": len(seeds), "recall@20": float(at_20.mean()), "recall@20_spread": float(np.ptp(at_20)),
            "recall@20_runs": at_20.tolist(),
            "recall@200": float(at_200.mean()), "recall@200_spread": float(np.ptp(at_200)),
            "fit_s": statistics.median(seconds), "different_vectors": len(digests),
        }  # fmt: skip

    runs: list[tuple[str, str, Node2Vec, Sequence[int]]] = [
        ("quality", "1 thread, seeds", Node2Vec(), range(RUNS)),
        ("quality", "1 thread, one seed", Node2Vec(), [42, 42]),
        ("quality", "2 threads, one seed", Node2Vec(workers=2), [42] * RUNS),
        ("spread", "2 threads, seeds", Node2Vec(workers=2), range(RUNS)),
        ("quality", "gensim, same settings", Node2Vec(trainer="gensim"), [42]),
    ]
    return [{"name": name, **fits(recipe, seeds)} for part, name, recipe, seeds in runs if part in parts]


def tables(results: Sequence[dict[str, Any]]) -> list[Table]:
    """Return the rows as tables for people."""
    fast, good = (
        Table("", "nodes/s", "nodes/s of processor", "times the peer"),
        Table("", "runs", "R@20", "spread", "R@200", "spread", "fit s", "different vectors"),
    )
    for row in results:
        if "nodes_per_s" in row:
            fast.add_row(
                row["name"], f"{row['nodes_per_s']:,}", f"{row['nodes_per_cpu_s']:,}", str(row["ratio_vs_peer"])
            )
        else:
            numbers = [f"{100 * row[name]:.2f}" for name in
                       ("recall@20", "recall@20_spread", "recall@200", "recall@200_spread")]  # fmt: skip
            good.add_row(row["name"], str(row["runs"]), *numbers, f"{row['fit_s']:.1f}", str(row["different_vectors"]))
    return [table for table in (fast, good) if table.row_count]


def main() -> None:
    """Run, print the tables, write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    arguments = parser.parse_args()
    _, split, data = prepare(
        load_config(datasets_directory() / "goodbooks" / "demo.toml"), rejects=None, steps=Silent()
    )
    results: list[dict[str, Any]] = []
    if "speed" in arguments.parts:
        results += speed(with_users(items_only(data.items), data.interactions), arguments.rounds)
    results += quality(data, split.test, arguments.parts)
    console = Console()
    for table in tables(results):
        console.print(table)
    if arguments.json is not None:
        settings = {"length": LENGTH, "walks_per_node": WALKS_PER_NODE, "rounds": arguments.rounds,
                    "dim": SETTINGS.dim, "window": SETTINGS.window, "negative": SETTINGS.negative}  # fmt: skip
        write_json(arguments.json, "node2vec", settings, results, packages=("gensim", "fastnode2vec"))


if __name__ == "__main__":
    main()
