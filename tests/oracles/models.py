"""Slow, obvious versions: LightGCN's propagation and loss."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tests.oracles.sparse import Dense, Floats, inverse_power


def propagated(taste: Dense, users: Floats, items: Floats, layers: int) -> Dense:
    """Return LightGCN's vectors (n_users + n_items, dim) as the mean of dense powers of the normalised adjacency."""
    n_users = len(taste)
    whole = np.block([[np.zeros((n_users, n_users)), taste], [taste.T, np.zeros((taste.shape[1], taste.shape[1]))]])
    scale = inverse_power(whole.sum(axis=1), 0.5)
    normal = scale[:, None] * whole * scale
    start = np.concatenate([users, items]).astype(np.float64)
    return sum((np.linalg.matrix_power(normal, step) @ start for step in range(layers + 1)), 0 * start) / (layers + 1)


def softmax_loss(
    taste: Dense, users: Floats, items: Floats, layers: int, negatives: npt.NDArray[np.integer], temperature: float
) -> float:
    """Return LightGCN's loss: each pair's -log softmax of its cosine among those of ``negatives``, weighted."""
    whole = propagated(taste, users, items, layers)
    unit = whole / np.maximum(np.linalg.norm(whole, axis=1, keepdims=True), 1e-300)
    cosines = unit[: len(taste)] @ unit[len(taste) :].T / temperature
    totals = np.log(np.exp(cosines[:, negatives]).sum(axis=1, keepdims=True))
    return float((taste * (totals - cosines)).sum())
