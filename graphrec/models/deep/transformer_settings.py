"""What recipes of transformers share: their blocks."""

from __future__ import annotations

from dataclasses import dataclass

from graphrec.contracts.domains import choices
from graphrec.contracts.settings import choice, count
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

    Raises
    ------
    ConfigError
        If a setting lies outside its range, or two of them do not go together.
    """

    blocks: int = count(1, least=1, most=16, search=choices(1, 2))
    heads: int = count(1, least=1, most=64, search=choices(1, 2, 4))
    block: BlockKind = choice("plain", BlockKind)

    def check(self) -> None:
        """Refuse settings that do not go together."""
        SequenceSettings.check(self)
        if self.dim % self.heads:
            raise ConfigError(f"dim is {self.dim} and heads {self.heads}; dim must be a multiple of heads")
