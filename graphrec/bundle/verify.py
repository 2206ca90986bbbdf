"""Checking a bundle's files against its manifest."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from graphrec.bundle.files import walk_files
from graphrec.bundle.manifest import MANIFEST, FileEntry, Manifest, read_manifest
from graphrec.checks import as_path
from graphrec.data.files import file_sha256
from graphrec.errors import BundleError


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
        yield FileCheck(name, not problem, problem and f"{name} {problem}")
    for name in sorted(present - set(manifest.files)):
        yield FileCheck(name, False, f"{name} is not named in the manifest")


def _problem(path: Path, entry: FileEntry, *, sums: bool) -> str:
    """Return what is wrong with one file, or an empty string."""
    try:
        size = path.stat().st_size
        if size != entry.size_bytes:
            return f"is damaged: it has {size:,} bytes, the manifest says {entry.size_bytes:,}"
        if sums and file_sha256(path) != entry.sha256:
            return "is damaged: its sha256 is not the manifest's"
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    return ""


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
        current = place / "current"
        if current.is_symlink() and not current.exists():
            raise BundleError(f"{str(current)!r} points at {str(current.readlink())!r}, which is not there")
        if (current / MANIFEST).exists():
            return current.resolve()
    except OSError as error:
        raise BundleError(f"bundle {str(place)!r} cannot be read: {error.strerror}") from error
    what = "is no directory" if place.exists() and not place.is_dir() else "does not exist"
    if place.is_dir():
        what = f"holds neither {MANIFEST} nor 'current'"
    raise BundleError(f"there is no bundle at {str(place)!r}: it {what}")
