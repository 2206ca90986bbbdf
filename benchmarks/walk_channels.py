"""Settings of the channels that walk, one at a time around their defaults, on validation parts of goodbooks and Beauty.

    python -m benchmarks.walk_channels --data DIR [--users N] [--json FILE]

The worlds are those of :mod:`benchmarks.kg_recall`; of their train part as much is held out as of the whole, and the
test part is not read. ``recall`` is at 200 (goodbooks) and at 10 (Beauty), with a bootstrap interval over the users.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.harness import write_json
from benchmarks.kg_recall import WORLDS
from graphrec.channels.content.pixie import Pixie
from graphrec.channels.content.preference_walk import PreferenceWalk
from graphrec.contracts.panel import take_panel
from graphrec.evaluation.bootstrap import mean_interval
from graphrec.evaluation.held_out import held_out_panel, sample_users
from graphrec.evaluation.objective import MeanMetric
from graphrec.pipelines.config.load import check_config
from graphrec.pipelines.jobs.splitting import divide, inner_section
from graphrec.pipelines.jobs.train import prepare
from graphrec.pipelines.progress import Silent

SEED = 11
FORMER: Mapping[str, Mapping[str, Any]] = {
    "pixie": {"steps": 20_000, "degree_exponent": 0.3},
    "preference-walk": {"popularity_exponent": 0.3},
}
GRIDS: Mapping[str, Mapping[str, tuple[Any, ...]]] = {
    "pixie": {
        "steps": (20_000, 100_000),
        "degree_exponent": (0.3, 0.6),
        "restart": (0.3, 0.7),
        "booster": (False,),
    },
    "preference-walk": {
        "popularity_exponent": (0.1, 0.3, 0.45),
        "degree_exponent": (0.5, 0.9),
        "hops": (2, 4),
        "hub_cap": (0, 300),
        "width": (3000,),
    },
}
RECIPES: Mapping[str, Any] = {"pixie": Pixie, "preference-walk": PreferenceWalk}


def measure(name: str, root: Path, folder: Path, n_users: int) -> list[dict[str, Any]]:
    """Return a row for each setting of each channel."""
    world = WORLDS[name](root, folder)
    raw = {"name": name, "data": dict(world.data), "catalogue": dict(world.catalogue), "split": dict(world.split)}
    raw["channels"] = {"hot": {}}
    config = check_config({key: value for key, value in raw.items() if value}, directory=folder)
    data = prepare(config, rejects=None, steps=Silent())[2]
    split, data = divide(config, data, inner_section(config.settings.split), seed=SEED)
    panel = held_out_panel(data, split.test).panel
    panel = take_panel(panel, sample_users(np.arange(len(panel), dtype=np.int32), n_users, seed=SEED))
    plain: dict[str, Any] = {} if world.ordered else {"half_life": 0}
    rows = []
    for channel, grid in GRIDS.items():
        others = [{key: value} for key, values in grid.items() for value in values]
        for settings in ({}, FORMER[channel], *others):
            recipe = RECIPES[channel](**plain, **settings)
            start = time.process_time()
            recalls = MeanMetric("recall", world.k).by_user(recipe.fit(data), panel)
            taken = time.process_time() - start
            row = {"name": f"{name}/{channel}", "settings": dict(settings), "k": world.k, "users": len(panel)}
            rows.append({**row, "recall": mean_interval(recalls).to_list(), "processor_s": round(taken, 2)})
            print(rows[-1], flush=True)
    return rows


def main() -> None:
    """Run both data sets, print the rows, write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=os.environ.get("GRAPHREC_DATA"))
    parser.add_argument("--users", type=int, default=1000)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    if arguments.data is None:
        parser.error("--data, or the variable GRAPHREC_DATA, must name the folder that holds all test data")
    results: list[dict[str, Any]] = []
    for name in ("goodbooks", "beauty"):
        with tempfile.TemporaryDirectory() as scratch:
            results += measure(name, Path(arguments.data).absolute(), Path(scratch), arguments.users)
        if arguments.json is not None:
            write_json(arguments.json, "walk_channels", {"users": arguments.users, "seed": SEED}, results)


if __name__ == "__main__":
    main()
