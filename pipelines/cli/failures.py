"""What a command says when it fails, and the exit code: one sentence, never a traceback."""

from __future__ import annotations

import os
import traceback

from graphrec.errors import GraphRecError
from graphrec.escapes import visible

FAILED, REFUSED, PIPE_CLOSED = 1, 2, 141
"""Exit codes: the system or graphrec failed; what was given cannot be used; the reader of the output has gone."""

TRACEBACK = "GRAPHREC_TRACEBACK"
_LONGEST = 200


class UsageError(GraphRecError):
    """A command line that is none of ours."""


def describe(error: BaseException) -> tuple[str, int]:
    """Return the sentence for an error, empty where none is wanted, and the exit code."""
    if isinstance(error, GraphRecError):
        return f"error: {error}", REFUSED
    if isinstance(error, BrokenPipeError):
        return "", PIPE_CLOSED
    return f"error: {_failure(error)}", FAILED


def traceback_of(error: BaseException | None) -> str:
    """Return the traceback of an error where the variable GRAPHREC_TRACEBACK wants it, else nothing."""
    wanted = error is not None and os.environ.get(TRACEBACK)
    return visible("".join(traceback.format_exception(error))) if wanted else ""


def _failure(error: BaseException) -> str:
    """Return what failed, in words for somebody who did not write the code."""
    text = _first_line(error)
    match error:
        case MemoryError():
            return f"out of memory{f' ({text})' if text else ''}; use less data, or settings that need less"
        case RecursionError():
            return "something is nested too deeply to be read; look at the input for values within values"
        case ImportError():
            return f"graphrec is not installed whole: {text}; 'graphrec doctor' shows what is missing"
        case OSError():
            where = f"{error.filename}: " if error.filename else ""
            return f"the system refused: {where}{error.strerror or text}"
        case _:
            kind = type(error).__name__
            return f"a fault of graphrec, {kind}{f': {text}' if text else ''}; with {TRACEBACK}=1 it shows where"


def _first_line(error: BaseException) -> str:
    text = next(iter(str(error).strip().splitlines()), "")
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
