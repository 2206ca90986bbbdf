"""Why an item is in the answer, in words."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from graphrec.fusion.settings import Rrf
from graphrec.recall import Queries, Recaller
from serve.paths import Link, edges_of, links, path_words
from serve.state import State

# Reads well both ways: "you picked it", "often picked by".
VERB = "picked"
_PLACE = re.compile(r"\{(source|via|path|verb)\}")
# A path is telling where few items share the entity; it then counts for twice what its channel gave.
_TELLING, _TELLING_SHARE = 50, 100


@dataclass(frozen=True, slots=True)
class Hint:
    """What one channel can say of one item: the history item, the tag, and how much the channel gave."""

    channel: str
    template: str
    source: int
    via: str | None
    gain: float


def explain(
    state: State,
    queries: Queries,
    rows: npt.NDArray[np.int32],
    channels: tuple[str, ...],
    ranks: npt.NDArray[np.int32],
) -> list[str | None]:
    """Return a sentence for each of ``rows`` (m,), or None where no channel can say anything.

    Of the channels that returned an item, those that can name an item of the history come before those that cannot;
    among them the one that gave the item most.

    Parameters
    ----------
    ranks : ndarray
        (m, C) int32: 1-based ranks, 0 where the channel did not return the item.
    """
    hints: list[list[Hint]] = [[] for _ in rows]
    for column, name in enumerate(channels):
        positions = np.flatnonzero(ranks[:, column])
        if len(positions):
            for position, hint in _hints(state, queries, name, rows[positions], ranks[positions, column]):
                hints[positions[position]].append(hint)
    writer = Writer(state)
    return [writer.best(row, found) for row, found in zip(rows.tolist(), hints, strict=True)]


def explain_fallback(state: State, rows: npt.NDArray[np.int32]) -> list[str | None]:
    """Return a sentence for each of ``rows`` (m,) of the fallback: the ranked channel's for the items that it knows."""
    writer, recaller = Writer(state), state.bundle.channels.get(state.ranked)
    known = np.isin(rows, state.popular[: state.n_ranked])
    ranked = writer.plain("" if recaller is None else recaller.reason)
    popular = writer.plain("widely {verb}")
    return [ranked or popular if one else popular for one in known.tolist()]


def _hints(
    state: State, queries: Queries, name: str, rows: npt.NDArray[np.int32], ranks: npt.NDArray[np.int32]
) -> list[tuple[int, Hint]]:
    """Return (position, hint) for the items that one channel returned."""
    recaller = state.bundle.channels[name]
    evidence = recaller.evidence(queries, rows)
    sources, vias = evidence.sources.tolist(), evidence.via.tolist()
    return [
        (position, Hint(name, recaller.reason, source, _via(recaller, via), gain(state, name, rank)))
        for position, (source, via, rank) in enumerate(zip(sources, vias, ranks.tolist(), strict=True))
    ]


def gain(state: State, channel: str, rank: int) -> float:
    """Return what a rank in a channel is worth under the bundle's fusion; without weights, 1 / rank."""
    fusion = state.fusion
    return fusion.weights.get(channel, 1.0) / (fusion.c + rank) if isinstance(fusion, Rrf) else 1.0 / rank


def _via(recaller: Recaller, row: int) -> str | None:
    """Return the name of a middle row, where the channel has names for them."""
    names = getattr(recaller, "via", None)
    return None if names is None or row < 0 else str(names[row])


def walked_relations(state: State) -> dict[str, set[int]]:
    """Return, by channel, the relations that the configuration lets it walk; channels that walk all are not named."""
    config = state.bundle.manifest.config.get("channels")
    names = state.bundle.catalogue.adjacency.relation_names
    found: dict[str, set[int]] = {}
    for channel, settings in config.items() if isinstance(config, Mapping) else ():
        relations = settings.get("relations") if isinstance(settings, Mapping) else None
        if relations:
            found[channel] = {number for number, name in enumerate(names) if name in relations}
    return found


class Writer:
    """Writes the sentences of one answer; what is looked up for one item serves the next."""

    def __init__(self, state: State) -> None:
        self._graph = state.bundle.catalogue
        self._wording = state.bundle.wording
        self._edges: dict[int, list[tuple[int, int]]] = {}
        self._links: dict[tuple[int, int], list[Link]] = {}
        self._walked = walked_relations(state)
        self._titles: dict[int, str] = {}

    def best(self, row: int, hints: list[Hint]) -> str | None:
        """Return the sentence of the hint that says most, or None."""
        for hint in sorted(hints, key=lambda one: (one.source < 0, -self._worth(row, one))):
            sentence = self._sentence(row, hint)
            if sentence is not None:
                return sentence
        return None

    def plain(self, template: str) -> str | None:
        """Fill a template that speaks of nobody's history."""
        return self._sentence(-1, Hint("", template, -1, None, 0.0))

    def _worth(self, row: int, hint: Hint) -> float:
        """Return what a hint's channel gave, doubled where its path leads through something that few items share."""
        if "{path}" not in hint.template:
            return hint.gain
        link = self._link(hint, row)
        n_items = self._graph.n_items
        telling = link is not None and link.degree <= max(5, min(_TELLING, n_items // _TELLING_SHARE))
        return 2.0 * hint.gain if telling else hint.gain

    def _sentence(self, row: int, hint: Hint) -> str | None:
        """Fill the template; None where a place cannot be filled."""
        wanted = set(_PLACE.findall(hint.template))
        values: Mapping[str, str | None] = {
            "verb": self._wording.get("verb", VERB),
            "via": hint.via,
            "source": self._title(hint.source) if hint.source >= 0 else None,
            "path": self._path(hint, row) if "path" in wanted else None,
        }
        if any(values[name] is None for name in wanted):
            return None
        return _PLACE.sub(lambda match: str(values[match[1]]), hint.template)

    def _path(self, hint: Hint, row: int) -> str | None:
        link = self._link(hint, row)
        return None if link is None else path_words(self._graph, hint.source, row, link, self._wording)

    def _link(self, hint: Hint, row: int) -> Link | None:
        """Return the most specific thing that an item shares with its source, by what the channel walks if it can."""
        source = hint.source
        if source < 0:
            return None
        if (source, row) not in self._links:
            if source not in self._edges:
                self._edges[source] = edges_of(self._graph.adjacency, source)
            self._links[source, row] = links(self._graph, self._edges[source], row)
        found = self._links[source, row]
        walked = self._walked.get(hint.channel)
        if walked:
            found = [link for link in found if not walked.isdisjoint(link.relations)] or found
        return found[0] if found else None

    def _title(self, row: int) -> str:
        if row not in self._titles:
            self._titles[row] = self._graph.label(row)
        return self._titles[row]
