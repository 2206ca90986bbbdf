"""Sequence models without attention: recurrent units, and layers over a mean."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from graphrec.models.deep.dropout import Dropout
from graphrec.models.deep.inputs import FieldInputs
from graphrec.models.deep.sequence_model import Events, SequenceModel, taken
from graphrec.models.deep.towers import Residual


class Recurrent(SequenceModel):
    """Gated recurrent units; :class:`graphrec.models.deep.gru4rec.GRU4Rec` has the formula.

    Parameters
    ----------
    items_in : FieldInputs
        Vectors of items.
    layers : int
        Units on each other.
    dropout : float
        Share of numbers that training hides.
    """

    def __init__(self, items_in: FieldInputs, *, layers: int, dropout: float) -> None:
        super().__init__(items_in)
        dim = items_in.dim
        self.unit = nn.GRU(dim, dim, layers, batch_first=True)
        self.adding, self.norm, self.dropout = nn.Linear(dim, dim, bias=False), nn.LayerNorm(dim), Dropout(dropout)
        nn.init.zeros_(self.adding.weight)

    def states(self, events: Events) -> Tensor:
        """Return (n, w, dim)."""
        x = self.dropout(events.vectors)
        hidden, _ = self.unit(x)
        states: Tensor = self.norm(x + self.adding(self.dropout(hidden)))
        return states


class MeanOfEvents(SequenceModel):
    """Layers over a running mean; :class:`graphrec.models.deep.youtube_dnn.YouTubeDNN` has the formula.

    Parameters
    ----------
    items_in : FieldInputs
        Vectors of items.
    layers : int
        Hidden layers.
    users_in : FieldInputs or None
        Vectors of users.
    aged : bool
        Whether the age of an example is read.
    dropout : float
        Share of numbers that training hides.
    """

    def __init__(
        self, items_in: FieldInputs, users_in: FieldInputs | None, *, layers: int, aged: bool, dropout: float
    ) -> None:
        super().__init__(items_in)
        dim, self.users_in = items_in.dim, users_in
        self.reads_example_age = aged
        self.by_age = nn.Parameter(torch.zeros(dim)) if aged else None
        self.layers = nn.Sequential(*(Residual(dim) for _ in range(layers)))
        self.norm, self.dropout = nn.LayerNorm(dim), Dropout(dropout)

    def states(self, events: Events) -> Tensor:
        """Return (n, w, dim)."""
        x = self.dropout(events.vectors)
        counts = torch.arange(1, x.shape[1] + 1, device=x.device)[None, :, None]
        return self._made(x.cumsum(dim=1) / counts, events.example_ages, events.users)

    def last(self, events: Events) -> Tensor:
        """Return (n, dim), of one sum a history."""
        mean = self.dropout(events.vectors).sum(dim=1, keepdim=True) / events.lengths[:, None, None]
        ages = taken(events.example_ages, (events.lengths - 1)[:, None])
        return self._made(mean, ages, events.users)[:, 0]

    def _made(self, mean: Tensor, example_ages: Tensor, users: Tensor | None) -> Tensor:
        """Return (n, a, dim) of means (n, a, dim), days (n, a) and what is known of the users (n, dim)."""
        if users is not None:
            mean = mean + users[:, None]
        if self.by_age is not None:
            mean = mean + torch.log2(1 + example_ages)[:, :, None] * self.by_age
        states: Tensor = self.norm(self.layers(mean))
        return states
