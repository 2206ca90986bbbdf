"""Fetching the data sets of the registry into a cache, or taking files that are already at hand."""

from __future__ import annotations

import json
import lzma
import os
import shutil
import sys
import zipfile
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from graphrec.data.files import file_sha256
from graphrec.data.limits import Expansion, Limits
from graphrec.data.scratch import written_whole
from graphrec.errors import DataError, FetchError

from ..readers.table_source import InteractionsSource
from .download import CHUNK_BYTES, MAX_BYTES, Progress, download, fits
from .registry import DataFile, Dataset, Member, datasets_directory, find_dataset, load_registry

__all__ = ["Fetched", "cache_directory", "datasets_directory", "fetch", "find_dataset", "load_registry"]

# What was fetched, and its hashes: for files whose hash the registry does not know, the first download pins it.
_RECORD = "fetched.json"


@dataclass(frozen=True, slots=True)
class Fetched:
    """Where a data set lies, its files by name, and the ones that no published hash vouches for (name -> sha256)."""

    dataset: Dataset
    directory: Path
    files: dict[str, Path]
    unverified: dict[str, str]
    already: bool

    @property
    def interactions(self) -> InteractionsSource:
        """The events, as :func:`graphrec.pipelines.readers.sources.read_interactions` takes them."""
        return self.dataset.source(self.directory)


def cache_directory() -> Path:
    """Return the folder for downloads: ``GRAPHREC_CACHE``, else the platform's cache folder."""
    if named := os.environ.get("GRAPHREC_CACHE"):
        return Path(named)
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local")) / "graphrec"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "graphrec"
    return Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "graphrec"


def fetch(
    name: str, *, into: Path | None = None, source_dir: Path | None = None, progress: Progress | None = None,
    registry: dict[str, Dataset] | None = None,
) -> Fetched:  # fmt: skip
    """Bring a data set to ``into``/NAME and return where its files lie.

    A bundled data set stays where it is. One that was fetched before, and is unharmed, is not fetched again.

    Parameters
    ----------
    name : str
        A name of the registry.
    into : Path or None
        Cache folder; None means :func:`cache_directory`.
    source_dir : Path or None
        Take the files from there instead of the network: archives, or what they hold, under the registry's names.
    progress : callable or None
        Called with (file name, bytes so far, bytes in all or None).
    registry : dict or None
        Data sets by name; None means the project's registry.

    Returns
    -------
    Fetched
        ``unverified`` lists files whose hash nobody published; the hash found is pinned, and a later download that
        differs is refused.

    Raises
    ------
    ConfigError
        If the name is unknown.
    FetchError
        If there is no network, a file is missing from ``source_dir``, or a hash is wrong.
    """
    entry = find_dataset(name, registry)
    if entry.bundled:
        return _bundled(entry)
    directory = (into or cache_directory()) / entry.name
    pinned = _read_record(directory)
    if _unharmed(entry, directory, pinned):
        return _fetched(entry, directory, pinned, already=True)
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FetchError(
            f"the cache folder {directory} cannot be made ({error.strerror}); set GRAPHREC_CACHE"
        ) from error
    if source_dir is not None:
        hashes = _take(entry, directory, source_dir, pinned)
    else:
        hashes = {}
        for file in entry.file:
            hashes.update(_download(entry, file, directory, pinned, progress))
    _write_record(directory, pinned | hashes)
    return _fetched(entry, directory, pinned | hashes, already=False)


def _bundled(entry: Dataset) -> Fetched:
    directory = datasets_directory() / entry.name
    for file in entry.file:
        path = directory / file.name
        if not path.is_file():
            raise FetchError(f"{path} is missing; the bundled data set {entry.name!r} is not whole")
        _check(path, file.sha256)
    return _fetched(entry, directory, {}, already=True)


def _fetched(entry: Dataset, directory: Path, hashes: dict[str, str], *, already: bool) -> Fetched:
    files = {file.name: directory / file.name for file in entry.outputs}
    unsure = {
        file.name: hashes[file.name]
        for file in entry.file
        if not file.sha256
        and not file.md5
        and not all(m.sha256 for m in file.members or (file,))
        and file.name in hashes
    }
    return Fetched(entry, directory, files, unsure, already)


def _check(path: Path, sha256: str, md5: str = "") -> str:
    """Return the sha256 of ``path``; raise FetchError where a hash is known and none fits."""
    actual = file_sha256(path)
    if not fits(path, sha256, md5):
        expected = sha256 or f"md5 {md5}"
        raise FetchError(f"{path} has sha256 {actual}, expected was {expected}; it is damaged or of another version")
    return actual


def _read_record(directory: Path) -> dict[str, str]:
    try:
        record = json.loads((directory / _RECORD).read_text(encoding="utf-8"))
        return {str(name): str(sha256) for name, sha256 in record.items()}
    except (OSError, ValueError, AttributeError, RecursionError):
        # No record, or a broken one: the files are checked or fetched anew.
        return {}


def _write_record(directory: Path, hashes: dict[str, str]) -> None:
    with written_whole(directory / _RECORD) as part:
        part.write_text(json.dumps(hashes, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def _unharmed(entry: Dataset, directory: Path, hashes: dict[str, str]) -> bool:
    """Return whether every file is there with the hash that the registry, or else the record, gives."""
    for file in entry.outputs:
        expected = hashes.get(file.name, "") or file.sha256
        path = directory / file.name
        if not expected or not path.is_file() or file_sha256(path) != expected:
            return False
    return True


def _download(
    entry: Dataset, file: DataFile, directory: Path, pinned: dict[str, str], progress: Progress | None
) -> dict[str, str]:
    """Fetch one file, unpack it where it is an archive, and return the hashes by name."""
    if not file.url:
        raise FetchError(
            f"{file.name} of {entry.name!r} has no public address any more; see {entry.home} and use --from DIR"
        )
    limit = 2 * file.size_bytes if file.size_bytes else MAX_BYTES
    target = directory / file.name
    expected = file.sha256 or ("" if file.md5 else pinned.get(file.name, ""))
    if not (target.is_file() and (expected or file.md5) and fits(target, expected, file.md5)):
        download(file.url, target, sha256=expected, md5=file.md5, progress=progress, max_bytes=limit)
    return _settle(file, target, directory)


def _settle(file: DataFile, path: Path, directory: Path) -> dict[str, str]:
    """Return the hashes of a file in place, unpacking it and letting it go where it is an archive."""
    hashes = {file.name: file_sha256(path)}
    if file.members:
        hashes.update(unzip(path, file.members, directory))
        if path.parent == directory:
            path.unlink()
    return hashes


def _take(entry: Dataset, directory: Path, source: Path, pinned: dict[str, str]) -> dict[str, str]:
    """Copy the files at hand, after checking that none is missing and each hash fits."""
    if not source.is_dir():
        raise FetchError(f"--from {source} is not a folder")
    missing = [
        file.name
        for file in entry.file
        if not (source / file.name).is_file()
        and not (file.members and all((source / member.name).is_file() for member in file.members))
    ]
    if missing:
        raise FetchError(f"{source} lacks {len(missing)} of the files of {entry.name!r}: {', '.join(missing)}")
    hashes: dict[str, str] = {}
    for file in entry.file:
        archive = source / file.name
        if file.members and archive.is_file():
            hashes[file.name] = _check(archive, file.sha256 or pinned.get(file.name, ""), file.md5)
            hashes.update(unzip(archive, file.members, directory))
            continue
        for part in file.members or (file,):
            hashes[part.name] = _check(source / part.name, part.sha256 or pinned.get(part.name, ""), part.md5)
            _copy(source / part.name, directory / part.name)
    return hashes


def _copy(source: Path, target: Path) -> None:
    with written_whole(target) as part:
        shutil.copyfile(source, part)


def unzip(archive: Path, members: Iterable[Member], directory: Path) -> dict[str, str]:
    """Unpack the named members, and nothing else, into ``directory`` and return their hashes.

    A member goes to its registered plain name, whatever path it has in the archive, so no entry can leave the folder.

    Raises
    ------
    FetchError
        If the archive is no zip file, is encrypted, lacks a member, unpacks beyond the limits, cannot be unpacked for
        lack of space, or a hash is wrong.
    """
    hashes: dict[str, str] = {}
    try:
        with zipfile.ZipFile(archive) as opened:
            for member in members:
                with written_whole(directory / member.name) as part:
                    place = f"{archive}, entry {member.path!r}"
                    expansion = Expansion(place, opened.getinfo(member.path).compress_size, Limits())
                    with opened.open(member.path) as packed, part.open("wb") as out:
                        while piece := packed.read(CHUNK_BYTES):
                            expansion.add(len(piece))
                            out.write(piece)
                    hashes[member.name] = _check(part, member.sha256)
    except KeyError as error:
        raise FetchError(f"{archive} has no entry {error.args[0]!r}") from error
    except (zipfile.BadZipFile, NotImplementedError, EOFError, ValueError, zlib.error, lzma.LZMAError) as error:
        # A DataError, of what expands too far, is a ValueError: its sentence stands as it is.
        said = str(error) if isinstance(error, DataError) else f"{archive} is not a sound zip file ({error})"
        raise FetchError(said) from error
    except RuntimeError as error:  # of zipfile, which has no class for it
        raise FetchError(f"{archive} is encrypted; unpack it, and give the files with --from DIR") from error
    except FetchError:
        raise
    except OSError as error:
        raise FetchError(f"{archive} cannot be unpacked into {directory}: {error.strerror or error}") from error
    return hashes
