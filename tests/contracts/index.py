"""What every index must do, as a class to inherit: ``class TestMine(IndexContract): make = staticmethod(...)``."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from graphrec.data.lists import ItemLists, empty_lists, item_lists
from graphrec.errors import BundleError, ConfigError, DataError
from graphrec.index import ExactIndex, Index, audit, load_index
from tests.close import assert_same_lists

Matrix = npt.NDArray[np.float32]
METRICS = ("cosine", "ip", "l2")


def random_world() -> Matrix:
    """Return 700 directions without any structure, of lengths between 0.1 and 3."""
    rng = np.random.default_rng(3)
    vectors = rng.normal(size=(700, 13)) * rng.uniform(0.1, 3, size=(700, 1))
    return vectors.astype(np.float32)


def clustered_world() -> Matrix:
    """Return 900 vectors around 11 centres; two thirds repeat an earlier one, and three rows are zero."""
    rng = np.random.default_rng(4)
    centres = rng.normal(size=(11, 9)) * 3
    own = centres[rng.integers(0, 11, 300)] + rng.normal(size=(300, 9)) * 0.3
    vectors = np.concatenate([own, own[rng.integers(0, 300, 600)]]).astype(np.float32)
    vectors[[5, 400, 899]] = 0
    return vectors


WORLDS = {"random": random_world, "clustered": clustered_world}


def brute_force(matrix: Matrix, query: Matrix, metric: str) -> npt.NDArray[np.float64]:
    """Return the score of every row for one query, the slow and obvious way, in float64."""
    wide, one = matrix.astype(np.float64), query.astype(np.float64)
    scores = []
    for vector in wide:
        product = float(vector @ one)
        if metric == "l2":
            scores.append(-float(((vector - one) ** 2).sum()))
        elif metric == "cosine":
            length = float(np.linalg.norm(vector) * np.linalg.norm(one))
            scores.append(product / length if length else 0.0)
        else:
            scores.append(product)
    return np.array(scores)


def check_lists(lists: ItemLists, n: int, k: int, n_rows: int) -> None:
    """Check what holds for every answer: n lists of at most k distinct legal rows, best first, ties by row."""
    assert len(lists) == n
    assert (lists.lengths <= k).all()
    for rows, scores in lists:
        assert len(np.unique(rows)) == len(rows)
        assert ((rows >= 0) & (rows < n_rows)).all()
        assert list(zip(-scores, rows, strict=True)) == sorted(zip(-scores, rows, strict=True))


@cache
def _built(make: Callable[[Matrix, str], Index], world: str, metric: str) -> tuple[Index, Matrix]:
    """Return the index and its matrix, built once a run: neither ever changes."""
    matrix = WORLDS[world]()
    return make(matrix, metric), matrix


@pytest.mark.parametrize("world", WORLDS)
class IndexContract:
    """Tests of one kind of index: ``make(matrix, metric)`` builds it; ``least_recall`` is what it must find."""

    make: Callable[[Matrix, str], Index]
    least_recall: float = 1.0
    metrics: tuple[str, ...] = METRICS

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        metafunc.parametrize("metric", self.metrics)

    def built(self, world: str, metric: str) -> tuple[Index, Matrix, Matrix]:
        index, matrix = _built(type(self).make, world, metric)
        return index, matrix, np.random.default_rng(8).normal(size=(17, matrix.shape[1])).astype(np.float32)

    def oracle(self, world: str, metric: str) -> ExactIndex:
        index, _ = _built(ExactIndex, world, metric)
        assert isinstance(index, ExactIndex)
        return index

    def test_it_states_its_shape(self, world: str, metric: str) -> None:
        index, matrix, _ = self.built(world, metric)
        assert (len(index), index.dim, index.metric) == (*matrix.shape, metric)

    @pytest.mark.parametrize("k", [1, 10, 60])
    def test_it_finds_the_nearest_rows(self, world: str, metric: str, k: int) -> None:
        index, matrix, queries = self.built(world, metric)
        found = index.search(queries, k)
        check_lists(found, 17, k, len(matrix))
        assert (found.lengths == k).all()
        hits = 0
        for query, (rows, scores) in zip(queries, found, strict=True):
            truth = brute_force(matrix, query, metric)
            np.testing.assert_allclose(scores, truth[rows], rtol=1e-4, atol=1e-4)
            hits += int((truth[rows] >= np.sort(truth)[-k] - 1e-5).sum())
        assert hits >= self.least_recall * 17 * k

    def test_audit_measures_recall(self, world: str, metric: str) -> None:
        index, matrix, queries = self.built(world, metric)
        assert audit(index, queries, 20, matrix=matrix) >= self.least_recall
        assert audit(ExactIndex(matrix, metric), queries, 20, matrix=matrix) == 1.0
        assert audit(index, queries[:0], 20, matrix=matrix) == 1.0

    @settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(
        share=st.sampled_from([0.0, 0.004, 0.1, 0.5, 0.95, 1.0]), k=st.sampled_from([1, 7, 30, 250]),
        longest=st.sampled_from([0, 3, 60, 690]), seed=st.integers(0, 99),
    )  # fmt: skip
    def test_it_returns_legal_rows_alone_and_enough_of_them(
        self, world: str, metric: str, share: float, k: int, longest: int, seed: int
    ) -> None:
        index, matrix, queries = self.built(world, metric)
        rng = np.random.default_rng(seed)
        allow = rng.random(len(matrix)) < share
        legal = np.tile(allow, (17, 1))
        # What a history is made of: the best rows, and some others.
        nearest = self.oracle(world, metric).search(queries, len(matrix))
        lists = [
            np.unique(np.concatenate([nearest[i][0][: size // 2], rng.choice(len(matrix), size)]))
            for i, size in enumerate(rng.integers(0, longest + 1, 17).tolist())
        ]
        for i, rows in enumerate(lists):
            legal[i, rows] = False
        mask, skip = None if share == 1.0 else allow, item_lists(lists) if longest else None
        answer = index.search(queries, k, allow=mask, skip=skip)
        exact = self.oracle(world, metric).search(queries, k, allow=mask, skip=skip)
        check_lists(answer, 17, k, len(matrix))
        owners = np.repeat(np.arange(17), answer.lengths)
        assert legal[owners, answer.items].all()
        assert answer.lengths.tolist() == np.minimum(k, legal.sum(axis=1)).tolist()
        hits = sum(
            int((scores >= best[-1] - 1e-4 * max(1, abs(best[-1]))).sum())
            for (_, scores), (_, best) in zip(answer, exact, strict=True)
            if len(best)
        )
        assert hits >= self.least_recall * len(answer.items)

    def test_an_answer_does_not_depend_on_the_queries_beside_it(self, world: str, metric: str) -> None:
        index, matrix, queries = self.built(world, metric)
        rng = np.random.default_rng(6)
        skip = item_lists([rng.choice(len(matrix), 11 * i, replace=False) for i in range(17)])
        together = index.search(queries, 20, skip=skip)
        for i in range(17):
            rows, scores = index.search(queries[i : i + 1], 20, skip=item_lists([skip[i][0]]))[0]
            np.testing.assert_allclose(scores, together[i][1], rtol=1e-5, atol=1e-5)
            assert len(np.intersect1d(rows, together[i][0])) >= 19  # a tie may fall either way by the last bit

    def test_a_filter_that_removes_the_best_still_fills_the_list(self, world: str, metric: str) -> None:
        index, matrix, queries = self.built(world, metric)
        nearest = index.search(queries[:1], 200).items
        allow = np.ones(len(matrix), dtype=np.bool_)
        allow[nearest] = False
        assert index.search(queries[:1], 40, allow=allow).lengths.tolist() == [40]

    def test_more_than_there_are_is_no_error(self, world: str, metric: str) -> None:
        index, matrix, queries = self.built(world, metric)
        found = index.search(queries[:3], len(matrix) + 50)
        check_lists(found, 3, len(matrix), len(matrix))
        assert (found.lengths == len(matrix)).all()

    def test_no_query_gives_no_list(self, world: str, metric: str) -> None:
        index, matrix, _ = self.built(world, metric)
        assert len(index.search(np.empty((0, matrix.shape[1]), np.float32), 5)) == 0

    def test_equal_vectors_come_in_order_of_row(self, world: str, metric: str) -> None:
        index, matrix, _ = self.built(world, metric)
        same = np.flatnonzero((matrix == matrix[7]).all(axis=1))
        rows, scores = index.search(matrix[7:8] * 2, len(same) + 3)[0]
        places = np.flatnonzero(np.isin(rows, same))
        if metric == "cosine":
            assert rows[: len(same)].tolist() == same.tolist()
        if len(places) == len(same):
            assert rows[places].tolist() == same.tolist()
            assert len(set(scores[places].tolist())) == 1

    def test_a_zero_query_is_answered(self, world: str, metric: str) -> None:
        index, matrix, _ = self.built(world, metric)
        found = index.search(np.zeros((2, matrix.shape[1]), np.float32), 9)
        check_lists(found, 2, 9, len(matrix))
        assert (found.lengths == 9).all()
        if metric != "l2":
            assert found[1][0].tolist() == list(range(9))

    def test_wrong_queries_are_refused(self, world: str, metric: str) -> None:
        index, matrix, queries = self.built(world, metric)
        with pytest.raises(DataError, match=f"have 4 dimensions, the index {matrix.shape[1]}"):
            index.search(queries[:, :4], 5)
        with pytest.raises(DataError, match="every value must be finite"):
            index.search(np.where(queries > 1, np.nan, queries), 5)
        with pytest.raises(DataError, match="must have 2"):
            index.search(queries[0], 5)
        with pytest.raises(ConfigError, match="k is 0"):
            index.search(queries, 0)
        with pytest.raises(DataError, match="the index needs bool"):
            index.search(queries, 5, allow=np.ones(3, dtype=np.bool_))
        with pytest.raises(DataError, match="skip has 2 lists for 17 query vectors"):
            index.search(queries, 5, skip=empty_lists(2))
        with pytest.raises(DataError, match=f"legal rows are 0 to {len(matrix) - 1}"):
            index.search(queries[:1], 5, skip=item_lists([[0, len(matrix)]]))

    def test_threads_get_the_answers_of_one(self, world: str, metric: str) -> None:
        index, _, queries = self.built(world, metric)
        alone = [index.search(queries, k) for k in (3, 90)]
        with ThreadPoolExecutor(6) as pool:
            answers = list(pool.map(lambda turn: index.search(queries, (3, 90)[turn % 2]), range(120)))
        for turn, answer in enumerate(answers):
            assert_same_lists(answer, alone[turn % 2], atol=1e-5)

    def test_it_comes_back_from_disk_the_same(self, world: str, metric: str, tmp_path: Path) -> None:
        index, matrix, queries = self.built(world, metric)
        index.save(tmp_path)
        np.save(tmp_path / "matrix.npy", matrix)
        again = load_index(tmp_path, np.load(tmp_path / "matrix.npy", "r"))
        assert type(again) is type(index)
        assert (len(again), again.dim, again.metric) == (len(index), index.dim, index.metric)
        for k in (5, 120):
            assert_same_lists(again.search(queries, k), index.search(queries, k), atol=1e-5)

    def test_another_matrix_is_refused_on_loading(self, world: str, metric: str, tmp_path: Path) -> None:
        index, matrix, _ = self.built(world, metric)
        index.save(tmp_path)
        with pytest.raises(BundleError, match="dim"):
            load_index(tmp_path, matrix[:, :-1])
        with pytest.raises(BundleError, match=f"built for {len(matrix)} rows"):
            load_index(tmp_path, matrix[:-1])
        with pytest.raises(BundleError, match="other vectors"):
            load_index(tmp_path, matrix + np.float32(1e-3))

    def test_bad_vectors_are_refused(self, world: str, metric: str) -> None:
        matrix = WORLDS[world]()
        for bad in (np.nan, np.inf):
            spoiled = matrix.copy()
            spoiled[4, 2] = bad
            with pytest.raises(DataError, match=r"matrix\[4, 2\]"):
                type(self).make(spoiled, metric)
        with pytest.raises(DataError, match="0 columns"):
            type(self).make(matrix[:, :0], metric)

    def test_an_empty_table_answers_nothing(self, world: str, metric: str, tmp_path: Path) -> None:
        matrix = WORLDS[world]()[:0]
        index = type(self).make(matrix, metric)
        assert index.search(np.ones((2, matrix.shape[1]), np.float32), 3).lengths.tolist() == [0, 0]
        index.save(tmp_path)
        assert len(load_index(tmp_path, matrix)) == 0

    def test_one_row_is_found(self, world: str, metric: str) -> None:
        matrix = WORLDS[world]()[:1]
        assert type(self).make(matrix, metric).search(matrix, 3).items.tolist() == [0]
