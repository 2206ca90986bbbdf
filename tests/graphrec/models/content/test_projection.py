"""Content projected onto what is taken together: the map by its closed form, and when it is preferred."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pytest
import scipy.sparse as sp
from safetensors.numpy import save_file

from graphrec.contracts.progress import ALONE as CONTEXT
from graphrec.contracts.queries import Queries
from graphrec.contracts.recall_data import RecallData
from graphrec.data.features import Features
from graphrec.data.interactions import Interactions, take
from graphrec.data.lists import item_lists
from graphrec.data.vocabulary import Vocabulary
from graphrec.errors import DataError, MissingExtraError
from graphrec.graph.catalogue import items_only
from graphrec.models.content.channel import ContentSettings, learnt_projection
from graphrec.models.content.projection import projected, ridge
from graphrec.models.content.text import Text
from graphrec.models.content.weighting import token_features
from graphrec.recallers.query_encoder import FloatArray
from graphrec.recallers.sentence_search import sentence_vector
from graphrec.recallers.sentences import SentenceEncoder, TokenGraph, TokenTable
from graphrec.recallers.votes import VoteRecaller
from tests.graphrec.recallers.sentence_models import TABLE, WORDS, tokenizer_json
from tests.graphrec.recallers.test_sentences import graph_bytes

N_ITEMS, N_USERS, COLD = 120, 60, 4


def two_tastes() -> RecallData:
    """Return readers of deserts by ship and of wars at sea, whose words are near to those of the other taste.

    Items of even rows say "dune ship" or "dune" or "ship", those of odd rows "sand sea" and so on: in the table "dune"
    is as "sand", and "ship" as "sea". The last COLD items have no events.
    """
    words = [["dune", "ship", "dune ship"], ["sand", "sea", "sand sea"]]
    texts = [words[row % 2][row // 2 % 3] for row in range(N_ITEMS)]
    random = np.random.default_rng(3)
    users = np.repeat(np.arange(N_USERS), 20)
    items = np.concatenate(
        [2 * random.choice((N_ITEMS - COLD) // 2, 20, replace=False) + u % 2 for u in range(N_USERS)]
    )
    ids = Vocabulary([f"i{row}" for row in range(N_ITEMS)])
    data = RecallData(
        users=Vocabulary([f"u{row}" for row in range(N_USERS)]),
        items=ids,
        interactions=Interactions(users, items, n_users=N_USERS, n_items=N_ITEMS),
        catalogue=items_only(ids),
    )
    return replace(data, item_features=Features(N_ITEMS, texts={"about": pa.array(texts, pa.large_string())}))


@pytest.fixture
def model(tmp_path: Path) -> str:
    (tmp_path / "tokenizer.json").write_text(tokenizer_json(), encoding="utf-8")
    save_file({"embeddings": TABLE}, tmp_path / "model.safetensors")
    return str(tmp_path)


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("width", [1, 3])
def test_ridge_is_its_closed_form(sparse: bool, width: int) -> None:
    random = np.random.default_rng(1)
    features = (random.normal(size=(30, 7)) * (random.random((30, 7)) < 0.5)).astype(np.float32)
    targets = random.normal(size=(30, width)).astype(np.float32)
    learnt = ridge(sp.csr_array(features) if sparse else features, targets, 2.0)
    exact = np.linalg.solve(features.T @ features + 2 * np.eye(7), features.T @ targets)
    assert learnt.shape == (7, width)
    np.testing.assert_allclose(learnt, exact, atol=2e-3)


def test_features_of_tokens_by_hand() -> None:
    made = token_features([[1, 1, 2], [], [0]], np.array([1, 2, 3, 1], dtype=np.float32)).toarray()
    np.testing.assert_allclose(made, [[0, 8 / 145**0.5, 9 / 145**0.5, 0], [0] * 4, [1, 0, 0, 0]], rtol=1e-5)


def test_cold_items_are_recalled_by_what_their_words_lead_to(model: str) -> None:
    data = two_tastes()
    settings = {"model": model, "weighting": "none", "shared": False}
    plain, learnt = (Text(**settings, projection=name).fit(data) for name in ("none", "ridge"))  # type: ignore[arg-type]
    histories = item_lists([[0, 2, 4], [1, 3, 5]])
    wanted = [set(range(N_ITEMS - COLD, N_ITEMS, 2)), set(range(N_ITEMS - COLD + 1, N_ITEMS, 2))]

    def shares(channel: object) -> npt.NDArray[np.float64]:
        assert isinstance(channel, VoteRecaller)
        lists = channel.recall(Queries([-1, -1], histories), 60)
        return np.array([np.mean(lists[user][0] % 2 == user) for user in range(2)])

    assert (shares(plain) < 0.9).all()
    assert (shares(learnt) == 1.0).all()
    for user, cold in enumerate(wanted):
        assert cold <= set(learnt.recall(Queries([-1, -1], histories), 60)[user][0].tolist())


def test_a_sentence_is_read_by_the_learnt_tokens(model: str) -> None:
    data = two_tastes()
    recipe = Text(model=model, weighting="none", shared=False, projection_dim=5)
    encoder, vectors = recipe.encoded(data)
    assert vectors.shape == (N_ITEMS, 5)
    np.testing.assert_allclose(encoder.vectors(["dune ship", "sand sea"]), vectors[[4, 5]], atol=1e-5)
    dune, sand, ship = encoder.vectors(["dune", "sand", "ship"])
    assert dune @ ship > 0.9 > dune @ sand  # in the table it is the other way round


def test_vectors_stay_as_they_are_where_nothing_is_gained(model: str) -> None:
    data = two_tastes()
    shuffled = np.random.default_rng(0).permutation(data.interactions.items).astype(np.int32)
    noise = Interactions(data.interactions.users, shuffled, n_users=N_USERS, n_items=N_ITEMS)
    quiet = take(data.interactions, data.interactions.items < 40)
    plain = Text(model=model, projection="none").embed(data)
    for events in (noise, quiet):
        kept = Text(model=model).embed(replace(data, interactions=events))
        if events is quiet:
            np.testing.assert_array_equal(kept.matrix, plain.matrix)
        assert kept.ids == plain.ids


@pytest.mark.parametrize("events", ["none", "of few users", "that all dislike"])
def test_events_that_teach_nothing_leave_the_vectors_as_they_are(model: str, events: str) -> None:
    data = two_tastes()
    all_of_them = data.interactions
    left = {
        "none": take(all_of_them, np.zeros(len(all_of_them), dtype=np.bool_)),
        "of few users": take(all_of_them, all_of_them.users < 12),
        "that all dislike": replace(all_of_them, weights=-np.ones(len(all_of_them), dtype=np.float32)),
    }[events]
    kept = Text(model=model).embed(replace(data, interactions=left))
    np.testing.assert_array_equal(kept.matrix, Text(model=model, projection="none").embed(data).matrix)


def test_words_that_no_item_with_events_has_lead_nowhere(model: str) -> None:
    data = two_tastes()
    texts = [*["dune ship", "sand sea"] * ((N_ITEMS - COLD) // 2), "war", "dune", "sand", ""]
    said = Features(N_ITEMS, texts={"about": pa.array(texts, pa.large_string())})
    channel = Text(model=model, weighting="none", shared=False).fit(replace(data, item_features=said))
    assert {N_ITEMS - 3, N_ITEMS - 2} <= set(channel.rows.tolist())
    assert not {N_ITEMS - 4, N_ITEMS - 1} & set(channel.rows.tolist())
    with pytest.raises(DataError, match="nothing can be read in the sentence 'war'; give it words that items"):
        sentence_vector(channel, "war")


def test_vectors_of_pictures_are_projected_alike() -> None:
    data = two_tastes()
    random = np.random.default_rng(2)
    group = np.arange(N_ITEMS) % 2
    seen = random.normal(size=(N_ITEMS, 6))
    seen[:, 0] = 0.6 * (2 * group - 1)  # a weak sign of the taste among strong ones of nothing
    vectors = (seen / np.linalg.norm(seen, axis=1, keepdims=True)).astype(np.float32)
    settings = ContentSettings(projection="ridge", projection_dim=2)
    learnt = learnt_projection(settings, data, vectors, vectors, CONTEXT)
    assert learnt is not None
    made = projected(vectors, learnt)
    assert mean_within(made, group) > mean_within(vectors, group) + 0.1


def mean_within(vectors: FloatArray, group: npt.NDArray[np.int64]) -> float:
    """Return how much nearer items of a group are to one another than to the others, by the mean cosine."""
    cosines, alike = vectors @ vectors.T, group[:, None] == group
    return float(cosines[alike].mean() - cosines[~alike].mean())


def test_a_projected_graph_is_kept(tmp_path: Path) -> None:
    learnt = np.arange(12, dtype=np.float32).reshape(4, 3)
    encoder = SentenceEncoder(tokenizer_json(), TokenGraph(graph_bytes())).projected(learnt)
    raw = SentenceEncoder(tokenizer_json(), TokenTable(TABLE, np.ones(len(WORDS), dtype=np.float32)))
    texts = ["dune ship", "", "the war"]
    np.testing.assert_allclose(encoder.vectors(texts), projected(raw.vectors(texts), learnt), atol=1e-5)
    assert encoder.dim == 3
    encoder.save(tmp_path / "sentences")
    read = SentenceEncoder.load(tmp_path / "sentences")
    np.testing.assert_array_equal(read.vectors(texts), encoder.vectors(texts))


def test_a_missing_library_is_named(model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.linear_model", None)
    with pytest.raises(MissingExtraError, match=r"a projection \(scikit-learn\) .*graphrec\[text\]"):
        Text(model=model).fit(two_tastes())
