"""Standard input, output and error of the command, whatever state its caller left them in; standard library alone."""

from __future__ import annotations

import os
import sys

from graphrec.escapes import visible


def prepare() -> None:
    """Open what is closed, and show replacement signs for what the encoding of stdout does not have.

    A descriptor that is closed would be given to the next file that is opened, a bundle's say, and text would be
    written into it. In its place stands the null device: nothing to read, and for stdout nothing to write to.
    """
    _reopen(0, os.O_RDONLY)
    if _reopen(1, os.O_RDONLY):
        sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115 - stays open to the end
    if _reopen(2, os.O_WRONLY):
        sys.stderr = open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    reconfigure = getattr(sys.stdout, "reconfigure", None)
    if reconfigure is not None:
        reconfigure(errors="replace")


def say(sentence: str, *, traceback: str = "") -> None:
    """Write one sentence on stderr, on one line, after a traceback where there is one; nothing where it is empty."""
    try:
        sys.stderr.write(traceback + visible(" ".join(sentence.split())) + ("\n" if sentence else ""))
        sys.stderr.flush()
    except (OSError, ValueError):  # closed or full: nowhere is left to say so
        discard_output()


def flush() -> None:
    """Hand what was printed to the system.

    Raises
    ------
    OSError
        If stdout is closed, full, or a pipe that has no reader any more.
    """
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OSError(error.errno, f"cannot be written: {error.strerror}", "stdout") from error


def flushed(code: int) -> int:
    """Return ``code`` once everything that was printed is with the system, or the code for what kept it from that."""
    try:
        flush()
    except OSError:
        discard_output()
    return code


def discard_output() -> None:
    """Let what is still to be written go nowhere, so that Python does not complain again when it ends."""
    null = os.open(os.devnull, os.O_WRONLY)
    for number, stream, original in ((1, sys.stdout, sys.__stdout__), (2, sys.stderr, sys.__stderr__)):
        if stream is original:  # and not one that a test has put there
            os.dup2(null, number)
    os.close(null)


def _reopen(number: int, flags: int) -> bool:
    """Open the null device as a standard descriptor where that is closed; return whether it was."""
    try:
        os.fstat(number)
    except OSError:
        null = os.open(os.devnull, flags)
        if null != number:
            os.dup2(null, number)
            os.close(null)
        return True
    return False
