"""Semantic ids: codes of what is left of a vector, their prefixes as tags, and cold items that come back by them."""

from __future__ import annotations

import sys
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from graphrec.contracts.queries import Queries
from graphrec.contracts.recall_data import RecallData
from graphrec.data.interactions import take
from graphrec.data.lists import item_lists
from graphrec.errors import ConfigError, MissingExtraError
from graphrec.models.content.semantic_ids import SemanticIds, prefixes, semantic_ids
from tests.graphrec.models.content.test_text import TEXTS, described
from tests.graphrec.recallers.sentence_models import TABLE, tokenizer_json


@pytest.fixture
def model(tmp_path: Path) -> str:
    (tmp_path / "tokenizer.json").write_text(tokenizer_json(), encoding="utf-8")
    save_file({"embeddings": TABLE}, tmp_path / "model.safetensors")
    return str(tmp_path)


def test_ids_tell_groups_first_and_what_is_left_next() -> None:
    group, detail = np.repeat([0, 1], 8), np.tile([0, 0, 1, 1], 4)
    vectors = np.zeros((17, 3), dtype=np.float32)
    vectors[:16, 0], vectors[:16, 1] = 10 * (2 * group - 1), 2 * detail - 1
    ids = semantic_ids(vectors, levels=2, codes=2, seed=0)
    assert ids.shape == (17, 2)
    assert (ids[16] == -1).all()  # a zero vector
    for column, truth in ((0, group), (1, detail)):
        assert len({(int(code), int(own)) for code, own in zip(ids[:16, column], truth, strict=True)}) == 2


def test_as_few_codes_as_vectors_and_equal_ones_are_no_error() -> None:
    ids = semantic_ids(np.ones((3, 2), dtype=np.float32), levels=3, codes=9, seed=0)
    assert (ids == ids[0]).all()
    assert semantic_ids(np.zeros((2, 2), dtype=np.float32), levels=1, codes=4, seed=0).tolist() == [[-1], [-1]]


def test_prefixes_are_tags() -> None:
    made = prefixes(np.array([[7, 3], [-1, -1], [7, 1]], dtype=np.int32))
    assert list(made.tags) == ["7", "7.1", "7.3"]
    own = [set(made.table.neighbours[start:stop].tolist()) for start, stop in pairwise(made.table.indptr)]
    assert own == [{0, 2}, set(), {0, 1}]


def test_cold_items_come_back_by_their_bucket(model: str) -> None:
    data: RecallData = described(TEXTS)
    fewer = replace(data, interactions=take(data.interactions, data.interactions.items != 4))
    recipe = SemanticIds(model=model, levels=2, codes=3, lift=0.0)
    items, _ = recipe.fit(fewer).recall(Queries([-1], item_lists([[2, 3]])), 5)[0]
    assert 4 in items  # "sea ship", after "ship" and "the sea"
    assert 7 not in items  # "war"


def test_what_cannot_be_used_is_named(model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match=r"column 'abut' is not among .*nearest: 'about'"):
        SemanticIds(model=model, columns=("abut",)).check_data(described(TEXTS))
    monkeypatch.setitem(sys.modules, "sklearn.cluster", None)
    with pytest.raises(MissingExtraError, match=r"semantic ids .*graphrec\[text\]"):
        SemanticIds(model=model).fit(described(TEXTS))
