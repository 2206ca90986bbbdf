"""The last step: from rows back to ids, titles and reasons, once a request."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import repeat

import numpy as np

from ..answer import Places, Recalled
from ..explain import Reasons, explain, explain_fallback
from ..request import Request
from ..state import POPULARITY, State
from .stage import Candidates


def present(state: State, candidates: Candidates, sentences: Sequence[str | None]) -> tuple[Recalled, ...]:
    """Return the m candidates of one request as values on external ids, with a sentence each where there is one."""
    merged = candidates.merged
    rows = merged.lists.items.tolist()
    places = map(partial(Places, merged), range(len(rows)))
    columns = zip(
        state.ids.look_up(rows), state.names.look_up(rows), merged.lists.scores.tolist(), places, sentences, strict=True
    )
    # The constructor of a named tuple is Python's, and an answer has hundreds of them.
    return tuple(map(tuple.__new__, repeat(Recalled), columns))


def reasons_of(state: State, request: Request, candidates: Candidates, *, explained: bool) -> Reasons:
    """Return why each candidate of one request is there: of its channels, or of the fallback; no sentence unless asked.

    Returns
    -------
    Reasons
        m sentences.
    """
    merged = candidates.merged
    if not explained:
        return Reasons([None] * len(merged.lists.items), {})
    reasons = explain(state, request.queries, merged.lists.items, merged.channels, merged.ranks)
    filled = np.flatnonzero(candidates.fallback >= 0)
    for position, sentence in zip(filled.tolist(), explain_fallback(state, candidates.fallback[filled]), strict=True):
        reasons.sentences[position] = sentence
    return reasons


def fallback_name(state: State, candidates: Candidates) -> str | None:
    """Return what filled the places that the channels left empty: a channel, popularity, both, or None."""
    places = candidates.fallback[candidates.fallback >= 0]
    if len(places) == 0:
        return None
    sources = ([state.ranked] if places.min() < state.n_ranked else []) + (
        [POPULARITY] if places.max() >= state.n_ranked else []
    )
    return ", ".join(dict.fromkeys(sources))


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
