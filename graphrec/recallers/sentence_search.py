"""Which channels read sentences, and what a sentence is in their space."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeGuard

import numpy as np
import numpy.typing as npt

from graphrec.contracts.recaller import Recaller
from graphrec.data.lists import ItemLists
from graphrec.errors import ConfigError, DataError, brief
from graphrec.recallers.interests import InterestRecaller
from graphrec.recallers.vector import VectorRecaller
from graphrec.recallers.votes import VoteRecaller

Reader = VectorRecaller | VoteRecaller | InterestRecaller


def sentence_channels(channels: Mapping[str, Recaller]) -> list[str]:
    """Return the names of the channels that read sentences."""
    return [name for name, channel in channels.items() if _reads(channel)]


def nearest_to_sentence(channel: Recaller, text: str, k: int, pool: npt.NDArray[np.bool_]) -> ItemLists:
    """Return one list: the ``k`` items of ``pool`` (n_items,) nearest to a sentence, best first; raises as below."""
    reader = _reader(channel)
    near = reader.near.search(sentence_vector(reader, text)[None], k, allow=pool[reader.rows])
    return ItemLists(near.indptr, reader.rows[near.items], near.scores)


def sentence_vector(channel: Recaller, text: str) -> npt.NDArray[np.float32]:
    """Return the (dim,) vector of a sentence in the space of a channel, of length 1.

    Raises
    ------
    ConfigError
        If the channel reads no sentences, or ``text`` is no string.
    DataError
        If nothing can be read in the sentence.
    """
    sentences = _reader(channel).sentences
    if sentences is None or not isinstance(text, str):
        raise ConfigError(f"text is {brief(text)} ({type(text).__name__}); it must be a sentence")
    vector: npt.NDArray[np.float32] = sentences.vectors([text])[0]
    if not vector.any():
        raise DataError(f"nothing can be read in the sentence {brief(text)}; give it words that items' texts have")
    return vector


def _reads(channel: Recaller) -> TypeGuard[Reader]:
    return isinstance(channel, Reader) and channel.sentences is not None


def _reader(channel: Recaller) -> Reader:
    """Return the channel, where it reads sentences."""
    if not _reads(channel):
        raise ConfigError(f"a {type(channel).__name__} reads no sentences; fit the recipe Text")
    return channel
