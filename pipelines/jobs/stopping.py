"""Ending a command from outside: Ctrl-C and SIGTERM stop it within two seconds, even while it imports."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any, NoReturn

from graphrec.data.scratch import remove_scratch

# Seconds that a command has to end by itself: compiled code may not notice the exception before it returns.
GRACE_S = 1.5
SENTENCE = "stopped; what was finished is kept, and the same command goes on"
_SHOW_CURSOR = "\x1b[?25h"


class Terminated(KeyboardInterrupt):
    """SIGTERM, which ends a command in the way that Ctrl-C does."""


class Stop:
    """The first signal that came, if any did, and whether the command is over."""

    def __init__(self) -> None:
        self.number: int | None = None
        self.over = threading.Event()

    def note_interrupt(self) -> None:
        """Count a KeyboardInterrupt that no signal brought as Ctrl-C."""
        if self.number is None:
            self.number = int(signal.SIGINT)


def exit_code(number: int) -> int:
    """Return the exit code of a process that a signal ended, as shells count it: 130 for Ctrl-C."""
    return 128 + number


@contextmanager
def stoppable(stop: Stop | None = None) -> Iterator[Stop]:
    """Turn SIGINT and SIGTERM into KeyboardInterrupt, once, and end the process where that is not enough.

    Python runs a handler between two steps of the main thread, and so not before a factorisation of minutes has come
    back; and an import may swallow what the handler raises. A watcher thread, woken by the signal itself, waits
    ``GRACE_S`` seconds for ``stop.over``, which the end of the context sets; then it removes the temporary directories,
    says so in one sentence, and ends the process. Where compiled code swallows it in a callback, the process ends so at
    once: that code goes on without the answer it asked for, and may crash. A second signal changes nothing.

    Only the main thread may install handlers; elsewhere nothing happens.
    """
    stop = Stop() if stop is None else stop
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    watcher = threading.Thread(target=_watch, args=(reading, stop), name="stop-watcher", daemon=True)
    wakeup = signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    watcher.start()
    unraisable, sys.unraisablehook = sys.unraisablehook, _quiet(stop, sys.unraisablehook)
    before = {number: signal.signal(number, _handler(stop)) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        stop.over.set()
        for number, handler in before.items():
            signal.signal(number, handler)
        sys.unraisablehook = unraisable
        signal.set_wakeup_fd(wakeup)
        os.close(writing)
        watcher.join()
        os.close(reading)


def _handler(stop: Stop) -> Any:
    def interrupt(number: int, _frame: FrameType | None) -> None:
        # Raised once: a second signal must not break off the removal of temporary files.
        if stop.number is None and not stop.over.is_set():
            stop.number = number
            raise Terminated if number == signal.SIGTERM else KeyboardInterrupt

    return interrupt


def _quiet(stop: Stop, hook: Any) -> Any:
    """Return a hook that ends the process where a destructor or a callback of compiled code swallows the signal.

    llvmlite, asked for a kernel's cached code, would go on without it and call address 0.
    """

    def unraisable(event: Any) -> None:
        if stop.number is None:
            hook(event)
        elif issubclass(event.exc_type, KeyboardInterrupt) and not stop.over.is_set():
            _end(stop.number)

    return unraisable


def _watch(reading: int, stop: Stop) -> None:
    """Wait for the number of a signal, then for the command to be over; end the process where it does not."""
    while received := os.read(reading, 1):
        if received[0] in (signal.SIGINT, signal.SIGTERM) and not stop.over.wait(GRACE_S):
            _end(received[0])


def _end(number: int) -> NoReturn:
    """Remove what is temporary, say the sentence, and end the process without another step of its own."""
    remove_scratch()
    with suppress(OSError, ValueError, AttributeError, RuntimeError):  # stderr is closed, or in the middle of a line
        sys.stderr.write((_SHOW_CURSOR if sys.stderr.isatty() else "") + f"{SENTENCE}\n")
        sys.stderr.flush()
    os._exit(exit_code(number))
