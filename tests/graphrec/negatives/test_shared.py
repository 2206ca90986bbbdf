"""Negatives that all users of a batch share: how often each item comes, and what is said of that."""

from __future__ import annotations

import numpy as np
import pytest

from graphrec.errors import ConfigError, DataError
from graphrec.negatives.in_batch import InBatch
from graphrec.negatives.mixture import Mixture, Part
from graphrec.negatives.popularity import Popularity, WholePool
from graphrec.negatives.protocol import NegativeSampler
from graphrec.negatives.taken import Taken
from graphrec.sparse.taste import liked_pairs
from tests.graphrec.negatives.draws import assert_follows, batch_of
from tests.worlds import skewed

DATA = skewed()
TAKEN = Taken(DATA.interactions)
COUNTS = np.bincount(liked_pairs(DATA.interactions).items, minlength=len(DATA.items))


@pytest.mark.parametrize("alpha", [0.5, 0.75, 1.0])
def test_items_come_by_a_power_of_their_popularity(alpha: float) -> None:
    sampler = Popularity(COUNTS, DATA.pool, TAKEN, alpha=alpha)
    drawn = sampler.draw(batch_of(DATA, [0]), 40_000, np.random.default_rng(2)).shared
    assert_follows(np.bincount(drawn, minlength=len(COUNTS)), COUNTS**alpha * DATA.pool)


def test_uniform_draws_are_distinct_and_all_alike() -> None:
    sampler, rng, positives = Popularity(COUNTS, DATA.pool, TAKEN), np.random.default_rng(2), batch_of(DATA, [0])
    draws = [sampler.draw(positives, 7, rng).shared for _ in range(1000)]
    assert all(len(set(drawn.tolist())) == 7 for drawn in draws)
    assert_follows(np.bincount(np.concatenate(draws), minlength=len(COUNTS)), DATA.pool.astype(np.float64))


@pytest.mark.parametrize(
    ("sampler", "n"), [(Popularity(COUNTS, DATA.pool, TAKEN), 10_000), (WholePool(DATA.pool, TAKEN), 3)]
)
def test_as_many_as_the_pool_has_are_the_pool(sampler: Popularity | WholePool, n: int) -> None:
    negatives = sampler.draw(batch_of(DATA, [0]), n, np.random.default_rng(2))
    assert negatives.shared.tolist() == np.flatnonzero(DATA.pool).tolist()
    np.testing.assert_allclose(negatives.shared_log_q, 0.0, atol=1e-6)


def test_the_items_of_a_batch_come_as_often_as_they_are_taken() -> None:
    sampler, rng, n_users = InBatch(COUNTS, TAKEN), np.random.default_rng(2), len(DATA.users)
    whole = batch_of(DATA, np.arange(n_users))
    drawn = np.concatenate([sampler.draw(whole, 20, rng).shared for _ in range(1000)])
    assert_follows(np.bincount(drawn, minlength=len(COUNTS)), COUNTS.astype(np.float64))


@pytest.mark.parametrize(
    "sampler",
    [
        Popularity(COUNTS, DATA.pool, TAKEN),
        WholePool(DATA.pool, TAKEN),
        Popularity(COUNTS, DATA.pool, TAKEN, alpha=0.75),
        InBatch(COUNTS, TAKEN),
        Mixture([Part(InBatch(COUNTS, TAKEN), 1.0), Part(Popularity(COUNTS, DATA.pool, TAKEN), 2.0)]),
    ],
    ids=["uniform", "all", "popular", "in-batch", "mixture"],
)
def test_log_q_is_the_log_of_the_mean_number_of_copies(sampler: NegativeSampler) -> None:
    rng, everybody, n, draws = np.random.default_rng(4), np.arange(len(DATA.users)), 30, 1500
    positives, totals, said = batch_of(DATA, everybody), np.zeros(len(COUNTS)), np.full(len(COUNTS), np.nan)
    for _ in range(draws):
        negatives = sampler.draw(positives, n, rng)
        totals += np.bincount(negatives.shared, minlength=len(COUNTS))
        said[negatives.shared] = negatives.shared_log_q
    seen = totals > 100
    np.testing.assert_allclose(np.exp(said[seen]), totals[seen] / draws, rtol=0.35, atol=0.01)
    np.testing.assert_allclose(np.exp(said[seen]).sum(), totals[seen].sum() / draws, rtol=0.02)


def test_a_mixture_keeps_its_ratio_and_its_curriculum() -> None:
    taken = TAKEN
    late = Part(Popularity(COUNTS, DATA.pool, taken, alpha=1.0), 1.0, starts=0.2, full=0.6)
    mixture = Mixture([Part(Popularity(COUNTS, DATA.pool, taken, alpha=0.5), 99.0), late])
    assert [mixture.at(progress).counts(1000)[1] for progress in (0.0, 0.1, 0.4, 0.6, 1.0)] == [0, 0, 5, 10, 10]
    assert mixture.counts(1000)[0] == 990
    assert mixture.at(0.6).counts(10) == [10, 1]


@pytest.mark.parametrize(
    ("ratio", "starts", "full", "problem"),
    [(0.0, 0.0, 0.0, "a ratio above 0"), (1.0, 0.5, 0.2, "a curriculum goes from 0.5 to 0.2")],
)
def test_a_mixture_of_nothing_is_refused(ratio: float, starts: float, full: float, problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        Mixture([Part(InBatch(COUNTS, TAKEN), ratio, starts, full)])


def test_popularity_of_a_pool_that_nobody_took_is_refused() -> None:
    with pytest.raises(DataError, match="no item of the pool was ever taken"):
        Popularity(np.zeros(45), DATA.pool, TAKEN, alpha=0.5)
