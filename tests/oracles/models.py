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
    taste: Dense,
    users: Floats,
    items: Floats,
    layers: int,
    batch: npt.NDArray[np.integer],
    negatives: npt.NDArray[np.integer],
    temperature: float,
) -> float:
    """Return LightGCN's loss over the pairs of a batch: -log softmax beside the negatives that the user has not."""
    whole = propagated(taste, users, items, layers)
    unit = whole / np.maximum(np.linalg.norm(whole, axis=1, keepdims=True), 1e-300)
    loss = 0.0
    for user in batch:
        rises = np.exp(unit[len(taste) :] @ unit[user] / temperature)
        others = sum(rises[j] for j in negatives if taste[user, j] == 0) * len(items) / len(negatives)
        loss -= sum(taste[user, i] * np.log(rises[i] / (rises[i] + others)) for i in np.flatnonzero(taste[user]))
    return float(loss)
