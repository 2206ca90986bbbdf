"""Asking the channels: a channel that is late, broken or hangs is left out and named."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from functools import partial

from graphrec.data.lists import ItemLists
from graphrec.errors import GraphRecError
from graphrec.recallers.filtering import recall_allowed

from .channel_threads import ChannelThreads
from .request import Request
from .state import State

log = logging.getLogger(__name__)

# Beside the time that one query may take, each further query of a batch has so much.
_BATCHED_QUERY_S = 0.1


@dataclass(frozen=True, slots=True)
class Answers:
    """The lists of the channels that answered, and why the others did not."""

    lists: dict[str, ItemLists]
    left_out: dict[str, str]


def ask_channels(
    state: State,
    request: Request,
    depth: int,
    *,
    started: float,
    threads: ChannelThreads[ItemLists] | None,
    timeout_s: float,
) -> Answers:
    """Ask each channel for ``depth`` items that may be shown, for every query of the request.

    Without threads the channels take turns, and the deadline is looked at before each turn. With threads they run side
    by side, and whatever is not there by the deadline (without a deadline, within ``timeout_s`` and a tenth of a second
    for each further query) is left out. A channel whose call goes on all the same is not asked again before it returns,
    or before a pause is over that doubles each time.
    """
    if threads is None:
        return _in_turn(state, request, depth, started)
    return _side_by_side(state, request, depth, started, threads, timeout_s)


def _recall(state: State, request: Request, name: str, depth: int) -> ItemLists:
    recaller = state.bundle.channels[name]
    return recall_allowed(recaller, request.queries, depth, exclude=request.exclude, allowed=request.allowed)


def _in_turn(state: State, request: Request, depth: int, started: float) -> Answers:
    answers = Answers({}, {})
    for name in request.channels:
        if request.deadline_ms is not None and (time.perf_counter() - started) * 1e3 > request.deadline_ms:
            answers.left_out[name] = _late(request, timeout_s=0)
            continue
        try:
            answers.lists[name] = _recall(state, request, name, depth)
        except Exception as error:
            answers.left_out[name] = _broken(name, error)
    return answers


def _side_by_side(
    state: State, request: Request, depth: int, started: float, threads: ChannelThreads[ItemLists], timeout_s: float
) -> Answers:
    answers = Answers({}, {})
    # Rests belong to the channels of one version.
    keys = {name: f"{state.version}/{name}" for name in request.channels}
    calls = {key: partial(_recall, state, request, name, depth) for name, key in keys.items() if not threads.rests(key)}
    limit_s = timeout_s + _BATCHED_QUERY_S * (len(request) - 1)
    if request.deadline_ms is not None:
        limit_s = request.deadline_ms / 1e3
    ended = threads.run(calls, limit_s - (time.perf_counter() - started))
    for name, key in keys.items():
        if key not in calls:
            answers.left_out[name] = "late: a call of an earlier request has not come back yet"
        elif key not in ended:
            answers.left_out[name] = _late(request, timeout_s=limit_s)
        elif (error := ended[key].exception()) is not None:
            answers.left_out[name] = _broken(name, error)
        else:
            answers.lists[name] = ended[key].result()
    return answers


def _late(request: Request, *, timeout_s: float) -> str:
    if request.deadline_ms is None:
        return f"late: no answer within {timeout_s:g} s"
    return f"late: the deadline of {request.deadline_ms:g} ms had passed"


def _broken(name: str, error: BaseException) -> str:
    """Log the whole error for those who run the service, and return the sentence for those who sent the request."""
    log.warning("channel %s failed", name, exc_info=error)
    return f"broken: {error}" if isinstance(error, GraphRecError) else f"broken: {type(error).__name__}: {error}"
