from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from graphrec.contracts.queries import Queries
from graphrec.data.leave_out import leave_out
from graphrec.data.lists import item_lists
from graphrec.errors import BundleError, ConfigError, DataError
from graphrec.index import ExactIndex, build_hnsw
from graphrec.recallers import load_recaller
from graphrec.recallers.filtering import recall_allowed
from graphrec.recallers.profile import Profile
from graphrec.recallers.votes import VoteRecaller, vote_table
from tests.worlds import parts_of, vocabulary

# Items 1, 3, 4, 6, 7 of 9 have vectors, in the plane: two to the east, two to the north, one between.
ROWS = np.array([1, 3, 4, 6, 7], dtype=np.int32)
SOURCES = np.array([[1, 0], [2, 0.2], [0, 1], [0.1, 3], [1, 1]], dtype=np.float32)


def plane(**settings: Any) -> VoteRecaller:
    return VoteRecaller(ROWS, SOURCES, ExactIndex(SOURCES, "cosine"), 9, **settings)


def ask(recaller: VoteRecaller, history: list[int], k: int = 9) -> list[int]:
    return [int(item) for item in recaller.recall(Queries([-1], item_lists([history])), k)[0][0]]


def test_items_vote_for_their_neighbours_and_not_for_themselves() -> None:
    recaller = plane(neighbours=1)
    items, scores = recaller.recall(Queries([-1], item_lists([[1, 3]])), 2)[0]
    # Each of the two has the other as its nearest; k = 2 asks each of two items for 2 votes at least.
    assert items.tolist() == [7, 1]
    east = 2 / np.hypot(2, 0.2)
    between = 1 / np.sqrt(2) + 2.2 / (np.sqrt(2) * np.hypot(2, 0.2))
    np.testing.assert_allclose(scores, [between, east], rtol=1e-5)
    squared = plane(neighbours=1, power=2.0).recall(Queries([-1], item_lists([[1]])), 1)[0]
    np.testing.assert_allclose(squared[1], [east**2], rtol=1e-5)


def test_a_short_history_still_fills_the_list() -> None:
    rng = np.random.default_rng(0)
    vectors = np.abs(rng.normal(size=(300, 6))).astype(np.float32)
    index = build_hnsw(vectors, seed=0)
    recaller = VoteRecaller(np.arange(300, dtype=np.int32), vectors, index, 300, neighbours=5)
    assert recaller.recall(Queries([-1, -1], item_lists([[7], [8, 9, 10]])), 120).lengths.tolist() == [120, 120]


def test_items_without_a_vector_are_never_returned_and_say_nothing() -> None:
    assert set(ask(plane(), [1, 0, 8, 2])) <= set(ROWS.tolist())
    assert ask(plane(), [0, 2, 8]) == []
    assert ask(plane(), []) == []
    assert ask(plane(), [1, 0, 8]) == ask(plane(), [1])


@pytest.mark.parametrize("share", [0.2, 0.9, 1.0])
def test_left_out_items_are_as_if_they_had_never_been(share: float) -> None:
    rng = np.random.default_rng(2)
    vectors = rng.integers(-2, 3, (60, 4)).astype(np.float32)
    rows = np.sort(rng.choice(90, 60, replace=False)).astype(np.int32)
    recaller = VoteRecaller(rows, vectors, ExactIndex(vectors, "cosine"), 90, neighbours=60)
    queries = Queries(np.full(14, -1), item_lists([rng.choice(90, n, replace=False) for n in range(14)]))
    exclude, allowed = item_lists([rng.choice(90, 5 * n, replace=False) for n in range(14)]), rng.random(90) < share
    whole = recaller.recall(queries, 90)
    for k in (1, 7, 90):
        expected = leave_out(whole, k, exclude=exclude, allowed=allowed)
        answer = recall_allowed(recaller, queries, k, exclude=exclude, allowed=allowed)
        assert answer.indptr.tolist() == expected.indptr.tolist()
        np.testing.assert_allclose(answer.scores, expected.scores, rtol=1e-5)


def test_large_batches_are_answered_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    queries = Queries(np.full(5, -1), item_lists([[1], [], [4, 7], [0], [3, 6, 7]]))
    whole = plane().recall(queries, 4)
    monkeypatch.setattr("graphrec.recallers.votes._CHUNK", 2)
    parts = plane().recall(queries, 4)
    assert parts.indptr.tolist() == whole.indptr.tolist()
    assert parts.items.tolist() == whole.items.tolist()


def test_stored_votes_give_the_answers_of_searching() -> None:
    rng = np.random.default_rng(1)
    vectors = rng.normal(size=(80, 5)).astype(np.float32)
    index, rows = ExactIndex(vectors), np.arange(0, 160, 2, dtype=np.int32)
    searching = VoteRecaller(rows, vectors, index, 160, neighbours=6, power=2.0)
    stored = replace(searching, table=vote_table(index, vectors, 6, 2.0))
    lists = [rng.choice(160, size, replace=False).tolist() for size in (0, 1, 2, 5, 30, 60)]
    queries = Queries(np.full(6, -1), item_lists(lists))
    for k in (1, 4, 40):
        one, two = searching.recall(queries, k), stored.recall(queries, k)
        assert one.items.tolist() == two.items.tolist()
        np.testing.assert_allclose(one.scores, two.scores, rtol=1e-5)
    with pytest.raises(DataError, match="the votes are of 79 items"):
        replace(searching, table=vote_table(ExactIndex(vectors[:79]), vectors[:79], 6, 2.0))


def test_evidence_is_the_nearest_of_the_history() -> None:
    query = Queries([-1], item_lists([[1, 0, 4, 6]], [[1.0, 1.0, 1.0, -1.0]]))
    assert plane().evidence(query, np.array([3, 6, 0], dtype=np.int32)).sources.tolist() == [1, 4, -1]
    assert plane().evidence(Queries([-1], item_lists([[0]])), ROWS).sources.tolist() == [-1] * 5


@pytest.mark.parametrize("stored", [False, True])
def test_it_comes_back_from_disk(tmp_path: Path, stored: bool) -> None:
    near = build_hnsw(SOURCES, seed=0)
    table = vote_table(near, SOURCES, 2, 1.5) if stored else None
    recaller = VoteRecaller(ROWS, SOURCES, near, 9, Profile(last=3), 2, 1.5, table, "near {source}")
    recaller.save(tmp_path)
    again = load_recaller(tmp_path, parts_of(vocabulary("i", 9)))
    assert isinstance(again, VoteRecaller)
    for name in ("neighbours", "power", "profile", "reason", "n_items"):
        assert getattr(again, name) == getattr(recaller, name)
    assert (again.table is not None) == stored
    assert ask(again, [1, 4]) == ask(recaller, [1, 4])
    np.save(tmp_path / "sources.npy", SOURCES.ravel() + np.float32(1))
    with pytest.raises(BundleError, match="other vectors"):
        load_recaller(tmp_path, parts_of(vocabulary("i", 9)))


def test_its_own_audit() -> None:
    assert plane().audit(k=3, seed=0) == 1.0
    none = np.empty((0, 2), np.float32)
    assert VoteRecaller(ROWS[:0], none, ExactIndex(none), 9).audit(seed=0) == 1.0


def test_illegal_parts_are_refused() -> None:
    with pytest.raises(ConfigError, match="neighbours is 0"):
        plane(neighbours=0)
    with pytest.raises(DataError, match="must ascend"):
        VoteRecaller(ROWS[::-1], SOURCES, ExactIndex(SOURCES), 9)
    with pytest.raises(DataError, match="do not fit"):
        VoteRecaller(ROWS, SOURCES, ExactIndex(SOURCES[:4]), 9)
    with pytest.raises(ConfigError, match="k is 0"):
        ask(plane(), [1], 0)
