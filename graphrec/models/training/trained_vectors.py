"""What recipes share whose vectors are trained epoch by epoch, and may stop where held-out users are served best."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import numpy.typing as npt

from graphrec.channels.families import VectorSettings
from graphrec.contracts.choosing import ChosenFit
from graphrec.contracts.progress import ALONE, FitContext, State
from graphrec.contracts.recall_data import RecallData
from graphrec.contracts.recaller import Recaller
from graphrec.contracts.settings import count
from graphrec.errors import ConfigError
from graphrec.index.embeddings import EmbeddingTable


class VectorTask(Protocol):
    """What trains."""

    def run(self, context: FitContext, validate: Callable[[State], float] | None = None) -> tuple[State, int]:
        """Return what was learnt and the epoch of it: the best by ``validate``, or the last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainedVectors(VectorSettings):
    """What every such recipe has besides: when it stops.

    Parameters
    ----------
    epochs : int
        Passes over the data, >= 1; each recipe has a default of its own.
    patience : int, default 0
        Checks in a row that may serve held-out users no better than the best before training stops; 0 trains all
        epochs. Where a fit is handed held-out users (:meth:`choose`), ``stop_at`` is the epoch of the best check.
    stop_at : int, default 0
        Epochs after which training stops while the learning rate falls as for all epochs; 0 goes to the end.
    """

    epochs: int = count(1, least=1)
    patience: int = count(0, unit="checks")
    stop_at: int = count(0, unit="epochs")

    def check(self) -> None:
        """Refuse to stop after the last epoch."""
        if self.stop_at > self.epochs:
            raise ConfigError(f"stop_at is {self.stop_at}; it must be at most epochs, which is {self.epochs}, or 0")

    @property
    def chooses(self) -> bool:
        """Whether where to stop is to be chosen on held-out users."""
        return self.patience > 0 and self.stop_at == 0

    def choose(self, data: RecallData, context: FitContext) -> ChosenFit:
        """Return the recipe whose ``stop_at`` is the best of the checks, and its channel.

        A check searches exactly, whatever the index, and makes all vectors; checkpoints as the fit has them.

        Raises
        ------
        ConfigError, DataError, MissingExtraError
            As the fit; ConfigError if the context has no held-out users or no objective.
        """
        task = self._task(data, context)
        if not self.chooses:
            return ChosenFit(self, self._channel(data, task.run(context)[0], context))
        exact = replace(self, index="exact")
        learnt, epoch = task.run(context, lambda learnt: context.score(exact._channel(data, learnt, context)))
        chosen = replace(self, stop_at=epoch)
        return ChosenFit(chosen, chosen._channel(data, learnt, context))

    def embed(self, data: RecallData, context: FitContext = ALONE) -> EmbeddingTable:
        """Return the vectors of the items by id, as they are served: the fit without a channel.

        Items of which nothing is known are not in the table; the pool plays no part.
        """
        learnt, _ = self._task(data, context).run(context)
        rows = np.flatnonzero(learnt["known"])
        return EmbeddingTable(data.items.take(rows), self.served(learnt["items"][rows]))

    def served(self, items: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Return the items' vectors (n, width) as they are searched."""
        return items

    def _task(self, data: RecallData, context: FitContext) -> VectorTask:
        """Return what is trained: the model, and what its batches are made of."""
        raise NotImplementedError

    def _channel(self, data: RecallData, learnt: State, context: FitContext) -> Recaller:
        """Return the channel of what was learnt."""
        raise NotImplementedError
