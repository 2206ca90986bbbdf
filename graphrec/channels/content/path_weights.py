"""The weights of meta-paths, learned from how well their votes put held-out items before others."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
import scipy.optimize
import scipy.sparse as sp

from graphrec.contracts.panel import Panel, take_panel
from graphrec.graph.path_tables import PathTable, as_csr
from graphrec.recallers.profile import Profile, profile_weights
from graphrec.sparse.topk import best_columns

Doubles = npt.NDArray[np.float64]
FloatArray = npt.NDArray[np.float32]

# Numbers that are held at a time: users times items times paths.
_AT_ONCE = 1 << 24
_CANDIDATES = 100
# Users that are learned from at most; paths of less than this share of all votes go.
_USERS = 5000
_LEAST_SHARE = 0.005


def learn_path_weights(
    tables: Sequence[PathTable], panel: Panel, profile: Profile, *, sparsity: float, seed: int, rounds: int = 2
) -> Doubles:
    r"""Return (P,) float64 weights >= 0 that sum to 1, many of them 0.

    They minimise, over the users of the panel,

    .. math:: -\frac{1}{|U|} \sum_u \frac{1}{|T_u|} \sum_{j \in T_u} \log
              \frac{e^{\theta \cdot x_{uj}}}{\sum_{c \in C_u} e^{\theta \cdot x_{uc}}}
              + \lambda \sum_P \theta_P \bar x_P

    with :math:`x_{uj}` the votes that each path's table gives item j from the history of user u, and :math:`C_u` the
    100 items outside the history that the paths with the weights of the round before (equal at first) put first:
    negatives as popular and as near as the held-out items :math:`T_u` among them.

    Parameters
    ----------
    tables : sequence of PathTable
        P tables (n_items, n_items) whose rows sum to 1.
    panel : Panel
        Users with held-out items; of more than 5,000, as many drawn.
    profile : Profile
        How much each item of a history counts.
    sparsity : float
        lambda, >= 0.
    seed : int
        Of the draw.
    rounds : int, default 2
        How often candidates are taken.

    Returns
    -------
    ndarray
        Equal weights where no path leads from a history to a held-out item. Paths that give less than half a percent of
        the votes for candidates get 0.

    Notes
    -----
    Time O(rounds * (votes + users * 100 * P * steps of L-BFGS)).
    """
    equal = np.full(len(tables), 1.0 / len(tables))
    if len(panel) > _USERS:
        panel = take_panel(panel, np.sort(np.random.default_rng(seed).choice(len(panel), _USERS, replace=False)))
    matrices, weights = [as_csr(table) for table in tables], equal
    for _ in range(rounds):
        learned = _learn(list(_candidates(matrices, panel, profile, weights)), sparsity)
        if learned is None:
            return weights
        weights = learned
    return weights


def _candidates(
    matrices: Sequence[sp.csr_array], panel: Panel, profile: Profile, weights: Doubles
) -> Iterator[tuple[FloatArray, npt.NDArray[np.bool_]]]:
    """Yield votes (c, P) and whether each is held out (c,), of each user with a held-out item among the candidates."""
    n_items, n_paths = matrices[0].shape[1], len(matrices)
    chunk = max(1, _AT_ONCE // max(1, n_items * n_paths))
    for start in range(0, len(panel), chunk):
        part = take_panel(panel, np.arange(start, min(start + chunk, len(panel))))
        given = profile_weights(part.history, profile).astype(np.float32)
        history = sp.csr_array((given, part.history.items, part.history.indptr), shape=(len(part), n_items))
        votes = np.stack([(history @ matrix).toarray() for matrix in matrices])  # (P, n, n_items)
        totals = np.tensordot(weights.astype(np.float32), votes, 1)
        totals[:, ~part.pool] = 0.0
        rows = np.repeat(np.arange(len(part)), np.diff(part.history.indptr))
        totals[rows, part.history.items] = 0.0
        columns = best_columns(np.ascontiguousarray(totals), _CANDIDATES).reshape(len(part), -1)
        for row in range(len(part)):
            reached = columns[row][totals[row, columns[row]] > 0]
            held = np.isin(reached, part.truth.items[part.truth.indptr[row] : part.truth.indptr[row + 1]])
            if held.any() and not held.all():
                yield votes[:, row, reached].T, held


def _learn(users: Sequence[tuple[FloatArray, npt.NDArray[np.bool_]]], sparsity: float) -> Doubles | None:
    """Return the weights of the loss; None where there is nothing to learn from."""
    if not users:
        return None
    votes = np.concatenate([part for part, _ in users]).astype(np.float64)
    held = np.concatenate([part for _, part in users])
    sizes = np.array([len(part) for _, part in users])
    starts, group = np.cumsum(sizes) - sizes, np.repeat(np.arange(len(sizes)), sizes)
    wanted = held / np.add.reduceat(held.astype(np.float64), starts)[group]
    scale = np.maximum(votes.mean(axis=0), np.finfo(np.float64).tiny)
    votes /= scale

    def loss(theta: Doubles) -> tuple[float, Doubles]:
        scores = votes @ theta
        scores -= np.maximum.reduceat(scores, starts)[group]
        powers = np.exp(scores)
        sums = np.add.reduceat(powers, starts)
        value = -(wanted * (scores - np.log(sums)[group])).sum() / len(starts) + sparsity * theta.sum()
        return float(value), -(votes.T @ (wanted - powers / sums[group])) / len(starts) + sparsity

    start = np.full(votes.shape[1], 0.1)
    bounds = [(0.0, None)] * votes.shape[1]
    shares: Doubles = scipy.optimize.minimize(loss, start, jac=True, bounds=bounds, method="L-BFGS-B").x
    if not shares.sum() > 0:
        return None
    shares = np.where(shares < _LEAST_SHARE * shares.sum(), 0.0, shares)
    weights: Doubles = shares / scale
    weights /= weights.sum()
    return weights
