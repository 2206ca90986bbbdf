"""Training on a GPU beside a CPU of the same machine: events a second of the recipes that learn with torch.

    python -m benchmarks.devices [--events N] [--device cuda] [--json FILE]

Events are those of ``benchmarks.scaling``, drawn from power laws. Rates are those of further epochs, without what a fit
does before and after. The CPU takes as many threads as torch finds cores. Recommendations are compared by
``tests/graphrec/models/test_gpu.py``.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from benchmarks.harness import write_json
from benchmarks.scaling import generate, load
from graphrec.contracts.progress import FitContext
from graphrec.contracts.recall_data import RecallData
from graphrec.data.interactions import coalesce
from graphrec.models.deep.sasrec import SASRec
from graphrec.models.deep.two_tower import TwoTower
from graphrec.models.graph_networks.pinsage import PinSage

SEED = 0
RECIPES: dict[str, tuple[type[Any], dict[str, Any]]] = {
    "two-tower": (TwoTower, {"dim": 128, "features": False}),
    "pinsage": (PinSage, {"dim": 128, "negatives": 8192, "batch": 1024}),
    "sasrec": (SASRec, {"dim": 64}),
}


def rate(recipe: type[Any], settings: dict[str, Any], data: RecallData, device: str, epochs: int) -> float:
    """Return events a second of ``epochs`` further epochs, the median of three."""
    rates = []
    for _ in range(3):
        seconds = []
        for n in (1, 1 + epochs):
            started = time.perf_counter()
            recipe(**settings, epochs=n).fit(data, FitContext(seed=SEED, device=device, workers=0))
            seconds.append(time.perf_counter() - started)
        rates.append(epochs * len(coalesce(data.interactions)) / max(seconds[1] - seconds[0], 1e-9))
    return float(np.median(rates))


def run(data: RecallData, device: str, epochs: int) -> list[dict[str, Any]]:
    """Return a row a recipe: its rates on ``device`` and on the CPU, and their ratio."""
    rows = []
    for name, (recipe, settings) in RECIPES.items():
        there, here = (rate(recipe, settings, data, place, n) for place, n in ((device, 10 * epochs), ("cpu", epochs)))
        rows.append({"recipe": name, "gpu_events_per_s": there, "cpu_events_per_s": here, "ratio": there / here})
        Console().print(rows[-1])
    return rows


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=200_000)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--epochs", type=int, default=2, help="of which a rate is taken; ten times as many on a GPU")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    with TemporaryDirectory() as folder:
        generate(Path(folder), arguments.events)
        rows = run(load(Path(folder), arguments.events), arguments.device, arguments.epochs)
    table = Table(*rows[0])
    for row in rows:
        table.add_row(*(f"{cell:,.1f}" if isinstance(cell, float) else cell for cell in row.values()))
    Console().print(table)
    if arguments.json:
        settings = {
            "events": arguments.events,
            "epochs": arguments.epochs,
            "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else "none",
            "cpu_threads": torch.get_num_threads(),
            "recipes": {name: chosen for name, (_, chosen) in RECIPES.items()},
        }
        write_json(arguments.json, "devices", settings, rows, packages=("torch",))


if __name__ == "__main__":
    main()
