"""Temporary directories beside a target: locked while their writer lives, swept away by the next one when it died."""

from __future__ import annotations

import fcntl
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from graphrec.data.scratch import removed_at_exit

PREFIX = ".graphrec-staging-"


@contextmanager
def staging(parent: Path) -> Iterator[Path]:
    """Make a directory of a new name in ``parent``; remove it at the end, whatever happened.

    A lock is held on it meanwhile. The system frees that lock when a process dies, killed or not, which is how
    :func:`sweep` tells the leavings of the dead from the work of the living.
    """
    sweep(parent)
    directory, handle = _locked(parent)
    try:
        with removed_at_exit(directory):
            yield directory
    finally:
        os.close(handle)


def _locked(parent: Path) -> tuple[Path, int]:
    """Make and lock a directory; try again where another process swept it away before the lock was taken."""
    while True:
        directory = parent / f"{PREFIX}{uuid.uuid4().hex[:12]}"
        directory.mkdir()
        try:
            handle = os.open(directory, os.O_RDONLY)
        except FileNotFoundError:
            continue
        fcntl.flock(handle, fcntl.LOCK_EX)
        if directory.exists():
            return directory, handle
        os.close(handle)


def sweep(parent: Path) -> list[str]:
    """Remove the staging directories in ``parent`` whose writers are dead; return their names."""
    swept = []
    for directory in sorted(parent.glob(f"{PREFIX}*")):
        try:
            handle = os.open(directory, os.O_RDONLY)
        except OSError:  # gone since: another writer sweeps too
            continue
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(directory, ignore_errors=True)
            swept.append(directory.name)
        except BlockingIOError:  # its writer lives
            continue
        finally:
            os.close(handle)
    return swept
