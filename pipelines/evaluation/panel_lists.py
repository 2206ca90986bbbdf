"""What channels return for the users of a panel, and the merged list made of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from graphrec.contracts.panel import Panel, chunks, take_panel
from graphrec.contracts.queries import Queries
from graphrec.contracts.recaller import Recaller
from graphrec.data.lists import ItemLists, concatenate, take_lists
from graphrec.errors import DataError
from graphrec.evaluation.metrics import rank_metrics
from graphrec.fusion.settings import Fusion
from graphrec.ranking.place import merge_and_place
from graphrec.recallers.filtering import recall_allowed

# Users asked for at once: the lists of every channel are held together.
CHUNK = 2048


@dataclass(frozen=True, slots=True, eq=False)
class PanelLists:
    """The lists of every channel for the n users of a panel, by channel: items of the pool that are not in the history.

    ``channels`` are those that returned the lists: stages after fusion ask them for pins and boosts.
    """

    panel: Panel
    channels: Mapping[str, Recaller]
    lists: Mapping[str, ItemLists]


def ask(channels: Mapping[str, Recaller], panel: Panel, depth: int) -> PanelLists:
    """Return each channel's best ``depth`` items for every user of the panel, asked for at once."""
    return PanelLists(panel, channels, {name: ask_channel(name, channels[name], panel, depth) for name in channels})


def ask_in_chunks(channels: Mapping[str, Recaller], panel: Panel, depth: int) -> Iterator[PanelLists]:
    """Yield what :func:`ask` returns, ``CHUNK`` users at a time."""
    for chunk in chunks(panel, CHUNK):
        yield ask(channels, chunk, depth)


def ask_all(channels: Mapping[str, Recaller], panel: Panel, depth: int) -> PanelLists:
    """Return what :func:`ask` returns, asked for in chunks; the lists are held together, 8 bytes an entry."""
    parts = [chunk.lists for chunk in ask_in_chunks(channels, panel, depth)]
    return PanelLists(panel, channels, {name: concatenate([part[name] for part in parts]) for name in channels})


def ask_channel(name: str, channel: Recaller, panel: Panel, k: int) -> ItemLists:
    """Return one channel's best ``k`` items for every user: full ranking of the pool, items of the history left out.

    Raises
    ------
    DataError
        If the answer cannot be used; the sentence names the channel.
    """
    return ask_queries(name, channel, panel.queries, panel.pool, k)


def ask_queries(name: str, channel: Recaller, queries: Queries, pool: npt.NDArray[np.bool_], k: int) -> ItemLists:
    """Return what :func:`ask_channel` returns, for users of whom no truth is known."""
    try:
        return recall_allowed(channel, queries, k, exclude=queries.history, allowed=pool)
    except DataError as error:
        raise DataError(f"channel {name!r}: {error}") from error


def take_answers(answers: PanelLists, positions: npt.NDArray[np.int64]) -> PanelLists:
    """Return the users at ``positions`` (n',), in that order."""
    lists = {name: take_lists(part, positions) for name, part in answers.lists.items()}
    return PanelLists(take_panel(answers.panel, positions), answers.channels, lists)


def of_channels(answers: PanelLists, names: Sequence[str]) -> PanelLists:
    """Return the lists of the channels ``names`` alone."""
    return replace(answers, lists={name: part for name, part in answers.lists.items() if name in names})


def merged(answers: PanelLists, fusion: Fusion, k: int) -> ItemLists:
    """Return the n lists that a user would be served: merged, boosted and pinned, at most ``k`` entries each."""
    return merge_and_place(fusion, answers.lists, answers.channels, answers.panel.queries, k).lists


def merged_recall(answers: PanelLists, fusion: Fusion, k: int) -> npt.NDArray[np.float64]:
    """Return (n,) Recall@k of the merged lists; zeros where there is no channel."""
    if not answers.lists:
        return np.zeros(len(answers.panel))
    return rank_metrics(merged(answers, fusion, k), answers.panel.truth, k).recall
