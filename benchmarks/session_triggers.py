"""Session triggers: what channels of the newest items alone add to channels that read whole histories.

    python -m benchmarks.session_triggers [--data DIR] [--json FILE] [--set NAME ...]

Leave-last in the strict protocol: of each user's items the last is the test, the last but one validation, from which
the fusion's weights follow; nothing else is chosen. The same methods run once over whole histories and once more as
triggers, over the newest three items, of which each counts half as much as the next. The gain of the set is the merged
list with triggers less that without; that of a channel is what the merged list loses without it, with a paired
bootstrap interval.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.harness import write_json
from benchmarks.sequences import events_of
from graphrec.pipelines.jobs.evaluate import evaluate
from graphrec.pipelines.progress import Shown

SEED, CUTOFFS = 0, [10, 50, 200]
SETS = ("ml-latest-small", "beauty")
WHOLE: dict[str, dict[str, Any]] = {
    "hot": {}, "item-cf": {}, "swing": {}, "rp3beta": {}, "pixie": {"steps": 5000},
}  # fmt: skip
TRIGGERS: dict[str, dict[str, Any]] = {
    f"{method}-session": {**WHOLE[method], "recipe": method, "last": 3, "half_life": 1.0}
    for method in ("item-cf", "swing", "pixie")
}


def run(name: str, root: Path, console: Console) -> list[dict[str, Any]]:
    """Return a row a merged list, without and with triggers, and one a channel of the larger set."""
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        table = Path(folder) / "events.csv"
        with table.open("w", encoding="utf-8") as file:
            file.write("user_id,item_id,timestamp\n")
            file.writelines(f"{user},{item},{moment}\n" for user, item, moment in events_of(name, root))
        for label, channels in (("whole histories", WHOLE), ("with triggers", {**WHOLE, **TRIGGERS})):
            config = _config(name, table, channels)
            report = evaluate(config, Path(folder) / label, steps=Shown(console)).to_dict()
            rows.append({"set": name, "name": f"merged, {label}", **_figures(report["fused"])})
        for channel, row in report["channels"].items():
            gains = {f"marginal_recall@{k}": row[f"marginal_recall@{k}"] for k in CUTOFFS}
            rows.append({"set": name, "name": channel, **_figures(row), **gains})
    return rows


def _config(name: str, table: Path, channels: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": name,
        "seed": SEED,
        "data": {"interactions": {"path": str(table)}},
        "split": {"kind": "leave-last", "validation": "history"},
        "channels": channels,
        "fusion": {"kind": "boosted"},
        "evaluate": {"k": CUTOFFS, "bootstrap_rounds": 500},
    }


def _figures(row: dict[str, Any]) -> dict[str, float]:
    return {f"{metric}@{k}": row[f"{metric}@{k}"] for k in CUTOFFS for metric in ("recall", "ndcg")}


def show(name: str, rows: list[dict[str, Any]]) -> Table:
    """Return the rows for people; gains in points of Recall."""
    shown = Table(title=name, title_justify="left")
    for head in ("channel", "R@10", "NDCG@10", "R@200", "gain R@10", "gain R@200"):
        shown.add_column(head, justify="left" if head == "channel" else "right", no_wrap=True)
    for row in rows:
        figures = [f"{row[key]:.4f}" for key in ("recall@10", "ndcg@10", "recall@200")]
        gains = [row.get(f"marginal_recall@{k}") for k in (10, 200)]
        points = [
            "" if gain is None else "{:+.2f} [{:+.2f}, {:+.2f}]".format(*(100 * x for x in gain)) for gain in gains
        ]
        shown.add_row(row["name"], *figures, *points)
    return shown


def main() -> None:
    """Run, print the tables, write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=os.environ.get("GRAPHREC_DATA"), help="folder of test data")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--set", nargs="+", choices=SETS, default=list(SETS))
    arguments = parser.parse_args()
    if arguments.data is None:
        parser.error("name the folder of test data: --data DIR or GRAPHREC_DATA")
    rows: list[dict[str, Any]] = []
    for name in arguments.set:
        rows += run(name, Path(arguments.data), Console(stderr=True))
        Console(width=112).print(show(name, [row for row in rows if row["set"] == name]))
    if arguments.json is not None:
        write_json(arguments.json, "session_triggers", {"seed": SEED, "whole": WHOLE, "triggers": TRIGGERS}, rows)


if __name__ == "__main__":
    main()
