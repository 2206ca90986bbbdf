"""Several interests: a state of SASRec beside interests that are learnt, by number and routing, and clusters.

    python -m benchmarks.interests [--data DIR] [--json FILE] [--set NAME ...] [--epochs N] [--part test] [--rows NAME]

Leave-last in the strict protocol, each channel by itself; by default on the validation item, for defaults are chosen by
it. Milliseconds are the processor's, of single requests on one thread.
"""

from __future__ import annotations

import argparse
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.harness import write_json
from benchmarks.leave_last import K, problem, row_of
from graphrec.contracts.progress import FitContext
from graphrec.models.deep.comirec import ComiRec
from graphrec.models.deep.sasrec import SASRec

SEED, USERS = 0, 6000
# What all recipes are trained by, so that they differ in what is compared alone.
SAME = {"dropout": 0.3, "negatives": 512, "overlap": 1, "batch": 128, "weight_decay": 0.0, "averaged": 0.0}
HEADS = ("recall@10", "ndcg@10", "recall@50", f"recall@{K}")


def recipes(settings: dict[str, Any]) -> dict[str, Any]:
    """Return what is compared, by name."""
    several = ComiRec(**settings)
    state = SASRec(**settings)
    return {
        "sasrec": state,
        **{f"attention, {n} interests": replace(several, interests=n) for n in (1, 2, 4, 8)},
        **{f"capsules, {n} interests": replace(several, interests=n, routing="capsules") for n in (2, 4)},
        "4 interests, diversity 0.02": replace(several, diversity=0.02),
        "sasrec's vectors, 3 clusters": replace(state, query="interests"),
        "sasrec's vectors, 8 clusters": replace(state, query="interests", interests=8, spread=0.7),
    }


def show(rows: list[dict[str, Any]]) -> Table:
    """Return the rows for people."""
    shown = Table(title=rows[0]["set"], title_justify="left")
    for head in ("channel", *HEADS, "ms"):
        shown.add_column(head, justify="left" if head == "channel" else "right", no_wrap=True)
    for row in rows:
        shown.add_row(row["name"], *(f"{row[head]:.4f}" for head in HEADS), f"{row['request_cpu_ms']:.1f}")
    return shown


def main() -> None:
    """Run, print a row as it comes and then the table, write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=os.environ.get("GRAPHREC_DATA"), help="folder of test data")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--set", nargs="+", choices=["beauty", "ml-latest-small", "goodbooks"], default=["beauty"])
    parser.add_argument("--part", choices=["validation", "test"], default="validation")
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--dim", type=int, default=64)
    parser.add_argument("--rows", nargs="+", choices=list(recipes({})), default=list(recipes({})))
    arguments = parser.parse_args()
    if arguments.data is None:
        parser.error("name the folder of test data: --data DIR or GRAPHREC_DATA")
    settings = {"dim": arguments.dim, "epochs": arguments.epochs, **SAME}
    rows: list[dict[str, Any]] = []
    described = {"seed": SEED, "users": USERS, "part": arguments.part, **settings}
    for name in arguments.set:
        task = problem(name, Path(arguments.data), users=USERS, seed=SEED, validation=arguments.part == "validation")
        for label in arguments.rows:
            channel = recipes(settings)[label].fit(task.data, FitContext(seed=SEED))
            rows.append({"set": name, **row_of(label, channel, task)})
            Console(stderr=True).print(rows[-1])
            if arguments.json is not None:
                write_json(arguments.json, "interests", described, rows, packages=("torch", "onnxruntime"))
        Console(width=112).print(show([row for row in rows if row["set"] == name]))


if __name__ == "__main__":
    main()
