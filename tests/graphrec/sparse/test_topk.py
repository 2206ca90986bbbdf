from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from graphrec.data.lists import item_lists
from graphrec.data.neighbours import NeighbourTable, csr_table
from graphrec.errors import ConfigError, DataError
from graphrec.sparse.topk import push, select_top, top_columns, top_products
from tests.oracles.sparse import top


def _random(shape: tuple[int, int], density: float, seed: int) -> sp.csr_array:
    rng = np.random.default_rng(seed)
    # Few distinct values: many ties, and sums that float64 holds exactly.
    dense = np.where(rng.random(shape) < density, rng.integers(1, 4, shape) / 2, 0.0)
    return sp.csr_array(dense.astype(np.float32))


@given(
    st.lists(st.integers(-3, 3), min_size=1, max_size=60),
    st.integers(1, 70),
)
def test_selection_is_a_sort_cut_short(values: list[int], k: int) -> None:
    scores = np.array(values, dtype=np.float64)
    candidates = np.random.default_rng(0).permutation(len(values)).astype(np.int32)
    rows, best = np.empty(k, np.int32), np.empty(k, np.float32)
    n = select_top(scores, candidates, k, rows, best)
    expected = np.lexsort((np.arange(len(values)), -scores))[:k]
    assert n == len(expected)
    np.testing.assert_array_equal(rows[:n], expected)
    np.testing.assert_array_equal(best[:n], scores[expected])


@pytest.mark.parametrize("n", [33, 400, 3000])
@pytest.mark.parametrize("spread", ["few values", "one value apart", "all that float32 holds"])
def test_long_selections_are_in_order_however_their_scores_are_spread(n: int, spread: str) -> None:
    rng = np.random.default_rng(n)
    values = {
        "few values": rng.integers(-2, 3, n) / 2,
        "one value apart": np.where(np.arange(n) == n // 2, 1e30, 1 + rng.random(n) / 1e4),
        "all that float32 holds": np.sign(rng.random(n) - 0.5) * 10.0 ** rng.uniform(-44, 38, n),
    }[spread].astype(np.float32)
    rows, scores = np.empty(n, dtype=np.int32), np.empty(n, dtype=np.float32)
    assert select_top(values.astype(np.float64), rng.permutation(n).astype(np.int32), n, rows, scores) == n
    expected = np.lexsort((np.arange(n), -values))
    np.testing.assert_array_equal(rows, expected)
    np.testing.assert_array_equal(scores, values[expected])


def test_ties_are_decided_after_rounding_to_float32() -> None:
    # 1 + 1e-12 is 1 in float32: the scores that come back are equal, so the lower row is first.
    values = np.array([1.0, 1.0 + 1e-12])
    rows, best = np.empty(2, np.int32), np.empty(2, np.float32)
    select_top(values, np.array([0, 1], dtype=np.int32), 2, rows, best)
    assert rows.tolist() == [0, 1]


@pytest.mark.parametrize("k", [1, 4, 1000])
@pytest.mark.parametrize("drop_self", [False, True])
def test_top_products_are_the_best_of_the_dense_product(k: int, drop_self: bool) -> None:
    a, b = _random((310, 40), 0.1, 1), _random((40, 150), 0.2, 2)
    table = top_products(a, b, k, drop_self=drop_self)
    dense = a.toarray().astype(np.float64) @ b.toarray().astype(np.float64)
    if drop_self:
        np.fill_diagonal(dense, 0.0)
    assert (len(table), table.n_columns) == (310, 150)
    for row in range(310):
        columns, scores = table[row]
        assert columns.tolist() == top(dense[row], k)
        np.testing.assert_array_equal(scores, dense[row, columns].astype(np.float32))


def test_top_products_do_not_depend_on_threads() -> None:
    a, b = _random((700, 60), 0.1, 3), _random((60, 90), 0.2, 4)
    one, many = top_products(a, b, 9, threads=1), top_products(a, b, 9, threads=4)
    np.testing.assert_array_equal(one.neighbours, many.neighbours)
    np.testing.assert_array_equal(one.scores, many.scores)


def test_top_products_leave_out_entries_that_are_not_positive() -> None:
    a = sp.csr_array(np.array([[1.0, -1.0, 2.0]], dtype=np.float32))
    b = sp.csr_array(np.array([[0.0, 3.0], [5.0, 5.0], [0.0, -1.0]], dtype=np.float32))
    table = top_products(a, b, 5)
    assert table.neighbours.tolist() == [1]
    assert table.scores.tolist() == [3.0]

    nothing, nowhere = sp.csr_array(np.zeros((0, 3), np.float32)), sp.csr_array(np.zeros((3, 4), np.float32))
    table = top_products(nothing, nowhere, 2)
    assert (len(table), table.n_columns, len(table.neighbours)) == (0, 4, 0)


def test_top_products_refuse_what_does_not_fit() -> None:
    a, b = _random((3, 4), 0.5, 0), _random((5, 6), 0.5, 0)
    with pytest.raises(DataError, match="a has 4 columns and b 5 rows"):
        top_products(a, b, 3)
    with pytest.raises(ConfigError, match="k is 0"):
        top_products(a, a, 0)


def test_push_skips_the_row_asked_for_and_weights_that_are_not_positive() -> None:
    table = NeighbourTable([0, 2, 4, 5], [0, 2, 1, 2, 0], [2.0, 1.0, 4.0, 1.0, 9.0], n_columns=3)
    lists = np.array([0, 3, 4]), np.array([0, 1, 2, 0], dtype=np.int32), np.array([1.0, 0.5, -1.0, 1.0])
    indptr, rows, scores = push(*lists, table, 5, skip=item_lists([[2], [-1]]))
    assert indptr.tolist() == [0, 2, 4]
    assert rows.tolist() == [0, 1, 0, 2]
    assert scores.tolist() == [2.0, 2.0, 2.0, 1.0]


def test_push_subtracts_the_background_of_the_weight_used() -> None:
    table = NeighbourTable([0, 2, 3], [0, 1, 0], [4.0, 1.0, 2.0], n_columns=2)
    lists = np.array([0, 3]), np.array([0, 1, 1], dtype=np.int32), np.array([1.0, 2.0, 0.0])
    # Column 0 gets 4 + 2 * 2 = 8, less 3 units of weight times 2; column 1 gets 1 less 3: it goes.
    indptr, rows, scores = push(*lists, table, 0, background=np.array([2.0, 1.0], dtype=np.float32))
    assert (indptr.tolist(), rows.tolist(), scores.tolist()) == ([0, 1], [0], [2.0])


def test_push_with_a_background_leaves_nothing_behind_for_the_next_list() -> None:
    rng = np.random.default_rng(5)
    table = csr_table(_random((30, 20), 0.3, 6))
    sources, weights = rng.integers(0, 30, 40).astype(np.int32), rng.random(40)
    background = rng.random(20).astype(np.float32)
    bounds = np.arange(0, 41, 5)
    indptr, rows, scores = push(bounds, sources, weights, table, 4, background=background)
    for i in range(8):
        part = slice(5 * i, 5 * i + 5)
        _, alone, alone_scores = push(np.array([0, 5]), sources[part], weights[part], table, 4, background=background)
        np.testing.assert_array_equal(rows[indptr[i] : indptr[i + 1]], alone)
        np.testing.assert_array_equal(scores[indptr[i] : indptr[i + 1]], alone_scores)


def test_csr_table_sorts_cuts_and_drops() -> None:
    matrix = sp.csr_array(
        np.array([[1.0, 3.0, 0.0, 3.0], [0.0, 0.0, 0.0, 0.0], [-1.0, 0.0, 2.0, 0.5]], dtype=np.float32)
    )
    table = csr_table(matrix, k=2)
    assert table.indptr.tolist() == [0, 2, 2, 4]
    assert table.neighbours.tolist() == [1, 3, 2, 3]
    assert table.scores.tolist() == [3.0, 3.0, 2.0, 0.5]
    assert csr_table(matrix).indptr.tolist() == [0, 3, 3, 5]


@given(st.integers(1, 4), st.integers(0, 1500), st.integers(1, 400), st.integers(1, 10**6), st.integers(0, 99))
def test_top_columns_are_a_sort_cut_short(n: int, width: int, k: int, distinct: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    values = (rng.integers(-distinct, distinct + 1, (n, width)) / 8).astype(np.float32)
    values[values == 0] *= rng.choice([1, -1])  # minus 0 is no less than 0
    values[rng.random((n, width)) < rng.choice([0.0, 0.3, 0.9])] = -np.inf
    indptr, columns, scores = top_columns(values, k)
    assert len(indptr) == n + 1
    for row in range(n):
        expected = np.lexsort((np.arange(width), -values[row]))[: min(k, int(np.isfinite(values[row]).sum()))]
        np.testing.assert_array_equal(columns[indptr[row] : indptr[row + 1]], expected)
        np.testing.assert_array_equal(scores[indptr[row] : indptr[row + 1]], values[row, expected])


@pytest.mark.parametrize("order", [1, -1])
def test_top_columns_of_rows_whose_best_stand_together_or_are_all_equal(order: int) -> None:
    values = np.stack([np.arange(9000), np.zeros(9000), np.arange(9000) // 3000]).astype(np.float32)[:, ::order]
    indptr, columns, _ = top_columns(np.ascontiguousarray(values), 30)
    for row in range(3):
        expected = np.lexsort((np.arange(9000), -values[row]))[:30]
        np.testing.assert_array_equal(columns[indptr[row] : indptr[row + 1]], expected)


def test_a_long_selection_parts_its_buffer_many_times() -> None:
    values = np.arange(5000, dtype=np.float64)  # ascending: every value is the best so far
    rows, best = np.empty(7, np.int32), np.empty(7, np.float32)
    assert select_top(values, np.arange(5000, dtype=np.int32), 7, rows, best) == 7
    assert rows.tolist() == list(range(4999, 4992, -1))


def test_push_leaves_out_what_is_skipped_or_not_allowed() -> None:
    table = csr_table(_random((30, 20), 0.6, 6))
    rng = np.random.default_rng(1)
    lists = np.arange(0, 41, 5), rng.integers(0, 30, 40).astype(np.int32), rng.random(40)
    allowed = rng.random(20) < 0.8
    skip = item_lists([rng.choice(20, size=4, replace=False) for _ in range(8)])
    whole, found = push(*lists, table, 0), push(*lists, table, 5, skip=skip, allowed=allowed)
    for i in range(8):
        every = whole[1][whole[0][i] : whole[0][i + 1]]
        expected = [c for c in every.tolist() if allowed[c] and c not in skip[i][0]][:5]
        assert found[1][found[0][i] : found[0][i + 1]].tolist() == expected


@pytest.mark.parametrize("density", [0.02, 0.2, 0.9])
@pytest.mark.parametrize("signs", [False, True])
def test_push_gives_the_same_whether_few_columns_are_touched_or_most(density: float, signs: bool) -> None:
    rng = np.random.default_rng(3)
    scores = np.where(rng.random((30, 40)) < density, rng.integers(-2 if signs else 1, 4, (30, 40)) / 2, 0.0)
    matrix = sp.csr_array(scores.astype(np.float32))
    narrow = NeighbourTable(matrix.indptr, matrix.indices, matrix.data, n_columns=40)
    # The same entries in a table so wide that they are few for it.
    wide = NeighbourTable(matrix.indptr, matrix.indices, matrix.data, n_columns=100_000)
    bounds, sources = np.arange(0, 41, 5), rng.integers(0, 30, 40).astype(np.int32)
    weights = rng.integers(-1, 4, 40) / 2
    background = np.where(rng.random(100_000) < 0.5, np.float32(0.25), np.float32(0))
    allowed = rng.random(100_000) < 0.8
    skip = item_lists([rng.choice(40, size=4, replace=False) for _ in range(8)])
    answers = [
        push(bounds, sources, weights, table, 7, skip=skip, allowed=allowed[:width], background=background[:width])
        for table, width in ((narrow, 40), (wide, 100_000))
    ]
    for narrow_part, wide_part in zip(*answers, strict=True):
        np.testing.assert_array_equal(narrow_part, wide_part)
    expected = [
        sum(max(w, 0.0) * np.maximum(scores[s], 0.0) - max(w, 0.0) * background[:40] for s, w in zip(i, v, strict=True))
        for i, v in zip(sources.reshape(8, 5), weights.reshape(8, 5), strict=True)
    ]
    for i, values in enumerate(expected):
        touched = np.any(
            [scores[s] * w > 0 for s, w in zip(sources[5 * i :][:5], weights[5 * i :][:5], strict=True)], 0
        )
        legal = np.flatnonzero(allowed[:40] & (values > 0) & touched & ~np.isin(np.arange(40), skip[i][0]))
        best = sorted(legal.tolist(), key=lambda c: (-values[c], c))[:7]
        assert answers[0][1][answers[0][0][i] : answers[0][0][i + 1]].tolist() == best
