"""Seals of a bundle, made true again after something in it was changed, as a forger would."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from graphrec.bundle.files import read_strings
from graphrec.bundle.manifest import CHECKSUM, MANIFEST, _checksum, _dump
from graphrec.data.files import file_sha256, map_array
from graphrec.data.vocabulary import Vocabulary
from graphrec.errors import BundleError
from graphrec.index.sidecar import matrix_sha256


def reseal(directory: Path, document: dict[str, Any]) -> None:
    """Make every sum, size, dtype and shape true again, within the indexes and in the manifest."""
    for sidecar in sorted(directory.rglob("index.json")):
        if all(path.is_file() and not path.is_symlink() for path in sidecar.parent.parent.rglob("*.*")):
            _reseal_index(sidecar)
    files = document.get("files")
    if isinstance(files, dict):
        for path in sorted(directory.rglob("*")):
            name = path.relative_to(directory).as_posix()
            if path.is_file() and not path.is_symlink() and name != MANIFEST:
                files[name] = _entry(path, files.get(name))
    for name in ("users", "items", "entities"):
        _reseal_vocabulary(directory, document, name)
    document.pop(CHECKSUM, None)
    try:
        document[CHECKSUM] = _checksum(document)
        sealed = _dump(document)
    except (ValueError, RecursionError):  # what our writer refuses, another one writes
        sealed = json.dumps(document, ensure_ascii=True, indent=1).encode() + b"\n"
    if not (directory / MANIFEST).exists() or (directory / MANIFEST).is_file():
        (directory / MANIFEST).write_bytes(sealed)


def _entry(path: Path, entry: object) -> dict[str, Any]:
    known = dict(entry) if isinstance(entry, dict) else {"kind": "data"}
    known |= {"sha256": file_sha256(path), "size_bytes": path.stat().st_size}
    if path.suffix == ".npy":
        try:
            array = map_array(path)
            known |= {"dtype": array.dtype.str, "shape": list(array.shape)}
        except BundleError:
            pass
    return known


def _reseal_index(sidecar: Path) -> None:
    try:
        stored = json.loads(sidecar.read_text(encoding="utf-8"))
        graph, same = sidecar.with_name("index.hnsw"), sidecar.with_name("duplicates.npy")
        stored["file_sha256"] = file_sha256(graph) if graph.is_file() else ""
        stored["duplicates_sha256"] = file_sha256(same) if same.is_file() else ""
        channel = sidecar.parent.parent
        targets = channel / "targets.npy"
        matrix = map_array(targets if targets.exists() else channel / "sources.npy")
        stored["matrix_sha256"] = matrix_sha256(np.asarray(matrix).reshape(-1, stored["dim"]))
        sidecar.write_text(json.dumps(stored), encoding="utf-8")
    except (OSError, ValueError, TypeError, KeyError, ArithmeticError, RecursionError, BundleError):
        return  # it is what was changed


def _reseal_vocabulary(directory: Path, document: dict[str, Any], name: str) -> None:
    if not all(path.is_file() and not path.is_symlink() for path in (directory / "vocabularies").iterdir()):
        return
    try:
        ids = Vocabulary(read_strings(directory / "vocabularies" / f"{name}.arrow"))
        document["vocabularies"][name] = {"sha256": ids.fingerprint, "size": len(ids)}
    except (BundleError, ValueError, LookupError, TypeError):
        return
