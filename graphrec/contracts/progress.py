"""What a fit may use besides the data: a seed, threads, a place for progress and checkpoints, shared intermediates."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, TypeVar, cast

import numpy as np
import numpy.typing as npt

from graphrec.contracts.panel import Panel
from graphrec.contracts.recaller import Recaller
from graphrec.errors import ConfigError

T = TypeVar("T")
State = Mapping[str, npt.NDArray[Any]]
TrainingUnit = Literal["epoch", "step"]
Objective = Callable[[Recaller, Panel], float]
"""How well a channel serves the users of a panel; higher is better."""


class Progress(Protocol):
    """Shows how far a fit has come."""

    def __call__(self, done: int, total: int, /, **values: float) -> None:
        """Show that ``done`` of ``total`` steps are over; ``values`` are figures to show.

        These have names of their own: ``loss``, ``validation`` (what ``FitContext.score`` gave last) and
        ``examples_per_s``. What remains of the time follows from the steps.
        """
        ...


@dataclass(frozen=True, slots=True)
class TrainingPoint:
    """What a training measured at the end of an epoch, or of a step where it counts steps.

    Parameters
    ----------
    unit : {"epoch", "step"}
        What is counted.
    step : int
        Epochs or steps that are over.
    loss : float
        Mean over the examples.
    validation : float or None
        What ``FitContext.score`` gave, where a check was due.
    lr : float or None
        The learning rate of the last step.
    examples_per_s : float or None
        Throughput.
    """

    unit: TrainingUnit
    step: int
    loss: float
    validation: float | None = None
    lr: float | None = None
    examples_per_s: float | None = None


class Record(Protocol):
    """Keeps what a training measured, for curves."""

    def __call__(self, point: TrainingPoint, /) -> None:
        """Keep a point; a training that goes on after a stop first repeats those that it had."""
        ...


class Checkpoints(Protocol):
    """Where a fit of many steps leaves its state, so that a fit that was stopped goes on where it was."""

    def load(self) -> State:
        """Return the arrays that were saved last; empty where there are none."""
        ...

    def save(self, state: State) -> None:
        """Keep arrays in place of those saved before, whole or not at all."""
        ...


class SharedResults:
    """Intermediates that several channels of a run need: each is computed once, by whoever needs it first.

    A result belongs to the object that it was computed from, so that one container may serve several parts of the data.
    Safe to use from several threads; memory is that of the results, until the container goes.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        # The owner is kept with the result: its id stays its own as long as it lives.
        self._results: dict[tuple[int, Hashable], tuple[object, object]] = {}

    def once(self, owner: object, key: Hashable, make: Callable[[], T]) -> T:
        """Return what ``make`` returned for the first call with ``key`` and this ``owner``."""
        with self._lock:
            place = (id(owner), key)
            if place not in self._results:
                self._results[place] = (owner, make())
            return cast("T", self._results[place][1])


def _silent(_done: int, _total: int, /, **_values: float) -> None:
    """Show nothing."""


def _unrecorded(_point: TrainingPoint, /) -> None:
    """Keep nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FitContext:
    """What a fit may use besides the data. The defaults are those of a fit by itself, from Python.

    Parameters
    ----------
    seed : int, default 0
        Of everything that is drawn: same data, recipe and seed give the same channel.
    device : str, default "cpu"
        Where torch computes: "cpu", "cuda", "cuda:1", …; recipes without torch do not read it.
    workers : int, default 0
        Threads of a fit and of all that it calls (:func:`graphrec.threads.at_most`); 0 takes every processor that the
        process may use. No answer depends on it: what does not come out alike on several threads, such as the links of
        an HNSW graph, is made by one. BLAS has threads of its own.
    progress : callable
        Called between steps; see :class:`Progress`.
    record : callable
        Called with what a training measured, for curves; see :class:`Record`.
    checkpoints : Checkpoints or None
        Where the state of a long fit is kept; None keeps none.
    validation : Panel or None
        Users with events that are held out of the data, for a recipe that chooses settings by how they are served
        (:mod:`graphrec.contracts.choosing`). None where nothing is held out: on the whole training part, and on all
        events.
    objective : callable or None
        ``objective(channel, validation)`` is how well they are served, such as
        :class:`graphrec.evaluation.objective.MeanMetric`.
    shared : SharedResults or None
        Intermediates that other fits of the same run compute too; None shares nothing.

    Raises
    ------
    ConfigError
        If the seed or the number of workers is no whole number of 0 or more.
    """

    seed: int = 0
    device: str = "cpu"
    workers: int = 0
    progress: Progress = field(default=_silent, repr=False)
    record: Record = field(default=_unrecorded, repr=False)
    checkpoints: Checkpoints | None = field(default=None, repr=False)
    validation: Panel | None = field(default=None, repr=False)
    objective: Objective | None = field(default=None, repr=False)
    shared: SharedResults | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        for name in ("seed", "workers"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 0:
                raise ConfigError(f"{name} of a fit is {value!r}; it must be a whole number of 0 or more")

    def score(self, channel: Recaller) -> float:
        """Return how well a channel serves the users of ``validation``; higher is better.

        Raises
        ------
        ConfigError
            If there is no ``validation`` or no ``objective``, or the objective is not a finite number.
        """
        if self.validation is None or self.objective is None:
            missing = "validation" if self.validation is None else "objective"
            raise ConfigError(
                f"settings are to be chosen on held-out users, and the context has no {missing}; give it both, such as "
                'FitContext(validation=panel, objective=MeanMetric("recall", 20))'
            )
        score = float(self.objective(channel, self.validation))
        if not math.isfinite(score):
            raise ConfigError(f"the objective of a fit is {score}; it must be a finite number")
        return score

    def once(self, owner: object, key: Hashable, make: Callable[[], T]) -> T:
        """Return ``make()``, or what it returned for another fit of the run; see :meth:`SharedResults.once`."""
        return make() if self.shared is None else self.shared.once(owner, key, make)


ALONE = FitContext()
"""The context of a fit by itself."""
