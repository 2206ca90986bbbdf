"""Fold-in beside the normal equations, written out densely."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from graphrec.errors import DataError
from graphrec.recallers import fold_in
from graphrec.recallers.fold_in import FoldIn, diagonal_basis, gram_matrix, turn
from tests.oracles.behaviour import als_half_step


def drawn(
    seed: int, n_users: int, n_items: int, dim: int, share: float
) -> tuple[sp.csr_array, npt.NDArray[np.float32]]:
    """Return random weights (n_users, n_items) and item vectors (n_items, dim), none of them zero."""
    rng = np.random.default_rng(seed)
    dense = np.where(rng.random((n_users, n_items)) < share, rng.uniform(0.5, 3.0, (n_users, n_items)), 0)
    return sp.csr_array(dense.astype(np.float32)), rng.normal(size=(n_items, dim)).astype(np.float32)


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 1000),
    n_items=st.integers(1, 60),
    dim=st.integers(1, 13),
    share=st.floats(0, 1),
    exponent=st.sampled_from([0.0, 0.5, 1.0]),
)
def test_it_solves_the_normal_equations(seed: int, n_items: int, dim: int, share: float, exponent: float) -> None:
    taste, items = drawn(seed, 7, n_items, dim, share)
    basis, values = diagonal_basis(items)
    turned = turn(items, basis)
    folded = FoldIn((0.3 * values).astype(np.float32), 0.2, exponent, 0.3 * n_items)
    found = folded.vectors(taste.indptr, taste.indices, taste.data, turned)
    expected = als_half_step(
        taste.toarray().astype(np.float64),
        items.astype(np.float64),
        unobserved_weight=0.3,
        regularisation=0.2,
        frequency_exponent=exponent,
    )
    # In another basis the vectors differ; their products with the items do not.
    np.testing.assert_allclose(found @ turned.T, expected @ items.T, rtol=1e-3, atol=1e-3)


def test_turned_vectors_have_a_diagonal_gram_matrix_and_the_same_products() -> None:
    _, items = drawn(1, 2, 70, 9, 0.5)
    np.testing.assert_allclose(gram_matrix(items), items.T.astype(np.float64) @ items, rtol=1e-5, atol=1e-5)
    basis, values = diagonal_basis(items)
    turned = turn(items, basis)
    np.testing.assert_allclose(turned, items @ basis, atol=1e-5)
    np.testing.assert_allclose(gram_matrix(turned), np.diag(values), atol=1e-4)
    np.testing.assert_allclose(turned @ turned.T, items @ items.T, rtol=1e-4, atol=1e-4)


def test_steps_end_where_the_exact_solution_is() -> None:
    taste, items = drawn(3, 5, 80, 10, 0.9)
    basis, values = diagonal_basis(items)
    turned = turn(items, basis)
    folded = FoldIn((0.1 * values).astype(np.float32), 0.5, 1.0, 8.0)
    exact = folded.vectors(taste.indptr, taste.indices, taste.data, turned)
    stepped, far = np.zeros_like(exact), []
    for _ in range(30):
        folded.improve(stepped, taste.indptr, taste.indices, taste.data, turned, steps=2)
        far.append(float(np.abs(stepped - exact).max()))
    assert far[0] > 1e-3
    assert far[-1] < 1e-4


def test_neither_threads_nor_other_queries_change_a_vector(monkeypatch: pytest.MonkeyPatch) -> None:
    taste, items = drawn(5, 50, 40, 6, 0.2)
    folded = FoldIn(np.ones(6, np.float32), 0.1, 1.0, 2.0)
    together = folded.vectors(taste.indptr, taste.indices, taste.data, items)
    alone = taste[[17]]
    single = folded.vectors(alone.indptr, alone.indices, alone.data, items)
    np.testing.assert_allclose(single[0], together[17], rtol=1e-5, atol=1e-6)
    monkeypatch.setattr("graphrec.threads.default_threads", lambda: 3)
    monkeypatch.setattr(fold_in, "_CHUNK", 4)
    again = folded.vectors(taste.indptr, taste.indices, taste.data, items)
    np.testing.assert_allclose(again, together, rtol=1e-5, atol=1e-6)


def test_an_empty_history_has_the_vector_zero() -> None:
    folded = FoldIn(np.ones(3, np.float32), 0.1, 1.0, 2.0)
    found = folded.vectors(np.array([0, 0, 1]), np.array([1]), np.ones(1), np.eye(3, dtype=np.float32))
    assert not found[0].any()
    assert found[1].tolist() == [0.0, pytest.approx(1 / (1 + 0.3 + 1)), 0.0]


@pytest.mark.parametrize(
    ("parts", "problem"),
    [
        ((np.array([-1.0]), 0.1, 1.0, 1.0), "diagonal of a Gram matrix"),
        ((np.array([np.nan]), 0.1, 1.0, 1.0), "diagonal of a Gram matrix"),
        ((np.ones(1), 0.0, 1.0, 1.0), "regularisation of a fold-in is 0.0"),
        ((np.ones(1), 0.1, -1.0, 1.0), "exponent of a fold-in is -1.0"),
        ((np.ones(1), 0.1, 1.0, float("inf")), "background of a fold-in is inf"),
    ],
)
def test_illegal_parts_are_refused(parts: tuple[npt.NDArray[np.float64], float, float, float], problem: str) -> None:
    with pytest.raises(DataError, match=problem):
        FoldIn(parts[0].astype(np.float32), *parts[1:])
