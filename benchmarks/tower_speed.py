"""How many training pairs a second two towers of ids learn from: ours, a plain torch loop, and torch-rechub.

    python -m benchmarks.tower_speed [--data DIR] [--json FILE] [--users N]

All learn from the same users of Gowalla's train, at dim 64, on one thread; seconds are the processor's. ``two-tower``
reads a user's history beside his own vector, and meets the negatives once for all of his items. The plain loop is what
a page of torch makes of the same softmax: batches of pairs, vectors of ids alone, uniform negatives that a batch
shares, cosines, Adam. torch-rechub (``pip install torch-rechub``; left out where it is not installed) trains its DSSM
as its MatchTrainer does with ``in_batch_neg``: towers of one layer, all other items of the batch as negatives, over
some of the pairs. Rows have the negatives a pair meets beside them.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from torch.nn.functional import cross_entropy, normalize

from benchmarks.gowalla import configuration
from benchmarks.harness import write_json
from graphrec.contracts.progress import FitContext
from graphrec.contracts.recall_data import RecallData
from graphrec.data.interactions import coalesce, take
from graphrec.models.deep.two_tower import TwoTower
from graphrec.pipelines.jobs.train import prepare
from graphrec.pipelines.progress import Silent

SEED, DIM, NEGATIVES, BATCH, TEMPERATURE = 0, 64, 4096, 1024, 0.1
# Steps of the peer that are timed, after two that are not.
STEPS = 20


def ours(data: RecallData, mix: dict[str, float]) -> dict[str, Any]:
    """Return the rate of two epochs, less what a fit does before and after."""
    settings: dict[str, Any] = {"dim": DIM, "negatives": NEGATIVES, "batch": BATCH, "features": False, "mix": mix}
    seconds = []
    for epochs in (1, 1, 3):
        started = time.process_time()
        TwoTower(**settings, temperature=TEMPERATURE, epochs=epochs).fit(data, FitContext(seed=SEED, workers=1))
        seconds.append(time.process_time() - started)
    pairs = 2 * len(coalesce(data.interactions))
    return {"pairs_per_s": pairs / (seconds[2] - seconds[1]), "negatives": NEGATIVES}


def plain(data: RecallData) -> dict[str, Any]:
    """Return the rate of an epoch of the plain loop."""
    pairs, n_items = coalesce(data.interactions), len(data.items)
    users, items = torch.nn.Embedding(len(data.users), DIM), torch.nn.Embedding(n_items, DIM)
    optimiser = torch.optim.Adam([*users.parameters(), *items.parameters()], lr=0.02)
    order, rng = torch.randperm(len(pairs)), np.random.default_rng(SEED)
    rows = [torch.from_numpy(part.astype(np.int64))[order] for part in (pairs.users, pairs.items)]
    started = time.process_time()
    for batch in range(0, len(order), BATCH):
        mine, theirs = (part[batch : batch + BATCH] for part in rows)
        drawn = torch.from_numpy(rng.choice(n_items, NEGATIVES, replace=False))
        anchors = normalize(users(mine)) / TEMPERATURE
        own = (anchors * normalize(items(theirs))).sum(dim=1, keepdim=True)
        logits = torch.cat([own, anchors @ normalize(items(drawn)).T], dim=1)
        optimiser.zero_grad()
        loss = cross_entropy(logits, torch.zeros(len(logits), dtype=torch.int64))
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    return {"pairs_per_s": len(order) / (time.process_time() - started), "negatives": NEGATIVES}


def rechub(data: RecallData) -> dict[str, Any] | None:
    """Return the rate of torch-rechub's DSSM; None where it is not installed."""
    try:
        from torch_rechub.basic.features import SparseFeature
        from torch_rechub.models.matching import DSSM
        from torch_rechub.trainers import MatchTrainer
    except ImportError:
        return None
    pairs = coalesce(data.interactions)
    sides = [
        [SparseFeature(name, vocab_size=size, embed_dim=DIM)]
        for name, size in (("user", len(data.users)), ("item", len(data.items)))
    ]
    tower = {"dims": [DIM]}
    model = DSSM(sides[0], sides[1], user_params=tower, item_params=tower, temperature=TEMPERATURE)
    trainer = MatchTrainer(model, mode=2, in_batch_neg=True, sampler_seed=SEED)
    order = np.random.default_rng(SEED).permutation(len(pairs))

    users, items = (torch.from_numpy(part[order].astype(np.int64)) for part in (pairs.users, pairs.items))

    def batches(first: int, last: int) -> list[tuple[dict[str, torch.Tensor], torch.Tensor]]:
        parts = [slice(step * BATCH, (step + 1) * BATCH) for step in range(first, last)]
        return [({"user": users[part], "item": items[part]}, torch.ones(BATCH)) for part in parts]

    trainer.train_one_epoch(batches(0, 2))
    started = time.process_time()
    trainer.train_one_epoch(batches(2, 2 + STEPS))
    return {"pairs_per_s": STEPS * BATCH / (time.process_time() - started), "negatives": BATCH - 1}


def run(root: Path, users: int) -> list[dict[str, Any]]:
    """Return a row a way of training, ours with its ratios to the others."""
    torch.set_num_threads(1)
    torch.manual_seed(SEED)
    _, _, data = prepare(configuration(root / "gowalla", ["hot"]), rejects=None, steps=Silent())
    kept = np.random.default_rng(SEED).permutation(len(data.users))[:users]
    data = dataclasses.replace(data, interactions=take(data.interactions, np.isin(data.interactions.users, kept)))
    rows = [
        {"name": "two-tower, uniform", **ours(data, {"uniform": 1.0})},
        {"name": "two-tower, in-batch", **ours(data, {"in-batch": 1.0})},
    ]
    peers = {"plain torch": plain(data), "torch-rechub": rechub(data)}
    for name, row in peers.items():
        if row is not None:
            rows.append({"name": name, **row})
            rows[0][f"ratio_vs_{name}"] = rows[0]["pairs_per_s"] / row["pairs_per_s"]
    return rows


def main() -> None:
    """Run, print the table, write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=os.environ.get("GRAPHREC_DATA"), help="folder of test data")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--users", type=int, default=8000, help="users drawn")
    arguments = parser.parse_args()
    if arguments.data is None:
        parser.error("name the folder of test data: --data DIR or GRAPHREC_DATA")
    rows = run(Path(arguments.data), arguments.users)
    shown = Table(
        "training", "pairs/s", "negatives a pair", title="Two towers of ids, one thread", title_justify="left"
    )
    for row in rows:
        shown.add_row(row["name"], f"{row['pairs_per_s']:,.0f}", f"{row['negatives']:,}")
    Console(width=100).print(shown)
    if arguments.json is not None:
        described = {
            "seed": SEED, "users": arguments.users, "dim": DIM, "batch": BATCH, "temperature": TEMPERATURE,
        }  # fmt: skip
        write_json(arguments.json, "tower_speed", described, rows, packages=("torch", "torch-rechub"))


if __name__ == "__main__":
    main()
