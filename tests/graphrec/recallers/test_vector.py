from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from graphrec.contracts.queries import Queries
from graphrec.data.leave_out import leave_out
from graphrec.data.lists import empty_lists, item_lists
from graphrec.errors import BundleError, ConfigError, DataError
from graphrec.index import ExactIndex, build_hnsw
from graphrec.recallers import load_recaller
from graphrec.recallers.filtering import recall_allowed
from graphrec.recallers.fold_in import FoldIn
from graphrec.recallers.profile import Profile
from graphrec.recallers.query_encoder import HistoryEncoder, UserEncoder
from graphrec.recallers.vector import VectorRecaller
from tests.close import assert_same_lists
from tests.worlds import parts_of, vocabulary

# Items 1, 3, 4, 6, 7 of 9 have vectors, in the plane: two to the east, two to the north, one between.
ROWS = np.array([1, 3, 4, 6, 7], dtype=np.int32)
SOURCES = np.array([[1, 0], [2, 0.2], [0, 1], [0.1, 3], [1, 1]], dtype=np.float32)
TARGETS = np.array([[3, 0], [1, 0], [0, 2], [0, 1], [1, 1]], dtype=np.float32)
USERS = np.array([[0, 1], [0, 0], [5, 0]], dtype=np.float32)


def plane(query: str, **settings: Any) -> VectorRecaller:
    exponent = 0.5 if query == "sum" else 1.0
    history = HistoryEncoder(ROWS, SOURCES, 9, exponent=exponent, **settings)
    encoder = history if query == "history" else UserEncoder(USERS, history, query)  # type: ignore[arg-type]
    return VectorRecaller(encoder, TARGETS, ExactIndex(TARGETS, "ip"))


def ask(recaller: VectorRecaller, user: int, history: list[int], k: int = 9) -> list[int]:
    return [int(item) for item in recaller.recall(Queries([user], item_lists([history])), k)[0][0]]


def test_a_history_is_answered_from_the_mean_of_its_vectors() -> None:
    recaller = plane("history")
    items, scores = recaller.recall(Queries([-1], item_lists([[1, 4]], [[3.0, 1.0]])), 9)[0]
    assert items.tolist() == [1, 4, 7, 3, 6]  # the mean is (0.5, 0.5); ties by row
    np.testing.assert_allclose(scores, [1.5, 1.0, 1.0, 0.5, 0.5])
    weighted = plane("history", profile=Profile(exponent=1.0))
    items, scores = weighted.recall(Queries([-1], item_lists([[1, 4]], [[3.0, 1.0]])), 2)[0]
    np.testing.assert_allclose(scores, [2.25, 1.0])  # (0.75, 0.25)


def test_a_user_is_answered_from_his_own_vector_or_else_from_his_history() -> None:
    recaller = plane("user")
    assert ask(recaller, 0, [1], 2) == [4, 6]
    assert ask(recaller, 1, [1], 2) == [1, 3]  # untrained
    assert ask(recaller, -1, [1], 2) == [1, 3]  # unknown
    assert ask(recaller, 77, [1], 2) == [1, 3]  # newer than the table
    assert ask(recaller, 2, [])[:1] == [1]


def test_a_blend_lies_between() -> None:
    assert ask(plane("blend"), 0, [1], 3) == [1, 4, 7]
    assert ask(plane("blend"), 2, [1], 2) == [1, 3]


def test_a_sum_is_a_step_of_propagation() -> None:
    recaller = plane("sum")
    items, scores = recaller.recall(Queries([0], item_lists([[1, 4]])), 2)[0]
    # (0, 1) + ((1, 0) + (0, 1)) / sqrt(2), by the targets (0, 2) of item 4 and (1, 1) of item 7.
    assert items.tolist() == [4, 7]
    np.testing.assert_allclose(scores, [2 + np.sqrt(2), 1 + np.sqrt(2)], rtol=1e-6)
    assert ask(recaller, 0, [], 2) == [4, 6]
    assert ask(recaller, -1, [1], 2) == [1, 3]


def test_a_fold_in_takes_the_place_of_the_mean(tmp_path: Path) -> None:
    recaller = plane("history", fold_in=FoldIn(np.array([1, 2], np.float32), 0.5, 0.0, 3.0))
    scores = recaller.recall(Queries([-1], item_lists([[1]])), 1)[0][1]
    np.testing.assert_allclose(scores, [3 / (1 + 1 + 0.5)])  # (1, 0) / (v'v + gram + regularisation)
    recaller.save(tmp_path)
    again = load_recaller(tmp_path, parts_of(vocabulary("i", 9)))
    assert isinstance(again, VectorRecaller)
    fold_in = again.encoder.history.fold_in
    assert fold_in is not None
    assert fold_in.settings() == {"regularisation": 0.5, "exponent": 0.0, "background": 3.0}
    assert fold_in.gram.tolist() == [1, 2]
    np.save(tmp_path / "fold-in-gram.npy", -np.ones(2, np.float32))
    with pytest.raises(BundleError, match="diagonal of a Gram matrix"):
        load_recaller(tmp_path, parts_of(vocabulary("i", 9)))
    np.save(tmp_path / "fold-in-gram.npy", np.ones(3, np.float32))
    with pytest.raises(BundleError, match="the fold-in has dim 3, item vectors 2"):
        load_recaller(tmp_path, parts_of(vocabulary("i", 9)))


def test_one_matrix_is_written_once(tmp_path: Path) -> None:
    recaller = VectorRecaller(HistoryEncoder(ROWS, SOURCES, 9), SOURCES, ExactIndex(SOURCES, "ip"))
    recaller.save(tmp_path)
    assert not (tmp_path / "targets.npy").exists()
    again = VectorRecaller.load(tmp_path, parts_of(vocabulary("i", 9)))
    assert again.targets is again.sources
    assert ask(again, -1, [1, 4]) == ask(recaller, -1, [1, 4])


@pytest.mark.parametrize("query", ["history", "user", "blend", "sum"])
def test_items_without_a_vector_are_never_returned_and_say_nothing(query: str) -> None:
    recaller = plane(query)
    assert set(ask(recaller, 2, [1, 0, 8, 2])) <= set(ROWS.tolist())
    assert ask(recaller, -1, [0, 2, 8]) == []
    assert ask(recaller, -1, []) == []
    assert ask(recaller, 2, [1, 0, 8]) == ask(recaller, 2, [1])


@pytest.mark.parametrize("query", ["history", "user", "blend", "sum"])
@pytest.mark.parametrize("share", [0.2, 0.9, 1.0])
def test_left_out_items_are_as_if_they_had_never_been(query: str, share: float) -> None:
    rng = np.random.default_rng(2)
    # Few distinct numbers: many ties, and sums that float32 holds exactly.
    vectors = rng.integers(-2, 3, (60, 4)).astype(np.float32)
    users = rng.integers(-2, 3, (12, 4)).astype(np.float32)
    rows = np.sort(rng.choice(90, 60, replace=False)).astype(np.int32)
    history = HistoryEncoder(rows, vectors, 90)
    encoder = history if query == "history" else UserEncoder(users, history, query)  # type: ignore[arg-type]
    recaller = VectorRecaller(encoder, vectors, ExactIndex(vectors, "ip"))
    queries = Queries(rng.permutation(14) - 1, item_lists([rng.choice(90, n, replace=False) for n in range(14)]))
    exclude = item_lists([rng.choice(90, 5 * n, replace=False) for n in range(14)])
    allowed = rng.random(90) < share
    whole = recaller.recall(queries, 90)
    for k in (1, 7, 90):
        expected = leave_out(whole, k, exclude=exclude, allowed=allowed)
        found = recall_allowed(recaller, queries, k, exclude=exclude, allowed=allowed)
        assert_same_lists(found, expected)
    with pytest.raises(ConfigError, match="k is 0"):
        recall_allowed(recaller, queries, 0, exclude=exclude, allowed=allowed)


def test_large_batches_are_answered_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    histories = item_lists([[1], [], [4, 7], [0], [3, 6, 7]])
    queries = Queries(np.full(5, -1), histories)
    whole = plane("history").recall(queries, 4)
    monkeypatch.setattr("graphrec.recallers.vector._VECTORS", 2)
    parts = plane("history").recall(queries, 4)
    assert_same_lists(parts, whole)


def test_evidence_is_the_nearest_of_the_history() -> None:
    query = Queries([-1], item_lists([[1, 0, 4, 6]], [[1.0, 1.0, 1.0, -1.0]]))
    evidence = plane("user").evidence(query, np.array([3, 6, 0], dtype=np.int32))
    assert evidence.sources.tolist() == [1, 4, -1]
    assert evidence.via.tolist() == [-1, -1, -1]
    heavier = Queries([-1], item_lists([[1, 4]], [[1.0, 9.0]]))
    recaller = plane("history", profile=Profile(exponent=1.0))
    assert recaller.evidence(heavier, np.array([7], dtype=np.int32)).sources.tolist() == [4]
    assert plane("user").evidence(Queries([0], empty_lists(1)), ROWS).sources.tolist() == [-1] * 5


def test_its_own_audit() -> None:
    assert plane("history").audit(k=3, seed=0) == 1.0
    none = np.empty((0, 2), np.float32)
    assert VectorRecaller(HistoryEncoder(ROWS[:0], none, 9), none, ExactIndex(none)).audit(seed=0) == 1.0


@pytest.mark.parametrize("query", ["history", "user", "blend", "sum"])
def test_it_comes_back_from_disk(tmp_path: Path, query: str) -> None:
    recaller = replace(plane(query, profile=Profile(last=3)), near=build_hnsw(TARGETS, metric="ip", seed=0), reason="x")
    recaller.save(tmp_path)
    again = load_recaller(tmp_path, parts_of(vocabulary("i", 9)))
    assert isinstance(again, VectorRecaller)
    assert (again.n_items, again.reason, again.encoder.history.profile) == (9, "x", Profile(last=3))
    assert type(again.encoder) is type(recaller.encoder)
    assert (again.users is None) == (query == "history")
    for user, history in ((0, [1]), (-1, [1, 4]), (2, [])):
        assert ask(again, user, history) == ask(recaller, user, history)


def test_what_an_earlier_version_wrote_is_refused_with_a_remedy(tmp_path: Path) -> None:
    plane("history").save(tmp_path)
    path = tmp_path / "recaller.json"
    settings = json.loads(path.read_text())
    del settings["encoder"]
    path.write_text(json.dumps(settings | {"query": "history"}))
    with pytest.raises(BundleError, match="has no 'encoder': another version of graphrec wrote it; train"):
        load_recaller(tmp_path, parts_of(vocabulary("i", 9)))


def test_damaged_files_are_named(tmp_path: Path) -> None:
    plane("history").save(tmp_path)
    np.save(tmp_path / "sources.npy", np.arange(9, dtype=np.float32))
    with pytest.raises(BundleError, match="no multiple of dim 2"):
        load_recaller(tmp_path, parts_of(vocabulary("i", 9)))
    np.save(tmp_path / "sources.npy", SOURCES.ravel())
    np.save(tmp_path / "targets.npy", TARGETS.ravel() + np.float32(1))
    with pytest.raises(BundleError, match="other vectors"):
        load_recaller(tmp_path, parts_of(vocabulary("i", 9)))
    np.save(tmp_path / "sources.npy", np.full(10, np.nan, dtype=np.float32))
    with pytest.raises(BundleError, match="finite"):
        load_recaller(tmp_path, parts_of(vocabulary("i", 9)))


def test_illegal_parts_are_refused() -> None:
    with pytest.raises(ConfigError, match="query is 'nearest'"):
        plane("nearest")
    with pytest.raises(DataError, match="must ascend"):
        HistoryEncoder(ROWS[::-1], SOURCES, 9)
    with pytest.raises(DataError, match="legal rows are 0 to 6"):
        HistoryEncoder(ROWS, SOURCES, 7)
    with pytest.raises(DataError, match="do not fit"):
        HistoryEncoder(ROWS[:4], SOURCES, 9)
    history = HistoryEncoder(ROWS, SOURCES, 9)
    with pytest.raises(DataError, match="user vectors have dim 3"):
        UserEncoder(np.ones((2, 3), np.float32), history)
    with pytest.raises(DataError, match="do not fit"):
        VectorRecaller(history, TARGETS, ExactIndex(TARGETS[:4]))
    with pytest.raises(ConfigError, match="k is 0"):
        ask(plane("history"), -1, [1], 0)
