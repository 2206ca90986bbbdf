"""Bundles with an index: it must have been built from the vectors that lie beside it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from graphrec.bundle import open_bundle
from graphrec.errors import BundleError
from graphrec.index import build_hnsw
from graphrec.recallers.query_encoder import HistoryEncoder, UserEncoder
from graphrec.recallers.vector import VectorRecaller
from tests.graphrec.bundle.make import reseal, write
from tests.worlds import library

DIM = 8


@pytest.fixture(scope="module")
def sealed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    data = library()
    rng = np.random.default_rng(0)
    matrix = rng.normal(size=(12, DIM)).astype(np.float32)
    index = build_hnsw(matrix, seed=0)
    users = rng.normal(size=(len(data.users), DIM)).astype(np.float32)
    history = HistoryEncoder(np.arange(12, dtype=np.int32), matrix, 12)
    channel = VectorRecaller(UserEncoder(users, history, "user"), matrix, index)
    directory = tmp_path_factory.mktemp("vectors") / "bundle"
    return write(directory, data, {"node2vec": channel}, audits={"node2vec": 0.99})


@pytest.fixture
def bundle(sealed: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(sealed, tmp_path / "bundle"))


def change_settings(bundle: Path, **changes: object) -> None:
    path = bundle / "channels/node2vec/recaller.json"
    path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8")) | changes))


def test_the_audit_is_kept(sealed: Path) -> None:
    manifest = open_bundle(sealed).manifest
    assert manifest.audits == {"node2vec": 0.99}
    assert manifest.channels["node2vec"]["ann_recall"] == 0.99
    assert {entry.kind for name, entry in manifest.files.items() if name.endswith(".hnsw")} == {"index"}


def test_one_flipped_byte_in_the_index(bundle: Path) -> None:
    path = bundle / "channels/node2vec/index/index.hnsw"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))
    with pytest.raises(BundleError, match=r"channels/node2vec/index/index\.hnsw is damaged"):
        open_bundle(bundle)
    reseal(bundle)
    with pytest.raises(BundleError, match=r"channel node2vec: channels/node2vec/index"):
        open_bundle(bundle)


def test_vectors_of_another_dimension_under_a_right_sum(bundle: Path) -> None:
    np.save(bundle / "channels/node2vec/sources.npy", np.ones(12 * 4, dtype=np.float32))
    change_settings(bundle, dim=4)
    reseal(bundle)
    with pytest.raises(BundleError, match="the index was built for dim 8, the matrix has dim 4; rebuild the index"):
        open_bundle(bundle)


def test_fewer_or_other_vectors_under_a_right_sum(bundle: Path) -> None:
    path = bundle / "channels/node2vec/sources.npy"
    vectors = np.load(path)
    np.save(path, vectors[: 9 * DIM])
    reseal(bundle)
    with pytest.raises(BundleError, match=r"12 items and vectors \(9, 8\) do not fit each other"):
        open_bundle(bundle)
    np.save(path, vectors[::-1].copy())
    reseal(bundle)
    with pytest.raises(BundleError, match="the index was built from other vectors"):
        open_bundle(bundle)


def test_another_metric_under_a_right_sum(bundle: Path) -> None:
    path = bundle / "channels/node2vec/index/index.json"
    path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8")) | {"metric": "hamming"}), encoding="utf-8")
    reseal(bundle)
    with pytest.raises(BundleError, match=r"index.*metric.*'hamming'"):
        open_bundle(bundle)


def test_vectors_of_other_users(bundle: Path) -> None:
    np.save(bundle / "channels/node2vec/users.npy", np.ones(5 * DIM, dtype=np.float32))
    reseal(bundle)
    with pytest.raises(BundleError, match="channel node2vec speaks of 5 users, the vocabulary has 8"):
        open_bundle(bundle)
