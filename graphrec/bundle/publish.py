"""Versions of a bundle below one root, and ``current``, which is switched from one to the next in one step.

Publishers exclude each other by a lock of the system, which is free again when its owner dies; readers take no lock.
"""

from __future__ import annotations

import os
import re
import shutil
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from graphrec.bundle.files import sync, walk_files
from graphrec.bundle.manifest import content_hash, read_manifest
from graphrec.bundle.read import open_bundle
from graphrec.bundle.staging import staging
from graphrec.bundle.verify import CURRENT
from graphrec.checks import as_path
from graphrec.errors import BundleError, ConfigError

LOCK = ".graphrec-lock"
# How long a publisher waits for another one, which holds the lock while it renames and removes directories.
WAIT_S = 60.0
_VERSION = re.compile(r"\d{8}T\d{6}\.\d{6}Z-[0-9a-f]{8}")


def publish(
    root: str | Path,
    write: Callable[[Path], object],
    *,
    keep: int = 3,
    check: Callable[[Path], object] = open_bundle,
    beside: Callable[[], object] = lambda: None,
    wait_s: float = WAIT_S,
) -> Path:
    """Write a new version below ``root``, switch ``current`` to it, and return its directory.

    What was written is read back before anything points at it: ``current`` moves to a version that has passed
    ``check``, and only then are old versions removed. The files of a version are read-only: a server maps them into
    memory. To change a version, publish another one.

    Parameters
    ----------
    root : path
        Made where it is missing. A version is called ``<UTC stamp>-<hash of its content>``.
    write : callable
        Called with the path of a directory that does not exist yet; writes a bundle there
        (see :func:`graphrec.bundle.write_bundle`).
    keep : int, default 3
        Versions that stay, the new one included; older ones are removed, but never the one that is current.
    check : callable
        Called with the path of what was written; raises where it cannot be served.
    beside : callable
        Called when ``current`` points at the new version, before another publisher may move it: puts in place what
        stands beside the versions and belongs to the current one. It should rename, and nothing that may fail.
    wait_s : float, default 60
        Seconds to wait while another process publishes below the same root.

    Raises
    ------
    BundleError
        If the bundle cannot be written or served, or another publisher does not end; ``current`` then points where it
        did.
    ConfigError
        If ``keep < 1``.
    """
    if keep < 1:
        raise ConfigError(f"keep is {keep}; at least 1 version must stay")
    base = as_path(root, name="root")
    try:
        base.mkdir(parents=True, exist_ok=True)
        with staging(base) as temporary:
            whole = temporary / "bundle"
            write(whole)
            _read_back(whole, check)
            _make_read_only(whole)
            with _lock(base, wait_s):
                _check_link(base)
                short = content_hash(read_manifest(whole))[:8]
                version = base / f"{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}-{short}"
                os.rename(whole, version)  # noqa: PTH104 - as atomic as the system's own rename
                sync(base)
                _point_at(base, version.name)
                beside()
                _remove_old(base, temporary, keep)
    except OSError as error:
        raise BundleError(f"{str(base)!r} cannot take a new version: {error.strerror or error}") from error
    return version


def is_version(name: str) -> bool:
    """Tell whether a directory of that name is a version of a bundle."""
    return _VERSION.fullmatch(name) is not None


def versions(root: str | Path) -> list[str]:
    """Return the names of the versions below ``root``, oldest first."""
    return sorted(path.name for path in Path(root).iterdir() if is_version(path.name))


def switch_current(root: str | Path, name: str, *, wait_s: float = WAIT_S) -> None:
    """Let ``root/current`` point at the version ``name``; whoever opens it gets the old one or the new one.

    Raises
    ------
    BundleError
        If there is no such version, ``current`` is something other than a link, or another publisher does not end.
    """
    base = as_path(root, name="root")
    try:
        with _lock(base, wait_s):
            _point_at(base, name)
    except OSError as error:
        raise BundleError(f"{str(base)!r} cannot switch to {name!r}: {error.strerror or error}") from error


def roll_back(root: str | Path, *, to: str | None = None, wait_s: float = WAIT_S) -> Path:
    """Let ``root/current`` point at an earlier version that can be served; return its directory.

    Parameters
    ----------
    root : path
        Where versions were published.
    to : str or None
        Name of the version; None takes the newest of those before the current one that opens whole.

    Raises
    ------
    BundleError
        If no such version can be served; ``current`` then points where it did.
    """
    base = as_path(root, name="root")
    try:
        with _lock(base, wait_s):
            chosen = _servable(base, to)
            _point_at(base, chosen)
    except OSError as error:
        raise BundleError(f"{str(base)!r} cannot be rolled back: {error.strerror or error}") from error
    return base / chosen


def _servable(base: Path, wanted: str | None) -> str:
    """Return the name of the version to go back to."""
    if wanted is not None:
        if not is_version(wanted) or not (base / wanted).is_dir():
            raise BundleError(_no_version(base, wanted))
        open_bundle(base / wanted)
        return wanted
    link = base / CURRENT
    current = link.readlink().name if link.is_symlink() else ""
    earlier = [name for name in versions(base) if name < current] if is_version(current) else versions(base)
    for name in reversed(earlier):
        with suppress(BundleError):
            open_bundle(base / name)
            return name
    raise BundleError(f"{str(base)!r} has no version before {current or 'the current one'!r} that can be served")


def _no_version(base: Path, name: str) -> str:
    known = versions(base)
    return f"{str(base)!r} has no version {name!r}; it has {', '.join(known) if known else 'none'}"


def _read_back(directory: Path, check: Callable[[Path], object]) -> None:
    """Raise BundleError where what was written cannot be served."""
    try:
        check(directory)
    except BundleError as error:
        said = str(error).removeprefix(f"bundle {str(directory)!r}: ")
        raise BundleError(f"the new version cannot be served, and is not published: {said}") from error


def _make_read_only(directory: Path) -> None:
    """Take the right to write from every file, so that none is changed under a server that has it in memory.

    Directories stay as they are: a version can be removed, and moved.
    """
    for name in walk_files(directory):
        path = directory / name
        path.chmod(stat.S_IMODE(path.stat().st_mode) & ~0o222)


@contextmanager
def _lock(base: Path, wait_s: float) -> Iterator[None]:
    """Hold the lock of a root."""
    from filelock import FileLock, Timeout  # publishing alone needs it

    if not base.is_dir():
        raise BundleError(f"there are no versions at {str(base)!r}: it is no directory")
    lock = FileLock(base / LOCK, timeout=wait_s)
    try:
        lock.acquire()
    except Timeout as error:
        raise BundleError(
            f"another process has been publishing below {str(base)!r} for {wait_s:g} s; try again when it is done"
        ) from error
    try:
        yield
    finally:
        lock.release()


def _point_at(base: Path, name: str) -> None:
    """Move ``current`` to the version ``name``. The caller holds the lock."""
    if "/" in name or not (base / name).is_dir():
        raise BundleError(_no_version(base, name))
    _check_link(base)
    with staging(base) as temporary:
        # Made elsewhere and moved over the old one: there is no moment without a link.
        link = temporary / CURRENT
        link.symlink_to(name, target_is_directory=True)
        link.replace(base / CURRENT)
    sync(base)


def _check_link(base: Path) -> None:
    """Raise BundleError where ``current`` is something other than a link."""
    current = base / CURRENT
    if current.exists() and not current.is_symlink():
        raise BundleError(f"{str(current)!r} is no link; move it away, graphrec keeps a link of that name")


def _remove_old(base: Path, temporary: Path, keep: int) -> None:
    """Remove all but the newest ``keep`` versions; each is moved aside first, so that none is ever half there.

    The new version is published by now: an old one that cannot be removed stays for the next publisher.
    """
    current = (base / CURRENT).readlink().name
    for name in versions(base)[:-keep]:
        if name != current:
            aside = temporary / name
            with suppress(OSError):
                (base / name).rename(aside)
                shutil.rmtree(aside, ignore_errors=True)
