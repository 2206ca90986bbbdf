"""Plots of a report as inline SVG whose text and axes take the colour of the page."""

from __future__ import annotations

import colorsys
import io
import math
import re
from collections.abc import Callable, Mapping
from typing import Any

from graphrec.errors import MissingExtraError
from graphrec.index.embedding_map import OTHER, UNKNOWN

from .curves import CHOOSING, Curve
from .parts import FUSED, STRATA, ChannelReport, FusedReport, ItemMap
from .report import Report

try:
    import matplotlib as mpl
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator
except ImportError as error:
    raise MissingExtraError("the HTML report", extra="report") from error

# Readable on white and on near-black alike; the order is that of the channels.
COLOURS = ("#3b82c4", "#e07b39", "#2f9e6e", "#c2559d", "#9a7d0a", "#7a6fd0", "#c0504d", "#4aa3a8", "#8c8c8c", "#a0693a",
           "#5f8f1f", "#d9a400", "#1f6f8b", "#b56576", "#6d597a", "#2a9d8f")  # fmt: skip
# The golden ratio's share of the circle: hues of multiples of it never meet.
_GOLDEN = (math.sqrt(5) - 1) / 2
# Stands for "the colour of the page's text"; no channel has it.
INK = "#010203"

_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "font.size": 10.0,
    "text.parse_math": False,
    "text.color": INK,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "grid.color": INK,
    "grid.alpha": 0.12,
    "legend.frameon": False,
}


def colour(position: int) -> str:
    """Return the colour of the channel at ``position``: those of the palette, then hues as far apart as they come."""
    if position < len(COLOURS):
        return COLOURS[position]
    rgb = colorsys.hls_to_rgb(_GOLDEN * position % 1.0, 0.45, 0.5)
    return "#" + "".join(f"{round(255 * part):02x}" for part in rgb)


def recall_curves(report: Report) -> str:
    """Return Recall@K over K, a line a channel and a thick one for the merged list."""

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        cutoffs = list(report.k)
        for position, (name, row) in enumerate(report.channels.items()):
            axes.plot(cutoffs, _recalls(row, cutoffs), marker="o", ms=4, lw=1.6, color=colour(position), label=name)
        axes.plot(cutoffs, _recalls(report.fused, cutoffs), marker="D", ms=5, lw=2.6, color=INK, label=FUSED)
        if len(cutoffs) > 1:
            axes.set_xscale("log")
        axes.set_xticks(cutoffs, [str(k) for k in cutoffs])
        axes.minorticks_off()
        axes.set_ylim(bottom=0)
        axes.set_xlabel("K")
        axes.set_ylabel("Recall@K, %")
        handles, labels = axes.get_legend_handles_labels()
        # The legend stands in the order of the lines' right ends.
        heights = [row.recall[cutoffs[-1]] for row in report.rows.values()]
        order = sorted(range(len(labels)), key=lambda i: -heights[i])
        axes.legend(
            [handles[i] for i in order], [labels[i] for i in order], loc="center left", bbox_to_anchor=(1.01, 0.5)
        )

    return svg(draw, "curves", (7.6, 4.0))


def marginal_bars(report: Report) -> str:
    """Return a bar a channel: what the merged list loses without it, at the largest K."""
    k, names = report.k[-1], list(report.channels)

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        gains = [row.marginal_recall[k] for row in report.channels.values()]
        heights = [100 * gain.estimate for gain in gains]
        # Rounding may leave an end on the wrong side of its estimate by a hair.
        below = [max(100 * (gain.estimate - gain.low), 0.0) for gain in gains]
        above = [max(100 * (gain.high - gain.estimate), 0.0) for gain in gains]
        colours = [colour(position) for position in range(len(names))]
        axes.barh(names, heights, xerr=[below, above], color=colours, height=0.6, ecolor=INK, capsize=3)
        axes.axvline(0, color=INK, lw=1)
        axes.invert_yaxis()
        axes.grid(visible=False, axis="y")
        axes.set_xlabel(f"marginal Recall@{k}, points")

    return svg(draw, "marginal", (7.6, 1.1 + 0.36 * len(names)))


def popularity_panels(report: Report) -> str:
    """Return a panel for head, torso, tail and coverage, a bar a channel in each: who serves the tail."""
    k, rows = report.k[-1], report.rows
    inks = [*(colour(position) for position in range(len(rows) - 1)), INK]
    panels = [
        (f"{stratum}: recall, %", [getattr(row.strata_recall[k], stratum) or 0.0 for row in rows.values()])
        for stratum in STRATA
    ]
    panels.append(("coverage, %", [row.coverage[k] for row in rows.values()]))

    def draw(figure: Figure) -> None:
        every = figure.subplots(1, len(panels), sharey=True)
        for axes, (title, values) in zip(every, panels, strict=True):
            axes.barh(list(rows), [100 * value for value in values], color=inks, height=0.66)
            axes.set_title(title, fontsize=10.0, loc="left")
            axes.set_xlim(0, max(115 * max(values), 1e-9))
            axes.xaxis.set_major_locator(MaxNLocator(3))
            axes.grid(visible=False, axis="y")
            axes.tick_params(axis="y", length=0)
            for position, value in enumerate(values):
                axes.annotate(
                    f"{100 * value:.1f}",
                    (100 * value, position),
                    xytext=(3, -3),
                    textcoords="offset points",
                    fontsize=8.0,
                )
        every[0].invert_yaxis()

    return svg(draw, "popularity", (7.6, 0.9 + 0.3 * len(rows)))


def latency_scatter(report: Report) -> str:
    """Return Recall at the largest K over the time of one query."""
    k = report.k[-1]

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        for position, (name, row) in enumerate(report.rows.items()):
            ink = INK if name == FUSED else colour(position)
            place = (row.query_us, 100 * row.recall[k])
            axes.plot(*place, marker="D" if name == FUSED else "o", ms=8, color=ink)
            axes.annotate(name, place, xytext=(8, -3), textcoords="offset points")
        axes.set_xscale("log")
        # Plain numbers: powers of ten would need mathematical text.
        axes.xaxis.set_major_formatter(lambda value, _position: f"{value:,.0f}")
        axes.xaxis.set_minor_formatter(lambda value, _position: f"{value:,.0f}" if _leads(value, (2, 5)) else "")
        axes.margins(x=0.25, y=0.15)
        axes.set_ylim(bottom=0)
        axes.set_xlabel("median time of one query, µs (log scale)")
        axes.set_ylabel(f"Recall@{k}, %")

    return svg(draw, "latency", (7.6, 3.6))


def training_curves(report: Report) -> str:
    """Return a panel a channel that learns by epochs or steps: its loss, and what held-out users got at each check."""
    rows = [(name, row.training) for name, row in report.channels.items() if row.training]
    inks = {name: colour(position) for position, name in enumerate(report.channels)}

    def draw(figure: Figure) -> None:
        panels = figure.subplots(len(rows), 1, squeeze=False)[:, 0]
        for axes, (name, fits) in zip(panels, rows, strict=True):
            _draw_training(axes, fits, inks[name])
            axes.set_title(name, fontsize=10.0, loc="left")

    return svg(draw, "training", (7.6, 0.4 + 2.4 * len(rows)))


def _draw_training(axes: Axes, fits: Mapping[str, Curve], ink: str) -> None:
    """Draw the losses of a channel's fits as lines, and checks as points on an axis of their own."""
    for fit, curve in fits.items():
        line = "--" if fit == CHOOSING else "-"
        # A training of a single point has no line.
        mark = "o" if len(curve.step) == 1 else ""
        axes.plot(curve.step, curve.loss, line, marker=mark, ms=4, lw=1.6, color=ink, label=f"loss, {fit}")
    axes.set_xlabel(f"{next(iter(fits.values())).unit}s")
    axes.set_ylabel("loss")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    handles, labels = axes.get_legend_handles_labels()
    checks = [check for curve in fits.values() for check in curve.checks]
    if checks:
        beside = axes.twinx()
        beside.plot(*zip(*checks, strict=True), "o:", ms=4, lw=1.0, color=INK, label="held-out users")
        beside.set_ylabel("Recall, %")
        beside.yaxis.set_major_formatter(lambda value, _position: f"{100 * value:.3g}")
        beside.spines["right"].set_visible(True)
        beside.grid(visible=False)
        handles, labels = handles + beside.get_legend_handles_labels()[0], [*labels, "held-out users"]
    axes.legend(handles, labels, loc="center left", bbox_to_anchor=(1.12, 0.5))


def item_map(shown: ItemMap, position: int) -> str:
    """Return the items of a channel on the plane of two principal components, a colour a value of the attribute.

    ``position`` tells the maps of a page from each other: names of channels may not stand in ids of a drawing.
    """

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        for place, name in enumerate(shown.groups):
            own = [item for item, group in enumerate(shown.group) if group == place]
            grey = name in (OTHER, UNKNOWN)
            axes.scatter(
                [shown.x[item] for item in own],
                [shown.y[item] for item in own],
                s=9,
                lw=0,
                alpha=0.35 if grey else 0.8,
                color="#8c8c8c" if grey else colour(place),
                label=f"{name[:30]} ({len(own)})",
            )
        axes.set_xticks([])
        axes.set_yticks([])
        axes.set_aspect("equal", adjustable="datalim")
        axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), title=shown.attribute[:30])

    return svg(draw, f"map{position}", (7.6, 4.4))


def _leads(value: float, digits: tuple[int, ...]) -> bool:
    """Say whether a number is one of ``digits`` times a power of ten."""
    return any(math.isclose(value, digit * 10 ** math.floor(math.log10(value))) for digit in digits)


def _recalls(row: ChannelReport | FusedReport, cutoffs: list[int]) -> list[float]:
    return [100 * row.recall[k] for k in cutoffs]


def svg(draw: Callable[[Figure], None], name: str, inches: tuple[float, float]) -> str:
    """Draw on a fresh figure and return an ``<svg>`` element that takes its ink from the page."""
    with mpl.rc_context({**_STYLE, "svg.hashsalt": name}):
        figure = Figure(figsize=inches, layout="constrained")
        draw(figure)
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    text = buffer.getvalue()
    text = re.sub(r"<metadata>.*?</metadata>", "", text[text.index("<svg") :], flags=re.DOTALL)
    # Several drawings share one page: their ids must differ.
    text = re.sub(r'(id="|url\(#|xlink:href="#)', rf"\g<1>{name}-", text)
    return text.replace(INK, "currentColor")
