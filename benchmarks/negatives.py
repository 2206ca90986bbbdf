"""One two tower, trained with each kind of negatives and with mixtures: Recall@K on head, torso and tail.

    python -m benchmarks.negatives [--data DIR] [--json FILE] [--set NAME] [--epochs N] [--users N] [--batch N]
                                   [--mix NAME ...]

All rows have the same settings, seed, number of negatives and steps; only the mix differs. Held out is a random fifth
of each user's training items (the test part of a set is not read). Head are the items that make up the first half of
the training events, by popularity, torso those up to four fifths, tail the rest. Recall@K of a part is the share of a
user's held-out items of that part that are among his K, full ranking over all items, mean over users with such items.
``active`` and ``hard`` come beside ``uniform``: until they are looked up there would be no negatives.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import time
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.table import Table

from benchmarks.gowalla import configuration as gowalla
from benchmarks.harness import write_json
from benchmarks.learned_data import DATA, SEED, configuration
from graphrec.contracts.panel import Panel
from graphrec.contracts.progress import FitContext
from graphrec.contracts.recall_data import RecallData
from graphrec.contracts.recaller import Recaller
from graphrec.data.interactions import Interactions, coalesce, take
from graphrec.data.lists import ItemLists, item_lists
from graphrec.evaluation.held_out import held_out_panel
from graphrec.evaluation.metrics import rank_metrics
from graphrec.models.deep.two_tower import TwoTower
from graphrec.pipelines.jobs.train import prepare
from graphrec.pipelines.progress import Silent
from graphrec.recallers.filtering import recall_allowed

CUTOFFS = (20, 200)
SHARE = 0.2
PANEL_USERS = 3000
PARTS = {"head": (0.0, 0.5), "torso": (0.5, 0.8), "tail": (0.8, 1.0)}
MIXES: dict[str, dict[str, float]] = {
    "all": {"all": 1.0},
    "in-batch": {"in-batch": 1.0},
    "uniform": {"uniform": 1.0},
    "popular": {"popular": 1.0},
    "in-batch + uniform": {"in-batch": 1.0, "uniform": 1.0},
    "uniform + hard": {"uniform": 1.0, "hard": 0.002},
    "in-batch + hard": {"in-batch": 1.0, "hard": 0.002},
    "uniform + hard, five times": {"uniform": 1.0, "hard": 0.01},
    "hard alone": {"hard": 0.002},
    "uniform + active": {"uniform": 1.0, "active": 0.002},
    "uniform + rule": {"uniform": 1.0, "rule": 0.002},
    "in-batch + rule": {"in-batch": 1.0, "rule": 0.002},
}
# Where items have labels; the sets at hand have no impressions, so the kind "exposed" has no row.
RULES: dict[str, tuple[str, ...]] = {"completejourney": ("same product_category",)}


def parted(data: RecallData) -> tuple[RecallData, Interactions]:
    """Return the data without a random fifth of each user's pairs, and those."""
    pairs = coalesce(data.interactions)
    held = np.random.default_rng(SEED).random(len(pairs)) < SHARE
    return dataclasses.replace(data, interactions=take(pairs, ~held)), take(pairs, held)


def popularity_parts(events: Interactions) -> npt.NDArray[np.int64]:
    """Return (n_items,) int64: 0 for items of the head, 1 of the torso, 2 of the tail."""
    counts = np.bincount(events.items, minlength=events.n_items)
    order = np.argsort(-counts, kind="stable")
    before = np.concatenate([[0], np.cumsum(counts[order])[:-1]]) / max(counts.sum(), 1)
    parts = np.empty(events.n_items, dtype=np.int64)
    parts[order] = np.searchsorted([end for _, end in list(PARTS.values())[:-1]], before, side="right")
    return parts


def measured(channel: Recaller, panel: Panel, parts: npt.NDArray[np.int64]) -> dict[str, float]:
    """Return Recall@K, all and by part, and the share of the catalogue that is recalled at all."""
    answer = recall_allowed(channel, panel.queries, max(CUTOFFS), exclude=panel.history, allowed=panel.pool)
    row: dict[str, float] = {}
    for k in CUTOFFS:
        row[f"recall@{k}"] = float(np.nanmean(rank_metrics(answer, panel.truth, k).recall))
        for number, name in enumerate(PARTS):
            truth = _of_part(panel.truth, parts == number)
            row[f"recall@{k}_{name}"] = float(np.nanmean(rank_metrics(answer, truth, k).recall))
    return row | {f"coverage@{max(CUTOFFS)}": len(np.unique(answer.items)) / len(parts)}


def _of_part(truth: ItemLists, chosen: npt.NDArray[np.bool_]) -> ItemLists:
    return item_lists([items[chosen[items]] for items, _ in truth])


def run(
    name: str, root: Path, settings: Mapping[str, Any], users: int, mixes: Collection[str], console: Console
) -> list[dict[str, Any]]:
    """Return a row for each of ``mixes``, but for "uniform + rule" where there is no rule for the set."""
    config = gowalla(root / "gowalla", ["hot"]) if name == "gowalla" else configuration(name, root, {"hot": {}}, [20])
    _, _, data = prepare(config, rejects=None, steps=Silent())
    if users:
        kept = np.random.default_rng(SEED).permutation(len(data.users))[:users]
        data = dataclasses.replace(
            data, interactions=take(data.interactions, np.isin(data.interactions.users, kept))
        )  # fmt: skip
    train, rest = parted(data)
    panel, parts = (
        held_out_panel(train, rest, max_users=PANEL_USERS, seed=SEED).panel,
        popularity_parts(train.interactions),
    )
    rows = []
    for mix in mixes:
        kinds = MIXES[mix]
        rules = RULES.get(name, ()) if "rule" in kinds else ()
        if "rule" in kinds and not rules:
            continue
        late = {"hard_starts": 0.0, "hard_full": 0.0} if mix == "hard alone" else {}
        started = time.process_time()
        recipe = TwoTower(**{**settings, **late}, mix=kinds, rules=rules)
        channel = recipe.fit(train, FitContext(seed=SEED, workers=1))
        rows.append({"name": mix, "fit_cpu_s": time.process_time() - started, **measured(channel, panel, parts)})
        console.print(rows[-1], highlight=False)
    return rows


def table(name: str, rows: list[dict[str, Any]]) -> Table:
    """Return the rows for people."""
    shown = Table(title=f"{name}: Recall@{CUTOFFS[-1]} by negatives", title_justify="left")
    for head in ("negatives", "R@20", "R@200", *PARTS, "coverage", "fit, processor s"):
        shown.add_column(head, justify="left" if head == "negatives" else "right", no_wrap=True)
    for row in rows:
        figures = [
            row["recall@20"],
            row["recall@200"],
            *(row[f"recall@200_{part}"] for part in PARTS),
            row["coverage@200"],
        ]
        shown.add_row(row["name"], *(f"{figure:.4f}" for figure in figures), f"{row['fit_cpu_s']:.0f}")
    return shown


def main() -> None:
    """Run, print the table, write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=os.environ.get("GRAPHREC_DATA"), help="folder of test data")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--set", choices=["gowalla", *DATA], default="gowalla")
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--users", type=int, default=0, help="users drawn; 0 takes all")
    parser.add_argument("--batch", type=int, default=1024, help="users of a step")
    parser.add_argument("--mix", nargs="+", choices=list(MIXES), default=list(MIXES))
    arguments = parser.parse_args()
    if arguments.data is None:
        parser.error("name the folder of test data: --data DIR or GRAPHREC_DATA")
    settings = {
        "epochs": arguments.epochs, "batch": arguments.batch, "lr": 0.02, "temperature": 0.12, "negatives": 4096,
        "regularisation": 0.3, "hard_from": 51, "hard_to": 300,
    }  # fmt: skip
    rows = run(
        arguments.set, Path(arguments.data), settings, arguments.users, arguments.mix, Console(stderr=True, width=160)
    )
    Console(width=112).print(table(arguments.set, rows))
    if arguments.json is not None:
        described = {
            "seed": SEED,
            "set": arguments.set,
            "users": arguments.users,
            "two-tower": settings,
            "mixes": {mix: MIXES[mix] for mix in arguments.mix},
            "rules": RULES.get(arguments.set, ()),
        }
        write_json(arguments.json, "negatives", described, rows, packages=("torch",))


if __name__ == "__main__":
    main()
