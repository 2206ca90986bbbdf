"""Similar items from shared users."""

from __future__ import annotations

import numpy as np

from graphrec.channels.behaviour.cooccurrence import JACCARD, similar_items
from graphrec.channels.behaviour.item_cf import ItemCF
from graphrec.sparse.taste import liked_pairs
from graphrec.threads import at_most
from tests.oracles.sparse import takers
from tests.worlds import skewed


def test_similar_items_do_not_depend_on_threads() -> None:
    data, recipe = skewed(), ItemCF(similarity="jaccard", k=7)
    pairs = liked_pairs(data.interactions)
    ones = np.ones(len(pairs))
    norms = takers(data)
    tables = []
    for threads in (1, 3):
        with at_most(threads):
            tables.append(similar_items(pairs, ones, ones, norms, data.pool, recipe.k, similarity=JACCARD))
    np.testing.assert_array_equal(tables[0].neighbours, tables[1].neighbours)
    np.testing.assert_array_equal(tables[0].scores, tables[1].scores)
