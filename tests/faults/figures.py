"""How the slow tests report: one line of figures each, which ``make test-slow`` shows."""

from __future__ import annotations

import sys


def report(name: str, **figures: object) -> None:
    """Print ``name: 200 kills, 0 lost, …``; an underscore in the name of a figure is shown as a space."""
    line = ", ".join(f"{value} {what.replace('_', ' ')}" for what, value in figures.items())
    sys.stdout.write(f"\n{name}: {line}\n")
