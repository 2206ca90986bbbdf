"""``manifest.json``: what a bundle holds, and the sums that prove it."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar

from graphrec.bundle.files import open_plain, shown
from graphrec.data.files import MAX_JSON_BYTES, parse_json
from graphrec.errors import BundleError

# 2: kg-neighbours keeps what its paths give.
FORMAT = 2
MANIFEST = "manifest.json"
CHECKSUM = "checksum"
# Of a channel, and so of its folder.
CHANNEL_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")
_SHA256 = re.compile(r"[0-9a-f]{64}")

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class FileEntry:
    """One file of a bundle: its sum, size and kind; dtype and shape where it is an array."""

    sha256: str
    size_bytes: int
    kind: str
    dtype: str | None = None
    shape: tuple[int, ...] | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form, without what is None."""
        known = {"sha256": self.sha256, "size_bytes": self.size_bytes, "kind": self.kind}
        return known if self.dtype is None else known | {"dtype": self.dtype, "shape": list(self.shape or ())}


@dataclass(frozen=True, slots=True)
class Manifest:
    """What ``manifest.json`` says.

    Parameters
    ----------
    created : str
        UTC time in ISO form: the one field that differs between two bundles of the same content.
    graphrec : str
        Version of the library that wrote it.
    libraries : mapping
        Distribution name to version.
    config, fusion, wording, audits : mapping
        As given to :func:`graphrec.bundle.write_bundle`.
    data_fingerprint : str
        Fingerprint of the input data.
    vocabularies : mapping
        ``users``, ``items``, ``entities`` to ``{"sha256", "size"}``.
    channels : mapping
        Channel name to ``{"kind", "reason", "size_bytes"}``, where audited ``"ann_recall"``, and where its recaller is
        that of another distribution, ``"package"``: name and version of that; order is kept.
    files : mapping
        Path inside the bundle to its entry, for every file except the manifest.
    """

    created: str
    graphrec: str
    libraries: Mapping[str, str]
    config: Mapping[str, Any]
    data_fingerprint: str
    vocabularies: Mapping[str, Mapping[str, Any]]
    channels: Mapping[str, Mapping[str, Any]]
    fusion: Mapping[str, Any]
    wording: Mapping[str, str]
    audits: Mapping[str, float]
    files: Mapping[str, FileEntry]

    @property
    def size_bytes(self) -> int:
        """Bytes of all files together, the manifest not counted."""
        return sum(entry.size_bytes for entry in self.files.values())


def _dump(document: Mapping[str, Any]) -> bytes:
    """Return the one JSON form that a document has; keys keep their order, for that of the channels counts."""
    return (json.dumps(document, ensure_ascii=False, indent=1, allow_nan=False) + "\n").encode("utf-8")


def _checksum(document: Mapping[str, Any]) -> str:
    return hashlib.sha256(_dump({key: value for key, value in document.items() if key != CHECKSUM})).hexdigest()


def encode_manifest(manifest: Manifest) -> bytes:
    """Return the bytes of ``manifest.json``, which end with the checksum of all that stands before it.

    Raises
    ------
    BundleError
        If the configuration or another mapping holds what JSON cannot.
    """
    document: dict[str, Any] = {"format": FORMAT}
    for field in fields(manifest):
        document[field.name] = getattr(manifest, field.name)
    document["files"] = {name: entry.to_dict() for name, entry in manifest.files.items()}
    try:
        # Through JSON once, so that tuples and the like are summed in the form in which they are read back.
        document = json.loads(_dump(document))
    except (TypeError, ValueError) as error:
        raise BundleError(f"the manifest cannot be written as JSON: {error}") from error
    document[CHECKSUM] = _checksum(document)
    return _dump(document)


def content_hash(manifest: Manifest) -> str:
    """Return a sha256 (hex) of the content: the same for two bundles that differ only in when they were written."""
    document = {name: [entry.sha256, entry.size_bytes] for name, entry in sorted(manifest.files.items())}
    settings = [manifest.config, manifest.fusion, manifest.wording, manifest.data_fingerprint]
    return _checksum({"files": document, "settings": settings})


def read_manifest(directory: Path) -> Manifest:
    """Read and check ``manifest.json`` of a bundle directory.

    Raises
    ------
    BundleError
        If it is missing, no JSON, of another format, damaged, or names a path outside the bundle.
    """
    where = f"bundle {str(directory)!r}: {MANIFEST}"
    try:
        with os.fdopen(open_plain(directory / MANIFEST), "rb") as file:
            data = file.read(MAX_JSON_BYTES + 1)
    except OSError as error:
        raise BundleError(f"{where} cannot be read: {error.strerror}") from error
    except BundleError as error:
        raise BundleError(f"bundle {str(directory)!r}: {error}") from error
    document = _parse(data, where)
    number = document.get("format")
    if not isinstance(number, int) or isinstance(number, bool) or number < 1:
        raise BundleError(f"{where} has format {number!r}; it must be a whole number, {FORMAT} in this version")
    if number != FORMAT:
        writer = document.get("graphrec", "unknown")
        remedy = (
            "upgrade graphrec, or train the bundle again with this version" if number > FORMAT else "train it again"
        )
        raise BundleError(
            f"{where} has format {number} (written by graphrec {writer}), this graphrec reads format {FORMAT}; {remedy}"
        )
    if document.get(CHECKSUM) != _checksum(document) or data != _dump(document):
        raise BundleError(f"{where} is damaged: it does not match its checksum; take the bundle from its source again")
    return _manifest(document, where)


def _parse(data: bytes, where: str) -> dict[str, Any]:
    """Return the JSON object in ``data``."""
    try:
        document = parse_json(data)
    except ValueError as error:
        raise BundleError(f"{where} is damaged: no JSON ({error}); take the bundle from its source again") from error
    if not isinstance(document, dict):
        raise BundleError(f"{where} holds a JSON {type(document).__name__}; it must hold an object")
    return document


def _manifest(document: Mapping[str, Any], where: str) -> Manifest:
    """Return the manifest of a checked document."""
    mapping: dict[str, Mapping[str, Any]] = {
        name: _field(document, name, dict, where)
        for name in ("libraries", "config", "vocabularies", "channels", "fusion", "wording", "audits", "files")
    }
    files = mapping.pop("files")
    for section in ("vocabularies", "channels"):
        for name in mapping[section]:
            _field(mapping[section], name, dict, f"{where}: {section}")
    _check_names(mapping, where)
    return Manifest(
        created=_field(document, "created", str, where),
        graphrec=_field(document, "graphrec", str, where),
        data_fingerprint=_field(document, "data_fingerprint", str, where),
        files={name: _entry(name, files, where) for name in files},
        **mapping,
    )


def _check_names(mapping: Mapping[str, Mapping[str, Any]], where: str) -> None:
    """Raise where a channel's name is no folder's name, or words, versions or audits are of another type."""
    for name, entry in mapping["channels"].items():
        if not CHANNEL_NAME.fullmatch(name):
            raise BundleError(f"{where} names a channel {name[:80]!r}; letters, digits, '-', '_' and '.' are legal")
        _field(entry, "kind", str, f"{where}: channels: {name}")
    for section, wanted in (("wording", str), ("libraries", str), ("audits", (int, float))):
        for name, value in mapping[section].items():
            if not isinstance(value, wanted) or isinstance(value, bool):
                what = "a text" if wanted is str else "a number"
                raise BundleError(f"{where}: {section} has {type(value).__name__} for {name[:80]!r}; it must be {what}")


def _entry(name: str, files: Mapping[str, Any], where: str) -> FileEntry:
    """Return one file's entry; its path may not leave the bundle."""
    parts = name.split("/")
    if "\\" in name or "\0" in name or any(part in ("", ".", "..") for part in parts) or name == MANIFEST:
        raise BundleError(f"{where} names the file {name[:80]!r}; paths must be relative and stay inside the bundle")
    raw = _field(files, name, dict, f"{where}: files")
    place = f"{where}: files: {shown(name[:200])}"
    sha256, kind = _field(raw, "sha256", str, place), _field(raw, "kind", str, place)
    if not _SHA256.fullmatch(sha256):
        raise BundleError(f"{place} has the sha256 {sha256[:80]!r}; it must be 64 hexadecimal digits")
    if kind != kind_of(name):
        raise BundleError(f"{place} is of kind {kind[:80]!r}; by its name it is of kind {kind_of(name)!r}")
    dtype = shape = None
    if kind == "array":
        dtype, sizes = _field(raw, "dtype", str, place), _field(raw, "shape", list, place)
        shape = tuple(_count(size, f"{place}: shape") for size in sizes)
    return FileEntry(sha256, _count(raw.get("size_bytes"), f"{place}: size_bytes"), kind, dtype, shape)


def _count(value: object, where: str) -> int:
    """Return a whole number of 0 or more."""
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise BundleError(f"{where} has {type(value).__name__} {value!r:.80}; it must be a whole number of 0 or more")
    return value


def _field(document: Mapping[str, Any], name: str, wanted: type[T], where: str) -> T:
    """Return ``document[name]``, which must be a ``wanted``."""
    value = document.get(name)
    if not isinstance(value, wanted):
        raise BundleError(f"{where} has {type(value).__name__} for {name[:80]!r}; it must be {wanted.__name__}")
    return value


def kind_of(name: str) -> str:
    """Return the kind of a file by its suffix: array, strings, settings, index, encoder or data."""
    kinds = {".npy": "array", ".arrow": "strings", ".json": "settings", ".hnsw": "index", ".onnx": "encoder"}
    return kinds.get(PurePosixPath(name).suffix, "data")
