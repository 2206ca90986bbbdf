"""Fits that are not run again: a fitted channel is kept beside the report as long as nothing that made it changes."""

from __future__ import annotations

import dataclasses
import errno
import hashlib
import json
import logging
import os
import shutil
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from graphrec.bundle.files import walk_files
from graphrec.bundle.staging import staging
from graphrec.contracts.progress import TrainingPoint
from graphrec.contracts.queries import Queries
from graphrec.contracts.recall_data import RecallData
from graphrec.contracts.recaller import BundleParts, Recaller
from graphrec.data.files import file_sha256
from graphrec.data.vocabulary import Vocabulary
from graphrec.errors import BundleError, GraphRecError
from graphrec.recallers import load_recaller

from .checkpoints import FileCheckpoints

FOLDER = ".fits"
_ABOUT, _DIGEST, _CHANNEL = "fit.json", "fit.sha256", "channel"

log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True, slots=True)
class Fit:
    """A fitted channel, the seconds that the fit took, its bytes on disk, and the settings that the fit chose.

    ``training`` is what a training recorded; empty where there was none.
    """

    channel: Recaller
    fit_s: float
    size_bytes: int
    chosen: Mapping[str, Any]
    training: Sequence[TrainingPoint] = ()


class FitCache:
    """Fitted channels below ``root/.fits``, each under the hash of its recipe, its data, its seed and our code.

    Entries are written whole or not at all. All that an entry holds is checked by hash before any of it is used: a
    damaged one is fitted anew, and a warning says so. What a run did not use is removed when the run is over
    (:meth:`prune`), so the cache holds one run.
    """

    def __init__(self, root: Path) -> None:
        self._folder = root / FOLDER
        self._used: set[str] = set()

    def key(self, recipe: object, data: str, seed: int) -> str:
        """Return the name of the entry: of a recipe, the fingerprint of its data, a seed, and the code as it is."""
        digest, made_by = hashlib.sha256(), type(recipe)
        # A recipe of another distribution changes with its own code, too.
        code = [code_version(package) for package in sorted({"graphrec", made_by.__module__.split(".")[0]})]
        _add(digest, [made_by.__module__, made_by.__qualname__, recipe, data, seed, code])
        # A recipe may read files of its own; one that is missing is the fit's to report.
        _add(digest, [file_sha256(path) for path in getattr(recipe, "files", ()) if path.is_file()])
        return digest.hexdigest()[:32]

    def load(self, key: str, data: RecallData) -> Fit | None:
        """Return the entry, or None where there is none, or one that is damaged, which is logged."""
        self._used.add(key)
        directory = self._folder / key
        if not directory.is_dir():
            return None
        try:
            about = _checked(directory, key)
            parts = BundleParts(data.users, data.items, data.catalogue)
            channel = load_recaller(directory / _CHANNEL, parts)
        except (OSError, GraphRecError) as error:
            log.warning("the fit kept in %s is damaged and is made anew: %s", directory, error)
            return None
        training = [TrainingPoint(**point) for point in about["training"]]
        return Fit(channel, about["fit_s"], about["size_bytes"], about["chosen"], training)

    def save(
        self,
        key: str,
        channel: Recaller,
        *,
        fit_s: float,
        chosen: Mapping[str, Any],
        training: Sequence[TrainingPoint] = (),
    ) -> Fit:
        """Keep a fitted channel with the settings (JSON values) that it chose; return it with its bytes on disk."""
        self._folder.mkdir(parents=True, exist_ok=True)
        with staging(self._folder) as temporary:
            (temporary / _CHANNEL).mkdir()
            channel.save(temporary / _CHANNEL)
            size = sum((temporary / _CHANNEL / name).stat().st_size for name in walk_files(temporary / _CHANNEL))
            points = [dataclasses.asdict(point) for point in training]
            about = {"fit_s": fit_s, "size_bytes": size, "chosen": dict(chosen), "training": points}
            about["files"] = _sums(temporary / _CHANNEL)
            (temporary / _ABOUT).write_text(json.dumps(about), encoding="utf-8")
            (temporary / _DIGEST).write_text(_digest(temporary, key), encoding="ascii")
            _take_place(temporary, self._folder / key)
        return Fit(channel, fit_s, size, chosen, training)

    def checkpoints(self, key: str) -> FileCheckpoints:
        """Return where a fit that is under way keeps its state."""
        return FileCheckpoints(self._folder / f"{key}.npz")

    def prune(self) -> None:
        """Remove the entries that this run did not use."""
        for entry in self._folder.glob("[0-9a-f]*"):
            if entry.name.split(".")[0] not in self._used:
                with suppress(OSError):  # the run is over and its results are there
                    shutil.rmtree(entry, ignore_errors=True) if entry.is_dir() else entry.unlink(missing_ok=True)


def data_fingerprint(data: object) -> str:
    """Return a hash of everything that recipes may learn from, data or parts of them. Time linear in its bytes."""
    digest = hashlib.sha256()
    _add(digest, data)
    return digest.hexdigest()


@cache
def code_version(package: str) -> str:
    """Return a hash of the source files of a package and of the versions of all that is installed beside it."""
    digest, root = hashlib.sha256(), Path(str(sys.modules[package].__file__))
    for path in sorted(root.parent.rglob("*.py")) if root.name == "__init__.py" else [root]:
        digest.update(str(path.relative_to(root.parent)).encode())
        digest.update(path.read_bytes())
    installed = sorted(f"{distribution.name} {distribution.version}" for distribution in metadata.distributions())
    digest.update("\n".join(installed).encode())
    return digest.hexdigest()


def _checked(directory: Path, key: str) -> dict[str, Any]:
    """Return what ``fit.json`` of an entry says, where the whole entry is as it was written.

    Raises
    ------
    BundleError
        If a file is damaged, missing or too many, or the entry was written for another key.
    OSError
        If a file cannot be read.
    """
    if (directory / _DIGEST).read_bytes() != _digest(directory, key).encode():
        raise BundleError(f"{_ABOUT} is not what was written for this fit")
    about: dict[str, Any] = json.loads((directory / _ABOUT).read_text(encoding="utf-8"))
    sums = _sums(directory / _CHANNEL)
    differing = sorted({*about["files"].items()} ^ {*sums.items()})
    if differing:
        raise BundleError(f"{_CHANNEL}/{differing[0][0]} is not what was written")
    return about


def _digest(directory: Path, key: str) -> str:
    """Return the hash of ``fit.json``, which holds those of the channel's files, and of the entry's key."""
    return hashlib.sha256(key.encode() + (directory / _ABOUT).read_bytes()).hexdigest()


def _take_place(temporary: Path, entry: Path) -> None:
    """Move a directory to where an entry belongs; where another run has put the same fit there, that may stay."""
    shutil.rmtree(entry, ignore_errors=True)
    try:
        os.rename(temporary, entry)  # noqa: PTH104 - as atomic as the system's own rename
    except OSError as error:
        if error.errno not in (errno.EEXIST, errno.ENOTEMPTY):
            raise


def _sums(directory: Path) -> dict[str, str]:
    return {name: file_sha256(directory / name) for name in walk_files(directory)}


def _add(digest: Any, value: object) -> None:
    """Add a value to a hash, whatever it is made of; kinds and sizes too, so that parts cannot run together."""
    digest.update(f"<{type(value).__name__}>".encode())
    if isinstance(value, np.ndarray):
        digest.update(f"{value.dtype.str}{value.shape}".encode())
        digest.update(np.ascontiguousarray(value).view(np.uint8).data if value.size else b"")
    elif isinstance(value, Vocabulary):
        digest.update(value.fingerprint.encode())
    elif isinstance(value, pa.Array):
        digest.update(pa.record_batch([pa.concat_arrays([value])], names=["values"]).serialize())
    elif isinstance(value, Queries):
        # Histories are held in whichever form they were given in.
        _add_all(digest, [value.users, value.events, value.context, value.features, value.now])
    elif dataclasses.is_dataclass(value):
        # A private field holds nothing but what the others say.
        for name in (field.name for field in dataclasses.fields(value) if not field.name.startswith("_")):
            digest.update(name.encode())
            _add(digest, getattr(value, name))
    elif isinstance(value, Mapping):
        _add_all(digest, [part for item in value.items() for part in item])
    elif isinstance(value, list | tuple):
        _add_all(digest, value)
    elif value is None or isinstance(value, str | bytes | int | float | np.generic):
        digest.update(repr(value).encode())
    else:
        raise TypeError(f"a {type(value).__name__} cannot be hashed")


def _add_all(digest: Any, values: Iterable[object]) -> None:
    """Add each value of a sequence, and where it ends."""
    for value in values:
        _add(digest, value)
    digest.update(b"</>")
