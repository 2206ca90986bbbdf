"""Why an item is in the answer, in words: the channels give evidence, this file words it."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice

import numpy as np
import numpy.typing as npt

from graphrec.contracts.queries import Queries
from graphrec.contracts.recaller import Evidence, Recaller, no_evidence
from graphrec.errors import GraphRecError
from graphrec.recallers.evidence import check_evidence

from .paths import path_phrase
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
Places = npt.NDArray[np.intp]


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

    def sentences(self, columns: Iterable[list[str | None]]) -> list[str | None]:
        """Return :meth:`sentence` of m rows of values; ``columns`` has a list of m for each place."""
        template = self.template
        return [None if None in values else template % values for values in zip(*columns, strict=True)]


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
    voices = [voice_of(name, state.bundle.channels[name], verb, unexplained) for name in channels]
    order = np.where(ranks > 0, ranks, np.inf)  # (m, C)
    evidence: dict[int, tuple[Places, Evidence]] = {}
    for column, voice in enumerate(voices):
        if not voice.places:
            order[:, column] += 1e9
        elif "path" in voice.places:
            returned = np.flatnonzero(ranks[:, column])
            evidence[column] = returned, _evidence(state, voice, queries, rows[returned], unexplained)
            order[returned[_telling(state, evidence[column][1])], column] /= _TELLING_GAIN
    sentences: list[str | None] = [None] * len(rows)
    pending = np.arange(len(rows) if voices else 0)
    while len(pending):
        first = order[pending].argmin(axis=1)
        possible = np.isfinite(order[pending, first])
        pending, first = pending[possible], first[possible]
        silent = []
        for column, voice in enumerate(voices):
            positions = pending[first == column]
            if len(positions) == 0:
                continue
            order[positions, column] = np.inf
            if column in evidence:
                known, reasons = evidence[column]
                said = _sentences(state, voice, reasons, np.searchsorted(known, positions))
            else:
                reasons = _evidence(state, voice, queries, rows[positions], unexplained)
                said = _sentences(state, voice, reasons, np.arange(len(positions)))
            for position, sentence in zip(positions.tolist(), said, strict=True):
                sentences[position] = sentence
                if sentence is None:
                    silent.append(position)
        pending = np.array(silent, dtype=np.intp)
    return Reasons(sentences, unexplained)


def explain_fallback(state: State, places: Rows) -> list[str | None]:
    """Return a sentence for items of the fallback, by ``places`` (m,) in it: of the ranked channel, or general."""
    verb = state.bundle.wording.get("verb", VERB)
    recaller = state.bundle.channels.get(state.ranked)
    popular = f"widely {verb}"
    voice = None if recaller is None else voice_of(state.ranked, recaller, verb, {})
    ranked = popular if voice is None or voice.places else voice.sentence(())
    return [ranked if place < state.n_ranked else popular for place in places.tolist()]


def voice_of(name: str, recaller: Recaller, verb: str, unexplained: dict[str, str]) -> Voice:
    """Return a channel with its template in parts; the verb is the same for all items and filled in here.

    A channel whose template is no text is named in ``unexplained``, and its voice says nothing.
    """
    try:
        return Voice(name, recaller, *_template(recaller.reason.replace("{verb}", verb)))
    except Exception as error:
        note(name, error, unexplained)
        return Voice(name, recaller, "", _SILENT)


@lru_cache(maxsize=256)
def _template(reason: str) -> tuple[str, tuple[str, ...]]:
    """Return a sentence with a ``%s`` for each of its places, and their names."""
    parts = _PLACE.split(reason)
    return "%s".join(text.replace("%", "%%") for text in parts[::2]), tuple(parts[1::2])


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
        note(voice.name, error, unexplained)
        return no_evidence(len(rows))
    return evidence


def note(name: str, error: Exception, unexplained: dict[str, str]) -> None:
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


def _sentences(state: State, voice: Voice, evidence: Evidence, at: Places) -> list[str | None]:
    """Return the sentences of one channel for the entries ``at`` of its evidence; None where it cannot say."""
    if not voice.places:
        return [voice.sentence(())] * len(at)
    return voice.sentences(_values(state, voice, evidence, at, name) for name in voice.places)


def _values(state: State, voice: Voice, evidence: Evidence, at: Places, name: str) -> list[str | None]:
    """Return what stands in the place ``name`` of a channel's template for each of these entries; None for nothing."""
    if name == "source":
        return _sources(state, evidence.sources[at].tolist())
    if name == "via":
        return _vias(voice.recaller, evidence.via[at].tolist())
    return _paths(state, evidence, at.tolist())


def _sources(state: State, rows: list[int]) -> list[str | None]:
    """Return the names of history items, of which there are fewer than rows."""
    items = list({*rows} - {-1})
    return list(map(dict(zip(items, state.names.look_up(items), strict=True)).get, rows))


def _vias(recaller: Recaller, rows: list[int]) -> list[str | None]:
    """Return the names of middle rows, where the channel has names for them."""
    names = getattr(recaller, "via", None)
    known = {} if names is None else {row: str(names[row]) for row in {*rows} - {-1}}
    return list(map(known.get, rows))


def _paths(state: State, evidence: Evidence, at: list[int]) -> list[str | None]:
    """Return paths in words; None where there is none."""
    names, words = state.bundle.catalogue.adjacency.relation_names, state.words
    paths = evidence.paths
    indptr, nodes, relations = paths.indptr.tolist(), paths.nodes.tolist(), paths.relations.tolist()
    spans = [(indptr[place], indptr[place + 1]) for place in at]
    labels = iter(state.names.look_up([node for start, stop in spans for node in nodes[start:stop]]))
    phrases: dict[tuple[int, ...], str] = {}
    sentences: list[str | None] = []
    for start, stop in spans:
        steps = tuple(relations[start + 1 : stop])
        if steps and steps not in phrases:
            phrases[steps] = path_phrase(tuple(names[step] for step in steps), tuple(words[step] for step in steps))
        ends = tuple(islice(labels, stop - start))
        sentences.append(phrases[steps].format(*ends) if steps else None)
    return sentences
