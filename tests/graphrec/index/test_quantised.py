from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphrec.data.lists import item_lists
from graphrec.errors import BundleError, DataError
from graphrec.index import (
    ExactIndex,
    QuantisedIndex,
    audit,
    build_index,
    build_quantised,
    load_index,
    quantised,
    sketch,
)
from graphrec.index.quantised import _sketched
from graphrec.index.sketch import Sketch, choose_sketch, sketch_rows
from tests.contracts.index import IndexContract

FloatArray = npt.NDArray[np.float32]


def make(matrix: FloatArray, metric: str) -> QuantisedIndex:
    """Return an index with a sketch of all axes, whether or not it is worth it."""
    checked = ExactIndex(matrix, metric)  # says what is wrong with the matrix
    rows = _sketched(matrix, checked.metric)
    return QuantisedIndex(matrix, metric, sketch_rows(rows, checked.dim, candidates=30, depth=20))


class TestQuantised(IndexContract):
    make = staticmethod(make)
    least_recall = 0.99


def decaying(n: int, dim: int, seed: int) -> FloatArray:
    """Return rows whose spread falls from axis to axis, turned at random: what factors look like."""
    rng = np.random.default_rng(seed)
    basis, _ = np.linalg.qr(rng.normal(size=(dim, dim)))
    rows = rng.normal(size=(n, dim)) * (np.arange(1, dim + 1) ** -0.7) * rng.lognormal(0, 0.5, size=(n, 1))
    return np.ascontiguousarray(rows @ basis.T, dtype=np.float32)


@settings(max_examples=30, deadline=None)
@given(n=st.integers(1, 60), dim=st.integers(1, 20), seed=st.integers(0, 99), constant=st.booleans())
def test_products_by_a_whole_sketch_are_near_the_true_ones(n: int, dim: int, seed: int, constant: bool) -> None:
    matrix = decaying(n, dim, seed)
    if constant:
        matrix[:] = matrix[0]  # one axis is all there is
    vectors = decaying(5, dim, seed + 1)
    scores = np.ones((5, n), dtype=np.float32)
    sketch_rows(matrix, dim, candidates=1, depth=1).add_products(vectors, scores)
    exact = 1 + vectors @ matrix.T
    # Each coordinate is off by half a step at most, and a step is 1/127 of the longest.
    lengths = np.sqrt((matrix.astype(np.float64) ** 2).sum(axis=0)).max() * np.abs(vectors).sum(axis=1).max()
    np.testing.assert_allclose(scores, exact, atol=0.5 / 127 * dim * lengths + 1e-4)


def test_leading_axes_are_those_of_the_longest_spread() -> None:
    matrix = np.zeros((50, 3), dtype=np.float32)
    matrix[:, 1], matrix[:, 0] = np.linspace(-9, 9, 50), np.linspace(1, -1, 50) ** 2
    part = sketch_rows(matrix, 1, candidates=1, depth=1)
    scores = np.zeros((1, 50), dtype=np.float32)
    part.add_products(np.array([[0, 2, 5]], dtype=np.float32), scores)
    assert (np.abs(part.axes[:, 0]) > 0.01).tolist() == [False, True, False]
    np.testing.assert_allclose(scores[0], 2 * matrix[:, 1], atol=0.1)


def test_an_audit_reads_less_and_misses_little(monkeypatch: pytest.MonkeyPatch) -> None:
    matrix, queries = decaying(12_000, 160, 3), decaying(300, 160, 4)
    index = build_quantised(matrix, metric="ip", queries=queries[:200], seed=0)
    assert isinstance(index, QuantisedIndex)
    assert index.sketch.bytes_read(400) < 4 * matrix.size / 2
    for k in (20, 200, 800):
        assert audit(index, queries[200:], k, matrix=matrix) > 0.99
    skip = item_lists([np.random.default_rng(i).choice(12_000, 50 * i, replace=False) for i in range(100)])
    together = index.search(queries[200:], 300, skip=skip)
    monkeypatch.setattr(quantised, "_CHUNK_QUERIES", 7)
    again = index.search(queries[200:], 300, skip=skip)
    assert together.items.tobytes() == again.items.tobytes()
    assert together.scores.tobytes() == again.scores.tobytes()


@pytest.mark.parametrize("metric", ["cosine", "ip", "l2"])
def test_scores_of_a_built_index_are_those_of_the_rows(metric: str, tmp_path: Path) -> None:
    matrix = decaying(9_000, 130, 1)
    index = build_index(matrix, "quantised", metric, seed=0)
    assert isinstance(index, QuantisedIndex)
    answer, exact = index.search(matrix[:40], 100), ExactIndex(matrix, metric).search(matrix[:40], 9_000)
    for (rows, scores), (true_rows, true_scores) in zip(answer, exact, strict=True):
        expected = np.empty(9_000)
        expected[true_rows] = true_scores
        np.testing.assert_allclose(scores, expected[rows], rtol=1e-4, atol=1e-4)
    index.save(tmp_path)
    again = load_index(tmp_path, matrix)
    assert again.search(matrix[:40], 100).items.tobytes() == answer.items.tobytes()


def test_what_is_small_or_has_no_leading_axes_is_scanned_exactly(monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(build_quantised(decaying(900, 64, 0), metric="ip", seed=0), ExactIndex)
    assert choose_sketch(decaying(12_000, 96, 0), np.zeros((5, 96), dtype=np.float32)) is None
    assert choose_sketch(decaying(12_000, 96, 0), decaying(20, 96, 1)) is not None
    monkeypatch.setattr(sketch, "_WORTH", 0.05)
    assert choose_sketch(decaying(12_000, 96, 0), decaying(20, 96, 1)) is None


def test_parts_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    whole = sketch_rows(decaying(30, 5, 0), 4, candidates=9, depth=3)
    with pytest.raises(DataError, match="do not fit"):
        Sketch(whole.axes[:, 1:], whole.codes, whole.steps, 9, 3)
    with pytest.raises(DataError, match="do not fit"):
        Sketch(whole.axes, whole.codes, whole.steps[1:], 9, 3)
    with pytest.raises(DataError, match="2 candidates for 3 rows"):
        Sketch(whole.axes, whole.codes, whole.steps, 2, 3)
    with pytest.raises(DataError, match="steps of a sketch"):
        Sketch(whole.axes, whole.codes, whole.steps * np.float32(np.nan), 9, 3)


def test_damaged_files_are_refused(tmp_path: Path) -> None:
    matrix = decaying(60, 7, 0)
    make(matrix, "ip").save(tmp_path)
    whole = (tmp_path / "sketch.json").read_text()
    for text in ("", "[]", '{"candidates": 5}', '{"candidates": 1, "depth": 5}'):
        (tmp_path / "sketch.json").write_text(text)
        with pytest.raises(BundleError, match="rebuild the index"):
            load_index(tmp_path, matrix)
    (tmp_path / "sketch.json").write_text(whole)
    codes = np.load(tmp_path / "sketch-codes.npy")
    np.save(tmp_path / "sketch-codes.npy", codes.astype(np.int16))
    with pytest.raises(BundleError, match=r"sketch-codes\.npy"):
        load_index(tmp_path, matrix)
    np.save(tmp_path / "sketch-codes.npy", codes[1:])
    with pytest.raises(BundleError, match="do not fit"):
        load_index(tmp_path, matrix)
    sketch_rows(matrix[:, 1:], 6, candidates=9, depth=3).save(tmp_path)
    with pytest.raises(BundleError, match="the sketch is of 60 rows of dim 6, the matrix has 60 of 7"):
        load_index(tmp_path, matrix)
