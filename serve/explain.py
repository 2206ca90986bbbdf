"""Why an item is in the answer, in words."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from graphrec.contracts.queries import Queries
from graphrec.contracts.recaller import Evidence, Recaller, no_evidence
from graphrec.fusion.settings import Rrf

from .paths import Edges, closest, edges_of, link_through, path_words
from .state import State

log = logging.getLogger(__name__)

# Reads well both ways: "you picked it", "often picked by".
VERB = "picked"
_PLACE = re.compile(r"\{(source|via|path|verb)\}")
# A path is telling where few items share the entity; its channel then counts for twice what it gave.
_TELLING, _TELLING_SHARE = 50, 100


@dataclass(frozen=True, slots=True, eq=False)
class Hints:
    """What C channels can say of m items; each array is (m, C).

    ``sources`` int32: the history item, -1 where there is none. ``vias`` int32: the middle row, likewise.
    ``nodes`` int32: the node that source and item share, the item itself where they are joined directly, -1 where the
    channel shows no path. ``worth`` float64: how good a reason it is; -inf where the channel did not return the item.
    """

    sources: npt.NDArray[np.int32]
    vias: npt.NDArray[np.int32]
    nodes: npt.NDArray[np.int32]
    worth: npt.NDArray[np.float64]


def explain(
    state: State,
    queries: Queries,
    rows: npt.NDArray[np.int32],
    channels: tuple[str, ...],
    ranks: npt.NDArray[np.int32],
) -> list[str | None]:
    """Return a sentence for each of ``rows`` (m,), or None where no channel can say anything.

    Of the channels that returned an item, those that can name an item of the history come before those that cannot;
    among them the one that gave the item most, where a telling path counts twice.

    Parameters
    ----------
    ranks : ndarray
        (m, C) int32: 1-based ranks, 0 where the channel did not return the item.
    """
    hints = _hints(state, queries, rows, channels, ranks)
    writer = Writer(state, channels)
    order = np.argsort(-hints.worth, axis=1, kind="stable").tolist()
    returned = np.count_nonzero(ranks, axis=1).tolist()
    sources, vias, nodes = hints.sources.tolist(), hints.vias.tolist(), hints.nodes.tolist()
    sentences: list[str | None] = []
    for position, row in enumerate(rows.tolist()):
        best = order[position][: returned[position]]
        told = (writer.sentence(row, c, sources[position][c], vias[position][c], nodes[position][c]) for c in best)
        sentences.append(next((one for one in told if one is not None), None))
    return sentences


def explain_fallback(state: State, places: npt.NDArray[np.int32]) -> list[str | None]:
    """Return a sentence for items of the fallback, by ``places`` (m,) in it: the ranked channel's, or a general one."""
    verb = state.bundle.wording.get("verb", VERB)
    recaller = state.bundle.channels.get(state.ranked)
    template = "" if recaller is None else recaller.reason
    popular = f"widely {verb}"
    ranked = template.replace("{verb}", verb) if set(_PLACE.findall(template)) <= {"verb"} else popular
    return [ranked if place < state.n_ranked else popular for place in places.tolist()]


def _hints(
    state: State,
    queries: Queries,
    rows: npt.NDArray[np.int32],
    channels: tuple[str, ...],
    ranks: npt.NDArray[np.int32],
) -> Hints:
    """Ask each channel about the items that it returned."""
    sources, vias, nodes = (np.full(ranks.shape, -1, dtype=np.int32) for _ in range(3))
    worth = np.full(ranks.shape, -np.inf)
    walked = walked_relations(state)
    degrees = state.bundle.catalogue.adjacency.indptr
    limit = max(5, min(_TELLING, len(state.bundle.items) // _TELLING_SHARE))
    for column, name in enumerate(channels):
        returned = np.flatnonzero(ranks[:, column])
        if len(returned) == 0:
            continue
        recaller, found = state.bundle.channels[name], rows[returned]
        evidence = _evidence(recaller, name, queries, found)
        value = gains(state, name, ranks[returned, column])
        if "{path}" in recaller.reason:
            shared = closest(state.bundle.catalogue, evidence.sources, found, walked.get(name))
            degree = np.where(shared == found, 0, degrees[shared + 1] - degrees[shared])
            value = np.where((shared >= 0) & (degree <= limit), 2.0 * value, value)
            nodes[returned, column] = shared
        sources[returned, column], vias[returned, column] = evidence.sources, evidence.via
        # Any channel that names a source stands above all that name none: gains are at most 2 * weight.
        worth[returned, column] = np.where(evidence.sources >= 0, 1e9 + value, value)
    return Hints(sources, vias, nodes, worth)


def _evidence(recaller: Recaller, name: str, queries: Queries, rows: npt.NDArray[np.int32]) -> Evidence:
    """Ask one channel why; one that fails is logged and has nothing to say, for its items are good all the same."""
    try:
        return recaller.evidence(queries, rows)
    except Exception:
        log.warning("channel %s cannot explain", name, exc_info=True)
        return no_evidence(len(rows))


def gains(state: State, channel: str, ranks: npt.NDArray[np.int32]) -> npt.NDArray[np.float64]:
    """Return what ranks in a channel are worth under the bundle's fusion; without weights, 1 / rank."""
    fusion = state.fusion
    if isinstance(fusion, Rrf):
        return np.asarray(fusion.weights.get(channel, 1.0) / (fusion.c + ranks), dtype=np.float64)
    return np.asarray(1.0 / ranks, dtype=np.float64)


def walked_relations(state: State) -> dict[str, npt.NDArray[np.bool_]]:
    """Return, by channel, which relations the configuration lets it walk; channels that walk all are not named."""
    config = state.bundle.manifest.config.get("channels")
    names = state.bundle.catalogue.adjacency.relation_names
    found: dict[str, npt.NDArray[np.bool_]] = {}
    for channel, settings in config.items() if isinstance(config, Mapping) else ():
        relations = settings.get("relations") if isinstance(settings, Mapping) else None
        if relations:
            found[channel] = np.array([name in relations for name in names], dtype=np.bool_)
    return found


class Writer:
    """Writes the sentences of one answer; what is looked up for one item serves the next."""

    def __init__(self, state: State, channels: tuple[str, ...]) -> None:
        self._state = state
        self._graph = state.bundle.catalogue
        self._recallers = [state.bundle.channels[name] for name in channels]
        self._wanted = [set(_PLACE.findall(recaller.reason)) for recaller in self._recallers]
        self._verb = state.bundle.wording.get("verb", VERB)
        self._edges: dict[int, Edges] = {}
        self._titles: dict[int, str] = {}

    def sentence(self, row: int, column: int, source: int, via: int, node: int) -> str | None:
        """Fill the template of one channel; None where a place cannot be filled."""
        recaller, wanted = self._recallers[column], self._wanted[column]
        values = {
            "verb": self._verb,
            "via": _via(recaller, via) if "via" in wanted else None,
            "source": self._title(source) if "source" in wanted else None,
            "path": self._path(source, row, node) if "path" in wanted else None,
        }
        if any(values[name] is None for name in wanted):
            return None
        return _PLACE.sub(lambda match: str(values[match[1]]), recaller.reason)

    def _path(self, source: int, row: int, node: int) -> str | None:
        if node < 0:
            return None
        if source not in self._edges:
            self._edges[source] = edges_of(self._graph.adjacency, source)
        link = link_through(self._graph, self._edges[source], row, node)
        return path_words(self._graph, source, row, link, self._state.words)

    def _title(self, row: int) -> str | None:
        if row < 0:
            return None
        if row not in self._titles:
            self._titles[row] = self._graph.label(row)
        return self._titles[row]


def _via(recaller: Recaller, row: int) -> str | None:
    """Return the name of a middle row, where the channel has names for them."""
    names = getattr(recaller, "via", None)
    return None if names is None or row < 0 else str(names[row])
