"""How trainings went, in rows of text for the terminal and the page."""

from __future__ import annotations

from .curves import Curve
from .numbers import DASH, percent
from .report import Report

TRAINING = ("channel", "fit", "length", "loss", "held-out", "per s")


def training_rows(report: Report) -> list[tuple[str, ...]]:
    """Return a row a fit of each channel that learns by epochs or steps, of the columns :data:`TRAINING`."""
    return [
        (name, fit, *_figures(curve))
        for name, row in report.channels.items()
        for fit, curve in (row.training or {}).items()
    ]


def _figures(curve: Curve) -> tuple[str, ...]:
    """Return how long a training was, its first and last loss, its best check, and its median throughput."""
    step, best = max(curve.checks, key=lambda check: check[1], default=(0, None))
    speeds = sorted(speed for speed in curve.examples_per_s if speed is not None)
    return (
        f"{curve.step[-1]:,} {curve.unit}{'' if curve.step[-1] == 1 else 's'}",
        f"{curve.loss[0]:.3g} \N{RIGHTWARDS ARROW} {curve.loss[-1]:.3g}",
        DASH if best is None else f"{percent(best, 1)} % at {step:,}",
        f"{speeds[len(speeds) // 2]:,.0f}" if speeds else DASH,
    )
