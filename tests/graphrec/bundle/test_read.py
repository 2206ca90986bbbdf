"""Whatever is wrong with a bundle is said in one sentence that names the file."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from graphrec.bundle import open_bundle, verify_bundle
from graphrec.bundle.files import write_strings
from graphrec.bundle.manifest import FORMAT, MANIFEST, read_manifest
from graphrec.data.files import write_array
from graphrec.errors import BundleError
from tests.graphrec.bundle.make import reseal, rewrite_manifest

KINDS = [
    "vocabularies/users.arrow",
    "vocabularies/items.arrow",
    "vocabularies/entities.arrow",
    "catalogue/labels.arrow",
    "catalogue/indices.npy",
    "catalogue/names.json",
    "history/weights.npy",
    "pool.npy",
    "report.json",
    "channels/hot/scores.npy",
    "channels/item-cf/recaller.json",
    "channels/tag/via.json",
]


def flip(path: Path, position: int) -> None:
    data = bytearray(path.read_bytes())
    data[position] ^= 0x10
    path.write_bytes(bytes(data))


def refused(bundle: Path, pattern: str, *, verify: bool = True) -> str:
    """Assert that a bundle is refused with one sentence, and return it."""
    with pytest.raises(BundleError, match=pattern) as caught:
        open_bundle(bundle, verify=verify)
    sentence = str(caught.value)
    assert "\n" not in sentence
    assert sentence.count(str(bundle)) == 1
    return sentence


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("place", [0.0, 0.5, 1.0])
def test_one_flipped_byte_in_any_kind_of_file(bundle: Path, name: str, place: float) -> None:
    size = (bundle / name).stat().st_size
    flip(bundle / name, int(place * (size - 1)))
    refused(bundle, re.escape(name) + " is damaged: its sha256 is not the manifest's")
    assert [check.file for check in verify_bundle(bundle) if not check.ok] == [name]


def test_one_flipped_byte_anywhere_in_the_manifest(bundle: Path) -> None:
    whole = (bundle / MANIFEST).read_bytes()
    for position in range(0, len(whole), 37):
        flip(bundle / MANIFEST, position)
        with pytest.raises(BundleError, match=r"manifest\.json"):
            open_bundle(bundle)
        (bundle / MANIFEST).write_bytes(whole)
    assert open_bundle(bundle)


def test_verify_names_every_file(bundle: Path) -> None:
    checks = verify_bundle(bundle)
    assert all(check.ok for check in checks)
    assert [check.file for check in checks] == [MANIFEST, *sorted(read_manifest(bundle).files)]
    (bundle / "pool.npy").unlink()
    (bundle / "extra.txt").write_text("x", encoding="utf-8")
    flip(bundle / "report.json", 3)
    assert {check.file: check.problem for check in verify_bundle(bundle) if not check.ok} == {
        "pool.npy": "pool.npy is missing",
        "extra.txt": "extra.txt is not named in the manifest",
        "report.json": "report.json is damaged: its sha256 is not the manifest's",
    }


def test_missing_extra_and_truncated_files(bundle: Path) -> None:
    (bundle / "channels/hot/extra.npy").write_bytes(b"x")
    refused(bundle, r"channels/hot/extra\.npy is not named in the manifest", verify=False)
    (bundle / "channels/hot/extra.npy").unlink()
    data = (bundle / "history/items.npy").read_bytes()
    (bundle / "history/items.npy").write_bytes(data[:-4])
    refused(
        bundle, rf"items\.npy is damaged: it has {len(data) - 4} bytes, the manifest says {len(data)}", verify=False
    )
    (bundle / "history/items.npy").unlink()
    refused(bundle, r"history/items\.npy is missing", verify=False)


def test_symbolic_links_are_refused(bundle: Path, tmp_path: Path) -> None:
    shutil.move(bundle / "pool.npy", tmp_path / "pool.npy")
    (bundle / "pool.npy").symlink_to(tmp_path / "pool.npy")
    refused(bundle, r"pool\.npy is a symbolic link; a bundle holds plain files only")
    (bundle / "pool.npy").unlink()
    os.mkfifo(bundle / "pool.npy")
    refused(bundle, r"pool\.npy is neither a file nor a directory")


@pytest.mark.parametrize("name", ["../pool.npy", "/etc/passwd", "a//b", "./pool.npy", "a\\b", MANIFEST, ""])
def test_paths_that_leave_the_bundle(bundle: Path, name: str) -> None:
    files = json.loads((bundle / MANIFEST).read_text(encoding="utf-8"))["files"]
    rewrite_manifest(bundle, files=files | {name: files["pool.npy"]})
    refused(bundle, r"names the file .*; paths must be relative and stay inside the bundle")


def test_a_newer_format_names_both_versions(bundle: Path) -> None:
    rewrite_manifest(bundle, format=FORMAT + 1, graphrec="9.9.9")
    sentence = refused(bundle, rf"format {FORMAT + 1} \(written by graphrec 9\.9\.9\)")
    assert f"reads format {FORMAT}; upgrade graphrec, or train the bundle again" in sentence


def test_an_older_format_has_to_be_trained_again(bundle: Path) -> None:
    rewrite_manifest(bundle, format=FORMAT - 1, graphrec="0.0.1")
    sentence = refused(bundle, rf"format {FORMAT - 1} \(written by graphrec 0\.0\.1\)")
    assert sentence.endswith(f"this graphrec reads format {FORMAT}; train it again")


@pytest.mark.parametrize("found", [0, "1", True, None])
def test_a_format_that_is_no_number(bundle: Path, found: object) -> None:
    rewrite_manifest(bundle, format=found)
    refused(bundle, rf"has format .*; it must be a whole number, {FORMAT} in this version")


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "no JSON"),
        (b"{", "no JSON"),
        (b"\xff\xfe", "no JSON"),
        (b"[" * 100_000, "no JSON"),
        (b"[1]", "holds a JSON list; it must hold an object"),
        (b"{}", "has format None"),
        (b'{"format": %d}' % FORMAT, "does not match its checksum"),
    ],
)
def test_a_manifest_that_is_none(bundle: Path, content: bytes, sentence: str) -> None:
    (bundle / MANIFEST).write_bytes(content)
    refused(bundle, rf"manifest\.json.*{sentence}")


def test_a_truncated_manifest(bundle: Path) -> None:
    whole = (bundle / MANIFEST).read_bytes()
    for length in (1, len(whole) // 2, len(whole) - 1):
        (bundle / MANIFEST).write_bytes(whole[:length])
        refused(bundle, r"manifest\.json is damaged")


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("channels", [], "has list for 'channels'; it must be dict"),
        ("channels", {"hot": 3}, "channels has int for 'hot'; it must be dict"),
        ("created", 5, "has int for 'created'; it must be str"),
        ("files", {"pool.npy": {}}, "files: pool.npy has NoneType for 'sha256'; it must be str"),
        ("vocabularies", {}, "there is no vocabulary of users; train the bundle again"),
    ],
)
def test_a_manifest_of_another_shape(bundle: Path, field: str, value: object, sentence: str) -> None:
    rewrite_manifest(bundle, **{field: value})
    refused(bundle, sentence)


def test_there_is_no_bundle(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"there is no bundle at .*: it does not exist"):
        open_bundle(tmp_path / "nowhere")
    with pytest.raises(BundleError, match=r"it holds neither manifest\.json nor 'current'"):
        open_bundle(tmp_path)
    (tmp_path / "file").write_text("x", encoding="utf-8")
    with pytest.raises(BundleError, match="is no directory"):
        open_bundle(tmp_path / "file")
    (tmp_path / "current").symlink_to("gone")
    with pytest.raises(BundleError, match="points at 'gone', which is not there"):
        open_bundle(tmp_path)


# What follows was resealed: every sum is right, only the parts do not fit each other.


def test_a_forged_pool_of_another_size(bundle: Path) -> None:
    write_array(bundle / "pool.npy", np.ones(13, dtype=np.bool_))
    reseal(bundle)
    refused(bundle, r"pool\.npy speaks of 13 items, the vocabulary has 12")


def test_a_forged_history(bundle: Path) -> None:
    items = np.load(bundle / "history/items.npy")
    write_array(bundle / "history/items.npy", np.where(np.arange(len(items)) == 2, 12, items).astype(np.int32))
    reseal(bundle)
    refused(bundle, r"history/items\.npy\[2\] is 12; legal rows are 0 to 11")
    write_array(bundle / "history/items.npy", items.astype(np.int64))
    reseal(bundle)
    refused(bundle, r"items\.npy holds int64 .*; it must hold int32")
    write_array(bundle / "history/items.npy", items)
    write_array(bundle / "history/indptr.npy", np.load(bundle / "history/indptr.npy")[:-1])
    reseal(bundle)
    refused(bundle, "the history speaks of 7 users, the vocabulary has 8")


def test_a_forged_vocabulary(bundle: Path) -> None:
    ids = [f"b{row}" for row in range(12)]
    write_strings(bundle / "vocabularies/items.arrow", pa.array(ids[::-1], pa.large_string()))
    reseal(bundle)
    refused(bundle, r"items\.arrow holds other ids than the bundle was made for")
    write_strings(bundle / "vocabularies/items.arrow", pa.array([*ids, "b12"], pa.large_string()))
    reseal(bundle)
    refused(bundle, r"items\.arrow has 13 ids, the manifest says 12")
    write_strings(bundle / "vocabularies/items.arrow", pa.array(["b0"] * 12, pa.large_string()))
    reseal(bundle)
    refused(bundle, "id 'b0' stands 12 times")


def test_pickles_are_never_opened(bundle: Path) -> None:
    np.save(bundle / "pool.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    manifest = read_manifest(bundle)
    files = {name: replace(entry, size_bytes=(bundle / name).stat().st_size) for name, entry in manifest.files.items()}
    rewrite_manifest(bundle, files={name: entry.to_dict() for name, entry in files.items()})
    refused(bundle, r"pool\.npy cannot be read as an array", verify=False)


ARROW_FILES = [
    *(f"vocabularies/{name}.arrow" for name in ("users", "items", "entities")),
    "catalogue/labels.arrow",
]
PACKED: dict[str, Callable[[pa.RecordBatch], tuple[pa.RecordBatch, dict[str, Any], dict[str, bytes]]]] = {
    "zstd": lambda batch: (batch, {"compression": "zstd"}, {}),
    "lz4": lambda batch: (batch, {"compression": "lz4"}, {}),
    "metadata of before 1.0": lambda batch: (batch, {}, {"ARROW:experimental_compression": b"zstd"}),
    "dictionary": lambda batch: (batch.set_column(0, "text", batch.column(0).dictionary_encode()), {}, {}),
}


@pytest.mark.parametrize("kind", PACKED)
@pytest.mark.parametrize("name", ARROW_FILES)
def test_packed_arrow_is_refused_before_it_takes_memory(bundle: Path, name: str, kind: str) -> None:
    long = pa.record_batch([pa.array(["x" * 1000] * 20_000, pa.large_string())], names=["text"])
    batch, options, metadata = PACKED[kind](long)
    with (
        pa.OSFile(str(bundle / name), "wb") as sink,
        pa.ipc.new_file(sink, batch.schema, options=pa.ipc.IpcWriteOptions(**options)) as writer,
    ):
        writer.write_batch(batch, custom_metadata=metadata or None)
    reseal(bundle)
    before, watched = pa.default_memory_pool(), pa.proxy_memory_pool(pa.default_memory_pool())
    pa.set_memory_pool(watched)
    try:
        refused(bundle, rf"{Path(name).name} cannot be read as Arrow strings: it (is compressed|holds a message)")
    finally:
        pa.set_memory_pool(before)
    assert (watched.max_memory() or 0) < 1_000_000


def test_a_file_that_is_no_arrow(bundle: Path) -> None:
    (bundle / "catalogue/labels.arrow").write_bytes(b"ARROW1 nothing")
    reseal(bundle)
    refused(bundle, r"labels\.arrow cannot be read as Arrow strings")


def test_forged_names_of_relations(bundle: Path) -> None:
    for text, sentence in (
        ("[]", "must hold an object"),
        ("{}", "must hold the lists"),
        ("x", "cannot be read as JSON"),
    ):
        (bundle / "catalogue/names.json").write_text(text, encoding="utf-8")
        reseal(bundle)
        refused(bundle, sentence)


def test_a_channel_of_other_items_or_another_kind(bundle: Path) -> None:
    rows = np.load(bundle / "channels/hot/items.npy").copy()
    rows[0] = 99
    write_array(bundle / "channels/hot/items.npy", rows)
    reseal(bundle)
    refused(bundle, r"channel hot: channels/hot/items\.npy holds item row 99; the bundle has 12 items")
    channels = {name: dict(entry) for name, entry in read_manifest(bundle).channels.items()}
    shutil.copytree(bundle / "channels/tag", bundle / "channels/hot", dirs_exist_ok=True)
    reseal(bundle, channels=channels)
    refused(bundle, "channel hot is of kind 'neighbours', the manifest says 'ranked'")
    (bundle / "channels/hot/recaller.json").write_text('{"kind": "magic"}', encoding="utf-8")
    reseal(bundle)
    refused(bundle, "channel hot: .*holds a recaller of kind 'magic'")
