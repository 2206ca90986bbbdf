"""Temporary directories that go with their user, even where a process has to be ended in the middle of its work."""

from __future__ import annotations

import shutil
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_live: set[Path] = set()
_lock = threading.Lock()


@contextmanager
def scratch_directory(purpose: str) -> Iterator[Path]:
    """Make a temporary directory named after its ``purpose``; remove it at the end, whatever happened."""
    with removed_at_exit(Path(tempfile.mkdtemp(prefix=f"graphrec-{purpose}-"))) as directory:
        yield directory


@contextmanager
def removed_at_exit(directory: Path) -> Iterator[Path]:
    """Remove a directory at the end of the context, or in :func:`remove_scratch` where the end is never reached."""
    with _lock:
        _live.add(directory)
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)
        with _lock:
            _live.discard(directory)


def remove_scratch() -> None:
    """Remove every temporary directory that is in use: the last act of a process that is ended from outside."""
    with _lock:
        directories = list(_live)
    for directory in directories:
        shutil.rmtree(directory, ignore_errors=True)
