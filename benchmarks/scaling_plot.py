"""Time and memory of fits over the number of interactions, as an SVG of two panels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

_PANELS = (("fit_s", "time_exponent", "fit, seconds", 1.0), ("peak_bytes", "memory_exponent", "peak memory, MB", 1e-6))
_MARKERS = "osv^D<>PX*hp"


def write_plot(path: Path, rows: list[dict[str, Any]], slopes: list[dict[str, Any]]) -> None:
    """Write both panels, logarithmic; the legends name each channel's exponent, where it has one."""
    # The same figures give the same file.
    with mpl.rc_context({"svg.hashsalt": "scaling", "svg.fonttype": "none", "font.size": 9}):
        figure = Figure(figsize=(11, 4.4), layout="constrained")
        for axes, (key, exponent, label, unit) in zip(figure.subplots(1, 2), _PANELS, strict=True):
            _panel(axes, rows, {row["channel"]: row[exponent] for row in slopes}, key, unit)
            axes.set_ylabel(label)
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, format="svg", metadata={"Date": None, "Creator": None})


def _panel(axes: Axes, rows: list[dict[str, Any]], exponents: dict[str, float], key: str, unit: float) -> None:
    """Draw one line a channel."""
    for place, channel in enumerate(dict.fromkeys(row["channel"] for row in rows)):
        own = [row for row in rows if row["channel"] == channel and key in row]
        label = f"{channel}  {exponents[channel]:.2f}" if channel in exponents else channel
        sizes, values = [row["interactions"] for row in own], [row[key] * unit for row in own]
        colour = mpl.colormaps["tab20"](place)
        axes.loglog(sizes, values, marker=_MARKERS[place % len(_MARKERS)], ms=4, lw=1.3, color=colour, label=label)
    axes.set_xlabel("interactions")
    axes.grid(alpha=0.25)
    axes.legend(title="channel, exponent", loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False)
