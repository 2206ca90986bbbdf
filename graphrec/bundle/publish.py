"""Versions of a bundle below one root, and ``current``, which is switched from one to the next in one step."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from graphrec.bundle.files import sync
from graphrec.bundle.manifest import content_hash, read_manifest
from graphrec.bundle.staging import staging
from graphrec.errors import BundleError, ConfigError

CURRENT = "current"
_VERSION = re.compile(r"\d{8}T\d{6}\.\d{6}Z-[0-9a-f]{8}")


def publish(root: str | Path, write: Callable[[Path], object], *, keep: int = 3) -> Path:
    """Write a new version below ``root``, switch ``current`` to it, and return its directory.

    Parameters
    ----------
    root : path
        Made where it is missing. A version is called ``<UTC stamp>-<hash of its content>``.
    write : callable
        Called with the path of a directory that does not exist yet; writes a bundle there
        (see :func:`graphrec.bundle.write_bundle`).
    keep : int, default 3
        Versions that stay, the new one included; older ones are removed, but never the one that is current.

    Raises
    ------
    BundleError
        If the bundle cannot be written; ``current`` then points where it did.
    ConfigError
        If ``keep < 1``.
    """
    if keep < 1:
        raise ConfigError(f"keep is {keep}; at least 1 version must stay")
    base = Path(root)
    try:
        base.mkdir(parents=True, exist_ok=True)
        with staging(base) as temporary:
            write(temporary / "bundle")
            short = content_hash(read_manifest(temporary / "bundle"))[:8]
            version = base / f"{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}-{short}"
            os.rename(temporary / "bundle", version)  # noqa: PTH104 - as atomic as the system's own rename
            sync(base)
            switch_current(base, version.name)
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


def switch_current(root: str | Path, name: str) -> None:
    """Let ``root/current`` point at the version ``name``; whoever opens it finds the old one or the new one.

    Raises
    ------
    BundleError
        If there is no such version, or ``current`` is something other than a link.
    """
    base = Path(root)
    if "/" in name or not (base / name).is_dir():
        raise BundleError(f"{str(base)!r} has no version {name!r}")
    current = base / CURRENT
    if current.exists() and not current.is_symlink():
        raise BundleError(f"{str(current)!r} is no link; move it away, graphrec keeps a link of that name")
    with staging(base) as temporary:
        # Made elsewhere and moved over the old one: there is no moment without a link.
        link = temporary / CURRENT
        link.symlink_to(name, target_is_directory=True)
        link.replace(current)
    sync(base)


def _remove_old(base: Path, temporary: Path, keep: int) -> None:
    """Remove all but the newest ``keep`` versions; each is moved aside first, so that none is ever half there."""
    current = (base / CURRENT).readlink().name
    for name in versions(base)[:-keep]:
        if name != current:
            aside = temporary / name
            (base / name).rename(aside)
            shutil.rmtree(aside, ignore_errors=True)
