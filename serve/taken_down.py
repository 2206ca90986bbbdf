"""``taken-down.txt``: the items that may not be recalled from any version of a bundle, one id a line."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from graphrec.bundle.files import sync
from graphrec.bundle.manifest import MANIFEST
from graphrec.data.id_files import id_of_line, line_of_id
from graphrec.data.scratch import written_whole
from graphrec.errors import BundleError

FILE = "taken-down.txt"


class Edited(NamedTuple):
    """The file that was edited, the ids that are in it now, and those that the edit brought or removed."""

    file: Path
    ids: tuple[str, ...]
    changed: tuple[str, ...]


def taken_down_file(path: str | Path) -> Path:
    """Return where the taken-down items of a bundle are named: beside ``current``, and so beside every version.

    Parameters
    ----------
    path : path
        A directory with (or for) ``current``, or one bundle.
    """
    place = Path(path)
    return (place.resolve().parent if (place / MANIFEST).exists() else place) / FILE


def read_taken_down(path: str | Path) -> frozenset[str]:
    """Return the ids that the file of ``path`` names; none where there is no file.

    No line is wrong: whatever is neither empty nor a comment (``#``) is an id (:mod:`graphrec.data.id_files`).

    Raises
    ------
    BundleError
        If the file is there and cannot be read.
    """
    return frozenset(item for line in _lines(taken_down_file(path)) if (item := _id(line)) is not None)


def edit_taken_down(path: str | Path, *, add: Iterable[str] = (), remove: Iterable[str] = ()) -> Edited:
    """Add ids to the file of ``path``, or remove them; other lines, comments among them, stay as they are.

    The file is replaced in one step, and two who edit it at once wait for each other.

    Raises
    ------
    BundleError
        If the directory is not there or the file cannot be written.
    """
    file, wanted, unwanted = taken_down_file(path), dict.fromkeys(add), frozenset(remove)
    # Behind a link, so that the link stays one.
    target = file.resolve()
    with _locked(target.parent):
        lines = _lines(target)
        before = dict.fromkeys(item for line in lines if (item := _id(line)) is not None)
        fresh = [item for item in wanted if item not in before]
        gone = [item for item in before if item in unwanted]
        if fresh or gone:
            kept = [line for line in lines if _id(line) not in unwanted]
            _replace(target, b"".join(line + b"\n" for line in [*kept, *(line_of_id(item).encode() for item in fresh)]))
    return Edited(file, tuple(item for item in (*before, *fresh) if item not in unwanted), (*fresh, *gone))


def _lines(file: Path) -> list[bytes]:
    try:
        return file.read_bytes().removeprefix(b"\xef\xbb\xbf").splitlines()
    except FileNotFoundError:
        return []
    except OSError as error:
        raise BundleError(
            f"{file} cannot be read: {error.strerror}; which items are taken down is not known"
        ) from error


def _id(line: bytes) -> str | None:
    """Return the id of a line; bytes that are no UTF-8 become signs that no id has."""
    return id_of_line(line.decode("utf-8", "replace"))


def _replace(file: Path, data: bytes) -> None:
    """Write the file under a temporary name, force it to disk, and rename it."""
    try:
        with written_whole(file) as part, part.open("wb") as opened:
            opened.write(data)
            opened.flush()
            os.fsync(opened.fileno())
        sync(file.parent)
    except OSError as error:
        raise BundleError(f"{file} cannot be written: {error.strerror}") from error


@contextmanager
def _locked(directory: Path) -> Iterator[None]:
    """Hold the lock of a directory; the system frees it when the process dies."""
    try:
        handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise BundleError(f"there is no directory {str(directory)!r} to note taken-down items in") from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
