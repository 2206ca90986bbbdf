"""The plots of docs/learned-recall.md, drawn from benchmarks/results/negatives.json and value_curve.json.

python -m benchmarks.learned_plots [--results DIR] [--out DIR]
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

HERE = Path(__file__).parent
PARTS = {"head": "#1f4e79", "torso": "#3b82c4", "tail": "#e07b39"}


def negatives(rows: list[dict[str, Any]]) -> Figure:
    """Return Recall@200 on head, torso and tail for each mix of negatives, a panel each: their scales differ."""
    figure = Figure(figsize=(8.4, 3.6), layout="constrained")
    panels = figure.subplots(1, len(PARTS), sharey=True)
    names = [row["name"] for row in rows][::-1]
    for axes, (part, colour) in zip(panels, PARTS.items(), strict=True):
        values = np.array([100 * row[f"recall@200_{part}"] for row in rows][::-1])
        axes.barh(names, values, color=colour, height=0.66)
        for place, value in enumerate(values):
            axes.annotate(
                f"{value:.1f}", (value, place), xytext=(3, 0), textcoords="offset points", va="center", size=8
            )
        axes.set_title(part, size=10)
        axes.set_xlim(0, 1.25 * max(float(values.max()), 1e-9))
        axes.spines[["top", "right"]].set_visible(False)
    figure.supxlabel("Recall@200, %", size=10)
    return figure


def value_curve(rows: list[dict[str, Any]]) -> Figure:
    """Return revenue@200 over Recall@200 for each exponent of the price; the plain tower's interval is shaded."""
    figure = Figure(figsize=(7.6, 4.2), layout="constrained")
    axes = figure.add_subplot()
    curve = [row for row in rows if row["part"] == "validation"]
    recall, revenue = (np.array([row[f"{name}@200"][0] for row in curve]) for name in ("recall", "revenue"))
    axes.plot(100 * recall, revenue, "-o", color="#3b82c4", ms=5)
    for row, x, y in zip(curve, 100 * recall, revenue, strict=True):
        axes.annotate(f"{row['exponent']:g}", (x, y), xytext=(5, 5), textcoords="offset points", size=8)
    _, low, high = curve[0]["recall@200"]
    axes.axvspan(100 * low, 100 * high, color="#3b82c4", alpha=0.12, lw=0, label="95 % interval of the plain tower")
    axes.set_xlabel("Recall@200, %")
    axes.set_ylabel("revenue@200 of a household")
    axes.legend(loc="lower center", frameon=False)
    return figure


def main() -> None:
    """Draw both and write them as SVG."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", type=Path, default=HERE / "results")
    parser.add_argument("--out", type=Path, default=HERE.parent / "docs" / "images")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    with mpl.rc_context({"svg.hashsalt": "graphrec", "svg.fonttype": "none"}):
        for name, draw in (("negatives", negatives), ("value_curve", value_curve)):
            rows = json.loads((arguments.results / f"{name}.json").read_text(encoding="utf-8"))["results"]
            path = arguments.out / f"{name.replace('_', '-')}.svg"
            draw(rows).savefig(path, metadata={"Date": None, "Creator": None})


if __name__ == "__main__":
    main()
