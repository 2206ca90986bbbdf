"""Every reason that a bundle has for one item and one history, whether or not the item was recalled."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from graphrec.contracts.queries import Queries
from graphrec.contracts.recaller import Additive, Evidence, Paths
from graphrec.data.lists import empty_lists
from graphrec.recallers.evidence import check_evidence
from graphrec.recallers.filtering import recall_allowed

from .answer import Explanation, PathNode, Reason
from .explain import VERB, Voice, note, voice_of
from .paths import path_words
from .request import Request
from .state import State

# What is said of a path that leads through users, whom no reason names.
_OTHERS = "what others took together"


class _Part(NamedTuple):
    """One reason in rows; ``amount`` and ``shown`` are None where the channel's score is no sum."""

    source: int
    via: int
    amount: float | None
    shown: float | None
    nodes: list[int]
    relations: list[int]


@dataclass(frozen=True, slots=True, eq=False)
class _ItemReasons:
    """The reasons that the channels of a bundle have for ``item`` (a row)."""

    state: State
    queries: Queries
    item: int

    def of(self, voice: Voice, unexplained: dict[str, str]) -> tuple[float | None, list[Reason]]:
        """Return the channel's own score of the item and its reasons; None and none where it does not lead to it."""
        try:
            score = self._score(voice)
            parts = [] if score is None else list(self._parts(voice))
        except Exception as error:
            note(voice.name, error, unexplained)
            return None, []
        return score, [self._reason(voice, part, score or 0.0) for part in parts]

    def _score(self, voice: Voice) -> float | None:
        bundle = self.state.bundle
        only = np.zeros(len(bundle.items), dtype=np.bool_)
        only[self.item] = True
        _, scores = recall_allowed(voice.recaller, self.queries, 1, exclude=empty_lists(1), allowed=only)[0]
        return float(scores[0]) if len(scores) else None

    def _parts(self, voice: Voice) -> Iterator[_Part]:
        """Yield what the channel's score is made of; of a channel that is no sum, its evidence."""
        if not isinstance(voice.recaller, Additive):
            item = np.array([self.item], dtype=np.int32)
            evidence = voice.recaller.evidence(self.queries, item)
            self._check(voice, evidence, item)
            yield from _parts(evidence.sources, evidence.via, [None], [None], evidence.paths)
            return
        given = voice.recaller.contributions(self.queries, self.item)
        evidence = Evidence(given.sources, given.via, given.amounts, given.paths)
        self._check(voice, evidence, np.full(len(given), self.item, dtype=np.int32))
        yield from _parts(given.sources, given.via, given.amounts.tolist(), given.shown.tolist(), given.paths)

    def _check(self, voice: Voice, evidence: Evidence, items: npt.NDArray[np.int32]) -> None:
        names = getattr(voice.recaller, "via", None)
        check_evidence(evidence, items, self.state.bundle.catalogue, n_via=None if names is None else len(names))

    def _reason(self, voice: Voice, part: _Part, score: float) -> Reason:
        """Return a part in words and on external ids."""
        graph, names = self.state.bundle.catalogue, getattr(voice.recaller, "via", None)
        labels, relations = self.state.names.look_up(part.nodes), self._relations(part)
        nodes = tuple(
            PathNode(graph.node_id(node), label, self._kind(node), relation)
            for node, label, relation in zip(part.nodes, labels, (None, *relations), strict=False)
        )
        words = [self.state.words[number] for number in part.relations]
        via = None if names is None or part.via < 0 else str(names[part.via])
        source = None if part.source < 0 else self.state.names.look_up([part.source])[0]
        values = {"source": source, "via": via, "path": path_words(labels, relations, words) if words else _OTHERS}
        return Reason(
            channel=voice.name,
            text=voice.sentence(tuple(values[place] for place in voice.places)) or self._plain(source),
            share=None if part.amount is None or score == 0 else part.amount / score,
            contribution=part.amount,
            of_path=part.shown if part.nodes else None,
            source=None if part.source < 0 else graph.items[part.source],
            via=via,
            path=nodes,
        )

    def _relations(self, part: _Part) -> list[str]:
        return [self.state.bundle.catalogue.adjacency.relation_names[number] for number in part.relations]

    def _kind(self, node: int) -> str:
        graph = self.state.bundle.catalogue.adjacency
        return graph.node_types[int(np.searchsorted(graph.type_offsets, node, side="right")) - 1]

    def _plain(self, source: str | None) -> str:
        verb = self.state.bundle.wording.get("verb", VERB)
        return f"widely {verb}" if source is None else f"because you {verb} {source}"


def _parts(
    sources: npt.NDArray[np.int32],
    via: npt.NDArray[np.int32],
    amounts: list[float] | list[None],
    shown: list[float] | list[None],
    paths: Paths,
) -> Iterator[_Part]:
    rows = zip(sources.tolist(), via.tolist(), amounts, shown, strict=True)
    for place, (source, middle, amount, of_path) in enumerate(rows):
        nodes, relations = paths[place]
        yield _Part(source, middle, amount, of_path, nodes.tolist(), relations.tolist())


def explain_item(state: State, request: Request, item: int, k: int) -> Explanation:
    """Return the ``k`` reasons with the greatest shares of their channels' scores, over the channels of ``request``.

    Channels whose score is no sum come behind, in the order of the bundle; those that nothing of the history speaks in
    come last.
    """
    verb = state.bundle.wording.get("verb", VERB)
    unexplained: dict[str, str] = {}
    scores: dict[str, float] = {}
    reasons: list[Reason] = []
    find = _ItemReasons(state, request.queries, item)
    for name in request.channels:
        voice = voice_of(name, state.bundle.channels[name], verb, unexplained)
        score, own = (None, []) if name in unexplained else find.of(voice, unexplained)
        if score is not None:
            scores[name] = score
        reasons += own
    reasons.sort(key=lambda reason: (reason.source is None, reason.share is None, -(reason.share or 0.0)))
    title = state.names.look_up([item])[0]
    connected = any(reason.source is not None for reason in reasons)
    return Explanation(
        item=state.bundle.items[item],
        title=title,
        reasons=tuple(reasons[:k]),
        n_reasons=len(reasons),
        scores=scores,
        unconnected=None if connected else _unconnected(request, title),
        unexplained=unexplained,
        unknown=request.unknown,
        version=state.version,
        took_ms=0.0,
    )


def _unconnected(request: Request, title: str) -> str:
    """Say why no reason names anything of the history."""
    n = len(np.unique(request.queries.history.items))
    if n == 0:
        ignored = f" ({request.unknown} unknown ids are ignored)" if request.unknown else ""
        return f"the history is empty{ignored}, so nothing leads from it to {title}"
    items = "the item" if n == 1 else f"the {n} items"
    return f"no channel of {', '.join(request.channels)} leads from {items} of the history to {title}"
