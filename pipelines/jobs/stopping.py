"""Ending a run from outside: Ctrl-C and SIGTERM stop it within two seconds, whatever it is doing."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from graphrec.data.scratch import remove_scratch

# Seconds that a run has to end by itself: compiled code may not notice the exception before it returns.
GRACE_S = 1.5
SENTENCE = "stopped; what was finished is kept, and the same command goes on"


class Terminated(KeyboardInterrupt):
    """SIGTERM, which ends a run in the way that Ctrl-C does."""


def exit_code(number: int) -> int:
    """Return the exit code of a process that a signal ended, as shells count it: 130 for Ctrl-C."""
    return 128 + number


@contextmanager
def stoppable() -> Iterator[None]:
    """Turn SIGINT and SIGTERM into KeyboardInterrupt, and end the process where that is not enough.

    Python runs a handler between two steps of the main thread, and so not before a factorisation of minutes has come
    back. A watcher thread, woken by the signal itself, waits ``GRACE_S`` seconds for the context to end; then it
    removes the temporary directories, says so in one sentence, and ends the process.

    Only the main thread may install handlers; elsewhere, and on systems without them, nothing happens.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    over = threading.Event()
    watcher = threading.Thread(target=_watch, args=(reading, over), name="stop-watcher", daemon=True)
    before = {number: signal.signal(number, _interrupt) for number in (signal.SIGINT, signal.SIGTERM)}
    wakeup = signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    watcher.start()
    try:
        yield
    finally:
        over.set()
        signal.set_wakeup_fd(wakeup)
        for number, handler in before.items():
            signal.signal(number, handler)
        os.close(writing)
        watcher.join()
        os.close(reading)


def _interrupt(number: int, _frame: FrameType | None) -> None:
    raise Terminated if number == signal.SIGTERM else KeyboardInterrupt


def _watch(reading: int, over: threading.Event) -> None:
    """Wait for the number of a signal, then for the context to end; end the process where it does not."""
    while received := os.read(reading, 1):
        if received[0] in (signal.SIGINT, signal.SIGTERM) and not over.wait(GRACE_S):
            remove_scratch()
            sys.stderr.write(f"{SENTENCE}\n")
            sys.stderr.flush()
            os._exit(exit_code(received[0]))
