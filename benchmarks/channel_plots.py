"""The plots of docs/choosing-channels.md, drawn from benchmarks/results/gowalla.json.

python -m benchmarks.channel_plots [--json FILE] [--out DIR]
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

HERE = Path(__file__).parent


def recall_bars(rows: list[dict[str, Any]]) -> Figure:
    """Return Recall@20 of each channel, with what was published beside it."""
    figure = Figure(figsize=(7.6, 4.2), layout="constrained")
    axes = figure.add_subplot()
    ordered = sorted(rows, key=lambda row: row["recall@20"])
    names = [row["name"] for row in ordered]
    axes.barh(names, [100 * row["recall@20"] for row in ordered], color="#3b82c4", height=0.66, label="measured here")
    told = [(row["name"], 100 * row["published_recall@20"]) for row in ordered if row["published_recall@20"]]
    axes.plot([x for _, x in told], [name for name, _ in told], "D", ms=5, color="#e07b39", label="published")
    for position, row in enumerate(ordered):
        axes.annotate(f"{100 * row['recall@20']:.2f}", (0.3, position), va="center", fontsize=8, color="white")
    axes.set_xlabel("Recall@20 on Gowalla, %")
    axes.legend(loc="lower right", frameon=False)
    return figure


def cost_scatter(rows: list[dict[str, Any]]) -> Figure:
    """Return Recall@20 over the time of one query, the area of a point being the time of the fit."""
    figure = Figure(figsize=(7.6, 4.2), layout="constrained")
    axes = figure.add_subplot()
    for row in rows:
        x, y = row["query_us"], 100 * row["recall@20"]
        axes.scatter([x], [y], s=20 + 4 * row["fit_s"], color="#2f9e6e", alpha=0.6)
        axes.annotate(row["name"], (x, y), xytext=(6, 4), textcoords="offset points", fontsize=8)
    axes.set_xscale("log")
    axes.set_xlabel("median time of one query, µs (log scale); area: seconds of the fit")
    axes.set_ylabel("Recall@20, %")
    axes.margins(x=0.2, y=0.12)
    return figure


def main() -> None:
    """Draw both and write them as SVG."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, default=HERE / "results" / "gowalla.json")
    parser.add_argument("--out", type=Path, default=HERE.parent / "docs" / "images")
    arguments = parser.parse_args()
    rows = json.loads(arguments.json.read_text(encoding="utf-8"))["results"]
    arguments.out.mkdir(parents=True, exist_ok=True)
    with mpl.rc_context({"svg.hashsalt": "graphrec", "svg.fonttype": "none"}):
        for name, draw in (("gowalla-recall", recall_bars), ("gowalla-cost", cost_scatter)):
            draw(rows).savefig(arguments.out / f"{name}.svg", metadata={"Date": None, "Creator": None})


if __name__ == "__main__":
    main()
