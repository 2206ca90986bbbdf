"""Checking a bundle's files against its manifest."""

from __future__ import annotations

import hashlib
import os
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from graphrec.bundle.files import open_plain, shown, walk_files
from graphrec.bundle.manifest import MANIFEST, FileEntry, Manifest, read_manifest
from graphrec.checks import as_path
from graphrec.errors import BundleError

CURRENT = "current"


class FileCheck(NamedTuple):
    """The result for one file; ``problem`` is a sentence that names it, or empty where it is ``ok``."""

    file: str
    ok: bool
    problem: str = ""


def verify_bundle(path: str | Path) -> list[FileCheck]:
    """Return the result of checking each file of a bundle, in order of name.

    Parameters
    ----------
    path : path
        A bundle, or a root whose ``current`` points at one.

    Raises
    ------
    BundleError
        If there is no bundle, its manifest cannot be trusted, or it holds something that is no plain file.
    """
    directory = find_bundle(path)
    manifest = read_manifest(directory)
    checks = [FileCheck(MANIFEST, True)]
    return checks + sorted(check_files(directory, manifest))


def check_files(directory: Path, manifest: Manifest, *, sums: bool = True) -> Iterator[FileCheck]:
    """Yield the result for each file that the manifest names and each that it does not.

    With ``sums=False`` only presence and size are looked at.
    """
    try:
        present = set(walk_files(directory)) - {MANIFEST}
    except OSError as error:
        raise BundleError(f"bundle {str(directory)!r} cannot be read: {error.strerror}") from error
    except BundleError as error:
        raise BundleError(f"bundle {str(directory)!r}: {error}") from error
    for name, entry in manifest.files.items():
        problem = "is missing" if name not in present else _problem(directory / name, entry, sums=sums)
        yield FileCheck(name, not problem, problem and f"{shown(name)} {problem}")
    for name in sorted(present - set(manifest.files)):
        yield FileCheck(name, False, f"{shown(name)} is not named in the manifest")


def _problem(path: Path, entry: FileEntry, *, sums: bool) -> str:
    """Return what is wrong with one file, or an empty string."""
    try:
        with os.fdopen(open_plain(path), "rb") as file:
            size = os.fstat(file.fileno()).st_size
            if size != entry.size_bytes:
                return f"is damaged: it has {size:,} bytes, the manifest says {entry.size_bytes:,}"
            if sums and hashlib.file_digest(file, "sha256").hexdigest() != entry.sha256:
                return "is damaged: its sha256 is not the manifest's"
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    except BundleError as error:
        return f"cannot be read: {error}"
    return ""


def _behind(link: Path) -> Path:
    """Return the directory that ``current`` points at; raise BundleError where it holds no bundle.

    The version may be removed while this looks at it: then ``current`` has moved on, and so does this.
    """
    while True:
        target = link.readlink()
        directory = (link.parent / target).resolve()
        if (directory / MANIFEST).exists():
            return directory
        if link.readlink() == target:
            what = f"holds no {MANIFEST}" if directory.exists() else "is not there"
            raise BundleError(f"{str(link)!r} points at {str(target)!r}, which {what}{back_hint(link.parent)}")


def back_hint(root: Path) -> str:
    """Return how to go back to an earlier version of a root whose ``current`` cannot be used."""
    return f"; go back to an earlier version with: graphrec rollback {shlex.quote(str(root))}"


def find_bundle(path: str | Path) -> Path:
    """Return the directory of the bundle at ``path``, or of the one that ``path/current`` points at.

    Links are resolved once, so that a switch of ``current`` meanwhile cannot mix two versions.

    Raises
    ------
    BundleError
        If neither is there.
    """
    place = as_path(path, name="the bundle")
    try:
        if (place / MANIFEST).exists():
            return place.resolve()
        current = place / CURRENT
        if current.is_symlink():
            return _behind(current)
        if (current / MANIFEST).exists():
            return current.resolve()
    except OSError as error:
        raise BundleError(f"bundle {str(place)!r} cannot be read: {error.strerror}") from error
    what = "is no directory" if place.exists() and not place.is_dir() else "does not exist"
    if place.is_dir():
        what = f"holds neither {MANIFEST} nor 'current'"
    raise BundleError(f"there is no bundle at {str(place)!r}: it {what}")
