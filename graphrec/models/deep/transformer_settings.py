"""What recipes of transformers share: their blocks."""

from __future__ import annotations

from dataclasses import dataclass

from graphrec.contracts.domains import choices, ints
from graphrec.contracts.settings import choice, count, number
from graphrec.errors import ConfigError
from graphrec.models.deep.sequence_settings import BlockKind, SequenceSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class TransformerSettings(SequenceSettings):
    """A sequence recipe whose model is blocks of self-attention.

    Parameters
    ----------
    blocks, heads : int
        Blocks, and heads of each; ``dim`` must be a multiple of the heads.
    block : {"plain", "gated"}
        What follows attention: a hidden layer, or SwiGLU with gates before what is added, as in LiGR.
    overlap, epochs, check_every, batch, weight_decay, averaged :
        See :class:`graphrec.models.deep.sequence_settings.SequenceSettings`; chosen on validation items of two sets.

    Raises
    ------
    ConfigError
        If a setting lies outside its range, or two of them do not go together.
    """

    blocks: int = count(1, least=1, most=16, search=choices(1, 2))
    heads: int = count(1, least=1, most=64, search=choices(1, 2, 4))
    block: BlockKind = choice("plain", BlockKind)
    overlap: int = count(16, least=1, most=4096, unit="windows", search=choices(1, 4, 16))
    epochs: int = count(12, least=1, search=ints(4, 40, log=True))
    check_every: int = count(2, least=1, unit="epochs")
    batch: int = count(128, least=1, unit="windows", search=choices(64, 128, 256))
    weight_decay: float = number(0.1, search=choices(0.0, 0.01, 0.1))
    averaged: float = number(3.0, unit="epochs", search=choices(0.0, 1.0, 3.0))

    def check(self) -> None:
        """Refuse settings that do not go together."""
        SequenceSettings.check(self)
        if self.dim % self.heads:
            raise ConfigError(f"dim is {self.dim} and heads {self.heads}; dim must be a multiple of heads")
