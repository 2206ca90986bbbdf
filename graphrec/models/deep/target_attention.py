"""A net that reads a history anew for each candidate, beside the tower that names the candidates."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import relu

from graphrec.models.deep.dropout import Dropout
from graphrec.models.deep.inputs import FieldInputs
from graphrec.models.deep.interest_model import AttentiveInterests

# Score of what may not be looked at: finite, so that a row of padding has no division by zero.
_NEVER = -1e9


class TargetAttention(nn.Module):
    """Scores of candidates by attention of each over the events; :class:`graphrec.models.deep.din.DIN` has the formula.

    Parameters
    ----------
    dim, hidden : int
        Width of the vectors, and of the hidden layers.
    last : int
        Events of the longest history.
    dropout : float
        Share of numbers that training hides.
    """

    def __init__(self, dim: int, *, hidden: int, last: int, dropout: float) -> None:
        super().__init__()
        self.by_event, self.by_candidate = nn.Linear(dim, hidden), nn.Linear(dim, hidden, bias=False)
        self.event_side, self.candidate_side = (nn.Linear(dim, hidden, bias=False) for _ in range(2))
        self.activation = nn.Linear(hidden, 1, bias=False)
        self.by_distance = nn.Parameter(torch.zeros(last))
        self.norm, self.dropout = nn.LayerNorm(dim), Dropout(dropout)
        self.reading, self.scoring = nn.Linear(3 * dim, hidden), nn.Linear(hidden, 1, bias=False)
        nn.init.zeros_(self.scoring.weight)  # a score begins as the product of candidate and history

    def forward(self, events: Tensor, lengths: Tensor, candidates: Tensor) -> Tensor:
        """Return (n, c): scores of ``candidates`` (n, c, dim) after ``events`` (n, w, dim) of ``lengths`` (n,)."""
        x = self.dropout(events)
        distances = (lengths - 1)[:, None] - torch.arange(x.shape[1], device=x.device)  # (n, w)
        together = self.event_side(x)[:, None] * self.candidate_side(candidates)[:, :, None]  # (n, c, w, hidden)
        apart = self.by_event(x)[:, None] + self.by_candidate(candidates)[:, :, None]
        logits = self.activation(relu(together + apart))[..., 0] + self.by_distance[distances.clamp_min(0)][:, None]
        shares = logits.masked_fill((distances < 0)[:, None], _NEVER).softmax(dim=2)  # (n, c, w)
        read = self.norm(shares @ x)  # (n, c, dim)
        product = read * candidates
        hidden = self.dropout(relu(self.reading(torch.cat([read, candidates, product], dim=2))))
        scores: Tensor = product.sum(dim=2) + self.scoring(hidden)[..., 0]
        return scores


class TargetAware(AttentiveInterests):
    """Interests that search, and a net that scores; both read items by the same vectors.

    Parameters
    ----------
    items_in, interests, last, layers, dropout :
        As of :class:`graphrec.models.deep.interest_model.Interests`.
    hidden : int
        Width of the net's hidden layers.
    """

    def __init__(
        self, items_in: FieldInputs, *, interests: int, last: int, layers: int, dropout: float, hidden: int
    ) -> None:
        super().__init__(items_in, interests=interests, last=last, layers=layers, dropout=dropout)
        self.net = TargetAttention(items_in.dim, hidden=hidden, last=last, dropout=dropout)
