"""Writing a bundle: whole under its name, or not there at all."""

from __future__ import annotations

import json
import math
import os
import platform
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from graphrec.bundle.files import array_header, sync, sync_tree, walk_files, write_strings
from graphrec.bundle.manifest import CHANNEL_NAME, MANIFEST, FileEntry, Manifest, encode_manifest, kind_of
from graphrec.bundle.read import open_bundle
from graphrec.bundle.staging import staging
from graphrec.checks import as_array, check_length
from graphrec.contracts.recaller import Recaller
from graphrec.data.files import file_sha256, write_array
from graphrec.data.sequences import Sequences
from graphrec.data.vocabulary import Vocabulary
from graphrec.errors import BundleError, ConfigError
from graphrec.graph.catalogue import CatalogueGraph
from graphrec.recallers import check_kind, distribution_of_kind
from graphrec.version import __version__

# What every bundle is written and read with; what its channels learn with is said by their recipes.
_LIBRARIES = ("numpy", "scipy", "numba", "polars", "pyarrow", "hnswlib")


def write_bundle(
    directory: str | Path,
    *,
    users: Vocabulary,
    items: Vocabulary,
    catalogue: CatalogueGraph,
    history: Sequences,
    pool: npt.NDArray[np.bool_],
    channels: Mapping[str, Recaller],
    fusion: Mapping[str, Any],
    wording: Mapping[str, str] | None = None,
    config: Mapping[str, Any] | None = None,
    data_fingerprint: str = "",
    report: Mapping[str, Any] | None = None,
    audits: Mapping[str, float] | None = None,
    libraries: Iterable[str] = (),
) -> None:
    """Write everything that serving needs into a new ``directory``.

    It is written under a temporary name beside the target, forced to disk, read back and renamed: a run that is killed
    at any point leaves nothing under the target's name. What killed runs left is removed by the next one.

    Parameters
    ----------
    directory : path
        Must not exist, or be empty. To replace a bundle that is being served, use :func:`graphrec.bundle.publish`.
    users, items : Vocabulary
        External ids.
    catalogue : CatalogueGraph
        Items and entities; for titles, neighbours and explanations.
    history : Sequences
        Seen items, one list a user, oldest first.
    pool : ndarray
        (n_items,) bool: items that may be recalled at all.
    channels : mapping
        Name to recaller; the order is kept.
    fusion : mapping
        ``to_dict()`` of a fusion setting.
    wording : mapping or None
        Words for people: ``{"verb": "read"}``, and names of relations.
    config : mapping or None
        The training configuration.
    data_fingerprint : str
        Fingerprint of the input data.
    report : mapping or None
        What evaluation found: ``report.json``. Numbers that are not finite become null.
    audits : mapping or None
        Channel name to ANN recall against exact search.
    libraries : iterable of str
        Distributions that the channels and the data were made with; the manifest tells their versions.

    Raises
    ------
    BundleError
        If the target exists, the parts do not fit each other, the disk refuses, or what was written cannot be read
        back.
    ConfigError
        If a channel's name cannot be a directory's name, or its recaller is of a kind that no installed distribution
        declares.

    Notes
    -----
    The same content gives the same bytes, except for the manifest's ``created`` and ``checksum``.
    """
    target = Path(directory)
    _check_parts(users, items, catalogue, history, pool, channels)
    _check_target(target)
    try:
        with staging(target.parent) as temporary:
            whole = temporary / "bundle"
            whole.mkdir()
            _write_parts(whole, users, items, catalogue, history, pool)
            if report is not None:
                _write_json(whole / "report.json", _finite(report))
            _write_channels(whole, channels)
            files = _entries(whole)
            manifest = Manifest(
                created=datetime.now(UTC).isoformat(timespec="microseconds"),
                graphrec=__version__,
                libraries=_libraries(libraries),
                config=config or {},
                data_fingerprint=data_fingerprint,
                vocabularies=_vocabularies(users=users, items=items, entities=catalogue.entities),
                channels=_channel_entries(channels, files, audits or {}),
                fusion=fusion,
                wording=wording or {},
                audits=audits or {},
                files=files,
            )
            (whole / MANIFEST).write_bytes(encode_manifest(manifest))
            sync_tree(whole)
            _read_back(whole, target)
            os.rename(whole, target)  # noqa: PTH104 - as atomic as the system's own rename
            sync(target.parent)
    except OSError as error:
        raise BundleError(f"bundle {str(target)!r} cannot be written: {error.strerror or error}") from error


def _check_parts(
    users: Vocabulary,
    items: Vocabulary,
    catalogue: CatalogueGraph,
    history: Sequences,
    pool: npt.NDArray[np.bool_],
    channels: Mapping[str, Recaller],
) -> None:
    """Raise BundleError where the parts speak of different users or items."""
    sizes = (
        ("the history", len(history), "users", len(users)),
        ("the pool", len(pool), "items", len(items)),
        ("the catalogue graph", catalogue.n_items, "items", len(items)),
    )
    for name, found, what, wanted in sizes:
        if found != wanted:
            raise BundleError(f"{name} speaks of {found} {what}, the vocabulary has {wanted}")
    if catalogue.items != items:
        raise BundleError("the items of the catalogue graph are not those of the bundle, in their order")
    if not channels:
        raise ConfigError("a bundle needs at least one channel")
    for name, recaller in channels.items():
        if not CHANNEL_NAME.fullmatch(name):
            raise ConfigError(f"channel name {name!r} is illegal; use letters, digits, '-', '_' and '.'")
        try:
            check_kind(recaller.kind)
        except ConfigError as error:
            raise ConfigError(f"channel {name!r}: {error}") from error


def _read_back(whole: Path, target: Path) -> None:
    """Raise BundleError where what was written for ``target`` cannot be opened."""
    try:
        open_bundle(whole)
    except BundleError as error:
        said = str(error).removeprefix(f"bundle {str(whole)!r}: ")
        raise BundleError(f"bundle {str(target)!r} cannot be written: read back, {said}") from error


def _check_target(target: Path) -> None:
    """Make the parent; raise BundleError where the target is taken."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        taken = target.is_symlink() or (target.exists() and (not target.is_dir() or any(target.iterdir())))
    except OSError as error:
        raise BundleError(f"bundle {str(target)!r} cannot be written: {error.strerror}") from error
    if taken:
        raise BundleError(f"{str(target)!r} exists already; name a new directory, or publish a new version")


def _write_parts(
    directory: Path,
    users: Vocabulary,
    items: Vocabulary,
    catalogue: CatalogueGraph,
    history: Sequences,
    pool: npt.NDArray[np.bool_],
) -> None:
    """Write all that is no channel."""
    for folder in ("vocabularies", "catalogue", "history", "channels"):
        (directory / folder).mkdir()
    for name, vocabulary in (("users", users), ("items", items), ("entities", catalogue.entities)):
        write_strings(directory / "vocabularies" / f"{name}.arrow", vocabulary.ids)
    write_strings(directory / "catalogue" / "labels.arrow", catalogue.labels)
    graph = catalogue.adjacency
    for name in ("indptr", "indices", "relations", "weights", "type_offsets"):
        array = getattr(graph, name)
        if array is not None:
            write_array(directory / "catalogue" / f"{name}.npy", array)
    names = {"node_types": list(graph.node_types), "relation_names": list(graph.relation_names)}
    _write_json(directory / "catalogue" / "names.json", names)
    for name in ("indptr", "items", "weights", "times", "kinds"):
        if (array := getattr(history, name)) is not None:
            write_array(directory / "history" / f"{name}.npy", array)
    _write_json(directory / "history" / "names.json", {"kinds": list(history.kind_names)})
    mask = as_array(pool, np.bool_, name="pool")
    check_length(mask, len(items), name="pool")
    write_array(directory / "pool.npy", mask)


def _write_channels(directory: Path, channels: Mapping[str, Recaller]) -> None:
    """Let each channel write its own directory."""
    for name, recaller in channels.items():
        folder = directory / "channels" / name
        folder.mkdir()
        recaller.save(folder)


def _write_json(path: Path, document: Mapping[str, Any]) -> None:
    try:
        text = json.dumps(document, ensure_ascii=False, indent=1, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise BundleError(f"{path.name} cannot be written as JSON: {error}") from error
    path.write_text(text + "\n", encoding="utf-8")


def _finite(value: Any) -> Any:
    """Return a report with numbers that JSON does not know as None."""
    if isinstance(value, Mapping):
        return {key: _finite(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _entries(directory: Path) -> dict[str, FileEntry]:
    """Return the manifest's entry of every file in ``directory``."""
    entries = {}
    for name in walk_files(directory):
        path, kind = directory / name, kind_of(name)
        dtype, shape = array_header(path) if kind == "array" else (None, None)
        entries[name] = FileEntry(file_sha256(path), path.stat().st_size, kind, dtype, shape)
    return entries


def _libraries(others: Iterable[str]) -> dict[str, str]:
    """Return the versions of what is installed of our libraries and ``others``; nothing is imported."""
    versions = {"python": platform.python_version()}
    for name in (*_LIBRARIES, *sorted(set(others))):
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    return versions


def _vocabularies(**vocabularies: Vocabulary) -> dict[str, dict[str, Any]]:
    return {name: {"sha256": one.fingerprint, "size": len(one)} for name, one in vocabularies.items()}


def _channel_entries(
    channels: Mapping[str, Recaller], files: Mapping[str, FileEntry], audits: Mapping[str, float]
) -> dict[str, dict[str, Any]]:
    """Return what the manifest says of each channel."""
    entries: dict[str, dict[str, Any]] = {}
    for name, recaller in channels.items():
        size = sum(entry.size_bytes for file, entry in files.items() if file.startswith(f"channels/{name}/"))
        entries[name] = {"kind": recaller.kind, "reason": recaller.reason, "size_bytes": size}
        if name in audits:
            entries[name]["ann_recall"] = audits[name]
        if (package := distribution_of_kind(recaller.kind)) is not None:
            entries[name]["package"] = package
    return entries
