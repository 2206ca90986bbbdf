"""The training loop by the settings of a recipe whose vectors are trained epoch by epoch."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from graphrec.contracts.progress import FitContext, State
from graphrec.models.training.loop import Task, TrainingSettings, train

# Multiplications of a step from which on several threads are worth their waiting for each other.
_SHARED_PRODUCTS = 1 << 24


def penalty_of(tables: Sequence[Tensor], regularisation: float) -> Tensor | float:
    """Return half of ``regularisation`` times the sum over ``tables`` of learnt vectors of a row's mean squared length.

    A row is drawn by its own examples, a share of all that falls as the rows grow in number; so does its penalty, which
    means the same for many rows and for few.
    """
    if not tables or not regularisation:
        return 0.0
    squares = torch.stack([table.square().sum() / max(len(table), 1) for table in tables]).sum()
    penalty: Tensor = regularisation / 2 * squares
    return penalty


class VectorsTask(Task):
    """A task that ends in vectors, and stops by its recipe."""

    _recipe: Any

    @property
    @abstractmethod
    def _products(self) -> int:
        """Multiplications of a step's loss, about."""

    @abstractmethod
    def learnt(self) -> State:
        """Return what is learnt by now, by name."""

    def run(self, context: FitContext, validate: Callable[[State], float] | None = None) -> tuple[State, int]:
        """Train, and return what was learnt (see :meth:`learnt`) and after how many epochs.

        A step of few multiplications is done by one thread: on a busy machine two would wait for each other most of
        the time.
        """
        if self._products < _SHARED_PRODUCTS:
            context = replace(context, workers=1)
        check = None if validate is None else lambda: validate(self.learnt())
        recipe = self._recipe
        settings = TrainingSettings(
            epochs=recipe.epochs, stop_at=recipe.stop_at, patience=0 if validate is None else recipe.patience,
            check_every=recipe.check_every, lr=recipe.lr, warm_up=min(1 / recipe.epochs, 0.1),
        )  # fmt: skip
        history = train(self, settings, context, validate=check)
        return self.learnt(), history.epoch
