"""Opening a bundle: nothing is believed before it was checked."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeGuard

import numpy as np
import numpy.typing as npt

from graphrec.bundle.files import array_header, read_strings
from graphrec.bundle.manifest import Manifest, read_manifest
from graphrec.bundle.verify import back_hint, check_files, find_bundle
from graphrec.checks import as_path, check_rows
from graphrec.contracts.recaller import BundleParts, Recaller
from graphrec.data.files import arrays_in_memory, read_array, read_json
from graphrec.data.sequences import Sequences
from graphrec.data.vocabulary import Vocabulary
from graphrec.errors import BundleError, GraphRecError
from graphrec.fusion.settings import fusion_from_dict
from graphrec.graph.adjacency import Adjacency
from graphrec.graph.catalogue import CatalogueGraph
from graphrec.recallers import load_recaller

# What libraries, and channels of other distributions, raise at files that are not theirs.
_UNFORESEEN = (
    OSError, ValueError, LookupError, TypeError, AttributeError, ArithmeticError, MemoryError, RecursionError,
)  # fmt: skip
# Letters of a sentence: what a file says may be quoted in it.
_LONGEST = 400


@dataclass(frozen=True, slots=True, eq=False)
class Bundle:
    """A bundle in memory. Arrays are memory-mapped and read-only; it may be shared between threads.

    Parameters
    ----------
    path : Path
        The directory, links resolved.
    manifest : Manifest
        What was written, when, by what, with which settings; sizes of files and channels.
    users, items : Vocabulary
        External ids.
    catalogue : CatalogueGraph
        Items and entities.
    history : Sequences
        Seen items, one list a user, oldest first.
    pool : ndarray
        (n_items,) bool.
    channels : mapping
        Name to recaller, in the order of the manifest.
    report : mapping or None
        What evaluation found.
    """

    path: Path
    manifest: Manifest
    users: Vocabulary
    items: Vocabulary
    catalogue: CatalogueGraph
    history: Sequences
    pool: npt.NDArray[np.bool_]
    channels: Mapping[str, Recaller]
    report: Mapping[str, Any] | None

    @property
    def fusion(self) -> Mapping[str, Any]:
        """How the channels' lists become one, as ``fusion_from_dict`` reads it."""
        return self.manifest.fusion

    @property
    def wording(self) -> Mapping[str, str]:
        """Words for people."""
        return self.manifest.wording


def open_bundle(path: str | Path, *, verify: bool = True, in_memory: bool = False) -> Bundle:
    """Open and check a bundle.

    Parameters
    ----------
    path : path
        A bundle, or a root whose ``current`` points at one.
    verify : bool, default True
        Compare every file's sha256. Without it sizes, shapes, vocabularies, dimensions and metrics are still checked.
    in_memory : bool, default False
        Copy every array into memory. By default they are mapped: pages are read when they are needed and shared between
        processes, and a file that is overwritten or cut short in place ends the process.

    Raises
    ------
    BundleError
        If anything is missing, damaged, too new, or does not fit the rest; the sentence names the file.
    """
    while True:
        directory = find_bundle(path)
        try:
            with arrays_in_memory(in_memory):
                return _open(directory, verify=verify)
        except BundleError as error:
            root = as_path(path, name="the bundle")
            if directory == root.resolve():
                raise
            # Old versions are removed by their publisher, also one that was current when this began.
            if find_bundle(path) != directory:
                continue
            raise BundleError(f"{error}{back_hint(root)}") from error


def _open(directory: Path, *, verify: bool) -> Bundle:
    """Return the bundle in ``directory``, which is checked; raise BundleError with one sentence."""
    manifest = read_manifest(directory)
    for check in check_files(directory, manifest, sums=verify):
        if not check.ok:
            raise BundleError(f"bundle {str(directory)!r}: {check.problem}")
    try:
        return _load(directory, manifest, verify=verify)
    except (GraphRecError, *_UNFORESEEN) as error:
        said = str(error) if isinstance(error, GraphRecError) else f"cannot be loaded: {type(error).__name__}: {error}"
        # The bundle is named once; what follows is the path within it.
        said = " ".join(said.replace(f"{directory}{os.sep}", "").split())
        short = said if len(said) <= _LONGEST else f"{said[:_LONGEST]}…"
        raise BundleError(f"bundle {str(directory)!r}: {short}") from error


def _load(directory: Path, manifest: Manifest, *, verify: bool) -> Bundle:
    """Return the bundle whose files were checked."""
    _check_headers(directory, manifest)
    names = ("users", "items", "entities")
    users, items, entities = (_vocabulary(directory, manifest, name, verify) for name in names)
    catalogue = _catalogue(directory / "catalogue", items, entities)
    fusion_from_dict(manifest.fusion, catalogue)
    history = _history(directory / "history", len(users), len(items))
    pool = read_array(directory / "pool.npy", np.bool_)
    if len(pool) != len(items):
        raise BundleError(f"pool.npy speaks of {len(pool)} items, the vocabulary has {len(items)}")
    parts = BundleParts(users, items, catalogue)
    channels = {name: _channel(directory, name, entry, parts) for name, entry in manifest.channels.items()}
    return Bundle(directory, manifest, users, items, catalogue, history, pool, channels, _report(directory))


def _check_headers(directory: Path, manifest: Manifest) -> None:
    """Raise where an array is not of the dtype and shape that the manifest says."""
    for name, entry in manifest.files.items():
        if entry.kind == "array":
            dtype, shape = array_header(directory / name)
            if (dtype, shape) != (entry.dtype, entry.shape):
                raise BundleError(
                    f"{name} holds {dtype} of shape {shape}, the manifest says {entry.dtype} {entry.shape}"
                )


def _vocabulary(directory: Path, manifest: Manifest, name: str, verify: bool) -> Vocabulary:
    """Return one vocabulary, of the size and fingerprint that the manifest says."""
    if name not in manifest.vocabularies:
        raise BundleError(f"there is no vocabulary of {name}; train the bundle again with this version of graphrec")
    vocabulary = Vocabulary(read_strings(directory / "vocabularies" / f"{name}.arrow"))
    said = manifest.vocabularies.get(name, {})
    if len(vocabulary) != said.get("size"):
        raise BundleError(f"vocabularies/{name}.arrow has {len(vocabulary)} ids, the manifest says {said.get('size')}")
    if verify and vocabulary.fingerprint != said.get("sha256"):
        raise BundleError(f"vocabularies/{name}.arrow holds other ids than the bundle was made for")
    return vocabulary


def _catalogue(directory: Path, items: Vocabulary, entities: Vocabulary) -> CatalogueGraph:
    """Return the catalogue graph."""
    names = _read_json(directory / "names.json")
    node_types, relation_names = names.get("node_types"), names.get("relation_names")
    if not _names(node_types) or not _names(relation_names):
        raise BundleError("catalogue/names.json must hold the lists of names 'node_types' and 'relation_names'")
    weights = directory / "weights.npy"
    adjacency = Adjacency(
        read_array(directory / "indptr.npy", np.int64),
        read_array(directory / "indices.npy", np.int32),
        read_array(directory / "relations.npy", np.int16),
        read_array(weights, np.float32) if weights.exists() else None,
        type_offsets=read_array(directory / "type_offsets.npy", np.int64),
        node_types=node_types,
        relation_names=relation_names,
    )
    return CatalogueGraph(adjacency, items, entities, read_strings(directory / "labels.arrow"))


def _names(value: object) -> TypeGuard[list[str]]:
    """Tell whether a JSON value is a list of texts."""
    return isinstance(value, list) and all(isinstance(name, str) for name in value)


def _history(directory: Path, n_users: int, n_items: int) -> Sequences:
    """Return the events of every user."""
    names = _read_json(directory / "names.json").get("kinds")
    if not _names(names):
        raise BundleError("history/names.json must hold the list of names 'kinds'")
    times, kinds = directory / "times.npy", directory / "kinds.npy"
    history = Sequences(
        read_array(directory / "indptr.npy", np.int64),
        read_array(directory / "items.npy", np.int32),
        read_array(directory / "weights.npy", np.float32),
        read_array(times, np.int64) if times.exists() else None,
        read_array(kinds, np.int8) if kinds.exists() else None,
        kind_names=names,
    )
    if len(history) != n_users:
        raise BundleError(f"the history speaks of {len(history)} users, the vocabulary has {n_users}")
    check_rows(history.items, n_items, name="history/items.npy")
    return history


def _channel(directory: Path, name: str, entry: Mapping[str, Any], parts: BundleParts) -> Recaller:
    """Return one channel, of the kind that the manifest says."""
    try:
        recaller = load_recaller(directory / "channels" / name, parts)
    except GraphRecError as error:
        package = entry.get("package")
        remedy = f"; it was trained with {package}" if package else ""
        raise BundleError(f"channel {name}: {error}{remedy}") from error
    except _UNFORESEEN as error:
        raise BundleError(f"channel {name} cannot be loaded: {type(error).__name__}: {error}") from error
    if recaller.kind != entry.get("kind"):
        raise BundleError(f"channel {name} is of kind {recaller.kind!r}, the manifest says {entry.get('kind')!r}")
    vectors = getattr(recaller, "users", None)
    if vectors is not None and len(vectors) != len(parts.users):
        raise BundleError(f"channel {name} speaks of {len(vectors)} users, the vocabulary has {len(parts.users)}")
    return recaller


def _read_json(path: Path) -> dict[str, Any]:
    """Return the JSON object in a file."""
    try:
        document = read_json(path)
    except (OSError, ValueError) as error:
        raise BundleError(f"{path.name} cannot be read as JSON: {error}") from error
    if not isinstance(document, dict):
        raise BundleError(f"{path.name} holds a JSON {type(document).__name__}; it must hold an object")
    return document


def _report(directory: Path) -> dict[str, Any] | None:
    path = directory / "report.json"
    return _read_json(path) if path.exists() else None
