"""Answers compared but for rounding, and for what rounding moves: another processor or BLAS kernel rounds otherwise."""

from __future__ import annotations

import numpy as np

from graphrec.data.lists import ItemLists


def assert_same_lists(left: ItemLists, right: ItemLists, *, rtol: float = 1e-5, atol: float = 1e-6) -> None:
    """Check that two answers hold the same items with the same scores, but for rounding.

    Items whose scores differ by rounding alone may change places; at the end of a list of k, one may stand for another.
    """
    np.testing.assert_array_equal(left.indptr, right.indptr)
    np.testing.assert_allclose(left.scores, right.scores, rtol=rtol, atol=atol)
    for query, ((items, scores), (others, theirs)) in enumerate(zip(left, right, strict=True)):
        if np.array_equal(items, others):
            continue
        ours, last = dict(zip(items.tolist(), scores.tolist(), strict=True)), float(scores[-1])
        for item, score in zip(others.tolist(), theirs.tolist(), strict=True):
            assert np.isclose(ours.get(item, last), score, rtol=2 * rtol, atol=2 * atol), f"item {item} of list {query}"
        for item in ours.keys() - set(others.tolist()):
            assert np.isclose(ours[item], last, rtol=2 * rtol, atol=2 * atol), f"item {item} of list {query}"
