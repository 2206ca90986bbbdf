"""Items by a sentence: what the vectors of a channel of texts are nearest to."""

from __future__ import annotations

from graphrec.errors import ConfigError, nearest_names
from graphrec.recallers.sentence_search import nearest_to_sentence, sentence_channels

from .answer import Place, Recalled
from .read_request import read_count
from .state import State


def search(state: State, text: str, *, k: int, channel: str | None) -> tuple[Recalled, ...]:
    """Return the ``k`` items of the pool nearest to a sentence; see :meth:`graphrec.serve.engine.Engine.search`."""
    count = read_count("k", k)
    name = _chosen(state, channel)
    near = nearest_to_sentence(state.bundle.channels[name], text, count, state.pool)
    rows, scores = near.items.tolist(), near.scores.tolist()
    columns = zip(state.ids.look_up(rows), state.names.look_up(rows), scores, strict=True)
    return tuple(
        Recalled(item, title, score, {name: Place(rank, score)})
        for rank, (item, title, score) in enumerate(columns, start=1)
    )


def _chosen(state: State, channel: str | None) -> str:
    """Return the channel that is named, or the only one that reads sentences."""
    able, every = sentence_channels(state.bundle.channels), list(state.bundle.channels)
    listed = ", ".join(able) or "none"
    if channel is None:
        if len(able) != 1:
            raise ConfigError(f"{len(able)} channels could be meant; name one that reads sentences: {listed}")
        return able[0]
    if channel not in every:
        near = nearest_names(channel, every) if isinstance(channel, str) else ""
        raise ConfigError(f"channel {channel!r} is not among {', '.join(every)}{near}")
    if channel not in able:
        raise ConfigError(f"channel {channel!r} reads no sentences; those that do: {listed}")
    return channel
