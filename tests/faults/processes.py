"""Commands in processes of their own, stopped by real signals."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

COMMAND = (sys.executable, "-m", "graphrec.pipelines.cli.app")
# Far above what a stopped command may take, so that a busy machine fails no test.
PATIENCE_S = 60.0


@dataclass(frozen=True)
class Stopped:
    """How a command ended: its exit code, what stands on stderr, and seconds from the signal to its end."""

    code: int
    errors: str
    seconds: float


def start(
    arguments: Sequence[object], *, environment: Mapping[str, str], command: Sequence[str] = COMMAND
) -> subprocess.Popen[str]:
    """Start a command as from a terminal, whatever started the tests, and wait until it takes signals."""
    process = subprocess.Popen(
        [*command, *map(str, arguments)],
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        errors="replace",
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    while process.poll() is None and not _takes(process.pid, signal.SIGTERM):
        time.sleep(0.002)
    return process


def stop(process: subprocess.Popen[str], number: signal.Signals) -> Stopped:
    """Send a signal, and wait for the end."""
    started = time.monotonic()
    process.send_signal(number)
    try:
        _, errors = process.communicate(timeout=PATIENCE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        raise
    return Stopped(process.returncode, errors, time.monotonic() - started)


def _takes(pid: int, number: signal.Signals) -> bool:
    """Return whether a process has a handler for a signal; True where the system does not say."""
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace")
    except OSError:
        return True
    caught = next((int(line.split()[1], 16) for line in status.splitlines() if line.startswith("SigCgt:")), -1)
    return bool(caught >> (number - 1) & 1)
