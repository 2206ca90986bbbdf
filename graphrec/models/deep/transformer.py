"""Blocks of self-attention, plain and gated as in LiGR; over what came before, or over both sides of what is hidden."""

from __future__ import annotations

import math
from abc import abstractmethod
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import relu, silu

from graphrec.models.deep.dropout import Dropout
from graphrec.models.deep.inputs import FieldInputs
from graphrec.models.deep.sequence_model import Events, SequenceModel, taken
from graphrec.models.deep.sequence_settings import BlockKind

# Score of what may not be looked at: finite, so that a row of padding has no division by zero.
_NEVER = -1e9
# Intervals are told apart by the logarithm of their seconds, to base 2: from a second to 34 years.
_INTERVALS = 32
# What the maps of queries and keys are multiplied by at first: attention begins even.
_CALM = 0.3


class Pairs(NamedTuple):
    """What of w events each of a places looks at, for n histories or for all alike (1 in the place of n).

    ``distances`` (1 or n, a, w) int64 rows of the table of distances; ``allowed`` (1 or n, 1 or a, w) bool;
    ``intervals`` (n, a, w) float32 seconds between, or None where the model reads no times.
    """

    distances: Tensor
    allowed: Tensor
    intervals: Tensor | None = None


class Attention(nn.Module):
    r"""Scaled products, with a learnt number for each distance: :math:`q_i k_j / \sqrt{dim / heads} + b_{i - j}`.

    Where times are read, a number for each interval in powers of two of a second is added too.

    Parameters
    ----------
    dim, heads : int
        Width, a multiple of the heads.
    distances : int
        Rows of the table of distances.
    times : bool
        Whether intervals play a part.
    dropout : float
        Share of weights that training hides.
    """

    def __init__(self, dim: int, heads: int, distances: int, *, times: bool, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.query, self.read, self.joining = nn.Linear(dim, dim), nn.Linear(dim, 2 * dim), nn.Linear(dim, dim)
        self.by_distance = nn.Parameter(torch.zeros(distances, heads))
        self.by_interval = nn.Parameter(torch.zeros(_INTERVALS, heads)) if times else None
        self.dropout = Dropout(dropout)

    def forward(self, places: Tensor, events: Tensor, pairs: Pairs) -> Tensor:
        """Return (n, a, dim): what each of ``places`` (n, a, dim) makes of ``events`` (n, w, dim)."""
        n, a, dim = places.shape
        query = self.query(places).reshape(n, a, self.heads, -1).transpose(1, 2)  # (n, heads, a, dim / heads)
        key, value = (
            part.reshape(n, events.shape[1], self.heads, -1).transpose(1, 2)
            for part in self.read(events).chunk(2, dim=2)
        )
        scores = query @ key.transpose(2, 3) / math.sqrt(dim / self.heads)  # (n, heads, a, w)
        scores = scores + self.by_distance[pairs.distances].permute(0, 3, 1, 2)
        if self.by_interval is not None and pairs.intervals is not None:
            power = torch.log2(pairs.intervals.clamp_min(0) + 1).long().clamp_max(_INTERVALS - 1)
            scores = scores + self.by_interval[power].permute(0, 3, 1, 2)
        scores = scores.masked_fill(~pairs.allowed[:, None], _NEVER)
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
        self.dropout = Dropout(dropout)

    def forward(self, places: Tensor, events: Tensor, pairs: Pairs) -> Tensor:
        """Return (n, a, dim)."""
        x = places + self.dropout(self.attention(self.before(places), self.before(events), pairs))
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
        self.dropout = Dropout(dropout)

    def forward(self, places: Tensor, events: Tensor, pairs: Pairs) -> Tensor:
        """Return (n, a, dim)."""
        mixed = self.attention(self.before(places), self.before(events), pairs)
        x = places + torch.sigmoid(self.gates[0](places)) * self.dropout(mixed)
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
    attention.query.weight.mul_(_CALM)
    attention.read.weight[:dim].mul_(_CALM)
    nn.init.eye_(attention.read.weight[dim:])
    nn.init.eye_(attention.joining.weight)
    nn.init.zeros_(block.second.weight)


_BLOCKS = {"plain": PlainBlock, "gated": GatedBlock}


class Transformer(SequenceModel):
    """Blocks over events and where they stand; who looks at whom is for its heirs to say.

    Parameters
    ----------
    items_in : FieldInputs
        Vectors of items.
    places, distances : int
        Most events that are read, and rows of the table of distances.
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
        self, items_in: FieldInputs, *, places: int, distances: int, blocks: int, heads: int, kind: BlockKind,
        times: bool, dropout: float,
    ) -> None:  # fmt: skip
        super().__init__(items_in)
        dim = items_in.dim
        self.reads_times = times
        self.places = nn.Embedding(places, dim)
        self.blocks = nn.ModuleList(
            _BLOCKS[kind](Attention(dim, heads, distances, times=times, dropout=dropout), dim, dropout=dropout)
            for _ in range(blocks)
        )
        self.before, self.norm, self.dropout = nn.LayerNorm(dim), nn.LayerNorm(dim), Dropout(dropout)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.xavier_normal_(module.weight)
                nn.init.zeros_(module.bias)
        for module in self.blocks:
            if isinstance(module, PlainBlock | GatedBlock):
                _begin_with_means(module)
        nn.init.normal_(self.places.weight, std=0.02)

    @abstractmethod
    def pairs(self, events: Events, looking: Tensor) -> Pairs:
        """Return what the places ``looking`` (1 or n, a) int64 look at."""

    def placed(self, vectors: Tensor) -> Tensor:
        """Return (n, w, dim): ``vectors``, normalised, and where they stand.

        A popular item's vector is long, for it is searched by; read, it must not drown what the blocks add to it.
        """
        places = self.places(torch.arange(vectors.shape[1], device=vectors.device))
        placed: Tensor = self.dropout(self.before(vectors) + places)
        return placed

    def states(self, events: Events) -> Tensor:
        """Return (n, w, dim)."""
        x, pairs = self.placed(events.vectors), self.pairs(events, _places(events))
        for block in self.blocks:
            x = block(x, x, pairs)
        states: Tensor = self.norm(x)
        return states

    def at(self, events: Events, places: Tensor) -> Tensor:
        """Return (n, a, dim); in the last block only the events at ``places`` look at others."""
        x, pairs = self.placed(events.vectors), self.pairs(events, _places(events))
        for block in self.blocks[:-1]:
            x = block(x, x, pairs)
        states: Tensor = self.norm(self.blocks[-1](taken(x, places), x, self.pairs(events, places)))
        return states


def _places(events: Events) -> Tensor:
    """Return (1, w): the places of events."""
    return torch.arange(events.vectors.shape[1], device=events.vectors.device)[None]


class CausalTransformer(Transformer):
    """A state looks at its own event and at those before it.

    Parameters
    ----------
    items_in, blocks, heads, kind, times, dropout :
        As :class:`Transformer` has them.
    last : int
        Events of the longest history.
    """

    def __init__(
        self, items_in: FieldInputs, *, last: int, blocks: int, heads: int, kind: BlockKind, times: bool, dropout: float
    ) -> None:
        super().__init__(
            items_in, places=last, distances=last, blocks=blocks, heads=heads, kind=kind, times=times, dropout=dropout
        )

    def pairs(self, events: Events, looking: Tensor) -> Pairs:
        """Return what places look at: what is at them or before."""
        back = looking[:, :, None] - _places(events)[:, None]  # (1 or n, a, w)
        intervals = None
        if self.reads_times:
            own = events.ages.gather(1, looking.expand(events.ages.shape[0], -1))
            intervals = events.ages[:, None] - own[:, :, None]
        return Pairs(back.clamp_min(0), back >= 0, intervals)


class ClozeTransformer(Transformer):
    """Every place looks at all events that are not hidden; a hidden one is a learnt vector.

    Parameters
    ----------
    items_in, blocks, heads, kind, dropout :
        As :class:`Transformer` has them.
    last : int
        Events of the longest history; a hidden place behind it is read too.
    """

    def __init__(
        self, items_in: FieldInputs, *, last: int, blocks: int, heads: int, kind: BlockKind, dropout: float
    ) -> None:
        super().__init__(
            items_in, places=last + 1, distances=2 * last + 1, blocks=blocks, heads=heads, kind=kind, times=False,
            dropout=dropout,
        )  # fmt: skip
        self.middle = last
        self.hidden = nn.Parameter(torch.zeros(items_in.dim))
        # A hidden place begins as a mean in which near events weigh more: it has no event of its own to begin with.
        near = -torch.log(torch.arange(-last, last + 1).abs().clamp_min(1))
        with torch.no_grad():
            for block in self.blocks:
                block.attention.by_distance.copy_(near[:, None])  # type: ignore[operator, union-attr]

    def pairs(self, events: Events, looking: Tensor) -> Pairs:
        """Return what places look at: all that is not hidden."""
        places = _places(events)
        seen = places < events.lengths[:, None]
        if events.hidden is not None:
            seen = seen & ~events.hidden
        return Pairs(looking[:, :, None] - places[:, None] + self.middle, seen[:, None])

    def states(self, events: Events) -> Tensor:
        """Return (n, w, dim)."""
        return super().states(events if events.hidden is None else self._with_hidden(events, events.hidden))

    def last(self, events: Events) -> Tensor:
        """Return (n, dim): the states of a hidden place behind the newest event."""
        ends = events.lengths[:, None]
        longer = [torch.cat([part, torch.zeros_like(part[:, :1])], dim=1) for part in (events.vectors, events.ages)]
        hidden = torch.arange(longer[0].shape[1], device=ends.device) == ends
        asked = Events(longer[0], events.lengths + 1, longer[1], longer[1], hidden)
        return super().last(self._with_hidden(asked, hidden))

    def _with_hidden(self, events: Events, hidden: Tensor) -> Events:
        return events._replace(vectors=torch.where(hidden[:, :, None], self.hidden, events.vectors))
