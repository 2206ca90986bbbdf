"""Blocks of causal self-attention: plain, and gated as in LiGR."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import relu, silu

from graphrec.models.deep.inputs import FieldInputs
from graphrec.models.deep.sequence_model import Events, SequenceModel, newest
from graphrec.models.deep.sequence_settings import BlockKind

# Score of what may not be looked at: finite, so that a row of padding has no division by zero.
_NEVER = -1e9
# Intervals are told apart by the logarithm of their seconds, to base 2: from a second to 34 years.
_INTERVALS = 32
# What the maps of queries and keys are multiplied by at first: attention begins even.
_CALM = 0.3


class Attention(nn.Module):
    r"""Scaled products, with a learnt number for each distance: :math:`q_i k_j / \sqrt{dim / heads} + b_{i - j}`.

    Where times are read, a number for each interval in powers of two of a second is added too.
    """

    def __init__(self, dim: int, heads: int, last: int, *, times: bool, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.asking, self.told, self.joining = nn.Linear(dim, dim), nn.Linear(dim, 2 * dim), nn.Linear(dim, dim)
        self.by_distance = nn.Parameter(torch.zeros(last, heads))
        self.by_interval = nn.Parameter(torch.zeros(_INTERVALS, heads)) if times else None
        self.dropout = nn.Dropout(dropout)

    def forward(self, asking: Tensor, read: Tensor, distances: Tensor, intervals: Tensor) -> Tensor:
        """Return (n, a, dim): what each of ``asking`` (n, a, dim) makes of ``read`` (n, w, dim).

        ``distances`` (n, a, w) int64 in events, below 0 what may not be looked at, or (1, a, w) for all alike;
        ``intervals`` (n, a, w) seconds.
        """
        n, a, dim = asking.shape
        query = self.asking(asking).reshape(n, a, self.heads, -1).transpose(1, 2)  # (n, heads, a, dim / heads)
        key, value = (
            part.reshape(n, read.shape[1], self.heads, -1).transpose(1, 2) for part in self.told(read).chunk(2, dim=2)
        )
        scores = query @ key.transpose(2, 3) / math.sqrt(dim / self.heads)  # (n, heads, a, w)
        bias = self.by_distance[distances.clamp_min(0)]
        if self.by_interval is not None:
            place = torch.log2(intervals.clamp_min(0) + 1).long().clamp_max(_INTERVALS - 1)
            bias = bias + self.by_interval[place]
        scores = scores + bias.permute(0, 3, 1, 2)
        scores = scores.masked_fill((distances < 0)[:, None], _NEVER)
        mixed = self.dropout(scores.softmax(dim=3)) @ value  # (n, heads, a, dim / heads)
        joined: Tensor = self.joining(mixed.transpose(1, 2).reshape(n, a, dim))
        return joined


class PlainBlock(nn.Module):
    """Attention, then a hidden layer, each added to what it reads, which is normalised before."""

    def __init__(self, attention: Attention, dim: int, *, dropout: float) -> None:
        super().__init__()
        self.attention = attention
        self.before, self.between = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.first, self.second = nn.Linear(dim, dim), nn.Linear(dim, dim)
        self.dropout = nn.Dropout(dropout)

    def forward(self, asking: Tensor, read: Tensor, distances: Tensor, intervals: Tensor) -> Tensor:
        """Return (n, a, dim)."""
        mixed = self.attention(self.before(asking), self.before(read), distances, intervals)
        x = asking + self.dropout(mixed)
        hidden = self.dropout(relu(self.first(self.between(x))))
        result: Tensor = x + self.dropout(self.second(hidden))
        return result


class GatedBlock(nn.Module):
    """The same with SwiGLU as hidden layer, and what is added multiplied by a gate of what it is added to."""

    def __init__(self, attention: Attention, dim: int, *, dropout: float) -> None:
        super().__init__()
        self.attention = attention
        self.before, self.between = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.first, self.second = nn.Linear(dim, 8 * dim), nn.Linear(4 * dim, dim)
        self.gates = nn.ModuleList([nn.Linear(dim, dim), nn.Linear(dim, dim)])
        self.dropout = nn.Dropout(dropout)

    def forward(self, asking: Tensor, read: Tensor, distances: Tensor, intervals: Tensor) -> Tensor:
        """Return (n, a, dim)."""
        mixed = self.attention(self.before(asking), self.before(read), distances, intervals)
        x = asking + torch.sigmoid(self.gates[0](asking)) * self.dropout(mixed)
        hidden, gate = self.first(self.between(x)).chunk(2, dim=2)
        added = self.dropout(self.second(self.dropout(silu(gate) * hidden)))
        result: Tensor = x + torch.sigmoid(self.gates[1](x)) * added
        return result


@torch.no_grad()
def _begin_with_means(block: PlainBlock | GatedBlock) -> None:
    """Let a block add at first about the mean of what it reads, and nothing else.

    So a state begins as the newest item's vector and the mean of those before it: where these are near what is taken
    next, training begins with that.
    """
    attention, dim = block.attention, block.attention.joining.in_features
    attention.asking.weight.mul_(_CALM)
    attention.told.weight[:dim].mul_(_CALM)
    nn.init.eye_(attention.told.weight[dim:])
    nn.init.eye_(attention.joining.weight)
    nn.init.zeros_(block.second.weight)


_BLOCKS = {"plain": PlainBlock, "gated": GatedBlock}


class CausalTransformer(SequenceModel):
    """Blocks over events and where they stand; a state looks at its own event and at those before it.

    Parameters
    ----------
    items_in : FieldInputs
        Vectors of items.
    last : int
        Events of the longest history.
    blocks, heads : int
        Number of blocks, and of heads of each.
    kind : {"plain", "gated"}
        Of block.
    times : bool
        Whether intervals between events play a part.
    dropout : float
        Share of numbers that training hides.
    """

    def __init__(
        self, items_in: FieldInputs, *, last: int, blocks: int, heads: int, kind: BlockKind, times: bool, dropout: float
    ) -> None:
        super().__init__(items_in)
        dim = items_in.dim
        self.reads_times, self.n_places = times, last
        self.places = nn.Embedding(last, dim)
        self.blocks = nn.ModuleList(
            _BLOCKS[kind](Attention(dim, heads, last, times=times, dropout=dropout), dim, dropout=dropout)
            for _ in range(blocks)
        )
        self.norm, self.dropout = nn.LayerNorm(dim), nn.Dropout(dropout)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.xavier_normal_(module.weight)
                nn.init.zeros_(module.bias)
        for module in self.blocks:
            if isinstance(module, PlainBlock | GatedBlock):
                _begin_with_means(module)
        nn.init.normal_(self.places.weight, std=0.02)

    def states(self, events: Events) -> Tensor:
        """Return (n, w, dim)."""
        x, distances, intervals = self._read(events)
        for block in self.blocks:
            x = block(x, x, distances, intervals)
        states: Tensor = self.norm(x)
        return states

    def last(self, events: Events) -> Tensor:
        """Return (n, dim); in the last block only the newest event looks back."""
        x, distances, intervals = self._read(events)
        for block in self.blocks[:-1]:
            x = block(x, x, distances, intervals)
        back = (events.lengths - 1)[:, None, None] - torch.arange(x.shape[1], device=x.device)  # (n, 1, w)
        asking = newest(x, events.lengths)
        states: Tensor = self.norm(self.blocks[-1](asking, x, back, newest(intervals, events.lengths)))
        return states[:, 0]

    def _read(self, events: Events) -> tuple[Tensor, Tensor, Tensor]:
        """Return (n, w, dim) what is read, and how far events are apart: (1, w, w) in number, (n, w, w) in seconds."""
        places = torch.arange(events.ages.shape[1], device=events.ages.device)
        x = self.dropout(events.vectors + self.places(places)[None])
        distances = (places[:, None] - places[None, :])[None]
        return x, distances, events.ages[:, None, :] - events.ages[:, :, None]
