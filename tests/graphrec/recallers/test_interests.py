"""Several interests of one history: clusters, medoids, and how their answers are merged."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from graphrec.contracts.queries import Queries
from graphrec.data.lists import item_lists
from graphrec.errors import BundleError, ConfigError, DataError
from graphrec.index import ExactIndex
from graphrec.recallers import load_recaller
from graphrec.recallers.filtering import recall_allowed
from graphrec.recallers.interests import InterestRecaller
from graphrec.recallers.profile import Profile
from tests.worlds import parts_of, vocabulary

# Three bundles of four directions each; item 3 * i + c belongs to bundle c. Items 12 and 13 have no vector.
ROWS = np.arange(12, dtype=np.int32)
SOURCES = (np.eye(3)[ROWS % 3] + 0.1 * np.random.default_rng(0).normal(size=(12, 3))).astype(np.float32)


def bundles(**changed: Any) -> InterestRecaller:
    return InterestRecaller(ROWS, SOURCES, ExactIndex(SOURCES, "cosine"), 14, **changed)


def ask(recaller: InterestRecaller, history: list[int], k: int = 14, weights: list[float] | None = None) -> list[int]:
    queries = Queries([-1], item_lists([history], None if weights is None else [weights]))
    return [int(item) for item in recaller.recall(queries, k)[0][0]]


def test_a_history_falls_into_its_bundles_the_heaviest_first() -> None:
    (found,) = bundles(interests=5).interests_of(item_lists([[1, 0, 3, 4, 7, 10, 6, 2]]))
    assert [int(medoid) % 3 for medoid in found.medoids] == [1, 0, 2]
    np.testing.assert_allclose(found.shares, [4 / 8, 3 / 8, 1 / 8])
    assert set(found.medoids.tolist()) <= {0, 1, 2, 3, 4, 6, 7, 10}


def test_the_medoid_is_the_member_nearest_to_all() -> None:
    (found,) = bundles(interests=1).interests_of(item_lists([[0, 3, 6, 9]]))
    units = SOURCES[[0, 3, 6, 9]] / np.linalg.norm(SOURCES[[0, 3, 6, 9]], axis=1, keepdims=True)
    sums = ((units[:, None] - units[None]) ** 2).sum(axis=(1, 2))
    assert found.medoids.tolist() == [[0, 3, 6, 9][int(np.argmin(sums))]]


def test_interests_get_places_in_proportion_to_their_weight() -> None:
    recaller = bundles(interests=2)
    history = [0, 3, 6, 1]  # three of bundle 0, one of bundle 1: of every four places, three and one
    first = ask(recaller, history, k=4)
    assert sorted(item % 3 for item in first) == [0, 0, 0, 1]
    scores = recaller.recall(Queries([-1], item_lists([history])), 4)[0][1]
    np.testing.assert_allclose(scores, [0.75, 0.375, 0.25, 0.25], rtol=1e-6)


def test_newer_interests_weigh_more_where_items_age() -> None:
    old_first = [0, 3, 6, 1]
    recaller = bundles(interests=3, profile=Profile(half_life=1.0))
    (found,) = recaller.interests_of(item_lists([old_first]))
    assert [int(medoid) % 3 for medoid in found.medoids] == [1, 0]
    np.testing.assert_allclose(found.shares, np.array([1.0, 0.5 + 0.25 + 0.125]) / 1.875)
    assert ask(recaller, old_first)[0] % 3 == 1


@pytest.mark.parametrize(("spread", "n"), [(0.0, 4), (1.0, 2), (10.0, 1)])
def test_the_spread_says_where_the_tree_is_cut(spread: float, n: int) -> None:
    (found,) = bundles(interests=9, spread=spread).interests_of(item_lists([[0, 3, 6, 1]]))
    assert len(found.medoids) == n


def test_longer_lists_begin_like_shorter_ones() -> None:
    recaller, history = bundles(interests=3), [0, 1, 2, 3]
    assert ask(recaller, history, k=12)[:5] == ask(recaller, history, k=5)
    assert sorted(ask(recaller, history, k=100)) == list(range(12))


def test_a_history_without_vectors_or_taste_gets_nothing() -> None:
    assert ask(bundles(), [12, 13]) == ask(bundles(), []) == ask(bundles(), [1, 2], weights=[0.0, -1.0]) == []


def test_items_that_are_not_allowed_leave_their_place_to_the_next() -> None:
    recaller = bundles(interests=2)
    queries = Queries([-1, -1], item_lists([[0, 1], [2]]))
    allowed = np.ones(14, dtype=np.bool_)
    allowed[[3, 5]] = False
    answer = recall_allowed(recaller, queries, 12, exclude=item_lists([[0, 1], [2]]), allowed=allowed)
    assert set(answer[0][0].tolist()) == set(range(12)) - {0, 1, 3, 5}
    assert set(answer[1][0].tolist()) == set(range(12)) - {2, 3, 5}
    assert sorted(item % 3 for item in answer[0][0][:4].tolist()) == [0, 0, 1, 1]


def test_only_the_newest_of_a_very_long_history_are_clustered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("graphrec.recallers.interests._MOST_ITEMS", 3)
    (found,) = bundles(interests=9).interests_of(item_lists([[0, 3, 6, 9, 1, 4, 7]]))
    assert {int(medoid) % 3 for medoid in found.medoids} == {1}


def test_parts_of_a_batch_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    queries = Queries([-1] * 5, item_lists([[0, 1], [], [2, 5, 8], [12], [7]]))
    whole = bundles().recall(queries, 6)
    monkeypatch.setattr("graphrec.recallers.interests._CHUNK", 2)
    parts = bundles().recall(queries, 6)
    for name in ("indptr", "items", "scores"):
        np.testing.assert_array_equal(getattr(parts, name), getattr(whole, name))


def test_it_is_saved_and_loaded_whole(tmp_path: Path) -> None:
    recaller = bundles(interests=2, spread=0.5, profile=Profile(last=5), reason="near {source}")
    recaller.save(tmp_path)
    again = load_recaller(tmp_path, parts_of(vocabulary("i", 14)))
    assert isinstance(again, InterestRecaller)
    assert (again.interests, again.spread, again.profile, again.reason) == (2, 0.5, Profile(last=5), "near {source}")
    assert ask(again, [0, 1, 4]) == ask(recaller, [0, 1, 4])
    assert recaller.audit(seed=0) == 1.0
    with pytest.raises(BundleError):
        load_recaller(tmp_path, parts_of(vocabulary("i", 7)))


def test_what_does_not_fit_is_refused() -> None:
    for changed in ({"interests": 0}, {"spread": -1.0}, {"spread": float("nan")}):
        with pytest.raises(ConfigError, match=r"interests is .* and spread .*; they must be 1 or more, and 0 or more"):
            bundles(**changed)
    with pytest.raises(DataError, match="do not fit each other"):
        replace(bundles(), near=ExactIndex(SOURCES[:5], "cosine"))
