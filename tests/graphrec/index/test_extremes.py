"""Vectors and weights of extreme size: cosines come out right, what float32 cannot hold is refused."""

from __future__ import annotations

import numpy as np
import pytest

from graphrec.checks import as_array, check_weights
from graphrec.data.sequences import Sequences
from graphrec.errors import DataError
from graphrec.index import ExactIndex, build_hnsw, load_index
from graphrec.index.protocol import Index
from graphrec.index.quantised import QuantisedIndex
from graphrec.index.sketch import sketch_rows

MAKERS = ("exact", "hnsw", "quantised")
N, DIM = 40, 6


def make(kind: str, matrix: np.ndarray, metric: str = "cosine") -> Index:
    if kind == "exact":
        return ExactIndex(matrix, metric)
    if kind == "hnsw":
        return build_hnsw(matrix, metric=metric, seed=1)
    unit = ExactIndex(matrix, metric)._matrix
    return QuantisedIndex(matrix, metric, sketch_rows(unit, 3, candidates=N, finalists=N, depth=N))


def rows(seed: int = 2) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(N, DIM)).astype(np.float32)


def lengths(kind: str) -> np.ndarray:
    draw = np.random.default_rng(5)
    powers = {"short": (-37, -20), "long": (20, 37), "mixed": (-37, 37)}[kind]
    return (10.0 ** draw.uniform(*powers, size=N))[:, None]


@pytest.mark.parametrize("kind", MAKERS)
@pytest.mark.parametrize("size", ["short", "long", "mixed"])
def test_a_cosine_does_not_depend_on_lengths(kind: str, size: str) -> None:
    plain, queries = rows(), rows(9)[:5]
    stretched = (plain.astype(np.float64) * lengths(size)).astype(np.float32)
    index = make(kind, stretched)
    truth = (plain / np.linalg.norm(plain, axis=1)[:, None]) @ (queries / np.linalg.norm(queries, axis=1)[:, None]).T
    for factor in (1.0, 1e-30, 1e30):
        lists = index.search((queries.astype(np.float64) * factor).astype(np.float32), 8)
        for query, (items, scores) in enumerate(lists):
            assert len(set(items.tolist())) == 8
            np.testing.assert_allclose(scores, np.sort(truth[:, query])[::-1][:8], atol=2e-3)
            np.testing.assert_allclose(scores, truth[items, query], atol=2e-3)


@pytest.mark.parametrize("kind", MAKERS)
def test_what_was_brought_near_one_is_saved_and_loaded(kind: str, tmp_path) -> None:  # type: ignore[no-untyped-def]
    stretched = (rows().astype(np.float64) * lengths("mixed")).astype(np.float32)
    index = make(kind, stretched)
    index.save(tmp_path)
    again = load_index(tmp_path, stretched)
    queries = rows(9)[:3]
    for (items, scores), (loaded, other) in zip(index.search(queries, 5), again.search(queries, 5), strict=True):
        assert items.tolist() == loaded.tolist()
        np.testing.assert_allclose(scores, other, atol=1e-6)


@pytest.mark.parametrize("kind", MAKERS)
@pytest.mark.parametrize("metric", ["ip", "l2"])
def test_products_and_distances_that_would_leave_float32_are_refused(kind: str, metric: str) -> None:
    matrix = rows()
    matrix[3, 2] = 1e20
    with pytest.raises(DataError, match=rf"matrix\[3\] holds 1e\+20; under '{metric}' values are at most 1e\+15"):
        make(kind, matrix, metric)
    with pytest.raises(DataError, match=r"vectors\[0\] holds 2e\+16"):
        make(kind, rows(), metric).search(np.full((1, DIM), 2e16, np.float32), 3)


def test_short_vectors_are_found_by_their_products() -> None:
    matrix, queries = (rows() * np.float32(1e-25)), rows(9)[:5]
    lists = build_hnsw(matrix, metric="ip", seed=1).search(queries, 6)
    exact = ExactIndex(matrix, "ip").search(queries, 6)
    same = [len(np.intersect1d(a, b)) for (a, _), (b, _) in zip(lists, exact, strict=True)]
    assert np.mean(same) > 5


@pytest.mark.parametrize("value", [1e39, -1e300])
def test_a_number_that_would_become_infinite_is_refused(value: float) -> None:
    with pytest.raises(DataError, match=r"float32 holds up to 3\.4e\+38"):
        as_array([1.0, value], np.float32, name="weights")
    assert np.isinf(as_array([np.inf], np.float32, name="weights")).all()


@pytest.mark.parametrize("value", [1e16, -3e38])
def test_a_weight_whose_square_would_leave_float32_is_refused(value: float) -> None:
    with pytest.raises(DataError, match=r"weights\[1\] is .*; a weight is at most 1e\+15 either way"):
        Sequences([0, 2], [0, 1], [1.0, value])
    check_weights(np.array([1e15, -1e15, 0.0]), name="weights")
