from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

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
from graphrec.index.sketch import choose_sketch, sketch_rows
from tests.close import assert_same_lists
from tests.contracts.index import IndexContract

FloatArray = npt.NDArray[np.float32]


def make(matrix: FloatArray, metric: str) -> QuantisedIndex:
    """Return an index with a sketch, worth it or not; most axes lead, for the worlds have no long ones."""
    checked = ExactIndex(matrix, metric)  # says what is wrong with the matrix
    rows = _sketched(matrix, checked.metric)
    return QuantisedIndex(matrix, metric, sketch_rows(rows, checked.dim - 2, candidates=250, finalists=60, depth=20))


class TestQuantised(IndexContract):
    make = staticmethod(make)
    least_recall = 0.99


def decaying(n: int, dim: int, seed: int) -> FloatArray:
    """Return rows whose spread falls from axis to axis, turned at random: what factors look like."""
    rng = np.random.default_rng(seed)
    basis, _ = np.linalg.qr(rng.normal(size=(dim, dim)))
    rows = rng.normal(size=(n, dim)) * (np.arange(1, dim + 1) ** -0.7) * rng.lognormal(0, 0.5, size=(n, 1))
    return np.ascontiguousarray(rows @ basis.T, dtype=np.float32)


@settings(max_examples=40, deadline=None)
@given(
    n=st.integers(2, 60), dim=st.integers(1, 20), seed=st.integers(0, 99), lead=st.floats(0, 1), constant=st.booleans()
)
def test_a_row_that_is_far_ahead_is_found_with_its_exact_score(
    n: int, dim: int, seed: int, lead: float, constant: bool
) -> None:
    matrix, vectors = decaying(n, dim, seed), decaying(5, dim, seed + 1)
    if constant:
        matrix[:] = matrix[0]  # one axis is all there is
    base = np.random.default_rng(seed).normal(size=(5, n)).astype(np.float32)
    base[:, 0] = -np.inf
    exact = base + vectors @ matrix.T
    whole = sketch_rows(matrix, max(1, int(lead * dim)), candidates=n, finalists=1, depth=1)
    rows, scores = whole.shortlist(matrix, vectors, base, 1)
    np.testing.assert_allclose(scores[:, 0], exact[np.arange(5), rows[:, 0]], rtol=1e-4, atol=1e-4)
    # A coordinate is off by half a step at most; a step is 1/127 of the row's longest, in units of the axis.
    off = 2 * 0.5 * float(whole.steps.max()) * np.abs(vectors @ whole.axes).sum(axis=1) + 1e-3
    assert (scores[:, 0] >= exact.max(axis=1) - off).all()


def test_leading_axes_are_those_of_the_longest_spread() -> None:
    matrix = np.zeros((50, 3), dtype=np.float32)
    matrix[:, 1], matrix[:, 0] = np.linspace(-9, 9, 50), np.linspace(1, -1, 50) ** 2
    part = sketch_rows(matrix, 1, candidates=4, finalists=2, depth=1)
    assert (np.abs(part.axes) > 0.01).tolist() == [[False, True, False], [True, False, False], [False, False, False]]
    rows, scores = part.shortlist(matrix, np.array([[0, 2, 5]], np.float32), np.zeros((1, 50), np.float32), 1)
    assert rows.tolist() == [[48, 49]]
    np.testing.assert_allclose(scores, [2 * matrix[48:, 1]], rtol=1e-6)


def test_an_audit_reads_less_and_misses_little(monkeypatch: pytest.MonkeyPatch) -> None:
    matrix, queries = decaying(12_000, 160, 3), decaying(300, 160, 4)
    index = build_quantised(matrix, metric="ip", queries=queries[:200], seed=0)
    assert isinstance(index, QuantisedIndex)
    assert index.sketch.cost(400) < 4 * matrix.size / 2
    for k in (20, 200, 800):
        assert audit(index, queries[200:], k, matrix=matrix) > 0.99
    skip = item_lists([np.random.default_rng(i).choice(12_000, 50 * i, replace=False) for i in range(100)])
    together = index.search(queries[200:], 300, skip=skip)
    monkeypatch.setattr(quantised, "_CHUNK_QUERIES", 7)
    again = index.search(queries[200:], 300, skip=skip)
    assert_same_lists(again, together)


def test_choosing_many_candidates_costs_more_than_reading_all_axes() -> None:
    # 100,000 rows without leading directions, as measured: 2.3 ms by half of the axes, 1.2 ms by all.
    every = sketch._cost(100_000, 128, 128, candidates=500, finalists=500)
    assert every < sketch._cost(100_000, 128, 64, candidates=22_000, finalists=500)
    assert every > sketch._cost(100_000, 128, 64, candidates=2_000, finalists=500)


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
    assert_same_lists(again.search(matrix[:40], 100), answer)


def test_what_is_small_or_has_no_leading_axes_is_scanned_exactly(monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(build_quantised(decaying(900, 64, 0), metric="ip", seed=0), ExactIndex)
    assert choose_sketch(decaying(12_000, 96, 0), np.zeros((5, 96), dtype=np.float32)) is None
    assert choose_sketch(decaying(12_000, 96, 0), decaying(20, 96, 1)) is not None
    monkeypatch.setattr(sketch, "_WORTH", 0.05)
    assert choose_sketch(decaying(12_000, 96, 0), decaying(20, 96, 1)) is None


def test_parts_that_do_not_fit_are_refused() -> None:
    whole = sketch_rows(decaying(30, 5, 0), 4, candidates=9, finalists=7, depth=3)
    arrays: list[dict[str, Any]] = [
        {"axes": whole.axes[:, 1:]},
        {"leading": whole.leading[:, 1:]},
        {"others": whole.others[1:]},
        {"steps": whole.steps[1:]},
    ]
    for wrong in arrays:
        with pytest.raises(DataError, match="do not fit"):
            replace(whole, **wrong)
    numbers: list[dict[str, Any]] = [{"candidates": 6}, {"finalists": 2}, {"depth": 0}]
    for wrong in numbers:
        with pytest.raises(DataError, match="these numbers must not rise"):
            replace(whole, **wrong)
    with pytest.raises(DataError, match="steps of a sketch"):
        replace(whole, steps=whole.steps * np.float32(np.nan))


def test_damaged_files_are_refused(tmp_path: Path) -> None:
    matrix = decaying(60, 7, 0)
    make(matrix, "ip").save(tmp_path)
    whole = (tmp_path / "sketch.json").read_text(encoding="utf-8")
    for text in ("", "[]", '{"candidates": 5}', whole.replace('"depth": 20', '"depth": 90')):
        (tmp_path / "sketch.json").write_text(text, encoding="utf-8")
        with pytest.raises(BundleError, match="rebuild the index"):
            load_index(tmp_path, matrix)
    (tmp_path / "sketch.json").write_text(whole, encoding="utf-8")
    codes = np.load(tmp_path / "sketch-leading.npy")
    np.save(tmp_path / "sketch-leading.npy", codes.astype(np.int16))
    with pytest.raises(BundleError, match=r"sketch-leading\.npy"):
        load_index(tmp_path, matrix)
    np.save(tmp_path / "sketch-leading.npy", codes[1:])
    with pytest.raises(BundleError, match="do not fit"):
        load_index(tmp_path, matrix)
    sketch_rows(matrix[:, 1:], 6, candidates=9, finalists=5, depth=3).save(tmp_path)
    with pytest.raises(BundleError, match="the sketch is of 60 rows of dim 6, the matrix has 60 of 7"):
        load_index(tmp_path, matrix)
