"""Curves of trainings in a report: what each recorded, thinned to what a page can show."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from graphrec.contracts.progress import TrainingPoint, TrainingUnit

from .part import Part

# A training that counts steps may have many; more than these are not seen in a drawing.
LONGEST = 500

CHOOSING, MEASURED = "choosing", "measured"
"""Fits of a channel in a run: on the inner part of train, where settings are chosen, and on all of train."""


@dataclass(frozen=True, slots=True)
class Curve(Part):
    """What a training measured after each epoch or step, n values each; None where there is none.

    ``loss`` is a mean over examples, ``validation`` what settings are chosen by (Recall of held-out users at the
    largest cut-off), ``lr`` the learning rate, ``examples_per_s`` the throughput.
    """

    unit: TrainingUnit
    step: tuple[Annotated[int, Field(ge=0)], ...]
    loss: tuple[float, ...]
    validation: tuple[float | None, ...]
    lr: tuple[float | None, ...]
    examples_per_s: tuple[float | None, ...]

    def __post_init__(self) -> None:
        lengths = {len(getattr(self, name)) for name in ("step", "loss", "validation", "lr", "examples_per_s")}
        if len(lengths) != 1 or 0 in lengths:
            raise ValueError("a curve has values, and as many of each kind")

    @property
    def checks(self) -> list[tuple[int, float]]:
        """The steps at which held-out users were checked, with what they got."""
        return [(step, value) for step, value in zip(self.step, self.validation, strict=True) if value is not None]


def curve_of(points: Sequence[TrainingPoint]) -> Curve | None:
    """Return the curve of what a training recorded, at most about ``LONGEST`` points of it; None where it is nothing.

    The last point stays, and every point of a check.
    """
    # A training that goes on repeats what it had recorded.
    by_step = {point.step: point for point in points}
    every = -(-len(by_step) // LONGEST)
    last = max(by_step, default=0)
    kept = [
        point
        for place, point in enumerate(by_step.values())
        if place % every == 0 or point.step == last or point.validation is not None
    ]
    return None if not kept else Curve(kept[0].unit, *_columns(kept))  # type: ignore[arg-type]


def curves_of(fits: Mapping[str, Sequence[TrainingPoint]]) -> dict[str, Curve] | None:
    """Return the curves of a channel's fits that have one, by fit; None where none has."""
    curves = {name: curve for name, points in fits.items() if (curve := curve_of(points)) is not None}
    return curves or None


def _columns(points: Iterable[TrainingPoint]) -> Iterable[tuple[object, ...]]:
    rows = ((point.step, point.loss, point.validation, point.lr, point.examples_per_s) for point in points)
    return zip(*rows, strict=True)
