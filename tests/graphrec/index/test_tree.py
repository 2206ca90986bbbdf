from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphrec.errors import BundleError, ConfigError, DataError
from graphrec.index import ExactIndex, TreeIndex, audit, load_index
from graphrec.index.tree import first_tree_level, mean_nodes, node_of, tree_depth, tree_order
from tests.contracts.index import IndexContract

FloatArray = npt.NDArray[np.float32]


def planted(matrix: FloatArray, beam: int, leaf: int = 2) -> TreeIndex:
    """Return a tree whose nodes are the means of their rows."""
    depth = tree_depth(len(matrix), leaf)
    order = tree_order(matrix, depth)
    return TreeIndex(matrix, order, mean_nodes(matrix, order, first_tree_level(beam, depth), depth), beam)


class TestTree(IndexContract):
    make = staticmethod(lambda matrix, _metric: planted(matrix, 120))
    least_recall = 0.8
    metrics = ("ip",)


class TestTreeOfLeaves(TestTree):
    make = staticmethod(lambda matrix, _metric: planted(matrix, 30, leaf=7))


def clusters(n: int, dim: int, seed: int) -> FloatArray:
    """Return rows around 32 centres."""
    rng = np.random.default_rng(seed)
    centres = np.random.default_rng(99).normal(size=(32, dim))
    return (centres[rng.integers(0, 32, n)] + rng.normal(size=(n, dim)) * 0.3).astype(np.float32)


@settings(max_examples=60, deadline=None)
@given(n=st.integers(1, 300), level=st.integers(0, 10))
def test_nodes_part_the_places_of_every_level(n: int, level: int) -> None:
    places = np.arange(n)
    nodes = node_of(places, level, n)
    assert (nodes >= 0).all()
    assert (nodes < 1 << level).all()
    starts, stops = nodes * n >> level, (nodes + 1) * n >> level
    assert ((starts <= places) & (places < stops)).all()
    np.testing.assert_array_equal(node_of(places, level + 1, n) // 2, nodes)
    sizes = np.bincount(nodes, minlength=1 << level)
    assert sizes.max() - sizes.min() <= 1
    for leaf in (2, 3, 8):
        assert np.bincount(node_of(places, max(tree_depth(n, leaf) - 1, 0), n)).max() <= leaf


def slow_beam(tree: TreeIndex, query: FloatArray, width: int) -> tuple[list[int], int]:
    """Return the rows that a beam ends in, and the products it took, the obvious way."""
    n, depth, first = len(tree), tree._depth, first_tree_level(tree.beam, tree._depth)
    level, products = first, 0
    while level < depth and 2**level <= width:
        level += 1
    beam = list(range(2**level))
    while True:
        if level == depth:
            rows = [row for p in beam for row in tree._order[p * n // 2**level : (p + 1) * n // 2**level].tolist()]
            return rows, products + len(rows)
        products += len(beam)
        score = {p: float(tree._nodes[2**level - 2**first + p] @ query) for p in beam}
        best = sorted(beam, key=lambda p: (-score[p], p))[:width]
        beam = [child for p in sorted(best) for child in (2 * p, 2 * p + 1)]
        level += 1


@pytest.mark.parametrize(
    ("n", "beam", "k", "leaf", "width"),
    [(37, 3, 2, 2, 4), (300, 10, 4, 2, 10), (301, 8, 30, 2, 52), (1000, 1, 1, 2, 2), (301, 8, 30, 5, 13),
     (1000, 3, 2, 9, 3), (100, 40, 3, 30, 40)],
)  # fmt: skip
def test_a_beam_keeps_the_best_nodes_of_each_level(n: int, beam: int, k: int, leaf: int, width: int) -> None:
    matrix, queries = clusters(n, 7, 1), clusters(6, 7, 2)
    tree = planted(matrix, beam, leaf)
    for query, (rows, scores), products in zip(
        queries, tree.search(queries, k), tree.products(queries, k), strict=True
    ):
        reached, taken = slow_beam(tree, query, width)
        exact = matrix[reached] @ query
        expected = np.array(reached)[np.lexsort((reached, -exact))][:k]
        assert rows.tolist() == expected.tolist()
        np.testing.assert_allclose(scores, np.sort(exact)[::-1][:k], rtol=1e-5)
        assert products == taken


def test_a_cut_puts_what_is_near_together() -> None:
    rng = np.random.default_rng(0)
    group = rng.permutation(np.repeat(np.arange(8), 32))
    matrix = (np.eye(8)[group] + rng.normal(size=(256, 8)) * 0.01).astype(np.float32)
    order = tree_order(matrix, 8)
    assert sorted(order.tolist()) == list(range(256))
    assert all(len(np.unique(part)) == 1 for part in group[order].reshape(8, 32))


def test_means_are_those_of_the_rows_below() -> None:
    matrix = clusters(45, 5, 3)
    order = tree_order(matrix, 6)
    nodes = mean_nodes(matrix, order, 2, 6)
    assert nodes.shape == (2**6 - 4, 5)
    for level, p in [(2, 0), (2, 3), (4, 9), (5, 31)]:
        below = order[p * 45 // 2**level : (p + 1) * 45 // 2**level]
        np.testing.assert_allclose(nodes[2**level - 4 + p], matrix[below].mean(axis=0), rtol=1e-4, atol=1e-5)


def test_few_nodes_find_most_of_what_is_greatest() -> None:
    matrix, queries = clusters(5000, 16, 5), clusters(50, 16, 6)
    tree = planted(matrix, 50)
    assert audit(tree, queries, 10, matrix=matrix) > 0.9
    assert tree.products(queries, 10).mean() < 800


def test_parts_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    matrix = clusters(40, 4, 0)
    order, tree = tree_order(matrix, 6), planted(matrix, 4)
    nodes = mean_nodes(matrix, order, 3, 6)
    twice = np.where(order == 3, 4, order).astype(np.int32)
    for wrong in (order[1:], twice, order - 1, order + 1):
        with pytest.raises(DataError, match="holds each of its 40 rows once"):
            TreeIndex(matrix, wrong, nodes, 4)
    for wrong_nodes in (nodes[1:], nodes[:, 1:], nodes[None]):
        with pytest.raises(DataError, match=r"2\^depth - 2\^3 for a depth of at most 6"):
            TreeIndex(matrix, order, wrong_nodes, 4)
    with pytest.raises(DataError, match="nodes"):
        TreeIndex(matrix, order, nodes * np.float32(np.nan), 4)
    with pytest.raises(ConfigError, match="beam"):
        TreeIndex(matrix, order, nodes, 0)
    tree.save(tmp_path)
    assert isinstance(load_index(tmp_path, matrix), TreeIndex)
    np.save(tmp_path / "tree-order.npy", twice)
    with pytest.raises(BundleError, match="holds each of its 40 rows once"):
        load_index(tmp_path, matrix)
    np.save(tmp_path / "tree-order.npy", order.astype(np.int64))
    with pytest.raises(BundleError, match=r"tree-order\.npy holds int64"):
        load_index(tmp_path, matrix)
    np.save(tmp_path / "tree-order.npy", order)
    sidecar = (tmp_path / "index.json").read_text(encoding="utf-8")
    for beam, sentence in ((0, "beam"), (9, "for all nodes"), (10**9, "for all nodes")):
        (tmp_path / "index.json").write_text(sidecar.replace('"ef_search": 4', f'"ef_search": {beam}'))
        with pytest.raises(BundleError, match=sentence):
            load_index(tmp_path, matrix)


def test_a_tree_of_few_rows_is_scanned() -> None:
    for n in (0, 1, 2, 5):
        matrix = clusters(n, 3, 0)
        found, exact = planted(matrix, 8).search(clusters(3, 3, 1), 4), ExactIndex(matrix, "ip")
        assert found.items.tolist() == exact.search(clusters(3, 3, 1), 4).items.tolist()
