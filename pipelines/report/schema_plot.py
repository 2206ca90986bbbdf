"""The picture of a graph's schema, drawn with matplotlib."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from graphrec.errors import MissingExtraError
from graphrec.escapes import one_line

try:
    import matplotlib as mpl
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
except ImportError as error:
    raise MissingExtraError(
        "drawing a schema as SVG or PNG (a file .mmd or .dot needs nothing)", extra="report"
    ) from error

if TYPE_CHECKING:
    from graphrec.kg.schema.drawing import Drawing

_EDGE, _INTERACTION = "#3b82c4", "#c0504d"
_LONGEST = 40

Point = tuple[float, float]


def schema_picture(drawing: Drawing, kind: str) -> bytes:
    """Return the picture as a file of ``kind`` ("svg", "png", "pdf"): the same bytes for the same drawing."""
    styles: dict[Any, Any] = {
        "svg.hashsalt": "graphrec",
        "svg.fonttype": "none",
        "text.parse_math": False,
        "font.size": 9.0,
    }
    with mpl.rc_context(styles):
        figure = Figure(figsize=(11, 6.5), layout="constrained")
        axes = figure.subplots()
        _draw(axes, drawing)
        target = io.BytesIO()
        figure.savefig(target, format=kind, dpi=150, metadata={"Date": None} if kind == "svg" else None)
    return target.getvalue()


def _draw(axes: Axes, drawing: Drawing) -> None:
    places = _places(drawing)
    axes.set(xlim=(-1.35, 1.35), ylim=(-1.2, 1.2))
    axes.axis("off")
    frame = {"boxstyle": "round,pad=0.5", "facecolor": "#f4f6f8", "edgecolor": "#444444"}
    boxes = [
        axes.text(
            *place, "\n".join(map(_short, (box.title, *box.lines))), ha="center", va="center", bbox=frame, zorder=3
        )
        for box, place in zip(drawing.boxes, places, strict=True)
    ]
    for arrow in drawing.arrows:
        colour = _INTERACTION if arrow.dashed else _EDGE
        start, stop = places[arrow.start], places[arrow.stop]
        if arrow.start == arrow.stop:
            _label(axes, (start[0], start[1] + 0.2), [f"⟲ {line}" for line in arrow.lines], colour)
            continue
        style = {
            "arrowstyle": "-|>",
            "color": colour,
            "linestyle": "--" if arrow.dashed else "-",
            "connectionstyle": "arc3,rad=0.08",
            # Arrows end where the boxes do, however many lines these have.
            "patchA": boxes[arrow.start].get_bbox_patch(),
            "patchB": boxes[arrow.stop].get_bbox_patch(),
        }
        axes.annotate("", xy=stop, xytext=start, arrowprops=style)
        _label(axes, _between(start, stop), arrow.lines, colour)
    if drawing.left_out:
        axes.text(-1.3, -1.15, f"{drawing.left_out} smaller classes and predicates are left out", color="#666666")


def _places(drawing: Drawing) -> list[Point]:
    """Return a place for each box: that with most arrows in the middle, the others on an ellipse around it."""
    n_arrows = [0] * len(drawing.boxes)
    for arrow in drawing.arrows:
        for end in {arrow.start, arrow.stop}:
            n_arrows[end] += 1
    middle = max(range(len(n_arrows)), key=lambda position: (n_arrows[position], -position), default=0)
    others = [position for position in range(len(n_arrows)) if position != middle]
    places: list[Point] = [(0.0, 0.0)] * len(n_arrows)
    for turn, position in enumerate(others):
        angle = 2 * math.pi * turn / len(others) + 0.4
        places[position] = (1.1 * math.cos(angle), 0.95 * math.sin(angle))
    return places


def _between(start: Point, stop: Point) -> Point:
    # Nearer to the end, so that arrows that leave one box have room for their names.
    return start[0] + 0.55 * (stop[0] - start[0]), start[1] + 0.55 * (stop[1] - start[1])


def _label(axes: Axes, place: Point, lines: Sequence[str], colour: str) -> None:
    frame = {"boxstyle": "round,pad=0.15", "facecolor": "white", "edgecolor": "none", "alpha": 0.85}
    axes.text(
        *place, "\n".join(map(_short, lines)), ha="center", va="center", color=colour, fontsize=8, bbox=frame, zorder=2
    )


def _short(text: str) -> str:
    line = one_line(text)
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 1]}…"
