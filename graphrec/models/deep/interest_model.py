"""Several states of one history: attention that each interest learns for itself, or capsules that share events out."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

from graphrec.models.deep.dropout import Dropout
from graphrec.models.deep.inputs import FieldInputs
from graphrec.models.deep.sequence_model import Events, SequenceModel
from graphrec.models.deep.towers import Residual

# Score of what may not be looked at: finite, so that a row of padding has no division by zero.
_NEVER = -1e9
# Events after which one counts half at first, of the interest that looks back least; of each other four times as many.
_SHORTEST, _RATIO = 1.5, 4.0


class Interests(SequenceModel, ABC):
    r"""States (interests, dim) after each event; :class:`graphrec.models.deep.comirec.ComiRec` has the formula.

    Parameters
    ----------
    items_in : FieldInputs
        Vectors of items.
    interests : int
        States of a history.
    last : int
        Events of the longest history.
    layers : int
        Hidden layers over each state.
    dropout : float
        Share of numbers that training hides.
    """

    def __init__(self, items_in: FieldInputs, *, interests: int, last: int, layers: int, dropout: float) -> None:
        super().__init__(items_in)
        dim = items_in.dim
        self.hidden, self.scoring = nn.Linear(dim, dim), nn.Linear(dim, interests, bias=False)
        self.by_distance = nn.Parameter(_decays(last, interests))
        self.layers = nn.Sequential(*(Residual(dim) for _ in range(layers)))
        self.norm, self.dropout = nn.LayerNorm(dim), Dropout(dropout)

    def states(self, events: Events) -> Tensor:
        """Return (n, w, interests, dim)."""
        places = torch.arange(events.vectors.shape[1], device=events.vectors.device)
        return self._made(events.vectors, (places[:, None] - places)[None])

    def at(self, events: Events, places: Tensor) -> Tensor:
        """Return (n, a, interests, dim)."""
        every = torch.arange(events.vectors.shape[1], device=events.vectors.device)
        return self._made(events.vectors, places[:, :, None] - every)

    def compared(self, states: Tensor, targets: Tensor) -> Tensor:
        """Return (m, dim): of states (m, interests, dim) those whose products with ``targets`` (m, dim) are greatest.

        The interest that a target belongs to learns from it, and no other.
        """
        best = torch.einsum("mkd,md->mk", states.detach(), targets.detach()).argmax(dim=1)
        return states[torch.arange(len(states), device=states.device), best]

    def _made(self, vectors: Tensor, distances: Tensor) -> Tensor:
        """Return (n, a, interests, dim) of vectors (n, w, dim), looked at from ``distances`` (n or 1, a, w)."""
        x = self.dropout(vectors)
        own = self.scoring(torch.tanh(self.hidden(x)))  # (n, w, interests)
        logits = own[:, None] + self.by_distance[distances.clamp_min(0)]  # (n, a, w, interests)
        states: Tensor = self.norm(self.layers(self._mixed(x, logits, (distances >= 0)[..., None])))
        return states

    @abstractmethod
    def _mixed(self, x: Tensor, logits: Tensor, seen: Tensor) -> Tensor:
        """Return (n, a, interests, dim) of x (n, w, dim), logits (n, a, w, interests), ``seen`` (n or 1, a, w, 1)."""


class AttentiveInterests(Interests):
    """Each interest is the mean of the events by a softmax of its own over them."""

    def _mixed(self, x: Tensor, logits: Tensor, seen: Tensor) -> Tensor:
        """Return (n, a, interests, dim)."""
        return torch.einsum("nawk,nwd->nakd", logits.masked_fill(~seen, _NEVER).softmax(dim=2), x)


class CapsuleInterests(Interests):
    """Interests share each event out among them, by how near it is to what they have made of all, in ``rounds``.

    Parameters
    ----------
    rounds : int
        Of routing.
    """

    def __init__(
        self, items_in: FieldInputs, *, interests: int, last: int, layers: int, dropout: float, rounds: int
    ) -> None:
        super().__init__(items_in, interests=interests, last=last, layers=layers, dropout=dropout)
        self.rounds = rounds
        self.mapping = nn.Linear(items_in.dim, items_in.dim, bias=False)
        nn.init.eye_(self.mapping.weight)

    def _mixed(self, x: Tensor, logits: Tensor, seen: Tensor) -> Tensor:
        """Return (n, a, interests, dim); gradients go through the last round and through what it begins with."""
        mapped = self.mapping(x)
        with torch.no_grad():
            near = torch.zeros_like(logits)
            for _ in range(self.rounds - 1):
                capsules = _squashed(_shared_out(mapped, logits + near, seen))
                near = near + torch.einsum("nakd,nwd->nawk", capsules, mapped)
        return _shared_out(mapped, logits + near, seen)


def _shared_out(mapped: Tensor, logits: Tensor, seen: Tensor) -> Tensor:
    """Return (n, a, interests, dim): sums of ``mapped`` (n, w, dim), of each event the shares that make up 1."""
    return torch.einsum("nawk,nwd->nakd", logits.softmax(dim=3) * seen, mapped)


def _squashed(capsules: Tensor) -> Tensor:
    """Return capsules (…, dim) of the same direction, of lengths below 1."""
    square = capsules.square().sum(dim=-1, keepdim=True)
    return capsules * square.sqrt() / (1 + square)


def _decays(last: int, interests: int) -> Tensor:
    """Return (last, interests): what distances begin as: each interest looks back four times as far as the one before.

    Else all interests would begin as one mean of the same events, and the first to be drawn nearest would learn alone.
    """
    half_lives = _SHORTEST * _RATIO ** torch.arange(interests)
    return -torch.log(torch.tensor(2.0)) * torch.arange(last)[:, None] / half_lives
