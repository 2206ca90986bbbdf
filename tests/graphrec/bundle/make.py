"""Bundles that the tests write, and seals that they forge."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import graphrec.bundle.manifest as manifests
from graphrec.bundle import write_bundle
from graphrec.bundle.files import array_header, walk_files
from graphrec.bundle.manifest import MANIFEST, FileEntry, encode_manifest, kind_of, read_manifest
from graphrec.channels.behaviour.item_cf import ItemCF
from graphrec.channels.behaviour.user_cf import UserCF
from graphrec.channels.content.kg_neighbours import KgNeighbours
from graphrec.channels.content.tag import Tag
from graphrec.channels.popular.hot import Hot
from graphrec.contracts.recall_data import RecallData
from graphrec.contracts.recaller import Recaller
from graphrec.contracts.recipe import Recipe
from graphrec.data.files import file_sha256
from graphrec.data.sequences import sequences
from graphrec.fusion.settings import Rrf

RECIPES: Mapping[str, Recipe] = {
    "hot": Hot(),
    "user-cf": UserCF(),
    "item-cf": ItemCF(),
    "tag": Tag(),
    "kg-neighbours": KgNeighbours(),
}


def fit(data: RecallData, recipes: Mapping[str, Recipe] = RECIPES) -> dict[str, Recaller]:
    """Return every channel, fitted."""
    return {name: recipe.fit(data) for name, recipe in recipes.items()}


def write(directory: Path, data: RecallData, channels: Mapping[str, Recaller], **changes: Any) -> Path:
    """Write a bundle of ``data`` and return its directory."""
    settings: dict[str, Any] = {
        "users": data.users,
        "items": data.items,
        "catalogue": data.catalogue,
        "history": sequences(data.interactions),
        "pool": data.pool,
        "channels": channels,
        "fusion": Rrf(weights={"hot": 0.2}).to_dict(),
        "wording": {"verb": "read"},
        "config": {"name": "test", "seed": 0},
        "data_fingerprint": "abc",
        "report": {"dataset": "test", "k": [5]},
        "audits": {},
    }
    write_bundle(directory, **(settings | changes))
    return directory


def reseal(directory: Path, **changes: Any) -> None:
    """Make sums, shapes and sizes of a manifest true again after files were changed, as a forger would."""
    manifest = read_manifest(directory)
    files = {}
    for name in walk_files(directory):
        if name != MANIFEST:
            path = directory / name
            header = array_header(path) if kind_of(name) == "array" else (None, None)
            files[name] = FileEntry(file_sha256(path), path.stat().st_size, kind_of(name), *header)
    (directory / MANIFEST).write_bytes(encode_manifest(replace(manifest, files=files, **changes)))


def rewrite_manifest(directory: Path, **changes: Any) -> None:
    """Change top-level values of ``manifest.json`` and put the right checksum under them."""
    document = json.loads((directory / MANIFEST).read_text(encoding="utf-8")) | changes
    document["checksum"] = manifests._checksum(document)
    (directory / MANIFEST).write_bytes(manifests._dump(document))
