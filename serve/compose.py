"""From rows back to ids: the values of an answer, and what fills it when the channels fall short."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from graphrec.data.lists import ItemLists
from graphrec.fusion.fused import FusedLists
from graphrec.operations.recaller import OperationsRecaller
from graphrec.ranking.place import arrange, falling, operations_of

from .answer import Neighbour, Place, Recalled, Shared
from .explain import explain, explain_fallback
from .paths import Link, edges_of, links, path_words
from .request import Request
from .state import POPULARITY, State

# Items that the fallback looks at in one step.
_STEP = 4096
# Shared entities that the sentence of a neighbour names.
_TOLD = 3


def fill(state: State, request: Request, found: npt.NDArray[np.int32]) -> tuple[npt.NDArray[np.int32], str | None]:
    """Return popular items for the places that are still empty, and where they come from."""
    missing = request.k - len(found)
    if missing <= 0 or (request.chosen and len(found)):
        return np.empty(0, dtype=np.int32), None
    free = request.allowed.copy()
    free[request.exclude.items] = False
    free[found] = False
    taken: list[npt.NDArray[np.int64]] = []
    for start in range(0, len(state.popular), _STEP):
        if missing <= 0:
            break
        places = start + np.flatnonzero(free[state.popular[start : start + _STEP]])[:missing]
        taken.append(places)
        missing -= len(places)
    places = np.concatenate(taken) if taken else np.empty(0, dtype=np.int64)
    if len(places) == 0:
        return np.empty(0, dtype=np.int32), None
    sources = ([state.ranked] if places[0] < state.n_ranked else []) + (
        [POPULARITY] if places[-1] >= state.n_ranked else []
    )
    return state.popular[places], ", ".join(dict.fromkeys(sources))


def recalled(
    state: State, request: Request, fused: FusedLists, rows: npt.NDArray[np.int32], *, explained: bool
) -> tuple[Recalled, ...]:
    """Return the answer's items; the rows beyond the merged list come from the fallback."""
    bundle, merged = state.bundle, len(fused.lists.items)
    places = _places(fused) + [{} for _ in range(len(rows) - merged)]
    scores = fused.lists.scores.tolist() + [0.0] * (len(rows) - merged)
    sentences: list[str | None] = [None] * len(rows)
    if explained:
        sentences = explain(state, request.queries, fused.lists.items, fused.channels, fused.ranks)
        sentences += explain_fallback(state, rows[merged:])
    return tuple(map(Recalled, bundle.items.take(rows), titles(state, rows), scores, places, sentences))


def in_place(
    state: State,
    request: Request,
    lists: Mapping[str, ItemLists],
    items: tuple[Recalled, ...],
    rows: npt.NDArray[np.int32],
) -> tuple[Recalled, ...]:
    """Return the items with pins at their positions, which a list that was too short before it was filled had not."""
    name = operations_of(lists, state.bundle.channels)
    recaller = None if name is None else state.bundle.channels[name]
    if not isinstance(recaller, OperationsRecaller):
        return items
    pins = recaller.pins(request.queries)[0]
    order = arrange(rows, pins)
    scores = np.array([one.score for one in items], dtype=np.float32)[order]
    scores = falling(scores, np.isin(rows[order], [row for _, row in pins]))
    return tuple(items[at]._replace(score=score) for at, score in zip(order.tolist(), scores.tolist(), strict=True))


def _places(fused: FusedLists) -> list[dict[str, Place]]:
    """Return, for each merged item, the place that each channel gave it."""
    result: list[dict[str, Place]] = [{} for _ in range(len(fused.lists.items))]
    for column, name in enumerate(fused.channels):
        ranks, scores = fused.ranks[:, column], fused.scores[:, column]
        present = np.flatnonzero(ranks)
        told = map(Place, ranks[present].tolist(), scores[present].tolist())
        for position, place in zip(present.tolist(), told, strict=True):
            result[position][name] = place
    return result


def titles(state: State, rows: npt.NDArray[np.int32]) -> list[str]:
    """Return the titles of items; the id where there is none."""
    graph = state.bundle.catalogue
    found = graph.labels.take(rows).to_pylist()
    return [graph.label(row) if title is None else title for row, title in zip(rows.tolist(), found, strict=True)]


def why_empty(state: State, request: Request) -> str:
    """Return why there is nothing left to recall."""
    if not state.bundle.pool.any():
        return "the pool is empty: no item of this bundle may be recalled"
    if not state.pool.any():
        return "every item of the pool is taken down"
    allowed = int(request.allowed.sum())
    if request.filtered and allowed == 0:
        return "the filter 'only' names no item of the pool"
    which = "the filter allows" if request.filtered else "are in the pool"
    return f"all {allowed:,} items that {which} were seen or excluded"


def neighbour_values(
    state: State, row: int, rows: npt.NDArray[np.int32], scores: npt.NDArray[np.float64], relation: int | None
) -> tuple[Neighbour, ...]:
    """Return near items with what they share, in words."""
    bundle, graph = state.bundle, state.bundle.catalogue
    here = edges_of(graph.adjacency, row)
    found = []
    for other, external, title, score in zip(
        rows.tolist(), bundle.items.take(rows), titles(state, rows), scores.tolist(), strict=True
    ):
        common = links(graph, here, other, relation=relation)
        told = [path_words(graph, row, other, link, state.words) for link in common[:_TOLD]]
        told += [f"{len(common) - _TOLD} more"] if len(common) > _TOLD else []
        found.append(Neighbour(external, title, score, _shared(state, common), "; ".join(told)))
    return tuple(found)


def _shared(state: State, common: list[Link]) -> tuple[Shared, ...]:
    """Return links as values on external ids."""
    graph = state.bundle.catalogue
    names = graph.adjacency.relation_names
    return tuple(
        Shared(names[number], graph.nodes[link.node], graph.label(link.node))
        if link.node >= 0
        else Shared(names[number], None, None)
        for link in common
        for number in link.relations
        if link.node < 0 or number in link.others
    )
