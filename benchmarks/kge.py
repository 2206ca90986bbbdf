"""Link prediction of the four KG embeddings beside PyKEEN's, and the channel on a validation part of goodbooks.

    python -m benchmarks.kge [--graphs NAMES] [--models NAMES] [--epochs N] [--peer] [--transe] [--goodbooks]
                             [--beauty DIR] [--users N] [--json FILE]

The graphs lie in PyKEEN's wheel (``pip install pykeen``; it is no dependency), with its split. Ours and PyKEEN's
models have the same width, batch, learning rate and number of epochs, and a softmax over all ends: PyKEEN's LCWA loop
with cross entropy and inverse triples, and what else is its default. Temperature and regularisation of ours were chosen
on the valid part of Kinships, where PyKEEN's defaults were not; TransE is of norm 1 on both sides. Ranks are filtered
by all three parts, of heads and tails, ties in the middle, on the test part.

``--transe`` parts what the norm does from what the temperature does: both norms at both temperatures, on the valid
part. ``--beauty`` is the channel on a validation part of train of the PGPR split, with brand and category, in DIR.
"""

from __future__ import annotations

import argparse
import importlib.util
import itertools
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import torch

from benchmarks.harness import write_json
from benchmarks.kg_paths_quality import GRAPHS, config_of, write_tables
from graphrec.contracts.progress import FitContext
from graphrec.evaluation.held_out import held_out_panel
from graphrec.evaluation.objective import MeanMetric
from graphrec.models.kg_embeddings.kge import Kge, ModelName
from graphrec.models.kg_embeddings.kge_ranks import link_ranks
from graphrec.models.kg_embeddings.kge_training import KgeTask
from graphrec.models.kg_embeddings.kge_triples import Triples
from graphrec.models.training.loop import TrainingSettings, train
from graphrec.pipelines.config.build import Config
from graphrec.pipelines.config.load import load_config
from graphrec.pipelines.jobs.splitting import divide, inner_section
from graphrec.pipelines.jobs.train import prepare
from graphrec.pipelines.progress import Silent
from graphrec.pipelines.registry.datasets import datasets_directory

DIM, BATCH, LR, SEED = 64, 256, 0.05, 0
# Temperature and regularisation, by the valid part of Kinships.
CHOSEN = {"transe": (1.0, 0.0), "distmult": (0.3, 0.1), "complex": (0.3, 0.1), "rotate": (0.3, 0.1)}
PEERS = {"transe": "TransE", "distmult": "DistMult", "complex": "ComplEx", "rotate": "RotatE"}
PARTS = ("train", "valid", "test")


def shipped(name: str) -> list[Triples]:
    """Return train, valid and test of a graph in PyKEEN's wheel, which is not imported for it."""
    spec = importlib.util.find_spec("pykeen")
    if spec is None or spec.submodule_search_locations is None:
        raise SystemExit("the graphs lie in PyKEEN's wheel: pip install pykeen")
    folder = Path(spec.submodule_search_locations[0]) / "datasets" / name
    parts = [
        [line.split("\t") for line in (folder / f"{part}.txt").read_text(encoding="utf-8").splitlines() if line]
        for part in PARTS
    ]
    rows = [row for part in parts for row in part]
    nodes = {node: i for i, node in enumerate(sorted({end for row in rows for end in (row[0], row[2])}))}
    relations = {name: i for i, name in enumerate(sorted({row[1] for row in rows}))}
    return [
        Triples([nodes[row[0]] for row in part], [relations[row[1]] for row in part], [nodes[row[2]] for row in part],
                type_offsets=[0, len(nodes)], n_relations=len(relations))
        for part in parts
    ]  # fmt: skip


def ours(graph: str, model: ModelName, epochs: int) -> dict[str, Any]:
    """Return the figures of our training on the test part."""
    temperature, regularisation = CHOSEN[model]
    return trained(graph, model, epochs, temperature, regularisation, norm=1 if model == "transe" else 2)


def trained(
    graph: str, model: ModelName, epochs: int, temperature: float, regularisation: float, *, norm: int, part: int = 2
) -> dict[str, Any]:
    """Return the figures of a training on one of the parts, whose places are those in ``PARTS``."""
    parts = shipped(graph)
    started = time.process_time()
    task = KgeTask(
        parts[0], model, dim=DIM, batch=BATCH, negatives=parts[0].n_nodes, temperature=temperature,
        regularisation=regularisation, seed=SEED, norm=norm,
    )  # fmt: skip
    train(task, TrainingSettings(epochs=epochs, lr=LR), FitContext(workers=1, seed=SEED))
    fit_s = time.process_time() - started
    others = [known for place, known in enumerate(parts) if place != part]
    ranks = link_ranks(task.model, parts[part], others)
    return figures("graphrec", ranks.mrr, ranks.hits(1), ranks.hits(10), fit_s)


def theirs(graph: str, model: ModelName, epochs: int) -> dict[str, Any]:
    """Return the figures of PyKEEN's pipeline on the test part."""
    from pykeen.pipeline import pipeline  # type: ignore[import-not-found]

    dim = DIM // 2 if model in ("complex", "rotate") else DIM
    started = time.process_time()
    result = pipeline(
        dataset=graph, model=PEERS[model], model_kwargs={"embedding_dim": dim},
        dataset_kwargs={"create_inverse_triples": True}, training_loop="lcwa", loss="CrossEntropyLoss",
        optimizer_kwargs={"lr": LR},
        training_kwargs={"num_epochs": epochs, "batch_size": BATCH, "use_tqdm": False}, random_seed=SEED, device="cpu",
        evaluation_kwargs={"use_tqdm": False},
    )  # fmt: skip
    fit_s = time.process_time() - started
    metric = result.get_metric
    return figures("PyKEEN", metric("mrr"), metric("hits@1"), metric("hits@10"), fit_s)


def figures(by: str, mrr: float, hits_1: float, hits_10: float, fit_cpu_s: float) -> dict[str, Any]:
    """Return a row's figures, rounded."""
    return {
        "by": by, "mrr": round(mrr, 4), "hits@1": round(hits_1, 4), "hits@10": round(hits_10, 4),
        "fit_cpu_s": round(fit_cpu_s, 1),
    }  # fmt: skip


def goodbooks(recipe: Kge, users: int) -> dict[str, Any]:
    """Return how well the channel serves ``users`` of a validation part of train."""
    config = load_config(datasets_directory() / "goodbooks" / "all-channels.toml")
    return served("goodbooks", config, recipe, users, (20, 200))


def beauty(recipe: Kge, users: int, root: Path) -> dict[str, Any]:
    """Return the same of Amazon Beauty with brand and category: the other relations are made of events."""
    with tempfile.TemporaryDirectory() as scratch:
        write_tables(root, Path(scratch))
        config = config_of(root.absolute(), Path(scratch), GRAPHS["brand-category"], "calibrated")
        return served("beauty", config, replace(recipe, half_life=0.0), users, (10, 100))


def served(name: str, config: Config, recipe: Kge, users: int, ks: tuple[int, int]) -> dict[str, Any]:
    """Return the Recall of the channel for ``users`` of a validation part of train."""
    _, _, data = prepare(config, rejects=None, steps=Silent())
    split, inner = divide(config, data, inner_section(config.settings.split), seed=1)
    panel = held_out_panel(inner, split.test, max_users=users, seed=SEED).panel
    started = time.process_time()
    channel = replace(recipe, index="exact").fit(inner, FitContext(workers=1, seed=SEED))
    row = {"name": f"{name}/{recipe.model}", "users": users, "fit_cpu_s": round(time.process_time() - started, 1)}
    return row | {f"recall@{k}": round(MeanMetric("recall", k)(channel, panel), 4) for k in ks}


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--graphs", default="nations,kinships,umls")
    parser.add_argument("--models", default=",".join(get_args(ModelName)))
    parser.add_argument("--epochs", type=int, default=100)
    parser.add_argument("--peer", action="store_true", help="train PyKEEN's models too")
    parser.add_argument("--transe", action="store_true", help="train TransE of both norms at both temperatures too")
    parser.add_argument("--beauty", type=Path, metavar="DIR", help="folder of test data: measure the channel there too")
    parser.add_argument("--goodbooks", action="store_true", help="measure the channel on goodbooks too")
    parser.add_argument("--users", type=int, default=2000)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    settings = {"dim": DIM, "batch": BATCH, "lr": LR, "epochs": arguments.epochs, "seed": SEED, "threads": 1,
                "temperature, regularisation": CHOSEN}  # fmt: skip
    results: list[dict[str, Any]] = []
    for row in rows(arguments):
        results.append(row)
        print(*row.values(), flush=True)
        if arguments.json:  # row by row: a run that is cut off still counts
            write_json(arguments.json, "kge", settings, results, packages=["torch", "torch-geometric", "pykeen"])


def rows(arguments: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Yield the rows that the command line names."""
    models: list[Any] = arguments.models.split(",")
    graphs = [graph for graph in arguments.graphs.split(",") if graph]
    for graph in graphs:
        for model in models:
            for run in (ours, theirs) if arguments.peer else (ours,):
                yield {"name": f"{graph}/{model}", **run(graph, model, arguments.epochs)}
    for graph in graphs if arguments.transe else ():
        for norm, temperature in itertools.product((1, 2), (1.0, 0.3)):
            figures_of = trained(graph, "transe", arguments.epochs, temperature, 0.0, norm=norm, part=1)
            yield {"name": f"{graph}/transe, norm {norm}, temperature {temperature}, valid part", **figures_of}
    for model in models if arguments.goodbooks else ():
        yield goodbooks(Kge(model=model), arguments.users)
    for model in models if arguments.beauty else ():
        yield beauty(Kge(model=model), arguments.users, arguments.beauty)


if __name__ == "__main__":
    main()
