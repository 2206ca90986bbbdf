from __future__ import annotations

import numpy as np
import pytest

from graphrec.data.lists import item_lists
from graphrec.errors import ConfigError
from graphrec.index import ExactIndex
from tests.close import assert_same_lists
from tests.contracts.index import IndexContract


class TestExact(IndexContract):
    make = staticmethod(ExactIndex)


def test_scores_of_a_square_known_by_heart() -> None:
    square = np.array([[1, 0], [0, 2], [-1, 0], [0, -2]], dtype=np.float32)
    query = np.array([[3, 0]], dtype=np.float32)
    assert ExactIndex(square, "cosine").search(query, 2)[0][1].tolist() == [1.0, 0.0]
    assert ExactIndex(square, "ip").search(query, 4)[0][1].tolist() == [3.0, 0.0, 0.0, -3.0]
    assert ExactIndex(square, "ip").search(query, 4)[0][0].tolist() == [0, 1, 3, 2]
    assert ExactIndex(square, "l2").search(query, 4)[0][1].tolist() == [-4.0, -13.0, -13.0, -16.0]


def test_many_queries_are_answered_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    matrix, queries = rng.normal(size=(50, 5)).astype(np.float32), rng.normal(size=(23, 5)).astype(np.float32)
    whole = ExactIndex(matrix).search(queries, 7)
    monkeypatch.setattr("graphrec.index.exact._BLOCK_SCORES", 120)
    assert_same_lists(ExactIndex(matrix).search(queries, 7), whole)


@pytest.mark.parametrize("share", [0.0, 0.2, 0.8, 1.0])
@pytest.mark.parametrize("metric", ["cosine", "ip", "l2"])
def test_rows_that_a_query_skips_do_not_come_back(metric: str, share: float) -> None:
    rng = np.random.default_rng(1)
    matrix, queries = rng.integers(-2, 3, (70, 3)).astype(np.float32), rng.integers(-2, 3, (9, 3)).astype(np.float32)
    index, allow = ExactIndex(matrix, metric), rng.random(70) < share
    skip = item_lists([rng.choice(70, 7 * n, replace=False) for n in range(9)])
    whole = index.search(queries, 70)
    for k in (1, 6, 70):
        found = index.search(queries, k, allow=allow, skip=skip)
        for i in range(9):
            expected = [row for row in whole[i][0].tolist() if allow[row] and row not in skip[i][0]][:k]
            assert found[i][0].tolist() == expected


def test_an_unknown_metric_is_refused() -> None:
    with pytest.raises(ConfigError, match="metric is 'dot'"):
        ExactIndex(np.ones((2, 2), np.float32), "dot")
