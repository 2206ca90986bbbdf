from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from graphrec.contracts.queries import Queries
from graphrec.data.lists import empty_lists, item_lists
from graphrec.data.neighbours import NeighbourTable, csr_table
from graphrec.errors import ConfigError, DataError
from graphrec.recallers import neighbours
from graphrec.recallers.neighbours import NeighbourRecaller
from graphrec.recallers.profile import Profile, profile_weights
from tests.oracles.recallers import pushed
from tests.oracles.sparse import top
from tests.worlds import parts_of, vocabulary


def _dense(shape: tuple[int, int], seed: int) -> npt.NDArray[np.float64]:
    rng = np.random.default_rng(seed)
    return np.where(rng.random(shape) < 0.3, rng.integers(1, 5, shape), 0).astype(np.float64)


def _table(dense: npt.NDArray[np.float64]) -> NeighbourTable:
    return csr_table(sp.csr_array(dense.astype(np.float32)))


def _one(items: list[int], weights: list[float] | None = None, user: int = -1) -> Queries:
    return Queries([user], item_lists([items], None if weights is None else [weights]))


# items 0-3 -> tags 0-2 -> items
TO_TAGS = np.array([[2.0, 0.0, 1.0], [0.0, 1.0, 0.0], [0.0, 0.0, 3.0], [0.0, 0.0, 0.0]])
TO_ITEMS = np.array([[0.0, 0.0, 5.0, 1.0], [1.0, 0.0, 0.0, 1.0], [0.0, 2.0, 0.0, 4.0]])


@pytest.mark.parametrize("keep", [0, 1, 3])
@pytest.mark.parametrize("k", [1, 4, 50])
def test_a_chain_gives_what_dense_products_give(keep: int, k: int) -> None:
    first, second = _dense((25, 12), 1), _dense((12, 25), 2)
    recaller = NeighbourRecaller([_table(first), _table(second)], [keep], profile=Profile(exponent=1.0))
    rng = np.random.default_rng(3)
    lists = [rng.choice(25, size=n, replace=False) for n in (1, 4, 0, 9)]
    weights = [rng.integers(-1, 4, len(one)).astype(np.float32) for one in lists]
    answer = recaller.recall(Queries([-1, 0, 1, 2], item_lists(lists, weights)), k)
    for position, (items, scores) in enumerate(answer):
        history = dict(zip(lists[position].tolist(), weights[position].tolist(), strict=True))
        expected = pushed(history, [first, second], [keep])
        assert items.tolist() == top(expected, k)
        np.testing.assert_array_equal(scores, expected[items].astype(np.float32))


def test_three_tables_are_pushed_one_after_the_other() -> None:
    tables = [_dense((9, 7), 4), _dense((7, 5), 5), _dense((5, 9), 6)]
    recaller = NeighbourRecaller([_table(t) for t in tables], [4, 2])
    items, _ = recaller.recall(_one([1, 3, 8]), 9)[0]
    assert items.tolist() == top(pushed({1: 1, 3: 1, 8: 1}, tables, [4, 2]), 9)
    evidence = recaller.evidence(_one([1, 3, 8]), items)
    assert set(evidence.sources.tolist()) <= {1, 3, 8}


def test_users_have_no_vote_in_their_own_matter() -> None:
    # User 0 took items 0 and 2; user 1 took items 0 and 1.
    to_users = np.array([[1.0, 1.0], [0.0, 1.0], [1.0, 0.0]])
    recaller = NeighbourRecaller([_table(to_users), _table(to_users.T)], [1], middle_is_users=True)
    stranger = recaller.recall(_one([0, 2]), 5)
    himself = recaller.recall(_one([0, 2], user=0), 5)
    assert stranger.items.tolist() == [0, 2]
    assert himself.items.tolist() == [0, 1]
    assert recaller.recall(_one([0, 2], user=99), 5).items.tolist() == [0, 2]
    evidence = recaller.evidence(_one([2, 0], user=0), np.array([1, 2], dtype=np.int32))
    assert evidence.sources.tolist() == [0, -1]  # item 2 is voted for by himself alone
    assert evidence.via.tolist() == [-1, -1]  # never a user


def test_evidence_names_the_item_and_the_tag_that_gave_most() -> None:
    recaller = NeighbourRecaller([_table(TO_TAGS), _table(TO_ITEMS)], [0], via=vocabulary("t", 3))
    evidence = recaller.evidence(_one([0, 1, 2]), np.array([3, 2, 0, 1, 3], dtype=np.int32))
    # item 3: 2*1 + 1*4 = 6 from item 0, 1 from item 1, 3*4 = 12 from item 2 through tag 2; item 2: 10 from item 0.
    assert evidence.sources.tolist() == [2, 0, 1, 2, 2]
    assert evidence.via.tolist() == [2, 0, 1, 2, 2]


def test_evidence_follows_weights_and_kept_rows_only() -> None:
    chain = [_table(TO_TAGS), _table(TO_ITEMS)]
    weighted = NeighbourRecaller(chain, [0], via=vocabulary("t", 3), profile=Profile(exponent=1.0))
    heavy = weighted.evidence(_one([0, 2], [9.0, 1.0]), np.array([3], dtype=np.int32))
    assert (heavy.sources.tolist(), heavy.via.tolist()) == ([0], [2])  # 9 * (2*1 + 1*4), the greater part by tag 2
    pruned = NeighbourRecaller(chain, [1], via=vocabulary("t", 3))
    cut = pruned.evidence(_one([0, 1, 2]), np.array([2, 3], dtype=np.int32))
    assert (cut.sources.tolist(), cut.via.tolist()) == ([-1, 2], [-1, 2])  # only tag 2 was kept


@pytest.mark.parametrize(("n_tables", "keep"), [(1, []), (2, [2]), (3, [1, 0])])
def test_an_explanation_pushes_no_table_that_the_answer_pushed_and_says_what_it_says_alone(
    n_tables: int, keep: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    square = _table(np.array([[0.0, 2.0, 1.0], [1.0, 0.0, 3.0], [2.0, 1.0, 0.5]]))
    recaller = NeighbourRecaller([square] * n_tables, keep, via=vocabulary("t", 3) if keep else None)
    items = np.arange(3, dtype=np.int32)
    alone, query = recaller.evidence(_one([0, 2]), items), _one([0, 2])
    answer = recaller.recall(query, 3)

    def push(*_: object, **__: object) -> None:
        raise AssertionError("a table was pushed again")

    with monkeypatch.context() as context:
        context.setattr(neighbours, "push", push)
        again = recaller.evidence(query, items)
    for name in ("sources", "via", "contributions"):
        np.testing.assert_array_equal(getattr(again, name), getattr(alone, name))
    repeated = recaller.recall(query, 3)
    assert (repeated.items.tolist(), repeated.scores.tolist()) == (answer.items.tolist(), answer.scores.tolist())
    other = NeighbourRecaller([square] * n_tables, keep, profile=Profile(last=1))
    assert other.recall(query, 3).scores.tolist() == other.recall(_one([0, 2]), 3).scores.tolist()


def test_the_background_is_what_the_average_history_has() -> None:
    recaller = NeighbourRecaller([_table(TO_TAGS), _table(TO_ITEMS)], [0], background=[1.0, 0.0, 1.0])
    # tags of item 0: [2, 0, 1] less the background: only tag 0 is left, with 1.
    answer = recaller.recall(_one([0]), 5)
    assert (answer.items.tolist(), answer.scores.tolist()) == ([2, 3], [5.0, 1.0])


def test_a_single_table_has_a_background_too(tmp_path: Path) -> None:
    recaller = NeighbourRecaller(
        [_table(np.array([[0.0, 5.0, 2.0], [1.0, 0.0, 0.0], [0.0, 2.0, 0.0]]))], background=[0, 1, 2]
    )
    recaller.save(tmp_path)
    for one in (recaller, NeighbourRecaller.load(tmp_path, parts_of(vocabulary("i", 3)))):
        # items of 0 and 2 together: [-, 7, 2] less twice the background: item 2 is gone.
        answer = one.recall(_one([0, 2]), 5)
        assert (answer.items.tolist(), answer.scores.tolist()) == ([1], [5.0])
        assert one.evidence(_one([0, 2]), answer.items).sources.tolist() == [0]


def test_profiles_use_the_newest_and_forget() -> None:
    history = item_lists([[0, 1, 2], [3], [4, 5]], [[4.0, 1.0, 9.0], [0.0], [-2.0, 4.0]])
    assert profile_weights(history, Profile()).tolist() == [1, 1, 1, 0, 0, 1]
    assert profile_weights(history, Profile(last=1, exponent=1.0)).tolist() == [0, 0, 9, 0, 0, 4]
    assert profile_weights(history, Profile(exponent=0.5)).tolist() == [2, 1, 3, 0, 0, 2]
    assert profile_weights(history, Profile(half_life=1.0)).tolist() == [0.25, 0.5, 1, 0, 0, 1]
    with pytest.raises(ConfigError, match="half_life of a profile is -1"):
        Profile(half_life=-1.0)


@given(st.lists(st.integers(0, 24), max_size=12), st.integers(1, 30))
def test_fewer_asked_for_are_the_first_of_more(history: list[int], k: int) -> None:
    recaller = NeighbourRecaller([_table(_dense((25, 25), 8))])
    all_items, all_scores = recaller.recall(_one(history), 25)[0]
    items, scores = recaller.recall(_one(history), k)[0]
    np.testing.assert_array_equal(items, all_items[:k])
    np.testing.assert_array_equal(scores, all_scores[:k])


def test_chains_that_do_not_fit_are_refused() -> None:
    square, wide = _table(_dense((4, 4), 1)), _table(_dense((4, 6), 1))
    with pytest.raises(DataError, match="no table"):
        NeighbourRecaller([])
    with pytest.raises(DataError, match="takes 4 items, the last gives 6"):
        NeighbourRecaller([wide])
    with pytest.raises(DataError, match="table 0 has 6 columns, table 1 has 4 rows"):
        NeighbourRecaller([wide, square], [0])
    with pytest.raises(DataError, match="2 tables need 1 counts"):
        NeighbourRecaller([square, square])
    with pytest.raises(DataError, match="via names 3 middle rows, the last table has 4"):
        NeighbourRecaller([square, square], [0], via=vocabulary("t", 3))
    with pytest.raises(DataError, match="background has 3 entries"):
        NeighbourRecaller([square, square], [0], background=[0.0] * 3)
    with pytest.raises(DataError, match="background has 3 entries"):
        NeighbourRecaller([square], background=[0.0] * 3)


def test_questions_that_cannot_be_answered_are_refused() -> None:
    recaller = NeighbourRecaller([_table(_dense((4, 4), 1))])
    with pytest.raises(ConfigError, match="k is 0"):
        recaller.recall(Queries([-1], empty_lists(1)), 0)
    for wrong in (4, -1):
        with pytest.raises(DataError, match="legal rows are 0 to 3"):
            recaller.recall(_one([0, wrong]), 3)
        with pytest.raises(DataError, match="legal rows are 0 to 3"):
            recaller.evidence(_one([0]), np.array([wrong], dtype=np.int32))
