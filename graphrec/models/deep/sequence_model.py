"""What every sequence model is: events as vectors in, the state after each event out, served by its last state."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import NamedTuple

import torch
from torch import Tensor, nn

from graphrec.models.deep.inputs import FieldInputs
from graphrec.models.deep.weight_means import WeightMeans


class Events(NamedTuple):
    """N histories of at most w events, oldest first, from the left.

    ``vectors`` (n, w, dim) of the items, zero where there is no event; ``lengths`` (n,) int64, >= 1; ``ages`` (n, w)
    float32 seconds before the newest event, zero where no time is known; ``example_ages`` (n, w) float32 days between
    what is to be predicted after each event and the newest event of training, zero where nothing is to be predicted;
    ``hidden`` (n, w) bool: events that are to be told from the others, of which ``vectors`` says nothing, or None;
    ``users`` (n, dim): what is known of whose histories they are, or None.
    """

    vectors: Tensor
    lengths: Tensor
    ages: Tensor
    example_ages: Tensor
    hidden: Tensor | None = None
    users: Tensor | None = None


class SequenceModel(nn.Module, ABC):
    """Makes states that are compared by product with the vectors of items, the same that events are read as.

    Parameters
    ----------
    items_in : FieldInputs
        Vectors of items, by id and features.
    """

    reads_times: bool = False
    """Whether the ages of events play a part."""
    reads_example_age: bool = False
    """Whether the ages of what is to be predicted play a part in training."""

    def __init__(self, items_in: FieldInputs) -> None:
        super().__init__()
        self.items_in = items_in
        self.users_in: FieldInputs | None = None
        """Vectors of users, by their features, where these play a part."""
        self.means: WeightMeans | None = None

    def keep_means(self, steps: float) -> None:
        """Keep running means of the weights over the last ``steps`` steps, from the weights of now on."""
        self.means = WeightMeans(self, steps)

    @contextmanager
    def served(self) -> Iterator[None]:
        """Let the model be as it is served inside the block: its weights their means, where these are kept."""
        self.train(mode=False)
        with nullcontext() if self.means is None else self.means.within(self):
            yield

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return next(self.parameters()).device

    @abstractmethod
    def states(self, events: Events) -> Tensor:
        """Return (n, w, dim): the state that predicts at each event: what comes after it, or it where it is hidden."""

    def compared(self, states: Tensor, targets: Tensor) -> Tensor:  # noqa: ARG002
        """Return (m, dim): what of m states learns from ``targets`` (m, dim), which came next; the state itself."""
        return states

    def at(self, events: Events, places: Tensor) -> Tensor:
        """Return (n, a, …): the states after the events at ``places`` (n, a) int64."""
        return taken(self.states(events), places)

    def last(self, events: Events) -> Tensor:
        """Return (n, …): the states that predict what comes after the newest events."""
        return self.at(events, (events.lengths - 1)[:, None])[:, 0]


def taken(vectors: Tensor, places: Tensor) -> Tensor:
    """Return (n, a, …): of each row of ``vectors`` (n, w, …) those at its ``places`` (n, a)."""
    behind = vectors.shape[2:]
    return vectors.gather(1, places[(..., *(None,) * len(behind))].expand(-1, -1, *behind))
