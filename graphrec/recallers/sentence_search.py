"""Which channels read sentences, and what a sentence is in their space."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from graphrec.contracts.recaller import Recaller
from graphrec.errors import ConfigError, DataError, brief
from graphrec.recallers.sentences import SentenceEncoder
from graphrec.recallers.vector import VectorRecaller
from graphrec.recallers.votes import VoteRecaller


def encoder_of(channel: Recaller) -> SentenceEncoder | None:
    """Return what makes vectors of sentences in the space of a channel's items; None where nothing does."""
    return channel.sentences if isinstance(channel, VectorRecaller | VoteRecaller) else None


def sentence_channels(channels: Mapping[str, Recaller]) -> list[str]:
    """Return the names of the channels that read sentences."""
    return [name for name, channel in channels.items() if encoder_of(channel) is not None]


def sentence_vector(channel: Recaller, text: str) -> npt.NDArray[np.float32]:
    """Return the (dim,) vector of a sentence, of length 1.

    Raises
    ------
    ConfigError
        If the channel reads no sentences, or ``text`` is no string.
    DataError
        If nothing can be read in the sentence.
    """
    encoder = encoder_of(channel)
    if encoder is None:
        raise ConfigError(f"a {type(channel).__name__} reads no sentences; fit the recipe Text")
    if not isinstance(text, str):
        raise ConfigError(f"text is {brief(text)} ({type(text).__name__}); it must be a sentence")
    vector = encoder.vectors([text])[0]
    if not vector.any():
        raise DataError(f"nothing can be read in the sentence {brief(text)}; give it a few words")
    return vector
