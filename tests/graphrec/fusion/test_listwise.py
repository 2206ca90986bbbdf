from __future__ import annotations

import numpy as np
import pytest

from graphrec.fusion.listwise import HitLists, hit_lists

RNG = np.random.default_rng(3)
OWNERS = np.repeat([4, 0, 7], [5, 1, 9])
HITS = RNG.random(15) < 0.4
LISTS = hit_lists(OWNERS, np.where(HITS, RNG.random(15), 0.0), np.where(HITS, 1.0, 4.0))
SCORES = RNG.normal(size=15)


def _oracle(scores: np.ndarray) -> float:
    loss = 0.0
    for owner in set(OWNERS.tolist()):
        own = owner == OWNERS
        shares = np.exp(scores[own]) / (LISTS.counts[own] * np.exp(scores[own])).sum()
        loss -= (LISTS.weights[own] * np.log(shares)).sum()
    return loss


def test_the_loss_is_the_surprise_of_the_hits() -> None:
    assert LISTS.starts.tolist() == [0, 5, 6, 15]
    assert LISTS.loss(SCORES) == pytest.approx(_oracle(SCORES))
    # What a list has in common, however large, is of no matter.
    assert LISTS.loss(SCORES + np.repeat([1e4, -1e4, 3.0], [5, 1, 9])) == pytest.approx(_oracle(SCORES))


def test_slopes_are_derivatives() -> None:
    first, second = LISTS.slopes(SCORES)
    for i in range(15):
        step = 1e-4 * np.eye(15)[i]
        above, below = _oracle(SCORES + step), _oracle(SCORES - step)
        assert first[i] == pytest.approx((above - below) / 2e-4, abs=1e-6)
        assert second[i] == pytest.approx((above - 2 * _oracle(SCORES) + below) / 1e-8, abs=1e-5)
    assert LISTS.loss(SCORES - 0.1 * first) < LISTS.loss(SCORES)


def test_lists_without_a_hit_and_no_lists_at_all_say_nothing() -> None:
    silent = hit_lists(OWNERS, np.zeros(15), np.ones(15))
    assert silent.loss(SCORES) == 0.0
    assert [slope.tolist() for slope in silent.slopes(SCORES)] == [[0.0] * 15] * 2
    nothing = hit_lists(OWNERS[:0], SCORES[:0], SCORES[:0])
    assert isinstance(nothing, HitLists)
    assert nothing.starts.tolist() == [0]
    assert nothing.loss(SCORES[:0]) == 0.0
