"""Temporary directories and files that go with their user, even where its process is ended in the middle of its work.

Whatever is temporary is removed at the end of its context; by :func:`remove_scratch` where a process is ended from
outside; and by the next run where it was killed: a lock, which the system frees with its owner, tells the leavings of
the dead from the work of the living.
"""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PREFIX, PART = "graphrec-", ".part"
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM)
# Where the file system has no locks, what is older than this belongs to a process that is dead.
ABANDONED_AFTER_S = 86_400.0

_live: set[Path] = set()
# The thread that holds it may be ended from within.
_lock = threading.RLock()


@contextmanager
def scratch_directory(purpose: str) -> Iterator[Path]:
    """Make a temporary directory named after its ``purpose``; remove it at the end, whatever happened.

    Directories that killed processes of the same user have left are removed first.

    Raises
    ------
    OSError
        If the temporary folder is full or cannot be written, also while the directory is in use: the message names
        the folder and the remedy.
    """
    parent = Path(tempfile.gettempdir())
    sweep(parent, f"{PREFIX}*")
    try:
        with owned(lambda: Path(tempfile.mkdtemp(prefix=f"{PREFIX}{purpose}-", dir=parent))) as directory:
            yield directory
    except OSError as error:
        if error.errno not in _NO_ROOM:
            raise
        remedy = f"{error.strerror}; free some space there, or let TMPDIR name another folder"
        raise OSError(error.errno, remedy, str(parent)) from error


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """Give a file beside ``path`` to write to, and let it take the name of ``path`` at the end.

    Where the context ends in an error, or the process is ended, ``path`` is as it was and the other file is gone; what
    killed processes have left of it is removed first. Of two writers of one path the last one wins. A link stays one,
    and what is no file (a device, a pipe) is written to as it is.

    Raises
    ------
    OSError
        If the file cannot be made or replaced.
    """
    path = Path(os.path.realpath(path))
    if path.exists() and not path.is_file():
        yield path
        return
    sweep(path.parent, f".{_literal(path.name)}-*{PART}")

    def make() -> Path:
        part = path.with_name(f".{path.name}-{uuid.uuid4().hex[:12]}{PART}")
        part.open("xb").close()
        return part

    with owned(make) as part:
        yield part
        part.replace(path)


@contextmanager
def owned(make: Callable[[], Path]) -> Iterator[Path]:
    """Make a directory or file of a new name, hold a lock on it, and remove it at the end, whatever happened.

    The system frees the lock when the process dies, killed or not, which is what :func:`sweep` goes by.
    """
    path, handle = _locked(make)
    with _lock:
        _live.add(path)
    try:
        yield path
    finally:
        _remove(path)
        os.close(handle)
        with _lock:
            _live.discard(path)


def sweep(parent: Path, pattern: str) -> list[str]:
    """Remove what a pattern names in ``parent``, belongs to this user, and has no owner alive; return the names.

    What cannot be looked at stays.
    """
    swept = []
    for path in sorted(parent.glob(pattern)):
        with suppress(OSError):  # gone since, or not ours to open
            handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
            try:
                if _abandoned(handle):
                    _remove(path)
                    swept.append(path.name)
            finally:
                os.close(handle)
    return swept


def remove_scratch() -> None:
    """Remove everything temporary that is in use: the last act of a process that is ended from outside."""
    with _lock:
        paths = list(_live)
    for path in paths:
        _remove(path)


def _locked(make: Callable[[], Path]) -> tuple[Path, int]:
    """Make and lock; try again where another process swept the new path away before the lock was taken."""
    while True:
        path = make()
        try:
            handle = os.open(path, os.O_RDONLY)
        except FileNotFoundError:
            continue
        with suppress(OSError):  # no locks here: age protects it
            fcntl.flock(handle, fcntl.LOCK_EX)
        if path.exists():
            return path, handle
        os.close(handle)


def _abandoned(handle: int) -> bool:
    """Return whether what is open belongs to this user and to no process alive; locks it where it does."""
    about = os.fstat(handle)
    if about.st_uid != os.getuid():
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return time.time() - about.st_mtime > ABANDONED_AFTER_S
    return True


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            path.unlink(missing_ok=True)


def _literal(name: str) -> str:
    """Return the pattern that matches a name and nothing else."""
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in name)
