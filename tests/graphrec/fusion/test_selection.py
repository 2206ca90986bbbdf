from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphrec.data.lists import indptr_of
from graphrec.fusion.selection import Selection, select_best
from tests.oracles.fusion import best_of_list

# Ties, zeros, neighbours in the last digit, the smallest and the largest there are.
SCORES = st.sampled_from([0.0, 1e-45, 1e-9, 0.5, 0.50000006, 1.0, 2.0, 3e38])


def _check(lists: list[npt.NDArray[np.float32]], k: int, *, seed: int) -> None:
    rng = np.random.default_rng(seed)
    indptr = indptr_of([len(scores) for scores in lists])
    items = np.concatenate([rng.choice(2**20, len(scores), replace=False) for scores in lists]).astype(np.int32)
    scores = np.concatenate(lists).astype(np.float32)
    best = select_best(indptr, items, scores, k)
    for query, (start, stop) in enumerate(pairwise(indptr.tolist())):
        expected = best_of_list(items[start:stop].tolist(), scores[start:stop].tolist(), k)
        here = slice(best.indptr[query], best.indptr[query + 1])
        assert (best.places[here] - start).tolist() == expected
        np.testing.assert_array_equal(best.scores[here], scores[best.places[here]])


@settings(max_examples=100, deadline=None)
@given(st.lists(st.lists(SCORES, max_size=30), min_size=1, max_size=4), st.integers(1, 40), st.integers(0, 99))
def test_the_best_are_those_of_a_sort(lists: list[list[float]], k: int, seed: int) -> None:
    _check([np.array(scores, dtype=np.float32) for scores in lists], k, seed=seed)


@pytest.mark.parametrize("k", [1, 200, 600, 5000])
def test_long_lists_spread_and_tied(k: int) -> None:
    rng = np.random.default_rng(4)
    spread, tied = rng.lognormal(sigma=3.0, size=3000), rng.integers(1, 4, size=3000)
    _check([spread.astype(np.float32), tied.astype(np.float32), np.ones(700, dtype=np.float32)], k, seed=k)


def test_positions_are_places_turned_round() -> None:
    selection = Selection(np.array([0, 1, 3]), np.array([2, 5, 3]), np.ones(3, dtype=np.float32))
    assert selection.positions(6).tolist() == [3, 3, 0, 2, 3, 1, 3]
    kept = selection.where(np.array([False, True, True]))
    assert (kept.indptr.tolist(), kept.places.tolist()) == ([0, 0, 2], [5, 3])
