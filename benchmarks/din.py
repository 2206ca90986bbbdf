"""DIN as recall: what attention over a tower's candidates, and the tower alone, lose against scoring all items.

    python -m benchmarks.din [--data DIR] [--json FILE] [--set NAME] [--epochs N] [--dim N]

Leave-last in the strict protocol: learnt from all but the last two items of each user, the validation item is in the
history at the test. One net is trained; the same net then scores every item of the catalogue, or those alone that its
tower puts first, and the tower also answers by itself. A second training, without distillation, tells what the tower
owes to the net. ``overlap@200`` is the share of the exhaustive list's first 200 items; items of the history are left
out. Milliseconds are the processor's, of single requests on one thread.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.harness import write_json
from benchmarks.leave_last import K, answers, problem, row_of
from graphrec.contracts.progress import FitContext
from graphrec.models.deep.din import DIN
from graphrec.recallers.target_attention import TargetAttentionRecaller

SEED, USERS = 0, 3000
CANDIDATES = (200, 500, 1000, 2000)


def run(name: str, root: Path, recipe: DIN) -> Iterator[dict[str, Any]]:
    """Yield the rows of a set."""
    task, context = problem(name, root, users=USERS, seed=SEED), FitContext(seed=SEED)
    learnt, _ = recipe._task(task.data, context).run(context)
    channel = recipe._channel(task.data, learnt, context)
    assert isinstance(channel, TargetAttentionRecaller)
    exhaustive = replace(channel, candidates=len(task.data.items))
    whole = answers(exhaustive, task)
    alone = replace(recipe, serve="interests")
    yield {"set": name, **row_of("net over all items", exhaustive, task)}
    yield {"set": name, **row_of("tower, distilled", alone._channel(task.data, learnt, context), task, whole)}
    for n in CANDIDATES:
        few = replace(channel, candidates=n)
        yield {"set": name, **row_of(f"net over {n:,} candidates", few, task, whole)}
    plain = replace(alone, distillation=0.0).fit(task.data, context)
    yield {"set": name, **row_of("tower, without distillation", plain, task, whole)}


def show(rows: list[dict[str, Any]]) -> Table:
    """Return the rows for people."""
    heads = ("recall@10", "ndcg@10", "recall@50", f"recall@{K}", f"overlap@{K}")
    shown = Table(title=rows[0]["set"], title_justify="left")
    for head in ("served by", *heads, "ms"):
        shown.add_column(head, justify="left" if head == "served by" else "right", no_wrap=True)
    for row in rows:
        figures = ("" if head not in row else f"{row[head]:.4f}" for head in heads)
        shown.add_row(row["name"], *figures, f"{row['request_cpu_ms']:.1f}")
    return shown


def main() -> None:
    """Run, print the table, write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=os.environ.get("GRAPHREC_DATA"), help="folder of test data")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--set", nargs="+", choices=["beauty", "ml-latest-small"], default=["ml-latest-small"])
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--dim", type=int, default=64)
    arguments = parser.parse_args()
    if arguments.data is None:
        parser.error("name the folder of test data: --data DIR or GRAPHREC_DATA")
    settings = {"dim": arguments.dim, "epochs": arguments.epochs, "dropout": 0.3, "negatives": 512}
    described = {"seed": SEED, "users": USERS, **settings}
    rows: list[dict[str, Any]] = []
    for name in arguments.set:
        for row in run(name, Path(arguments.data), DIN(**settings)):
            rows.append(row)
            if arguments.json is not None:
                write_json(arguments.json, "din", described, rows, packages=("torch", "onnxruntime"))
        Console(width=112).print(show([row for row in rows if row["set"] == name]))


if __name__ == "__main__":
    main()
