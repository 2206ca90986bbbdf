"""Slow, obvious versions: filters of the item graph, by a full singular value decomposition."""

from __future__ import annotations

from collections.abc import Callable
from math import factorial

import numpy as np

from graphrec.contracts.recall_data import RecallData
from tests.oracles.sparse import Dense, dense_taste, inverse_power, keep_top


def item_graph(data: RecallData, exponent: float = 0.0) -> tuple[Dense, Dense]:
    """Return N = D_u^-1/2 R D_i^-1/2 (n_users, n_items) and D_i's diagonal (n_items,), D being sums of R."""
    taste = dense_taste(data, exponent)
    by_item = taste.sum(axis=0)
    return inverse_power(taste.sum(axis=1), 0.5)[:, None] * taste * inverse_power(by_item, 0.5), by_item


def leading_vectors(normalised: Dense, rank: int) -> tuple[Dense, Dense]:
    """Return the leading eigenvalues of N^T N that are above 0, and their vectors (n_items, rank), by a full SVD.

    Vectors are defined up to a rotation among equal eigenvalues, so the cut must not fall between two of those.
    """
    _, values, vectors = np.linalg.svd(normalised)
    eigenvalues = values[values > 1e-6] ** 2
    rank = min(rank, len(eigenvalues))
    assert rank == len(eigenvalues) or eigenvalues[rank - 1] - eigenvalues[rank] > 0.005, "the cut splits equal ones"
    return eigenvalues[:rank], vectors[:rank].T


def filtered(normalised: Dense, rank: int, response: Callable[[Dense], Dense]) -> Dense:
    """Return f(N^T N): the response on the leading eigenvectors, on the others a line from 0 to the last of them."""
    leading, vectors = leading_vectors(normalised, rank)
    projector = vectors @ vectors.T
    graph = normalised.T @ normalised
    slope = max(0.0, float(response(leading)[-1]) / float(leading[-1]))
    return vectors @ np.diag(response(leading)) @ vectors.T + slope * (graph - projector @ graph)


def returnable(data: RecallData, by_item: Dense) -> Dense:
    """Return (n_items,): 1 where an item may come back from a graph filter, else 0."""
    return (data.pool & (by_item > 0)).astype(float)


def gf_cf_matrix(data: RecallData, *, rank: int, low_pass: float, weight_exponent: float) -> Dense:
    """Return (n_items, n_items), what a unit of history item i gives to j: the linear filter and the ideal low pass."""
    normalised, by_item = item_graph(data, weight_exponent)
    _, vectors = leading_vectors(normalised, rank)
    ideal = inverse_power(by_item, 0.5)[:, None] * (vectors @ vectors.T) * by_item**0.5
    return (normalised.T @ normalised + low_pass * ideal) * returnable(data, by_item)


def plateau_values(x: Dense, order: int, flatness: float) -> Dense:
    """Return the Chebyshev interpolation of (1 - sgn(x) |x|^phi) / 2 at ``x``, by its definition on order + 1 nodes."""
    nodes = np.polynomial.chebyshev.chebpts1(order + 1)  # the middle one is 0 to the last bit
    angles = np.arccos(nodes)
    values = 0.5 - 0.5 * np.sign(nodes) * np.abs(nodes) ** flatness
    total = np.full_like(x, values.mean())
    for degree in range(1, order + 1):
        total += 2 * (values * np.cos(degree * angles)).mean() * np.cos(degree * np.arccos(np.clip(x, -1, 1)))
    return total


def cheby_cf_matrix(
    data: RecallData,
    *,
    rank: int,
    plateau: float,
    low_pass: float,
    item_exponent: float,
    order: int,
    weight_exponent: float,
) -> Dense:
    """Return (n_items, n_items), what a unit of history item i gives to j, less what every signal keeps."""
    normalised, by_item = item_graph(data, weight_exponent)
    floor = plateau_values(np.ones(1), order, plateau)[0]
    _, vectors = leading_vectors(normalised, rank)
    matrix = filtered(normalised, rank, lambda values: plateau_values(1 - 2 * values, order, plateau) - floor)
    matrix += low_pass * vectors @ vectors.T
    return inverse_power(by_item, item_exponent)[:, None] * matrix * by_item**item_exponent * returnable(data, by_item)


def runge_kutta_matrix(graph: Dense, time: float) -> Dense:
    """Return one fourth-order step of r' = -r G over ``time``, as a matrix of powers."""
    return sum((np.linalg.matrix_power(-time * graph, j) / factorial(j) for j in range(5)), np.zeros_like(graph))


def bspm_matrix(data: RecallData, *, rank: int, low_pass: float, sharpening: float, weight_exponent: float) -> Dense:
    """Return (n_items, n_items), what a unit of history item i gives to j: blurred, then sharpened."""
    normalised, by_item = item_graph(data, weight_exponent)
    _, vectors = leading_vectors(normalised, rank)
    step = runge_kutta_matrix(normalised.T @ normalised, sharpening)
    blurred = filtered(
        normalised, rank, lambda values: values * np.diag(runge_kutta_matrix(np.diag(values), sharpening))
    )
    ideal = inverse_power(by_item, 0.5)[:, None] * (vectors @ vectors.T) * by_item**0.5
    return (blurred + low_pass * ideal @ step) * returnable(data, by_item)


def turbo_cf_table(data: RecallData, *, k: int, user_exponent: float, power: float, weight_exponent: float) -> Dense:
    """Return (n_items, n_items): the k best entries a row of N^T N, unevenly normalised, to a power entry by entry."""
    taste = dense_taste(data, weight_exponent)
    activity, counts = (taste > 0).sum(axis=1).astype(float), (taste > 0).sum(axis=0).astype(float)
    normalised = inverse_power(activity, user_exponent)[:, None] * taste * inverse_power(counts, 1 - user_exponent)
    graph = normalised.T @ normalised * data.pool
    np.fill_diagonal(graph, 0.0)
    return keep_top(graph**power, k)
