"""What tests of negatives share: events, batches, and whether counts follow a distribution."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.stats import chisquare

from graphrec.contracts.recall_data import RecallData
from graphrec.negatives.protocol import Model, NegativeSampler, Positives
from graphrec.negatives.taken import Taken
from graphrec.sparse.taste import liked_pairs


def batch_of(data: RecallData, users: npt.ArrayLike) -> Positives:
    """Return users with all of their liked items."""
    pairs = liked_pairs(data.interactions)
    rows = np.asarray(users, dtype=np.int64)
    lists = [pairs.items[pairs.users == user] for user in rows]
    return Positives(rows, np.cumsum([0, *map(len, lists)]), np.concatenate([*lists, np.empty(0, np.int32)]))


def model_of(data: RecallData, dim: int = 8, seed: int = 1) -> Model:
    """Return vectors by chance."""
    rng = np.random.default_rng(seed)
    users, items = (rng.normal(size=(n, dim)).astype(np.float32) for n in (len(data.users), len(data.items)))
    return Model(users, items)


def own_counts(sampler: NegativeSampler, positives: Positives, n_items: int, draws: int) -> npt.NDArray[np.int64]:
    """Return how often each item was drawn as the own negative of a batch of a single user."""
    drawn = sampler.draw(positives, draws, np.random.default_rng(3)).own
    return np.bincount(drawn[drawn >= 0], minlength=n_items)


def assert_follows(counts: npt.NDArray[np.int64], shares: npt.NDArray[np.floating]) -> None:
    """Check counts against shares by chi-square; items whose share is 0 must not occur."""
    assert counts[shares == 0].sum() == 0
    expected = shares[shares > 0] / shares.sum() * counts.sum()
    assert chisquare(counts[shares > 0], expected).pvalue > 1e-4


def assert_no_positive(sampler: NegativeSampler, positives: Positives, taken: Taken, n: int, seed: int) -> None:
    """Check that no user has what is his negative: masked where shared, never drawn where his own."""
    negatives = sampler.draw(positives, n, np.random.default_rng(seed))
    has = taken.contains(positives.users, np.tile(negatives.shared, (len(positives), 1)))
    masked = np.zeros_like(has)
    masked[negatives.masked] = True
    np.testing.assert_array_equal(masked, has)
    assert not taken.contains(positives.users, negatives.own).any()
    assert np.isfinite(negatives.shared_log_q).all()
    assert np.isfinite(negatives.own_log_q).all()
