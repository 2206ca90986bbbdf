"""The spectral recaller beside dense products, filtering beside the generic path, and files that are damaged."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from graphrec.channels.behaviour.gf_cf import GfCf
from graphrec.channels.behaviour.item_cf import ItemCF
from graphrec.channels.behaviour.turbo_cf import TurboCf
from graphrec.channels.behaviour.user_cf import UserCF
from graphrec.contracts.queries import Queries, known_queries, take_queries
from graphrec.contracts.recall_data import RecallData
from graphrec.data.interactions import histories
from graphrec.data.leave_out import leave_out
from graphrec.data.lists import ItemLists, empty_lists, item_lists, take_lists
from graphrec.data.neighbours import csr_table
from graphrec.errors import BundleError, ConfigError, DataError
from graphrec.index.sketch import sketch_rows
from graphrec.recallers import load_recaller, spectral
from graphrec.recallers.filtering import recall_allowed
from graphrec.recallers.neighbours import NeighbourRecaller
from graphrec.recallers.profile import Profile, profile_weights
from graphrec.recallers.spectral import SpectralRecaller
from tests.close import assert_same_lists
from tests.oracles.sparse import top
from tests.worlds import checkerboard, library, parts_of, skewed, vocabulary

Dense = npt.NDArray[np.float64]
N_ITEMS, N_USERS, RANK = 23, 14, 5


def _parts(seed: int = 0) -> tuple[Dense, Dense, Dense, Dense]:
    """Return small whole numbers, whose sums float32 holds exactly: T1, T2, A and B."""
    rng = np.random.default_rng(seed)
    to_users = np.where(rng.random((N_ITEMS, N_USERS)) < 0.3, rng.integers(1, 4, (N_ITEMS, N_USERS)), 0)
    to_items = np.where(rng.random((N_USERS, N_ITEMS)) < 0.3, rng.integers(1, 4, (N_USERS, N_ITEMS)), 0)
    low, high = rng.integers(-3, 4, (2, N_ITEMS, RANK))
    return to_users.astype(float), to_items.astype(float), low.astype(float), high.astype(float)


def _recaller(seed: int = 0, **settings: Any) -> SpectralRecaller:
    to_users, to_items, sources, targets = _parts(seed)
    first, second = csr_table(sp.csr_array(to_users)), csr_table(sp.csr_array(to_items))
    return SpectralRecaller(first, second, sources, targets, **settings)


def _same(left: ItemLists, right: ItemLists) -> None:
    np.testing.assert_array_equal(left.indptr, right.indptr)
    np.testing.assert_array_equal(left.items, right.items)
    np.testing.assert_array_equal(left.scores, right.scores)


HISTORIES = st.lists(st.lists(st.integers(0, N_ITEMS - 1), unique=True, max_size=9), min_size=1, max_size=6)


@settings(max_examples=40, deadline=None)
@given(lists=HISTORIES, k=st.integers(1, 30), seed=st.integers(0, 3))
def test_scores_are_what_dense_products_give(lists: list[list[int]], k: int, seed: int) -> None:
    to_users, to_items, sources, targets = _parts(seed)
    whole = to_users @ to_items + sources @ targets.T
    weights = [[float((item % 4) - 1) for item in one] for one in lists]
    recaller = _recaller(seed, profile=Profile(exponent=1.0))
    answer = recaller.recall(Queries([-1] * len(lists), item_lists(lists, weights)), k)
    for position, (items, scores) in enumerate(answer):
        history = np.zeros(N_ITEMS)
        history[lists[position]] = np.maximum(weights[position], 0.0)
        expected = history @ whole
        assert items.tolist() == top(expected, k)
        np.testing.assert_array_equal(scores, expected[items])


@settings(max_examples=40, deadline=None)
@given(lists=HISTORIES, k=st.integers(1, 30), data=st.data())
def test_left_out_items_are_as_if_they_had_never_been(lists: list[list[int]], k: int, data: st.DataObject) -> None:
    rows = st.lists(st.integers(0, N_ITEMS - 1), unique=True, max_size=N_ITEMS)
    exclude = item_lists([data.draw(rows) for _ in lists])
    allowed = np.ones(N_ITEMS, dtype=np.bool_)
    allowed[data.draw(rows)] = False
    queries, recaller = Queries([-1] * len(lists), item_lists(lists)), _recaller()
    whole = recaller.recall(queries, N_ITEMS)
    _same(
        recaller.recall_allowed(queries, k, exclude=exclude, allowed=allowed),
        leave_out(whole, k, exclude=exclude, allowed=allowed),
    )


@pytest.mark.parametrize("world", [checkerboard, skewed, library])
@pytest.mark.parametrize("recipe", [GfCf(rank=3), TurboCf(k=8), ItemCF(k=20), UserCF(neighbours=6)], ids=repr)
@pytest.mark.parametrize("k", [1, 5, 60])
def test_channels_that_leave_out_by_themselves_do_as_the_generic_path(
    world: Callable[[], RecallData], recipe: Any, k: int
) -> None:
    data = world()
    recaller = recipe.fit(data)
    assert isinstance(recaller, NeighbourRecaller | SpectralRecaller)
    queries = known_queries(histories(data.interactions), np.arange(len(data.users)))
    allowed = data.pool.copy()
    allowed[1::5] = False
    whole = recaller.recall(queries, len(data.items))
    for exclude in (queries.history, empty_lists(len(queries))):
        expected = leave_out(whole, k, exclude=exclude, allowed=allowed)
        assert_same_lists(recaller.recall_allowed(queries, k, exclude=exclude, allowed=allowed), expected)
        assert_same_lists(recall_allowed(recaller, queries, k, exclude=exclude, allowed=allowed), expected)
    everything = np.ones(len(data.items), dtype=np.bool_)
    assert_same_lists(recaller.recall_allowed(queries, k, allowed=everything), recaller.recall(queries, k))
    nothing = recaller.recall_allowed(queries, k, allowed=~everything)
    assert (len(nothing), len(nothing.items)) == (len(queries), 0)


def test_neither_neighbours_nor_chunks_nor_tiles_change_more_than_rounding(monkeypatch: pytest.MonkeyPatch) -> None:
    data = skewed(n_users=90)
    recaller = GfCf(rank=6).fit(data)
    queries = known_queries(histories(data.interactions), np.arange(len(data.users)))
    together = recaller.recall_allowed(queries, 20, exclude=queries.history, allowed=data.pool)
    for position in range(len(queries)):
        one = take_queries(queries, [position])
        alone = recaller.recall_allowed(one, 20, exclude=one.history, allowed=data.pool)
        assert_same_lists(alone, take_lists(together, [position]))
    monkeypatch.setattr(spectral, "_CHUNK_ROWS", 7)
    assert_same_lists(recaller.recall_allowed(queries, 20, exclude=queries.history, allowed=data.pool), together)


def _sketched(recaller: SpectralRecaller, **numbers: int) -> SpectralRecaller:
    return replace(recaller, sketch=sketch_rows(recaller.targets, 2, **numbers))


@settings(max_examples=30, deadline=None)
@given(lists=HISTORIES, k=st.integers(1, 30), seed=st.integers(0, 3), data=st.data())
def test_a_sketch_that_passes_everything_on_changes_nothing(
    lists: list[list[int]], k: int, seed: int, data: st.DataObject
) -> None:
    rows = st.lists(st.integers(0, N_ITEMS - 1), unique=True, max_size=N_ITEMS)
    exclude, allowed = item_lists([data.draw(rows) for _ in lists]), np.ones(N_ITEMS, dtype=np.bool_)
    allowed[data.draw(rows)] = False
    queries, recaller = Queries([-1] * len(lists), item_lists(lists)), _recaller(seed)
    whole = _sketched(recaller, candidates=N_ITEMS, finalists=N_ITEMS, depth=1)
    _same(
        whole.recall_allowed(queries, k, exclude=exclude, allowed=allowed),
        recaller.recall_allowed(queries, k, exclude=exclude, allowed=allowed),
    )


def test_a_sketch_finds_nearly_all_with_exact_scores_and_the_sparse_part_counts() -> None:
    rng = np.random.default_rng(0)
    n_items, n_users, rank = 9_000, 60, 128
    to_users = sp.random_array((n_items, n_users), density=0.02, rng=rng, dtype=np.float64)
    to_items = 40 * sp.random_array((n_users, n_items), density=0.02, rng=rng, dtype=np.float64)
    sources = rng.normal(size=(n_items, rank)) * np.arange(1, rank + 1) ** -0.8
    targets = rng.normal(size=(n_items, rank)) * np.arange(1, rank + 1) ** -0.4
    exact = SpectralRecaller(csr_table(sp.csr_array(to_users)), csr_table(sp.csr_array(to_items)), sources, targets)
    lists = item_lists([rng.choice(n_items, 12, replace=False) for _ in range(150)])
    recaller = exact.with_sketch(take_lists(lists, np.arange(100)))
    assert recaller.sketch is not None
    queries = Queries([-1] * 50, take_lists(lists, np.arange(100, 150)))
    answer, truth = recaller.recall(queries, 300), exact.recall(queries, 300)
    shares = [len(np.intersect1d(a, b)) / 300 for (a, _), (b, _) in zip(answer, truth, strict=True)]
    assert np.mean(shares) > 0.99
    for (items, scores), (true_items, true_scores) in zip(answer, truth, strict=True):
        _, here, there = np.intersect1d(items, true_items, return_indices=True)
        np.testing.assert_allclose(scores[here], true_scores[there], rtol=1e-4, atol=1e-4)
    alone = recaller.recall(take_queries(queries, [7]), 300)
    assert_same_lists(alone, take_lists(answer, [7]), rtol=1e-4, atol=1e-4)


def test_a_small_catalogue_is_scored_exactly() -> None:
    assert GfCf(rank=6).fit(library()).sketch is None
    recaller = _recaller()
    assert recaller.with_sketch(item_lists([[1, 2], [3]])).sketch is None


def test_a_sketch_is_saved_and_must_fit(tmp_path: Path) -> None:
    recaller = _sketched(_recaller(), candidates=9, finalists=7, depth=3)
    recaller.save(tmp_path)
    queries = Queries([-1, -1], item_lists([[1, 2], [7]]))
    assert _load(tmp_path).sketch is not None
    _same(_load(tmp_path).recall(queries, 9), recaller.recall(queries, 9))
    (tmp_path / "sketch-leading.npy").unlink()
    with pytest.raises(BundleError, match=r"sketch-leading\.npy"):
        _load(tmp_path)
    with pytest.raises(DataError, match=r"the sketch is of a matrix \(23, 4\); targets are \(23, 5\)"):
        replace(recaller, sketch=sketch_rows(recaller.targets[:, 1:], 2, candidates=9, finalists=7, depth=3))


def test_evidence_names_who_gave_most_and_nobody_where_nothing_was_given() -> None:
    to_users, to_items, sources, targets = _parts()
    to_items[:, 3], targets[3] = 0.0, 0.0
    recaller = SpectralRecaller(csr_table(sp.csr_array(to_users)), csr_table(sp.csr_array(to_items)), sources, targets)
    history = [2, 9, 17]
    given = (to_users @ to_items + sources @ targets.T)[history]
    items = np.arange(N_ITEMS, dtype=np.int32)
    evidence = recaller.evidence(Queries([-1], item_lists([history])), items)
    expected = [history[int(given[:, item].argmax())] if given[:, item].any() else -1 for item in items]
    assert expected[3] == -1
    assert evidence.sources.tolist() == expected
    assert evidence.via.tolist() == [-1] * N_ITEMS


@pytest.mark.parametrize("world", [checkerboard, skewed, library])
def test_evidence_is_what_each_history_item_gives_on_its_own(world: Callable[[], RecallData]) -> None:
    data = world()
    recaller = GfCf(rank=6).fit(data)
    assert isinstance(recaller, SpectralRecaller)
    queries = known_queries(histories(data.interactions), np.arange(len(data.users)))
    for position in range(0, len(queries), 5):
        one = take_queries(queries, [position])
        whole = recaller.recall(one, len(data.items)).items
        items = np.concatenate([whole[3:], whole[:5], np.arange(4, dtype=np.int32)])  # some twice, in no order
        given, history = _pushed_alone(recaller, one)[:, items], one.history.items.tolist()
        for column, source in enumerate(recaller.evidence(one, items).sources.tolist()):
            # Two sources that gave the same but for rounding may stand for each other.
            own = given[history.index(source), column] if source >= 0 else 0.0
            assert own == pytest.approx(given[:, column].max(), rel=1e-4, abs=1e-6)


def _pushed_alone(recaller: SpectralRecaller, query: Queries) -> npt.NDArray[np.float32]:
    """Return (h, n_items): what each history item gives, when it scores the whole catalogue alone."""
    sources, weights = query.history.items, profile_weights(query.history, recaller.profile)
    ends = np.arange(2)
    return np.concatenate(
        [
            recaller._two_hops(ends, sources[p : p + 1], weights[p : p + 1])
            + spectral._low_rank(recaller._coordinates(ends, sources[p : p + 1], weights[p : p + 1]), recaller.targets)
            for p in range(len(sources))
        ]
    )


def test_a_recaller_of_no_rank_walks_two_hops_alone() -> None:
    to_users, to_items, _, _ = _parts()
    none = np.empty((N_ITEMS, 0))
    recaller = SpectralRecaller(csr_table(sp.csr_array(to_users)), csr_table(sp.csr_array(to_items)), none, none)
    items, scores = recaller.recall(Queries([-1], item_lists([[0, 5]])), N_ITEMS)[0]
    expected = (to_users @ to_items)[[0, 5]].sum(axis=0)
    assert items.tolist() == top(expected, N_ITEMS)
    np.testing.assert_array_equal(scores, expected[items])


def test_parts_that_do_not_fit_are_refused() -> None:
    to_users, to_items, sources, targets = _parts()
    first, second = csr_table(sp.csr_array(to_users)), csr_table(sp.csr_array(to_items))
    with pytest.raises(DataError, match="lead from 23 items to 14 users, and from 23 users to 14 items"):
        SpectralRecaller(first, first, sources, targets)
    with pytest.raises(DataError, match=r"sources are \(23, 4\) and targets \(23, 5\); both must be \(23, rank\)"):
        SpectralRecaller(first, second, sources[:, 1:], targets)
    with pytest.raises(DataError, match=r"both must be \(23, rank\)"):
        SpectralRecaller(first, second, sources[1:], targets[1:])
    for name, pair in (("sources", (sources + np.nan, targets)), ("targets", (sources, targets + np.inf))):
        with pytest.raises(DataError, match=name):
            SpectralRecaller(first, second, *pair)


def test_questions_that_cannot_be_answered_are_refused() -> None:
    recaller = _recaller()
    with pytest.raises(ConfigError, match="k is 0"):
        recaller.recall(Queries([-1], empty_lists(1)), 0)
    for wrong in (N_ITEMS, -1):
        with pytest.raises(DataError, match="legal rows are 0 to 22"):
            recaller.recall(Queries([-1], item_lists([[0, wrong]])), 3)
        with pytest.raises(DataError, match="legal rows are 0 to 22"):
            recaller.evidence(Queries([-1], item_lists([[0]])), np.array([wrong], dtype=np.int32))


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    _recaller().save(tmp_path)
    return tmp_path


def _load(directory: Path) -> SpectralRecaller:
    recaller = load_recaller(directory, parts_of(vocabulary("i", N_ITEMS)))
    assert isinstance(recaller, SpectralRecaller)
    return recaller


def test_what_was_saved_answers(saved: Path) -> None:
    queries = Queries([-1, -1], item_lists([[1, 2], [7]]))
    _same(_load(saved).recall(queries, 9), _recaller().recall(queries, 9))


@pytest.mark.parametrize(
    "changes",
    [
        {"rank": None},
        {"rank": 4},
        {"rank": -1},
        {"rank": 10**30},
        {"rank": True},
        {"n_users": 13},
        {"n_users": -1},
        {"n_users": "14"},
        {"n_items": 22},
        {"n_items": -1},
        {"profile": {"last": -1}},
        {"profile": {"lust": 1}},
        {"profile": []},
        {"reason": 5},
        {"sketched": 1},
        {"sketched": True},
    ],
)
def test_wrong_settings_are_refused(saved: Path, changes: dict[str, Any]) -> None:
    path = saved / "recaller.json"
    path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8")) | changes))
    with pytest.raises(BundleError) as caught:
        _load(saved)
    assert "\n" not in str(caught.value)


ARRAYS = [
    *(f"{table}-{part}" for table in ("users", "items") for part in ("indptr", "neighbours", "scores")),
    "sources",
    "targets",
]


@pytest.mark.parametrize("name", ARRAYS)
def test_damaged_arrays_are_refused(saved: Path, name: str) -> None:
    path = saved / f"{name}.npy"
    whole, array = path.read_bytes(), np.load(path)
    spoilt = array.astype(float) * np.nan if array.dtype.kind == "f" else array + 1000
    for wrong in (array[:-1], spoilt.astype(array.dtype), array.astype(np.float64), array[None], array.astype(object)):
        np.save(path, wrong, allow_pickle=True)
        with pytest.raises(BundleError) as caught:
            _load(saved)
        assert "\n" not in str(caught.value)
    path.write_bytes(whole[:100])
    with pytest.raises(BundleError, match=rf"{name}\.npy cannot be read"):
        _load(saved)
    path.unlink()
    with pytest.raises(BundleError, match=rf"{name}\.npy"):
        _load(saved)
