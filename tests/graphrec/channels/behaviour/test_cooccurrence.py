"""Similar items from shared users."""

from __future__ import annotations

import numpy as np

from graphrec.channels.behaviour.cooccurrence import JACCARD, similar_items
from graphrec.channels.behaviour.item_cf import ItemCF
from graphrec.sparse.taste import liked_pairs
from tests.oracles.sparse import takers
from tests.worlds import skewed


def test_similar_items_do_not_depend_on_threads() -> None:
    data, recipe = skewed(), ItemCF(similarity="jaccard", k=7)
    pairs = liked_pairs(data.interactions)
    ones = np.ones(len(pairs))
    norms = takers(data)
    one, many = (
        similar_items(pairs, ones, ones, norms, data.pool, recipe.k, similarity=JACCARD, threads=threads)
        for threads in (1, 3)
    )
    np.testing.assert_array_equal(one.neighbours, many.neighbours)
    np.testing.assert_array_equal(one.scores, many.scores)
