"""Asking the channels: a late or a broken one is left out and named."""

from __future__ import annotations

import logging
import time
from concurrent.futures import Executor, Future, wait
from dataclasses import dataclass

from graphrec.data.lists import ItemLists
from graphrec.recallers.filtering import recall_allowed

from .request import Request
from .state import State

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Answers:
    """The lists of the channels that answered, and why the others did not."""

    lists: dict[str, ItemLists]
    left_out: dict[str, str]


def ask_channels(state: State, request: Request, depth: int, *, started: float, executor: Executor | None) -> Answers:
    """Ask each channel for ``depth`` items that may be shown, for every query of the request.

    Without an executor the channels take turns, and the deadline is looked at before each turn; with one they run side
    by side, and whatever is not there in time is left out (its work ends in the background).
    """
    if executor is None:
        return _in_turn(state, request, depth, started)
    return _side_by_side(state, request, depth, started, executor)


def _recall(state: State, request: Request, name: str, depth: int) -> ItemLists:
    recaller = state.bundle.channels[name]
    return recall_allowed(recaller, request.queries, depth, exclude=request.exclude, allowed=request.allowed)


def _in_turn(state: State, request: Request, depth: int, started: float) -> Answers:
    answers = Answers({}, {})
    for name in request.channels:
        if request.deadline_ms is not None and (time.perf_counter() - started) * 1e3 > request.deadline_ms:
            answers.left_out[name] = _late(request)
            continue
        try:
            answers.lists[name] = _recall(state, request, name, depth)
        except Exception as error:
            answers.left_out[name] = _broken(name, error)
    return answers


def _side_by_side(state: State, request: Request, depth: int, started: float, executor: Executor) -> Answers:
    futures: dict[str, Future[ItemLists]] = {
        name: executor.submit(_recall, state, request, name, depth) for name in request.channels
    }
    left_s = None
    if request.deadline_ms is not None:
        left_s = max(0.0, request.deadline_ms / 1e3 - (time.perf_counter() - started))
    done, _ = wait(futures.values(), timeout=left_s)
    answers = Answers({}, {})
    for name, future in futures.items():
        if future not in done:
            future.cancel()
            answers.left_out[name] = _late(request)
        elif (error := future.exception()) is not None:
            answers.left_out[name] = _broken(name, error)
        else:
            answers.lists[name] = future.result()
    return answers


def _late(request: Request) -> str:
    return f"late: the deadline of {request.deadline_ms:g} ms had passed"


def _broken(name: str, error: BaseException) -> str:
    """Log the whole error for those who run the service, and return the sentence for those who asked."""
    log.warning("channel %s failed", name, exc_info=error)
    return f"broken: {type(error).__name__}: {error}"
