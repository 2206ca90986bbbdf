"""Compositions beside the product of both tables, one pair at a time."""

from __future__ import annotations

import numpy as np
import pytest

from graphrec.graph import path_composition
from graphrec.graph.path_composition import composed_pairs
from graphrec.graph.path_scores import PathScoring, PathTables
from graphrec.graph.path_tables import as_csr
from graphrec.graph.paths import Steps, path_graph
from graphrec.sparse.taste import liked_pairs
from tests.worlds import skewed


def test_pairs_are_near_where_the_product_puts_them_among_the_best(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(path_composition, "NEAREST", 6)
    data = skewed()
    n = len(data.items)
    steps = Steps(path_graph(data.catalogue, liked_pairs(data.interactions)), n)
    scoring = PathScoring(ends=np.ones(n), pool=np.ones(n, np.bool_), k=6)
    parts = [("made_by/^made_by", "^interacts/interacts"), ("followed_by", "made_by/^made_by")]
    rng = np.random.default_rng(0)
    first, ends = rng.integers(0, n, 120).astype(np.int32), rng.integers(0, n, (2, 120)).astype(np.int32)
    made = dict(composed_pairs(steps, scoring, parts, first, tuple(ends)))
    assert list(made) == ["made_by/^made_by/^interacts/interacts", "followed_by/made_by/^made_by"]
    tables, n_near = PathTables(steps, scoring), 0
    for before, after in parts:
        both = [as_csr(tables.table(steps.metapath(text))).toarray() for text in (before, after)]
        scores = both[0] @ both[1]
        for column, held in zip(ends, made[f"{before}/{after}"], strict=True):
            for pair, (a, b) in enumerate(zip(first.tolist(), column.tolist(), strict=True)):
                # One of the seven best may be the item itself; of equal scores either may be left out.
                others = np.sort(scores[a])[::-1]
                if pair in held:
                    n_near += 1
                    assert scores[a, b] >= others[6] * (1 - 1e-5)
                else:
                    assert scores[a, b] <= others[6] * (1 + 1e-5)
    assert n_near > 20
