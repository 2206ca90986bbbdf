"""Plots of a search as inline SVG: how the best value rose, what each setting did to it, which settings mattered."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ..report.plots import INK, svg
from .report import setting_text

_TRIAL, _BEST, _PRESENT = "#3b82c4", "#2f9e6e", "#e07b39"
# Settings in a row of slices.
_COLUMNS = 4
_WIDTH = 9.0


def history_plot(row: Mapping[str, Any], metric: str, name: str) -> str:
    """Return the value of each trial in its order, the best so far and the present settings as lines."""

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        done = [trial for trial in row["trials"] if trial["value"] is not None]
        numbers, values = [trial["number"] for trial in done], [100 * trial["value"] for trial in done]
        axes.scatter(numbers, values, s=18, color=_TRIAL, alpha=0.75, lw=0, label="trial")
        best = [max(values[: place + 1]) for place in range(len(values))]
        axes.step(numbers, best, where="post", lw=2, color=_BEST, label="best so far")
        if row["present"]["value"] is not None:
            axes.axhline(100 * row["present"]["value"], color=_PRESENT, lw=1.4, ls="--", label="present settings")
        _failures(axes, [trial["number"] for trial in row["trials"] if trial["value"] is None])
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set_xlabel("trial")
        axes.set_ylabel(f"{metric}, %")
        axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5))

    return svg(draw, f"{name}-history", (_WIDTH, 2.8))


def slice_plots(row: Mapping[str, Any], metric: str, name: str) -> str:
    """Return a small plot a setting: each trial's value over what the setting was; present and best are marked."""
    fields = list(row["space"])
    columns = min(_COLUMNS, len(fields))
    rows = math.ceil(len(fields) / columns)

    def draw(figure: Figure) -> None:
        shared: Axes | None = None
        for place, field in enumerate(fields):
            axes = figure.add_subplot(rows, columns, place + 1, sharey=shared)
            shared = shared or axes
            _slice(axes, row, field)
            if place % columns:
                axes.tick_params(labelleft=False)
            else:
                axes.set_ylabel(f"{metric}, %")

    return svg(draw, f"{name}-slices", (_WIDTH * max(columns, 2) / _COLUMNS, 2.3 * rows))


def importance_bars(row: Mapping[str, Any], name: str) -> str:
    """Return a bar a setting: the share of the values' variance that it explains by itself."""
    shares = sorted(row["importances"].items(), key=lambda pair: -pair[1])

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        bars = axes.barh([field for field, _ in shares], [100 * share for _, share in shares], color=_TRIAL, height=0.6)
        axes.bar_label(bars, fmt="%.0f", padding=4)
        axes.invert_yaxis()
        axes.grid(visible=False, axis="y")
        axes.margins(x=0.1)
        axes.set_xlim(left=0)
        axes.set_xlabel("variance explained by the setting alone, %")

    return svg(draw, f"{name}-importance", (_WIDTH, 0.9 + 0.3 * len(shares)))


def _slice(axes: Axes, row: Mapping[str, Any], field: str) -> None:
    """Draw the trials over one setting."""
    domain = row["space"][field]
    place = _places(domain) if isinstance(domain, list) else float
    done = [trial for trial in row["trials"] if trial["value"] is not None]
    spread = _spread if isinstance(domain, list) else _as_is
    xs = [place(trial["settings"][field]) for trial in done]
    axes.scatter(spread(xs), [100 * trial["value"] for trial in done], s=14, color=_TRIAL, alpha=0.6, lw=0)
    for which, colour, marker in (("present", _PRESENT, "D"), ("best", _BEST, "*")):
        if row[which]["value"] is not None:
            at = (place(row[which]["settings"][field]), 100 * row[which]["value"])
            axes.plot(*at, marker=marker, ms=11 if marker == "*" else 6, color=colour, mec=INK, mew=0.6, zorder=3)
    if isinstance(domain, list):
        axes.set_xticks(range(len(domain)), [setting_text(value) for value in domain])
        axes.set_xlim(-0.6, len(domain) - 0.4)
    elif domain.get("log"):
        _log_axis(axes)
    axes.tick_params(axis="x", labelsize=8)
    axes.margins(y=0.1)
    axes.set_xlabel(field)


def _places(choices: list[Any]) -> Any:
    """Return the function from a choice to its place; the present one may stand beside the list."""
    written = [repr(value) for value in choices]
    return lambda value: float(written.index(repr(value))) if repr(value) in written else math.nan


def _spread(xs: list[float]) -> list[float]:
    """Return places moved apart a little, so that trials of one choice do not hide each other."""
    return [x + 0.3 * (((7 * number) % 11) / 10 - 0.5) for number, x in enumerate(xs)]


def _as_is(xs: list[float]) -> list[float]:
    return xs


def _log_axis(axes: Axes) -> None:
    axes.set_xscale("log")
    # Plain numbers: powers of ten would need mathematical text.
    axes.xaxis.set_major_formatter(lambda value, _position: f"{value:g}")
    low, high = axes.get_xlim()
    digits = (1, 2, 5) if high / low < 200 else (1,)
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    ticks = [digit * 10.0**decade for decade in decades for digit in digits]
    axes.set_xticks([tick for tick in ticks if low <= tick <= high])
    axes.minorticks_off()


def _failures(axes: Axes, numbers: list[int]) -> None:
    if numbers:
        low = axes.get_ylim()[0]
        axes.plot(numbers, [low] * len(numbers), ls="", marker="x", color="#c0504d", label="failed", clip_on=False)
