"""The figures of what ``kg-neighbours`` and ``kg-paths`` show as their reasons, on three graphs.

``python -m benchmarks.explanations [--data DIR] [--worlds NAMES] [--channels NAMES] [--users N] [--k N] [--json FILE]``

A channel has its defaults (``kg-paths`` mines its paths and gives them equal weights) and learns from the training part
alone; its first items for a sample of users, without what they took, and the path that it gives for each. Goodbooks is
the bundled data (no times: by the order of the history); DBpedia movies are those of colakg-ml-1m, linked by table;
Beauty is the PGPR split, without ``purchase``.
:mod:`graphrec.evaluation.explanations` says what the figures are.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

import graphrec as gr
from benchmarks.harness import write_json
from graphrec.channels.content.kg_neighbours import KgNeighbours
from graphrec.channels.content.kg_paths import KgPaths
from graphrec.contracts.queries import known_queries
from graphrec.contracts.recall_data import RecallData
from graphrec.data.interactions import histories
from graphrec.data.vocabulary import Vocabulary
from graphrec.evaluation.explanations import explanation_quality
from graphrec.pipelines.config.load import load_config
from graphrec.pipelines.jobs.train import prepare
from graphrec.pipelines.progress import Silent
from graphrec.pipelines.registry.datasets import datasets_directory
from graphrec.recallers.filtering import recall_allowed

PURCHASE = "http://example.org/amazon/purchase"


def goodbooks(_folder: Path) -> RecallData:
    """Return the training part of the bundled books."""
    return prepare(load_config(datasets_directory() / "goodbooks" / "demo.toml"), rejects=None, steps=Silent())[2]


def movies(folder: Path) -> RecallData:
    """Return the training part of colakg-ml-1m with DBpedia's triples."""
    lines = (folder / "colakg-ml-1m" / "train.txt").read_text(encoding="utf-8").splitlines()
    taken = [line.split() for line in lines]
    n_items = 3260
    events = gr.Interactions(
        np.repeat(np.arange(len(taken)), [len(line) - 1 for line in taken]),
        np.array([int(item) for line in taken for item in line[1:]]),
        n_users=len(taken), n_items=n_items,
    )  # fmt: skip
    items = Vocabulary([str(item) for item in range(n_items)])
    graph = gr.read_rdf(folder / "rdf" / "dbpedia-movies.nt.xz")
    table = pl.read_csv(folder / "colakg-ml-1m" / "item_links.tsv", separator="\t", quote_char=None)
    table = table.with_columns(pl.col("item").cast(pl.String))
    linking = gr.link_by_table(table, items, graph, item_column="item", iri_column="dbpedia_uri")
    users = Vocabulary([line[0] for line in taken])
    return RecallData(users, items, events, gr.catalogue_graph(graph, linking, items))


def beauty(folder: Path) -> RecallData:
    """Return the training purchases of Amazon Beauty, and its graph without them."""
    graph = gr.read_rdf(folder / "rdf" / "amazon-beauty-kg.nt.xz")
    table = gr.interactions_from_rdf(graph, gr.InteractionMapping(direct=(PURCHASE,)))
    table = table.with_columns(pl.col("item_id").str.split("/").list.last())
    events = gr.read_interactions(table.select("user_id", "item_id"))
    linking = gr.link_by_template(events.items, graph, "https://www.amazon.com/dp/{id}")
    return gr.recall_data(events, gr.catalogue_graph(graph, linking, events.items, exclude=[PURCHASE]))


CHANNELS: dict[str, KgNeighbours | KgPaths] = {
    "kg-neighbours": KgNeighbours(),
    "kg-paths": KgPaths(learn_weights=False),
}
WORLDS: dict[str, Callable[[Path], RecallData]] = {"goodbooks": goodbooks, "dbpedia-movies": movies, "beauty": beauty}


def measure(world: str, name: str, data: RecallData, n_users: int, k: int) -> dict[str, Any]:
    """Return a row of figures of one channel."""
    channel, history = CHANNELS[name].fit(data), histories(data.interactions)
    some = np.flatnonzero(history.lengths > 1)
    users = np.sort(np.random.default_rng(0).choice(some, min(n_users, len(some)), replace=False))
    queries = known_queries(history, users)
    lists = recall_allowed(channel, queries, k, exclude=queries.history, allowed=data.pool)
    quality = asdict(explanation_quality(channel, queries, lists, data.catalogue))
    return {"name": world, "channel": name, "users": len(users)} | {
        key: round(value, 4) if isinstance(value, float) else value for key, value in quality.items()
    }


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=os.environ.get("GRAPHREC_DATA"))
    parser.add_argument("--users", type=int, default=300)
    parser.add_argument("--k", type=int, default=10)
    parser.add_argument("--worlds", default=",".join(WORLDS))
    parser.add_argument("--channels", default=",".join(CHANNELS))
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    if arguments.data is None:
        parser.error("name the folder of test data: --data DIR or GRAPHREC_DATA")
    results, settings = [], {"users": arguments.users, "k": arguments.k, "seed": 0}
    for world in arguments.worlds.split(","):
        data = WORLDS[world](Path(arguments.data))
        for name in arguments.channels.split(","):
            results.append(measure(world, name, data, arguments.users, arguments.k))
            print(results[-1], flush=True)
            if arguments.json:  # row by row: a run that is cut off still counts
                write_json(arguments.json, "explanations", settings, results)


if __name__ == "__main__":
    main()
