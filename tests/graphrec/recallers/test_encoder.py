"""Towers as ONNX: the same vectors as torch makes, features of the request, and files that do not fit."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from graphrec.contracts.progress import FitContext
from graphrec.contracts.queries import Queries, known_queries
from graphrec.contracts.recall_data import RecallData
from graphrec.data.features import Features, Labels
from graphrec.data.interactions import histories
from graphrec.data.lists import empty_lists, item_lists
from graphrec.data.vocabulary import Vocabulary
from graphrec.errors import BundleError, ConfigError, MissingExtraError
from graphrec.models.deep.two_tower import TwoTower
from graphrec.recallers import load_recaller
from graphrec.recallers.encoder import EncoderRecaller, TowerEncoder
from graphrec.recallers.onnx_tower import OnnxTower
from graphrec.recallers.query_fields import QueryFields, RowFeatures
from tests.worlds import described, parts_of, skewed

RECIPE = TwoTower(dim=6, epochs=8, lr=0.05, serve="tower", user_layers=2)


def featured() -> RecallData:
    """Return the skewed world whose users have a label, numbers and vectors."""
    data, rng = described(skewed()), np.random.default_rng(4)
    assert data.user_features is not None
    vectors = rng.normal(size=(60, 3)).astype(np.float32)
    vectors[5] = np.nan
    ages = np.where(np.arange(60) % 9 == 0, np.nan, rng.uniform(10, 80, 60))
    features = Features(60, {"age": ages}, data.user_features.labels, vectors={"face": vectors})
    return replace(data, user_features=features)


@pytest.fixture(scope="module")
def fitted() -> tuple[RecallData, Any, EncoderRecaller]:
    data = featured()
    task = RECIPE._task(data, FitContext(seed=1))
    learnt, _ = task.run(FitContext(seed=1))
    channel = RECIPE._channel(data, learnt, FitContext(seed=1))
    assert isinstance(channel, EncoderRecaller)
    return data, task, channel


def test_the_vectors_are_those_of_torch(fitted: tuple[RecallData, Any, EncoderRecaller]) -> None:
    data, task, channel = fitted
    users = np.arange(60)
    said = channel.encoder.history.of(histories(data.interactions))
    with torch.no_grad():
        expected = task.model.finish(task.model.own(torch.from_numpy(users)) + torch.from_numpy(said)).numpy()
    vectors = channel.encoder.vectors(known_queries(histories(data.interactions), users))
    known = vectors.any(axis=1)
    assert known.sum() > 50
    np.testing.assert_allclose(vectors[known], expected[known], atol=1e-4)


def test_what_a_request_says_goes_before_what_is_stored(fitted: tuple[RecallData, Any, EncoderRecaller]) -> None:
    _, _, channel = fitted
    encoder, nothing = channel.encoder, empty_lists(2)
    first, other = encoder.vectors(Queries([0, 1], nothing))
    as_other = encoder.vectors(Queries([0, 1], nothing, {"country": ["FR", None]}))
    assert not np.allclose(as_other[0], first)
    np.testing.assert_allclose(as_other[1], other, rtol=1e-5)
    names = Vocabulary(["FR"])
    by_features = encoder.vectors(
        Queries([0, 1], nothing, features=Features(2, {}, {"country": Labels(names, [0, -1])}))
    )
    np.testing.assert_allclose(by_features, as_other, rtol=1e-5)


def test_a_column_that_a_request_says_takes_its_own_place_alone() -> None:
    rng = np.random.default_rng(2)
    names = ("first", "second", "third")
    users = RowFeatures.of(Features(30, {name: rng.uniform(0, 9, 30) for name in names}))
    said = Features(1, {"second": np.array([4.0])})
    matrices, known = QueryFields.of(users).inputs(Queries([7], empty_lists(1), features=said))
    expected = np.array(users.encoded.numbers[7:8])
    expected[:, 1] = users.encoder.encode(said).numbers[:, 1]
    np.testing.assert_allclose(matrices["numbers"], expected)
    assert known.tolist() == [True]


def test_a_stranger_is_known_by_what_his_request_says(fitted: tuple[RecallData, Any, EncoderRecaller]) -> None:
    _, _, channel = fitted
    asked = Queries([-1, -1, 10**6], item_lists([[], [], [3]]), {"country": [None, "DE", None]})
    assert (channel.recall(asked, 4).lengths > 0).tolist() == [False, True, True]
    with_more = Queries(
        [-1], empty_lists(1), features=Features(1, {"height": np.array([3.0]), "age": np.array([30.0])})
    )
    assert channel.recall(with_more, 4).lengths.tolist() == [4]


def test_saved_and_loaded_it_makes_the_same_vectors(
    fitted: tuple[RecallData, Any, EncoderRecaller], tmp_path: Path
) -> None:
    data, _, channel = fitted
    channel.save(tmp_path)
    loaded = load_recaller(tmp_path, parts_of(data.items, data.users, data.catalogue))
    assert isinstance(loaded, EncoderRecaller)
    queries = known_queries(histories(data.interactions), np.arange(60))
    np.testing.assert_array_equal(loaded.encoder.vectors(queries), channel.encoder.vectors(queries))


def test_answering_loads_no_torch(fitted: tuple[RecallData, Any, EncoderRecaller], tmp_path: Path) -> None:
    data, _, channel = fitted
    channel.save(tmp_path)
    code = f"""
import json, sys
from pathlib import Path
from graphrec.contracts.queries import Queries
from graphrec.data.lists import item_lists
from graphrec.recallers import load_recaller
from tests.worlds import items_only, BundleParts, vocabulary
items = vocabulary("i", {len(data.items)})
channel = load_recaller(Path({str(tmp_path)!r}), BundleParts(vocabulary("u", 60), items, items_only(items)))
assert channel.recall(Queries([-1], item_lists([[0, 3]])), 5).lengths[0] == 5
print(json.dumps([*sys.modules]))
"""
    root = Path(__file__).parents[3]
    run = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert not {"torch", "lightning_fabric"} & set(json.loads(run.stdout))


def test_a_tower_that_asks_for_other_inputs_is_refused(
    fitted: tuple[RecallData, Any, EncoderRecaller], tmp_path: Path
) -> None:
    data, _, channel = fitted
    channel.save(tmp_path)
    settings = json.loads((tmp_path / "recaller.json").read_text(encoding="utf-8"))
    (tmp_path / "recaller.json").write_text(json.dumps(settings | {"features": False}), encoding="utf-8")
    with pytest.raises(BundleError, match=r"asks for the input 'category:country', which neither the history nor the"):
        load_recaller(tmp_path, parts_of(data.items, data.users, data.catalogue))


def test_a_tower_of_another_width_is_refused(fitted: tuple[RecallData, Any, EncoderRecaller]) -> None:
    data, _, channel = fitted
    encoder = channel.encoder
    assert isinstance(encoder, TowerEncoder)
    plain = replace(RECIPE, dim=9, features=False, user_layers=0).fit(data)
    assert isinstance(plain, EncoderRecaller)
    with pytest.raises(BundleError, match=r"cannot be run on its inputs|makes vectors of shape"):
        TowerEncoder(plain.encoder.tower, encoder.history, encoder.trained)  # type: ignore[attr-defined]


@pytest.mark.parametrize("content", [b"", b"no graph", b"\x08\x07" + b"\x00" * 40])
def test_a_damaged_file_is_named_in_a_sentence(content: bytes, tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"tower.onnx is no ONNX graph that onnxruntime .* runs") as caught:
        OnnxTower(content, tmp_path / "tower.onnx")
    assert "\n" not in str(caught.value)


def test_without_onnxruntime_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'graphrec\[towers\]'"):
        OnnxTower(b"")


def test_layers_of_users_need_the_tower() -> None:
    with pytest.raises(ConfigError, match='set serve = "tower", or user_layers = 0'):
        TwoTower(user_layers=1)


def test_a_tower_without_features_or_ids_answers_from_histories() -> None:
    data = described(skewed())
    channel = replace(RECIPE, ids=False).fit(replace(data, user_features=None))
    assert channel.recall(Queries([3, -1], item_lists([[], [1, 2]])), 5).lengths.tolist() == [0, 5]
