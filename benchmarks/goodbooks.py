"""Quality of every channel and of the fused list on goodbooks, leave-last and random 80/20.

    python -m benchmarks.goodbooks [--config NAME] [--splits NAME ...] [--json FILE] [--bootstrap ROUNDS]

The bundled ratings and knowledge graph, the channels and settings of ``datasets/goodbooks/demo.toml``,
``all-channels.toml`` or ``embeddings.toml``. Their values were chosen on validation parts of the training events; the
held-out part is read here alone.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks.harness import write_json
from graphrec.errors import ConfigError
from graphrec.pipelines.config.build import Config
from graphrec.pipelines.config.load import check_config, load_config
from graphrec.pipelines.jobs.evaluate import evaluate
from graphrec.pipelines.progress import Shown
from graphrec.pipelines.registry.datasets import datasets_directory
from graphrec.pipelines.report.report import Report
from graphrec.pipelines.report.tables import report_tables

CONFIGS = ("demo", "all-channels", "embeddings")
SPLITS: dict[str, dict[str, Any]] = {
    "leave-last": {"kind": "leave-last", "n": 1},
    "ratio": {"kind": "ratio", "test_share": 0.2},
}


def with_split(config: Config, split: dict[str, Any], rounds: int) -> Config:
    """Return the configuration with another split and number of bootstrap rounds."""
    raw = config.settings.model_dump(exclude_unset=True)
    raw["split"] = split
    raw["evaluate"] = {**raw.get("evaluate", {}), "bootstrap_rounds": rounds}
    return check_config(raw, directory=config.directory)


def rows(name: str, report: Report) -> list[dict[str, Any]]:
    """Return a row for each channel and for the fused list, with the keys of ``report.json``."""
    values = report.to_dict()
    channels = [
        {"name": f"{name}/{channel}", "split": name, "channel": channel, **metrics}
        for channel, metrics in values["channels"].items()
    ]
    fused = {"name": f"{name}/fused", "split": name, "channel": "fused", **values["fused"]}
    return [*channels, fused | {key: value for key, value in values.items() if key.startswith("fused_vs_best")}]


def failures(name: str, report: Report) -> list[str]:
    """Return the claims that do not hold: beating popularity at 50, and the best single channel at 200."""
    hot = report.channels["hot"].recall[50]
    missed = [
        f"{name}: {channel} has Recall@50 {row.recall[50]:.4f}, hot {hot:.4f}"
        for channel, row in report.channels.items()
        if channel != "hot" and row.recall[50] <= hot
    ]
    best, fused = max(row.recall[200] for row in report.channels.values()), report.fused.recall[200]
    if fused <= best:
        missed.append(f"{name}: fused has Recall@200 {fused:.4f}, the best channel {best:.4f}")
    return missed


def main() -> None:
    """Run both splits, print the tables, write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", choices=CONFIGS, default=CONFIGS[0])
    parser.add_argument("--splits", nargs="+", choices=list(SPLITS), default=list(SPLITS))
    parser.add_argument("--json", type=Path)
    parser.add_argument("--bootstrap", type=int, default=2000)
    arguments = parser.parse_args()
    console = Console()
    config = load_config(datasets_directory() / "goodbooks" / f"{arguments.config}.toml")
    results: list[dict[str, Any]] = []
    missed: list[str] = []
    splits: dict[str, Any] = {}
    for name in arguments.splits:
        report = evaluate(with_split(config, SPLITS[name], arguments.bootstrap), steps=Shown(console))
        for table in report_tables(report):
            console.print(table)
        results += rows(name, report)
        missed += failures(name, report)
        splits[name] = report.split
    if arguments.json is not None:
        settings = {"config": config.settings.model_dump(mode="json"), "splits": splits}
        write_json(arguments.json, "goodbooks", settings, results)
    if missed:
        raise ConfigError("; ".join(missed))


if __name__ == "__main__":
    main()
