"""The entry point of the ``graphrec`` command. It imports little, so that it can be stopped early."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from ..jobs.stopping import SENTENCE, Stop, exit_code, stoppable
from . import streams
from .failures import PIPE_CLOSED, describe, traceback_of


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command and end with its exit code; whatever goes wrong is one sentence on stderr, never a traceback.

    Without ``arguments`` they are those of the process, which then ends at once: an ordinary exit would wait for
    threads that still compute, and would not be stoppable itself.
    """
    streams.prepare()
    stop = Stop()
    with stoppable(stop):
        code = _run(arguments, stop)
        if arguments is None:
            os._exit(code)
    sys.exit(code)


def _run(arguments: Sequence[str] | None, stop: Stop) -> int:
    """Run the command, say what went wrong, and return the exit code."""
    try:
        code, error = _attempt(arguments)
    except KeyboardInterrupt as late:  # the signal came while another error was on its way
        code, error = 0, late
    stop.over.set()
    if isinstance(error, KeyboardInterrupt):
        stop.note_interrupt()
    if stop.number is not None:
        # Whatever an import or a library made of the signal.
        code, sentence = exit_code(stop.number), SENTENCE
    else:
        sentence, code = ("", code) if error is None else describe(error)
    streams.say(sentence, traceback=traceback_of(error))
    if code == PIPE_CLOSED:
        streams.discard_output()
    return streams.flushed(code)


def _attempt(arguments: Sequence[str] | None) -> tuple[int, BaseException | None]:
    try:
        from .commands import run

        code = run(arguments)
        streams.flush()
    except BaseException as error:
        return 0, error
    return code, None


if __name__ == "__main__":
    main()
