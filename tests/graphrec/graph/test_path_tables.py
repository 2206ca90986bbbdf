"""Products of sparse tables beside dense ones, with the best middle of every entry."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from graphrec.graph.path_tables import edge_table, nodes_between, product, rows_to_one
from graphrec.threads import at_most
from tests.oracles.sparse import Dense


def matrices(n: int, m: int) -> st.SearchStrategy[Dense]:
    """Return (n, m) arrays of small whole numbers, half of them 0."""
    rows = st.lists(st.sampled_from([0, 0, 0, 1, 2, 3]), min_size=m, max_size=m)
    return st.lists(rows, min_size=n, max_size=n).map(lambda values: np.array(values, dtype=np.float64))


@settings(max_examples=40, deadline=None)
@given(matrices(4, 6), matrices(6, 5), matrices(5, 4), st.integers(1, 6))
def test_products_keep_the_best_entries_and_the_best_path_of_each(a: Dense, b: Dense, c: Dense, k: int) -> None:
    first = product(edge_table(sp.csr_array(a)), edge_table(sp.csr_array(b)), 100)
    table = product(first, edge_table(sp.csr_array(c)), k)
    dense, paths = a @ b @ c, np.einsum("ix,xy,yj->ijxy", a, b, c)
    for i in range(4):
        here = slice(table.indptr[i], table.indptr[i + 1])
        columns = table.columns[here]
        expected = np.lexsort((np.arange(4), -dense[i]))[: min(k, np.count_nonzero(dense[i]))]
        np.testing.assert_array_equal(columns, expected)
        np.testing.assert_array_equal(table.scores[here], dense[i, columns])
        between = nodes_between(table, np.full(len(columns), i, np.int32), columns)
        for place, (x, y) in enumerate(between):
            assert paths[i, columns[place], x, y] == paths[i, columns[place]].max() == table.best[here][place]


@settings(max_examples=20, deadline=None)
@given(matrices(5, 6), matrices(5, 6))
def test_a_reversed_table_is_the_transposed_one(a: Dense, b: Dense) -> None:
    left, right = edge_table(sp.csr_array(a)), edge_table(sp.csr_array(b))
    table = product(left, right, 3, right_reversed=True, drop_self=True)
    other = product(left, edge_table(sp.csr_array(b.T)), 3, drop_self=True)
    for ours, theirs in ((table.columns, other.columns), (table.scores, other.scores), (table.middles, other.middles)):
        np.testing.assert_array_equal(ours, theirs)
    assert not (table.columns == np.repeat(np.arange(5), np.diff(table.indptr))).any()


def test_rows_sum_to_one_and_threads_play_no_part() -> None:
    rng = np.random.default_rng(1)
    a, b = (sp.csr_array(sp.random_array((600, 600), density=0.02, rng=rng)) for _ in range(2))
    tables = []
    for threads in (1, 2):
        with at_most(threads):
            tables.append(rows_to_one(product(edge_table(a), edge_table(b), 20)))
    np.testing.assert_array_equal(tables[0].scores, tables[1].scores)
    np.testing.assert_array_equal(tables[0].middles, tables[1].middles)
    rows = np.repeat(np.arange(600), np.diff(tables[0].indptr))
    sums = np.bincount(rows, weights=tables[0].scores, minlength=600)
    np.testing.assert_allclose(sums[sums > 0], 1.0, rtol=1e-5)
