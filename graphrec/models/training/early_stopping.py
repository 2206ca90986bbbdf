"""Where a training stops: when held-out users have been served no better for some checks."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from graphrec.contracts.progress import State


class EarlyStopping:
    """Checks a training every so many steps, and keeps a copy of what it had learnt at the best check.

    Steps are whatever the training counts: gradient steps, or epochs. Memory: one copy of what is learnt.

    Parameters
    ----------
    score : callable
        How well what is learnt serves held-out users; higher is better.
    every : int
        Steps between two checks, >= 1.
    patience : int
        Checks in a row that may be no better than the best, >= 1; after them the training is over.
    """

    def __init__(self, score: Callable[[State], float], *, every: int, patience: int) -> None:
        self._score, self._every, self._patience = score, every, patience
        self._best, self._step, self._worse = -math.inf, 0, 0
        self._learnt: dict[str, npt.NDArray[Any]] = {}

    @property
    def step(self) -> int:
        """The step of the best check, the first of equals; 0 before any."""
        return self._step

    @property
    def learnt(self) -> State:
        """What was learnt by the best check; empty before any."""
        return self._learnt

    @property
    def over(self) -> bool:
        """Whether the last checks were no better than the best."""
        return self._worse >= self._patience

    def after(self, step: int, learnt: State, *, last: bool) -> dict[str, float]:
        """Check what is learnt where a check is due, as it is at the last step; return what progress may show."""
        if step % self._every and not last:
            return {}
        score = self._score(learnt)
        if score > self._best:
            self._best, self._step, self._worse = score, step, 0
            self._learnt = {name: array.copy() for name, array in learnt.items()}
        else:
            self._worse += 1
        return {"validation": score}

    def state(self) -> dict[str, npt.NDArray[Any]]:
        """Return arrays for a checkpoint."""
        numbers = np.array([self._best, self._step, self._worse], dtype=np.float64)
        return {"best": numbers, **{f"best-{name}": array for name, array in self._learnt.items()}}

    def resume(self, saved: State) -> bool:
        """Take up what :meth:`state` returned, and return true; false where it is not among what was saved."""
        if "best" not in saved:
            return False
        best, step, worse = saved["best"].tolist()
        self._best, self._step, self._worse = best, int(step), int(worse)
        self._learnt = {name.removeprefix("best-"): saved[name] for name in saved if name.startswith("best-")}
        return True
