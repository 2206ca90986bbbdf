"""Items held out whole: what the knowledge graph alone recalls of them.

Of goodbooks, Amazon Beauty (brand and category alone: ``also_bought`` is made of interactions) and colakg-ml-1m with
DBpedia's movies a tenth of the items loses every event. Their readers are asked for 100 of all items; what they took of
the held-out ones is the truth. Rows: the channels of the graph with their defaults, and vectors given to the cold items
by aggregation over their entities (``gr.cold_item_vectors``), learnt where the cold items were in neither the events
nor the graph. Intervals of 95 % are bootstrapped over the readers.

    python -m benchmarks.kg_cold --data DIR [--json FILE] [--only goodbooks]
"""

from __future__ import annotations

import argparse
import dataclasses
import gzip
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from graphrec.channels.content.kg_neighbours import KgNeighbours
from graphrec.channels.content.kg_paths import KgPaths
from graphrec.channels.content.tag import Tag
from graphrec.contracts.panel import Panel
from graphrec.contracts.recall_data import RecallData
from graphrec.contracts.recipe import Recipe
from graphrec.data.interactions import take
from graphrec.data.lists import item_lists
from graphrec.evaluation.bootstrap import mean_interval
from graphrec.evaluation.held_out import held_out_panel
from graphrec.evaluation.metrics import rank_metrics
from graphrec.evaluation.objective import MeanMetric
from graphrec.graph.adjacency import adjacency_from_edges
from graphrec.graph.catalogue import CatalogueGraph
from graphrec.index.cold_items import cold_item_vectors
from graphrec.index.embeddings import EmbeddingTable
from graphrec.models.node_embeddings.node2vec import Node2Vec
from graphrec.pipelines.config.load import check_config
from graphrec.pipelines.progress import Silent
from graphrec.pipelines.readers.inputs import load_inputs

from .explanations import movies
from .harness import write_json

SHARE, SEED, K = 0.1, 7, 100
HERE = Path(__file__).parent.parent
Mask = npt.NDArray[np.bool_]
FloatArray = npt.NDArray[np.float64]


def goodbooks(_: Path) -> RecallData:
    """Return the bundled books with authors, series and genres."""
    data = {
        "interactions": {"path": "ratings.csv.gz", "columns": {"weight": "rating"}},
        "knowledge": {
            "paths": ["books.ttl.gz"],
            "link": {"template": "https://graphrec.org/goodbooks/book/{id}"},
            "relations": ["author", "isPartOf", "genre"],
            "tags": ["genre"],
        },
    }
    return loaded(data, HERE / "datasets" / "goodbooks")


def beauty(root: Path) -> RecallData:
    """Return the products of Amazon Beauty with brand and category."""
    folder = root / "amazon-beauty-kg"
    names = [line.split("\t") for line in _lines(folder / "cafe_kg_entities.txt.gz")]
    asins = {int(name.removeprefix("product_")): asin for _, name, asin in names if name.startswith("product_")}
    with tempfile.TemporaryDirectory() as made:
        events = ["user_id,item_id"]
        for labels in ("cafe_train_labels.txt.gz", "cafe_test_labels.txt.gz"):
            for line in _lines(folder / labels):
                user, *items = line.split()
                events += [f"{user},{asins[int(item)]}" for item in items]
        (Path(made) / "events.csv").write_text("\n".join(events), encoding="utf-8")
        data = {
            "interactions": {"path": "events.csv"},
            "knowledge": {
                "paths": [str((root / "rdf" / "amazon-beauty-kg.nt.xz").absolute())],
                "link": {"template": "https://www.amazon.com/dp/{id}"},
                "relations": ["produced_by", "belongs_to"],
                "tags": ["produced_by", "belongs_to"],
            },
        }
        return loaded(data, Path(made))


WORLDS: dict[str, Callable[[Path], RecallData]] = {"goodbooks": goodbooks, "beauty": beauty, "dbpedia-movies": movies}


def loaded(data: dict[str, Any], directory: Path) -> RecallData:
    """Return what a table ``[data]`` of a configuration reads."""
    raw = {"name": "cold", "data": data, "catalogue": {"items": ["events"]}, "channels": {"hot": {}}}
    return load_inputs(check_config(raw, directory=directory), rejects=None, steps=Silent()).data


def _lines(path: Path) -> Iterator[str]:
    with gzip.open(path, "rt", encoding="utf-8") as file:
        yield from (line.rstrip("\n") for line in file if line.strip())


def held_out_whole(data: RecallData, seed: int = SEED) -> tuple[RecallData, Panel, Mask]:
    """Return the data without the events of a tenth of the items, their readers, and (n_items,) which these are."""
    cold = np.zeros(len(data.items), dtype=np.bool_)
    cold[np.random.default_rng(seed).choice(len(cold), round(SHARE * len(cold)), replace=False)] = True
    gone = cold[data.interactions.items]
    train = dataclasses.replace(data, interactions=take(data.interactions, ~gone))
    return train, held_out_panel(train, take(data.interactions, gone)).panel, cold


def without_items(graph: CatalogueGraph, cold: Mask) -> CatalogueGraph:
    """Return the graph without the edges of the cold items."""
    adjacency = graph.adjacency
    gone = np.append(cold, np.zeros(adjacency.n_nodes - len(cold), dtype=np.bool_))
    sources = np.repeat(np.arange(adjacency.n_nodes, dtype=np.int32), adjacency.degrees)
    kept = ~gone[sources] & ~gone[adjacency.indices]
    edges = adjacency_from_edges(
        sources[kept],
        adjacency.indices[kept],
        adjacency.relations[kept],
        type_offsets=adjacency.type_offsets,
        node_types=adjacency.node_types,
        relation_names=adjacency.relation_names,
    )
    return CatalogueGraph(edges, graph.items, graph.entities, graph.labels)


def by_vectors(data: RecallData, panel: Panel, cold: Mask, recipe: Node2Vec) -> FloatArray:
    """Return (n,) the Recall@K of the mean direction of a history among all items, cold ones by aggregation."""
    learnt = recipe.learn(dataclasses.replace(data, catalogue=without_items(data.catalogue, cold)))
    warm, entities = learnt.table("items"), learnt.table("entities")
    given = cold_item_vectors(data.catalogue, warm, entities)
    matrix = np.zeros((len(data.items), warm.dim), dtype=np.float32)
    for table in (warm, given):
        matrix[data.items.rows(table.ids)] = _unit(table)
    lists = []
    for user in range(len(panel)):
        items, _ = panel.history[user]
        scores = matrix @ matrix[items].sum(axis=0)
        scores[items] = -np.inf
        lists.append(np.argsort(-scores, kind="stable")[:K].tolist())
    return rank_metrics(item_lists(lists), panel.truth, K).recall


def _unit(table: EmbeddingTable) -> npt.NDArray[np.float32]:
    lengths = np.linalg.norm(table.matrix, axis=1, keepdims=True)
    unit: npt.NDArray[np.float32] = table.matrix / np.maximum(lengths, 1e-12)
    return unit


def measure(name: str, root: Path, *, max_users: int) -> list[dict[str, Any]]:
    """Return a row for each way to recall the cold items of a data set."""
    data, panel, cold = held_out_whole(WORLDS[name](root))
    if len(panel) > max_users:
        from graphrec.contracts.panel import take_panel

        panel = take_panel(panel, np.sort(np.random.default_rng(SEED).choice(len(panel), max_users, replace=False)))
    chance = float(np.mean(K / (len(data.items) - panel.history.lengths)))
    channels: dict[str, Recipe] = {
        "kg-neighbours": KgNeighbours(),
        "kg-neighbours, cold_popularity = 0": KgNeighbours(cold_popularity=0.0),
        "kg-neighbours, cold_popularity = 1": KgNeighbours(cold_popularity=1.0),
        "kg-paths, equal weights": KgPaths(learn_weights=False),
    }
    if data.item_tags is not None:
        channels |= {"tag": Tag(), "tag, cold_popularity = 0": Tag(cold_popularity=0.0)}
    rows: list[dict[str, Any]] = [{"name": f"{name}: random", "recall@100": chance, "ratio_vs_random": 1.0}]

    def add(way: str, recalls: FloatArray) -> None:
        recall = mean_interval(recalls, rounds=1000, seed=0)
        ratios = [value / chance for value in recall.to_list()]
        rows.append({"name": f"{name}: {way}", "recall@100": recall.estimate, "recall_interval": recall.to_list()[1:]})
        rows[-1] |= {"ratio_vs_random": ratios[0], "ratio_interval": ratios[1:]}
        shown = f"{ratios[0]:6.1f} [{ratios[1]:.1f}, {ratios[2]:.1f}] x random"
        print(f"{rows[-1]['name']:<56} {recall.estimate:.4f}  {shown}", flush=True)

    for channel, recipe in channels.items():
        add(channel, MeanMetric("recall", K).by_user(recipe.fit(data), panel))
    vectors = Node2Vec(dim=64, walks_per_node=5, epochs=2, workers=1)
    add("node2vec, cold by entities", by_vectors(data, panel, cold, vectors))
    about = {"items": len(data.items), "cold_items": int(cold.sum()), "users": len(panel)}
    return [{**row, **about} for row in rows]


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=os.environ.get("GRAPHREC_DATA"))
    parser.add_argument("--json", type=Path)
    parser.add_argument("--only", choices=sorted(WORLDS))
    parser.add_argument("--max-users", type=int, default=2_000)
    arguments = parser.parse_args()
    if arguments.data is None:
        parser.error("name the folder of test data: --data DIR or GRAPHREC_DATA")
    results: list[dict[str, Any]] = []
    settings = {"k": K, "share": SHARE, "seed": SEED, "max_users": arguments.max_users, "pool": "all items"}
    for name in WORLDS if arguments.only is None else [arguments.only]:
        results += measure(name, Path(arguments.data), max_users=arguments.max_users)
        if arguments.json:  # after each data set: a run that is cut off still counts
            write_json(arguments.json, "kg_cold", settings, results)


if __name__ == "__main__":
    main()
