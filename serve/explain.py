"""Why an item is in the answer, in words: the channels give evidence, this file words it."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from graphrec.contracts.queries import Queries
from graphrec.contracts.recaller import Evidence, Recaller, no_evidence

from .paths import path_words
from .state import State

log = logging.getLogger(__name__)

# Reads well both ways: "you picked it", "often picked by".
VERB = "picked"
_PLACE = re.compile(r"\{(source|via|path|verb)\}")
# A path is telling where few items share its entities; its channel then speaks as if its rank were half of what it is.
_TELLING, _TELLING_SHARE = 50, 100

Rows = npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True, eq=False)
class Voice:
    """A channel that may give the reason for an item: its recaller, its template, and the places in that."""

    name: str
    recaller: Recaller
    template: str
    places: frozenset[str]

    @property
    def personal(self) -> bool:
        """Whether its sentence differs from item to item, and so needs evidence."""
        return bool(self.places - {"verb"})

    def filled(self, values: Mapping[str, str | None]) -> str:
        """Return its sentence with ``values`` in the places of the template."""
        return _PLACE.sub(lambda match: str(values[match[1]]), self.template)


def explain(
    state: State, queries: Queries, rows: Rows, channels: tuple[str, ...], ranks: npt.NDArray[np.int32]
) -> list[str | None]:
    """Return a sentence for each of ``rows`` (m,), or None where no channel can say anything.

    Of the channels that returned an item, those that can name something of the history come before those that cannot;
    among them the one that ranked the item highest, ties in the order of channels; a telling path halves the rank. Each
    channel is asked only about the items that it is the first to speak for.

    Parameters
    ----------
    ranks : ndarray
        (m, C) int32: 1-based ranks, 0 where the channel did not return the item.
    """
    verb = state.bundle.wording.get("verb", VERB)
    voices = [_voice(name, state.bundle.channels[name], verb) for name in channels]
    order = np.where(ranks > 0, ranks, np.inf)  # (m, C)
    evidence: dict[int, tuple[npt.NDArray[np.intp], Evidence]] = {}
    for column, voice in enumerate(voices):
        if not voice.personal:
            order[:, column] += 1e9
        elif "path" in voice.places:
            returned = np.flatnonzero(ranks[:, column])
            evidence[column] = returned, _evidence(voice, queries, rows[returned])
            order[returned[_telling(state, evidence[column][1])], column] /= 2
    sentences: list[str | None] = [None] * len(rows)
    pending = np.arange(len(rows))
    while len(pending):
        first = order[pending].argmin(axis=1) if len(voices) else np.zeros(len(pending), dtype=np.intp)
        possible = np.isfinite(order[pending, first]) if len(voices) else np.zeros(len(pending), dtype=np.bool_)
        pending, first = pending[possible], first[possible]
        for column in np.unique(first).tolist():
            positions, voice = pending[first == column], voices[column]
            order[positions, column] = np.inf
            for position, sentence in _sentences(state, voice, queries, rows, positions, evidence.get(column)):
                sentences[position] = sentence
        pending = np.array([position for position in pending.tolist() if sentences[position] is None], dtype=np.intp)
    return sentences


def explain_fallback(state: State, places: Rows) -> list[str | None]:
    """Return a sentence for items of the fallback, by ``places`` (m,) in it: the ranked channel's, or a general one."""
    verb = state.bundle.wording.get("verb", VERB)
    recaller = state.bundle.channels.get(state.ranked)
    popular = f"widely {verb}"
    voice = None if recaller is None else _voice(state.ranked, recaller, verb)
    ranked = popular if voice is None or voice.personal else voice.template
    return [ranked if place < state.n_ranked else popular for place in places.tolist()]


def _voice(name: str, recaller: Recaller, verb: str) -> Voice:
    template = recaller.reason.replace("{verb}", verb)
    return Voice(name, recaller, template, frozenset(_PLACE.findall(template)))


def _evidence(voice: Voice, queries: Queries, rows: Rows) -> Evidence:
    """Ask one channel why; one that fails is logged and has nothing to say, for its items are good all the same."""
    try:
        return voice.recaller.evidence(queries, rows)
    except Exception:
        log.warning("channel %s cannot explain", voice.name, exc_info=True)
        return no_evidence(len(rows))


def _telling(state: State, evidence: Evidence) -> npt.NDArray[np.bool_]:
    """Return (m,) bool: whether each item has a path all of whose entities are shared by few."""
    paths, catalogue = evidence.paths, state.bundle.catalogue
    degrees = catalogue.adjacency.indptr[paths.nodes + 1] - catalogue.adjacency.indptr[paths.nodes]
    limit = max(5, min(_TELLING, len(state.bundle.items) // _TELLING_SHARE))
    broad = (paths.nodes >= catalogue.n_items) & (degrees > limit)
    before = np.concatenate([[0], np.cumsum(broad)])
    telling: npt.NDArray[np.bool_] = (np.diff(paths.indptr) > 0) & (np.diff(before[paths.indptr]) == 0)
    return telling


def _sentences(
    state: State,
    voice: Voice,
    queries: Queries,
    rows: Rows,
    positions: npt.NDArray[np.intp],
    known: tuple[npt.NDArray[np.intp], Evidence] | None,
) -> Iterable[tuple[int, str | None]]:
    """Yield the sentence of one channel for the items at ``positions``; None where a place cannot be filled.

    ``known`` is evidence that there is already: the positions that it is of, ascending, and itself.
    """
    if not voice.personal:
        yield from ((position, voice.template) for position in positions.tolist())
        return
    if known is None:
        evidence, places = _evidence(voice, queries, rows[positions]), range(len(positions))
    else:
        evidence, places = known[1], np.searchsorted(known[0], positions).tolist()
    labels = _labels(state, evidence)
    sources, vias = evidence.sources.tolist(), evidence.via.tolist()
    names = getattr(voice.recaller, "via", None)
    for position, place in zip(positions.tolist(), places, strict=True):
        values = {
            "source": labels.get(sources[place]),
            "via": None if names is None or vias[place] < 0 else str(names[vias[place]]),
            "path": _path(state, evidence, place, labels) if "path" in voice.places else None,
        }
        if any(values[name] is None for name in voice.places):
            yield position, None
        else:
            yield position, voice.filled(values)


def _labels(state: State, evidence: Evidence) -> Mapping[int, str]:
    """Return the names of all nodes that evidence speaks of, looked up together."""
    nodes = np.unique(np.concatenate([evidence.sources, evidence.paths.nodes]))
    nodes = nodes[nodes >= 0]
    graph = state.bundle.catalogue
    labels = graph.labels.take(nodes).to_pylist()
    return {
        node: graph.label(node) if label is None else label for node, label in zip(nodes.tolist(), labels, strict=True)
    }


def _path(state: State, evidence: Evidence, place: int, labels: Mapping[int, str]) -> str | None:
    """Return one path in words; None where there is none."""
    nodes, relations = evidence.paths[place]
    if len(nodes) == 0:
        return None
    names, numbers = state.bundle.catalogue.adjacency.relation_names, relations.tolist()
    return path_words(
        [labels[node] for node in nodes.tolist()],
        [names[number] for number in numbers],
        [state.words[number] for number in numbers],
    )
