"""Why an item is in the answer, in words: the channels give evidence, this file words it."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from graphrec.contracts.queries import Queries
from graphrec.contracts.recaller import Evidence, Recaller, no_evidence
from graphrec.errors import GraphRecError
from graphrec.recallers.evidence import check_evidence

from .paths import path_words
from .state import State

log = logging.getLogger(__name__)

# Reads well both ways: "you picked it", "often picked by".
VERB = "picked"
_PLACE = re.compile(r"\{(source|via|path)\}")
# The places of a channel that cannot word anything: no evidence ever fills them.
_SILENT = ("source",)
# A path is telling where few items share its entities; its channel then speaks as if its rank were a quarter of what it
# is: "same series, Harry Potter" says more than "often read by the same people" or "close to it in the graph".
_TELLING, _TELLING_SHARE, _TELLING_GAIN = 50, 100, 4

Rows = npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Reasons:
    """A sentence for each of m items, None where no channel has any; and the channels that failed to say why.

    ``unexplained`` maps such a channel to what was wrong.
    """

    sentences: list[str | None]
    unexplained: Mapping[str, str]


@dataclass(frozen=True, slots=True, eq=False)
class Voice:
    """A channel that may give the reason for an item.

    ``template`` is its sentence with a ``%s`` for each of ``places``, which stand for what differs from item to item.
    """

    name: str
    recaller: Recaller
    template: str
    places: tuple[str, ...]

    def sentence(self, values: tuple[str | None, ...]) -> str | None:
        """Return the template with ``values`` in its places; None where one of them is None."""
        return None if None in values else self.template % values


def explain(
    state: State, queries: Queries, rows: Rows, channels: tuple[str, ...], ranks: npt.NDArray[np.int32]
) -> Reasons:
    """Return a sentence for each of ``rows`` (m,), or None where no channel can say anything.

    A channel that raises, or whose evidence cannot be used, is named and says nothing: its items are good all the same.

    Of the channels that returned an item, those that can name something of the history come before those that cannot;
    among them the channel that ranked it highest, ties in the order of channels; a telling path quarters the rank. Each
    channel is asked only about the items that it is the first to speak for.

    Parameters
    ----------
    ranks : ndarray
        (m, C) int32: 1-based ranks, 0 where the channel did not return the item.
    """
    verb = state.bundle.wording.get("verb", VERB)
    unexplained: dict[str, str] = {}
    voices = [_voice(name, state.bundle.channels[name], verb, unexplained) for name in channels]
    labels: dict[int, str] = {}
    order = np.where(ranks > 0, ranks, np.inf)  # (m, C)
    evidence: dict[int, tuple[npt.NDArray[np.intp], Evidence]] = {}
    for column, voice in enumerate(voices):
        if not voice.places:
            order[:, column] += 1e9
        elif "path" in voice.places:
            returned = np.flatnonzero(ranks[:, column])
            evidence[column] = returned, _evidence(state, voice, queries, rows[returned], unexplained)
            order[returned[_telling(state, evidence[column][1])], column] /= _TELLING_GAIN
    sentences: list[str | None] = [None] * len(rows)
    pending = np.arange(len(rows))
    while len(pending):
        first = order[pending].argmin(axis=1) if len(voices) else np.zeros(len(pending), dtype=np.intp)
        possible = np.isfinite(order[pending, first]) if len(voices) else np.zeros(len(pending), dtype=np.bool_)
        pending, first = pending[possible], first[possible]
        for column in np.unique(first).tolist():
            positions, voice = pending[first == column], voices[column]
            order[positions, column] = np.inf
            if column in evidence:
                known, reasons = evidence[column]
                at = np.searchsorted(known, positions)
            else:
                reasons = _evidence(state, voice, queries, rows[positions], unexplained)
                at = np.arange(len(positions))
            for position, sentence in zip(
                positions.tolist(), _sentences(state, voice, reasons, at.tolist(), labels), strict=True
            ):
                sentences[position] = sentence
        pending = np.array([position for position in pending.tolist() if sentences[position] is None], dtype=np.intp)
    return Reasons(sentences, unexplained)


def explain_fallback(state: State, places: Rows) -> list[str | None]:
    """Return a sentence for items of the fallback, by ``places`` (m,) in it: of the ranked channel, or general."""
    verb = state.bundle.wording.get("verb", VERB)
    recaller = state.bundle.channels.get(state.ranked)
    popular = f"widely {verb}"
    voice = None if recaller is None else _voice(state.ranked, recaller, verb, {})
    ranked = popular if voice is None or voice.places else voice.sentence(())
    return [ranked if place < state.n_ranked else popular for place in places.tolist()]


def _voice(name: str, recaller: Recaller, verb: str, unexplained: dict[str, str]) -> Voice:
    """Return a channel with its template in parts; the verb is the same for all items and filled in here.

    A channel whose template is no text is named in ``unexplained``, and its voice says nothing.
    """
    try:
        parts = _PLACE.split(recaller.reason.replace("{verb}", verb))
    except Exception as error:
        _note(name, error, unexplained)
        return Voice(name, recaller, "", _SILENT)
    template = "%s".join(text.replace("%", "%%") for text in parts[::2])
    return Voice(name, recaller, template, tuple(parts[1::2]))


def _evidence(state: State, voice: Voice, queries: Queries, rows: Rows, unexplained: dict[str, str]) -> Evidence:
    """Return the checked evidence of a channel; it has none to give once it is named in ``unexplained``."""
    if voice.name in unexplained:
        return no_evidence(len(rows))
    try:
        evidence = voice.recaller.evidence(queries, rows)
        names = getattr(voice.recaller, "via", None)
        n_via = None if names is None else len(names)
        check_evidence(evidence, rows, state.bundle.catalogue, n_via=n_via)
    except Exception as error:
        _note(voice.name, error, unexplained)
        return no_evidence(len(rows))
    return evidence


def _note(name: str, error: Exception, unexplained: dict[str, str]) -> None:
    """Log the whole error for those who run the service, and keep the sentence for those who sent the request."""
    log.warning("channel %s cannot explain", name, exc_info=error)
    unexplained[name] = str(error) if isinstance(error, GraphRecError) else f"{type(error).__name__}: {error}"


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
    state: State, voice: Voice, evidence: Evidence, places: list[int], labels: dict[int, str]
) -> list[str | None]:
    """Return the sentences of one channel for the entries ``places`` of its evidence; None where it cannot say.

    ``labels`` are names of nodes that were looked up for this answer already; it grows.
    """
    columns: dict[str, list[str | None]] = {}
    if "source" in voice.places or "path" in voice.places:
        _look_up(state, evidence, labels)
    for name in voice.places:
        if name == "source":
            sources = evidence.sources.tolist()
            columns[name] = [labels.get(sources[place]) for place in places]
        elif name == "via":
            columns[name] = _vias(voice.recaller, evidence.via, places)
        else:
            columns[name] = _paths(state, evidence, places, labels)
    if not columns:
        return [voice.sentence(())] * len(places)
    return [voice.sentence(values) for values in zip(*(columns[name] for name in voice.places), strict=True)]


def _look_up(state: State, evidence: Evidence, labels: dict[int, str]) -> None:
    """Add the names of all nodes that evidence holds to ``labels``."""
    missing = list({*evidence.sources.tolist(), *evidence.paths.nodes.tolist()} - labels.keys() - {-1})
    labels |= zip(missing, state.names.look_up(missing), strict=True)


def _vias(recaller: Recaller, via: Rows, places: list[int]) -> list[str | None]:
    """Return the names of middle rows, where the channel has names for them."""
    names = getattr(recaller, "via", None)
    rows = via.tolist()
    return [None if names is None or rows[place] < 0 else str(names[rows[place]]) for place in places]


def _paths(state: State, evidence: Evidence, places: list[int], labels: Mapping[int, str]) -> list[str | None]:
    """Return paths in words; None where there is none."""
    names, words = state.bundle.catalogue.adjacency.relation_names, state.words
    nodes, relations = evidence.paths.nodes.tolist(), evidence.paths.relations.tolist()
    indptr = evidence.paths.indptr.tolist()
    sentences: list[str | None] = []
    for place in places:
        start, stop = indptr[place], indptr[place + 1]
        steps = relations[start + 1 : stop]
        sentences.append(
            path_words(
                [labels[node] for node in nodes[start:stop]],
                [names[number] for number in steps],
                [words[number] for number in steps],
            )
            if steps
            else None
        )
    return sentences
