from __future__ import annotations

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
from graphrec.recallers.vector import QueryMode, VectorRecaller, vote_table
from tests.worlds import parts_of, vocabulary

# Items 1, 3, 4, 6, 7 of 9 have vectors, in the plane: two to the east, two to the north, one between.
ROWS = np.array([1, 3, 4, 6, 7], dtype=np.int32)
SOURCES = np.array([[1, 0], [2, 0.2], [0, 1], [0.1, 3], [1, 1]], dtype=np.float32)
TARGETS = np.array([[3, 0], [1, 0], [0, 2], [0, 1], [1, 1]], dtype=np.float32)
USERS = np.array([[0, 1], [0, 0], [5, 0]], dtype=np.float32)


def plane(query: QueryMode, **settings: Any) -> VectorRecaller:
    near_targets, near_sources = ExactIndex(TARGETS, "ip"), ExactIndex(SOURCES, "cosine")
    return VectorRecaller(ROWS, SOURCES, TARGETS, near_targets, near_sources, USERS, 9, query=query, **settings)


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
    assert again.fold_in is not None
    assert again.fold_in.settings() == {"regularisation": 0.5, "exponent": 0.0, "background": 3.0}
    assert again.fold_in.gram.tolist() == [1, 2]
    np.save(tmp_path / "fold-in-gram.npy", -np.ones(2, np.float32))
    with pytest.raises(BundleError, match="diagonal of a Gram matrix"):
        load_recaller(tmp_path, parts_of(vocabulary("i", 9)))
    np.save(tmp_path / "fold-in-gram.npy", np.ones(3, np.float32))
    with pytest.raises(BundleError, match="the fold-in has dim 3, item vectors 2"):
        load_recaller(tmp_path, parts_of(vocabulary("i", 9)))


def test_one_matrix_under_two_indexes_is_written_once(tmp_path: Path) -> None:
    by_product, by_angle = ExactIndex(SOURCES, "ip"), ExactIndex(SOURCES, "cosine")
    recaller = VectorRecaller(ROWS, SOURCES, SOURCES, by_product, by_angle, None, 9)
    recaller.save(tmp_path)
    assert not (tmp_path / "targets.npy").exists()
    again = VectorRecaller.load(tmp_path, parts_of(vocabulary("i", 9)))
    assert ask(again, -1, [1, 4]) == ask(recaller, -1, [1, 4])


def test_items_vote_for_their_neighbours_and_not_for_themselves() -> None:
    recaller = plane("items", neighbours=1)
    items, scores = recaller.recall(Queries([-1], item_lists([[1, 3]])), 2)[0]
    # Each of the two has the other as its nearest; k = 2 asks each of two items for 2 votes at least.
    assert items.tolist() == [7, 1]
    east = 2 / np.hypot(2, 0.2)
    between = 1 / np.sqrt(2) + 2.2 / (np.sqrt(2) * np.hypot(2, 0.2))
    np.testing.assert_allclose(scores, [between, east], rtol=1e-5)
    squared = plane("items", neighbours=1, power=2.0).recall(Queries([-1], item_lists([[1]])), 1)[0]
    np.testing.assert_allclose(squared[1], [east**2], rtol=1e-5)


def test_a_short_history_still_fills_the_list() -> None:
    rng = np.random.default_rng(0)
    vectors = np.abs(rng.normal(size=(300, 6))).astype(np.float32)
    index = build_hnsw(vectors, seed=0)
    recaller = VectorRecaller(
        np.arange(300, dtype=np.int32), vectors, vectors, index, index, None, 300, query="items", neighbours=5
    )
    assert recaller.recall(Queries([-1, -1], item_lists([[7], [8, 9, 10]])), 120).lengths.tolist() == [120, 120]


@pytest.mark.parametrize("query", ["history", "user", "blend", "sum", "items"])
def test_items_without_a_vector_are_never_returned_and_say_nothing(query: QueryMode) -> None:
    recaller = plane(query)
    assert set(ask(recaller, 2, [1, 0, 8, 2])) <= set(ROWS.tolist())
    assert ask(recaller, -1, [0, 2, 8]) == []
    assert ask(recaller, -1, []) == []
    assert ask(recaller, 2, [1, 0, 8]) == ask(recaller, 2, [1])


@pytest.mark.parametrize("query", ["history", "user", "blend", "sum", "items"])
@pytest.mark.parametrize("share", [0.2, 0.9, 1.0])
def test_left_out_items_are_as_if_they_had_never_been(query: QueryMode, share: float) -> None:
    rng = np.random.default_rng(2)
    # Few distinct numbers: many ties, and sums that float32 holds exactly.
    vectors = rng.integers(-2, 3, (60, 4)).astype(np.float32)
    users = rng.integers(-2, 3, (12, 4)).astype(np.float32)
    rows = np.sort(rng.choice(90, 60, replace=False)).astype(np.int32)
    near = ExactIndex(vectors, "ip")
    recaller = VectorRecaller(rows, vectors, vectors, near, near, users, 90, query=query, neighbours=60)
    queries = Queries(rng.permutation(14) - 1, item_lists([rng.choice(90, n, replace=False) for n in range(14)]))
    exclude = item_lists([rng.choice(90, 5 * n, replace=False) for n in range(14)])
    allowed = rng.random(90) < share
    whole = recaller.recall(queries, 90)
    for k in (1, 7, 90):
        expected = leave_out(whole, k, exclude=exclude, allowed=allowed)
        found = recall_allowed(recaller, queries, k, exclude=exclude, allowed=allowed)
        assert found.indptr.tolist() == expected.indptr.tolist()
        assert found.items.tolist() == expected.items.tolist()
        np.testing.assert_allclose(found.scores, expected.scores, rtol=1e-6)
    with pytest.raises(ConfigError, match="k is 0"):
        recall_allowed(recaller, queries, 0, exclude=exclude, allowed=allowed)


@pytest.mark.parametrize("query", ["history", "items"])
def test_large_batches_are_answered_in_parts(monkeypatch: pytest.MonkeyPatch, query: QueryMode) -> None:
    histories = item_lists([[1], [], [4, 7], [0], [3, 6, 7]])
    queries = Queries(np.full(5, -1), histories)
    whole = plane(query).recall(queries, 4)
    monkeypatch.setattr("graphrec.recallers.vector._CHUNK", 2)
    monkeypatch.setattr("graphrec.recallers.vector._VECTORS", 2)
    parts = plane(query).recall(queries, 4)
    assert parts.indptr.tolist() == whole.indptr.tolist()
    assert parts.items.tolist() == whole.items.tolist()


def test_stored_votes_give_the_answers_of_searching() -> None:
    rng = np.random.default_rng(1)
    vectors = rng.normal(size=(80, 5)).astype(np.float32)
    index, rows = ExactIndex(vectors), np.arange(0, 160, 2, dtype=np.int32)
    searching = VectorRecaller(rows, vectors, vectors, index, index, None, 160, query="items", neighbours=6, power=2.0)
    stored = replace(searching, votes=vote_table(index, vectors, 6, 2.0))
    lists = [rng.choice(160, size, replace=False).tolist() for size in (0, 1, 2, 5, 30, 60)]
    queries = Queries(np.full(6, -1), item_lists(lists))
    for k in (1, 4, 40):
        one, two = searching.recall(queries, k), stored.recall(queries, k)
        assert one.items.tolist() == two.items.tolist()
        np.testing.assert_allclose(one.scores, two.scores, rtol=1e-5)
    with pytest.raises(DataError, match="the votes are of 79 items"):
        replace(searching, votes=vote_table(ExactIndex(vectors[:79]), vectors[:79], 6, 2.0))


def test_similar_items_leave_the_item_itself_out() -> None:
    similar = plane("history").similar([1, 0, 6], 2)
    assert [rows.tolist() for rows, _ in similar] == [[3, 7], [], [4, 7]]
    assert plane("history").similar([4], 50).lengths.tolist() == [4]


def test_evidence_is_the_nearest_of_the_history() -> None:
    query = Queries([-1], item_lists([[1, 0, 4, 6]], [[1.0, 1.0, 1.0, -1.0]]))
    evidence = plane("items").evidence(query, np.array([3, 6, 0], dtype=np.int32))
    assert evidence.sources.tolist() == [1, 4, -1]
    assert evidence.via.tolist() == [-1, -1, -1]
    heavier = Queries([-1], item_lists([[1, 4]], [[1.0, 9.0]]))
    recaller = plane("history", profile=Profile(exponent=1.0))
    assert recaller.evidence(heavier, np.array([7], dtype=np.int32)).sources.tolist() == [4]
    assert plane("items").evidence(Queries([0], empty_lists(1)), ROWS).sources.tolist() == [-1] * 5


def test_its_own_audit() -> None:
    assert plane("history").audit(k=3, seed=0) == 1.0
    none = np.empty((0, 2), np.float32)
    index = ExactIndex(none)
    assert VectorRecaller(ROWS[:0], none, none, index, index, None, 9).audit(seed=0) == 1.0


@pytest.mark.parametrize("one_space", [False, True])
@pytest.mark.parametrize("with_users", [False, True])
def test_it_comes_back_from_disk(tmp_path: Path, one_space: bool, with_users: bool) -> None:
    near = build_hnsw(SOURCES, seed=0)
    targets, near_targets = (SOURCES, near) if one_space else (TARGETS, build_hnsw(TARGETS, metric="ip", seed=0))
    users = USERS if with_users else None
    recaller = VectorRecaller(
        ROWS, SOURCES, targets, near_targets, near, users, 9, "blend", 7, 1.5, Profile(last=3), "near {source}"
    )
    recaller.save(tmp_path)
    again = load_recaller(tmp_path, parts_of(vocabulary("i", 9)))
    assert isinstance(again, VectorRecaller)
    for name in ("query", "neighbours", "power", "profile", "reason", "n_items"):
        assert getattr(again, name) == getattr(recaller, name)
    assert (again.users is None) == (not with_users)
    assert (again.near_targets is again.near_sources) == one_space
    assert ask(again, 0, [1]) == ask(recaller, 0, [1])
    assert sum(path.stat().st_size for path in tmp_path.rglob("sources*.npy")) < 400
    assert (tmp_path / "targets.npy").exists() != one_space


def test_damaged_files_are_named(tmp_path: Path) -> None:
    plane("history").save(tmp_path)
    np.save(tmp_path / "sources.npy", np.arange(9, dtype=np.float32))
    with pytest.raises(BundleError, match="no multiple of dim 2"):
        load_recaller(tmp_path, parts_of(vocabulary("i", 9)))
    np.save(tmp_path / "sources.npy", SOURCES.ravel() + np.float32(1))
    with pytest.raises(BundleError, match="other vectors"):
        load_recaller(tmp_path, parts_of(vocabulary("i", 9)))
    np.save(tmp_path / "sources.npy", np.full(10, np.nan, dtype=np.float32))
    with pytest.raises(BundleError, match="finite"):
        load_recaller(tmp_path, parts_of(vocabulary("i", 9)))


def test_illegal_parts_are_refused() -> None:
    with pytest.raises(ConfigError, match="query is 'nearest'"):
        plane("nearest")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="neighbours is 0"):
        plane("items", neighbours=0)
    index = ExactIndex(SOURCES)
    with pytest.raises(DataError, match="must ascend"):
        VectorRecaller(ROWS[::-1], SOURCES, SOURCES, index, index, None, 9)
    with pytest.raises(DataError, match="legal rows are 0 to 6"):
        VectorRecaller(ROWS, SOURCES, SOURCES, index, index, None, 7)
    with pytest.raises(DataError, match="do not fit"):
        VectorRecaller(ROWS[:4], SOURCES[:4], SOURCES[:4], index, index, None, 9)
    with pytest.raises(DataError, match="user vectors have dim 3"):
        VectorRecaller(ROWS, SOURCES, SOURCES, index, index, np.ones((2, 3), np.float32), 9)
    with pytest.raises(ConfigError, match="k is 0"):
        ask(plane("history"), -1, [1], 0)
