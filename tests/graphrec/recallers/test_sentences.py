"""Vectors of sentences: by hand on a tiny table and a tiny graph, kept on disk, and of texts nobody would write."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from graphrec.errors import BundleError, DataError, MissingExtraError
from graphrec.recallers.sentences import SentenceEncoder, TokenGraph, TokenTable, plain_text, unit_rows
from tests.graphrec.recallers.sentence_models import TABLE, WORDS, tokenizer_json

ONES = np.ones(len(WORDS), dtype=np.float32)


def table_encoder(weights: np.ndarray = ONES, **settings: object) -> SentenceEncoder:
    return SentenceEncoder(tokenizer_json(), TokenTable(TABLE, weights), **settings)  # type: ignore[arg-type]


def graph_bytes() -> bytes:
    """Return a graph whose token vectors are the table's rows."""
    ids = helper.make_tensor_value_info("input_ids", TensorProto.INT64, ["n", "t"])
    mask = helper.make_tensor_value_info("attention_mask", TensorProto.INT64, ["n", "t"])
    out = helper.make_tensor_value_info("last_hidden_state", TensorProto.FLOAT, ["n", "t", 4])
    nodes = [helper.make_node("Gather", ["table", "input_ids"], ["last_hidden_state"])]
    graph = helper.make_graph(nodes, "tokens", [ids, mask], [out], [numpy_helper.from_array(TABLE, "table")])
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    return bytes(made.SerializeToString())


def test_a_sentence_is_the_weighted_mean_of_its_tokens() -> None:
    weights = np.array([1, 1, 0.5, 1, 1, 2, 0, 1], dtype=np.float32)
    made = table_encoder(weights).vectors(["dune sand the", "ship sea", "the", "nothing known", "", None])
    np.testing.assert_allclose(made[0], [1, 0, 0, 0], atol=1e-6)  # 2 + 0.5 * 1, and "the" weighs nothing
    np.testing.assert_allclose(made[1], [0, 1, 0, 0], atol=1e-6)
    np.testing.assert_array_equal(made[2:], np.zeros((4, 4), dtype=np.float32))


def test_weights_turn_a_sentence() -> None:
    weights = ONES.copy()
    weights[WORDS.index("war")] = 0.5
    np.testing.assert_allclose(table_encoder(weights).vectors(["dune war"])[0], np.array([2, 0, 0, 1]) / 5**0.5, 1e-6)


def test_shared_directions_are_left_out() -> None:
    shared = np.array([[0, 0, 1, 0]], dtype=np.float32)
    made = table_encoder(shared=shared).vectors(["the dune", "the"])
    np.testing.assert_allclose(made, [[1, 0, 0, 0], [0, 0, 0, 0]], atol=1e-6)


def test_a_graph_is_pooled_over_the_tokens_that_are_there() -> None:
    texts = ["dune", "ship sea war the dune", "", "sand worm"]  # of unequal lengths, so that some are padded
    by_graph = SentenceEncoder(tokenizer_json(), TokenGraph(graph_bytes())).vectors(texts)
    np.testing.assert_allclose(by_graph, table_encoder().vectors(texts), atol=1e-6)
    first = SentenceEncoder(tokenizer_json(), TokenGraph(graph_bytes(), "cls")).vectors(texts)
    np.testing.assert_allclose(first, unit_rows(np.array([TABLE[1], TABLE[4], 0 * TABLE[0], TABLE[2]])), atol=1e-6)


@pytest.mark.parametrize("model", [TokenTable(TABLE.astype(np.float16), ONES), TokenGraph(graph_bytes(), "cls")])
def test_what_is_saved_reads_sentences_alike(tmp_path: Path, model: TokenTable | TokenGraph) -> None:
    shared = np.array([[0, 0, 1, 0]], dtype=np.float32)
    encoder = SentenceEncoder(tokenizer_json(), model, shared=shared, max_tokens=3)
    encoder.save(tmp_path / "sentences")
    texts = ["dune the sand ship ship ship", "sea"]
    read = SentenceEncoder.load(tmp_path / "sentences")
    np.testing.assert_array_equal(read.vectors(texts), encoder.vectors(texts))
    assert read.max_tokens == 3


def test_only_the_first_tokens_count() -> None:
    made = table_encoder(max_tokens=2).vectors(["dune sand ship ship ship"])
    np.testing.assert_allclose(made[0], [1, 0, 0, 0], atol=1e-6)


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("The\x00  Hobbit\r\n", "The Hobbit"),
        ("ｄｕｎｅ", "dune"),  # noqa: RUF001 - letters of full width
        ("\ud800dune", "dune"),
        (" \t\n", ""),
        ("du\u200bne", "dune"),
        ("пески Арракиса", "пески Арракиса"),
        ("砂の惑星", "砂の惑星"),
    ],
)
def test_texts_are_read_plainly(text: str, plain: str) -> None:
    assert plain_text(text, 100) == plain
    assert table_encoder().vectors([text]).shape == (1, 4)


def test_a_text_of_a_megabyte_is_cut_before_it_is_read() -> None:
    assert len(plain_text("\ufdfa" * 1_000_000, 50)) <= 50  # one character that NFKC makes eighteen of
    encoder = table_encoder(max_tokens=4)
    np.testing.assert_allclose(encoder.vectors(["dune " * 1_000_000])[0], [1, 0, 0, 0], atol=1e-6)
    assert len(encoder.token_ids(["dune " * 1_000_000])[0]) == 4


def test_none_is_no_text_and_nothing_is_no_error() -> None:
    assert table_encoder().vectors([]).shape == (0, 4)
    assert SentenceEncoder(tokenizer_json(), TokenGraph(graph_bytes())).vectors([None]).shape == (1, 4)


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("sentences.json", "[]", "no sound encoder"),
        ("sentences.json", '{"max_tokens": 0, "pooling": null, "shared": false}', "no sound encoder.*max_tokens is 0"),
        ("sentences.json", '{"max_tokens": 4, "pooling": "last"}', "pooling is 'last'"),
        ("sentences.json", None, r"sentences\.json cannot be read"),
        ("tokenizer.json", None, r"tokenizer\.json cannot be read"),
        ("tokens.npy", "x", "cannot be read as an array"),
        ("weights.npy", None, "cannot be read as an array"),
    ],
)
def test_a_damaged_folder_is_refused(tmp_path: Path, name: str, content: str | None, sentence: str) -> None:
    folder = tmp_path / "sentences"
    table_encoder().save(folder)
    (folder / name).unlink() if content is None else (folder / name).write_text(content)
    with pytest.raises(BundleError, match=sentence):
        SentenceEncoder.load(folder)


def test_a_tokenizer_that_is_none_is_refused_when_it_is_needed(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="no tokenizer that tokenizers reads"):
        SentenceEncoder(json.dumps({"version": "1.0"}), TokenTable(TABLE, ONES)).vectors(["dune"])
    short = TokenTable(TABLE[:3], ONES[:3])
    with pytest.raises(BundleError, match="has a token 7; the table has 3 rows"):
        SentenceEncoder(tokenizer_json(), short).vectors(["war"])
    with pytest.raises(DataError, match="do not fit"):
        TokenTable(TABLE, ONES[:3])


def test_a_missing_library_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'graphrec\[text\]'"):
        table_encoder().vectors(["dune"])
