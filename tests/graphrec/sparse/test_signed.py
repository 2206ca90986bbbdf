from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from graphrec.data.neighbours import csr_table
from graphrec.sparse.signed import push_signed
from graphrec.sparse.topk import push


def _table() -> sp.csr_array:
    return sp.csr_array(sp.random_array((9, 14), density=0.5, rng=np.random.default_rng(2), dtype=np.float32))


@pytest.mark.parametrize("lifted", [False, True])
@pytest.mark.parametrize("k", [0, 3])
def test_what_is_disliked_takes_away_from_what_is_reached(lifted: bool, k: int) -> None:
    dense = _table().toarray()
    background = dense.mean(axis=0).astype(np.float32) if lifted else None
    indptr, sources = np.array([0, 4, 4, 7], dtype=np.int64), np.array([0, 3, 5, 8, 1, 2, 3], dtype=np.int32)
    weights = np.array([1.0, -0.5, 2.0, 0.0, -1.0, -1.0, 0.7])
    bounds, rows, scores = push_signed(indptr, sources, weights, csr_table(_table()), k, background=background)
    for i in range(3):
        here = slice(indptr[i], indptr[i + 1])
        amounts, taken = weights[here], dense[sources[here]]
        expected = amounts @ (taken - (0.0 if background is None else background))
        reached = ((amounts > 0)[:, None] & (taken > 0)).any(axis=0)
        expected = np.where(reached, np.maximum(expected, 0.0), 0.0)
        found = rows[bounds[i] : bounds[i + 1]]
        np.testing.assert_allclose(scores[bounds[i] : bounds[i + 1]], np.sort(expected)[::-1][: len(found)], rtol=1e-4)
        np.testing.assert_allclose(expected[found], scores[bounds[i] : bounds[i + 1]], rtol=1e-4)
        assert len(found) == min(k or 14, int((expected > 0).sum()))


def test_without_dislikes_it_is_the_plain_push() -> None:
    table = csr_table(_table())
    lists = np.array([0, 3, 5], dtype=np.int64), np.array([0, 3, 5, 8, 1], dtype=np.int32), np.arange(5) / 4
    background = np.full(14, 0.1, dtype=np.float32)
    for ours, theirs in zip(
        push_signed(*lists, table, 4, background=background), push(*lists, table, 4, background=background), strict=True
    ):
        np.testing.assert_array_equal(ours, theirs)
