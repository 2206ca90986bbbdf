"""Words and pictures in one space: a sentence leads to the pictures of what it names."""

from __future__ import annotations

import logging
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image as Pillow
from safetensors.numpy import save_file

from graphrec.contracts.recall_data import RecallData
from graphrec.contracts.recaller import BundleParts
from graphrec.data.features import Features
from graphrec.data.interactions import Interactions
from graphrec.data.vocabulary import Vocabulary
from graphrec.errors import ConfigError
from graphrec.graph.catalogue import items_only
from graphrec.models.content.captions import captioned, own_ranks
from graphrec.models.content.image import Image
from graphrec.recallers.sentence_search import nearest_to_sentence
from graphrec.recallers.sentences import SentenceEncoder, TokenTable
from tests.graphrec.models.content.media import folder
from tests.graphrec.recallers.sentence_models import TABLE, tokenizer_json

# The words of colours, all of which the table of tokens knows and none of which it knows as a colour.
NAMES = {"dune": (230, 20, 20), "sea": (20, 20, 230), "worm": (20, 230, 20)}
N_ITEMS = 60


@pytest.fixture
def model(tmp_path: Path) -> str:
    (tmp_path / "tokenizer.json").write_text(tokenizer_json(), encoding="utf-8")
    save_file({"embeddings": TABLE}, tmp_path / "model.safetensors")
    return str(tmp_path)


def drawn(tmp_path: Path) -> RecallData:
    """Return items of a colour each, a little unlike one another; every tenth has no title."""
    rng, names = np.random.default_rng(0), [*NAMES]
    said, paths = [], []
    for row in range(N_ITEMS):
        name = names[row % 3]
        shade = tuple(int(value) for value in np.clip(np.array(NAMES[name]) + rng.integers(-20, 21, 3), 0, 255))
        Pillow.new("RGB", (8, 8), shade).save(tmp_path / f"{row}.png")
        said.append(name if row % 10 else None)
        paths.append(f"{row}.png")
    ids = Vocabulary([f"i{row}" for row in range(N_ITEMS)])
    columns = {"title": pa.array(said, pa.large_string()), "image": pa.array(paths, pa.large_string())}
    events = Interactions([0, 0], [0, 1], n_users=1, n_items=N_ITEMS)
    data = RecallData(Vocabulary(["u"]), ids, events, items_only(ids))
    return replace(data, item_features=Features(N_ITEMS, texts=columns))


def test_a_sentence_finds_pictures(tmp_path: Path, model: str, caplog: pytest.LogCaptureFixture) -> None:
    data = drawn(tmp_path)
    recipe = Image(folder=str(tmp_path), model=str(folder() / "colours.onnx"), captions=("title",), text_model=model)
    with caplog.at_level(logging.INFO):
        channel = recipe.fit(data)
    assert "held-out items the words lead to their own picture" in caplog.text
    (tmp_path / "kept").mkdir()
    channel.save(tmp_path / "kept")
    read = type(channel).load(tmp_path / "kept", BundleParts(data.users, data.items, data.catalogue))
    for (place, name), given in product(enumerate(NAMES), (channel, read)):
        items, _ = nearest_to_sentence(given, f"the {name}", 15, data.pool)[0]
        assert (items % 3 == place).all(), name
        assert len(items) == 15


def test_too_few_items_teach_nothing(tmp_path: Path, model: str, caplog: pytest.LogCaptureFixture) -> None:
    data = drawn(tmp_path)
    titles = pa.array([*["dune"] * 9, *[None] * (N_ITEMS - 9)], pa.large_string())
    assert data.item_features is not None
    features = replace(data.item_features, texts={**data.item_features.texts, "title": titles})
    recipe = Image(folder=str(tmp_path), model=str(folder() / "colours.onnx"), captions=("title",), text_model=model)
    with caplog.at_level(logging.INFO):
        assert recipe.fit(replace(data, item_features=features)).sentences is None
    assert "9 items have words and a picture" in caplog.text
    with pytest.raises(ConfigError, match="column 'titel' is not among"):
        replace(recipe, captions=("titel",)).check_data(data)


def test_ranks_of_own_pictures_by_hand() -> None:
    pictures = np.array([[1, 0], [0, 1], [0.6, 0.8], [0.8, 0.6]], dtype=np.float32)
    held = np.array([False, True, False, True])
    assert own_ranks(np.array([[0, 1], [0, 1]], dtype=np.float32), pictures, held).tolist() == [1, 3]


def test_words_say_how_pictures_lie_in_a_wide_space() -> None:
    rng = np.random.default_rng(5)
    counts = np.eye(8, dtype=np.float32)[rng.integers(1, 8, 400)]  # an item a word
    scene = rng.normal(size=(8, 200)).astype(np.float32)  # what a word looks like, in more directions than are kept
    seen = counts @ scene + 0.3 * rng.normal(size=(400, 200)).astype(np.float32)
    vectors = (seen / np.linalg.norm(seen, axis=1, keepdims=True)).astype(np.float32)
    ones = np.ones(8, dtype=np.float32)
    encoder = captioned(SentenceEncoder(tokenizer_json(), TokenTable(TABLE, ones)), counts, vectors, 0)
    assert encoder is not None
    assert encoder.dim == 200
    made = encoder.vectors(["dune", "war"])
    nearest = (made @ vectors.T).argsort(axis=1)[:, -20:]
    assert (counts.argmax(axis=1)[nearest] == np.array([[1], [7]])).all()
