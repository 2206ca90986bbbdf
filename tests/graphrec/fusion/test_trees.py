from __future__ import annotations

import lightgbm
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphrec.errors import ConfigError
from graphrec.fusion.trees import LANES, Trees, add_trees, trees_from_lightgbm
from tests.oracles.fusion import walk_trees

N_FEATURES = 4


def tiles_of(rows: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Return rows (n, F) as tiles; lanes beyond the last hold NaN."""
    padded = np.full((-(-len(rows) // LANES) * LANES, rows.shape[1]), np.nan, dtype=np.float32)
    padded[: len(rows)] = rows
    return np.ascontiguousarray(padded.reshape(-1, LANES, rows.shape[1]).transpose(0, 2, 1))


def grown(rng: np.random.Generator, sizes: list[int], thresholds: npt.NDArray[np.float64]) -> Trees:
    """Return trees of ``sizes`` leaves, of any shape, that look at N_FEATURES features."""
    roots: list[int] = []
    features: list[int] = []
    values: list[float] = []
    rights: list[int] = []

    def lay(leaves: int) -> None:
        place = len(features)
        features.append(-1 if leaves == 1 else int(rng.integers(N_FEATURES)))
        values.append(float(rng.normal() if leaves == 1 else rng.choice(thresholds)))
        rights.append(0)
        if leaves > 1:
            left = int(rng.integers(1, leaves))
            lay(left)
            rights[place] = len(features)
            lay(leaves - left)

    for leaves in sizes:
        roots.append(len(features))
        lay(leaves)
    return Trees(tuple(roots), tuple(features), tuple(values), tuple(rights))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, 90), max_size=6), st.integers(0, 2 * LANES + 3), st.integers(0, 2**32 - 1))
def test_entries_together_come_to_the_leaves_that_each_walks_to(sizes: list[int], n: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows = rng.choice(np.array([-1e6, -0.5, 0.1, 0.1000001, 3.0, 1e6, np.inf]), size=(n, N_FEATURES)).astype(np.float32)
    # Thresholds that are features, that lie a rounding beside them, and that no float32 holds.
    near = np.unique(rows[np.isfinite(rows)]).astype(np.float64)
    thresholds = np.concatenate([near, near * (1 + 1e-12), near * (1 - 1e-12), [0.0, 1e300, -1e300]])
    trees = grown(rng, sizes, thresholds)
    totals = add_trees(tiles_of(rows), trees).ravel()[:n]
    np.testing.assert_array_equal(totals, walk_trees(trees, rows))


def test_trees_say_what_lightgbm_says() -> None:
    rng = np.random.default_rng(1)
    x = rng.normal(size=(2000, 6)).astype(np.float32)
    y = (x[:, 0] * x[:, 1] > x[:, 2]).astype(np.float64)
    grown = lightgbm.train({"objective": "binary", "num_leaves": 31, "verbose": -1}, lightgbm.Dataset(x, y), 30)
    trees = trees_from_lightgbm(grown.dump_model()["tree_info"])
    assert len(trees.roots) == 30
    np.testing.assert_allclose(
        add_trees(tiles_of(x), trees).ravel()[: len(x)], np.asarray(grown.predict(x, raw_score=True)), rtol=1e-9
    )


@pytest.mark.parametrize(
    ("trees", "message"),
    [
        (((0,), (0, -1), (0.1, 0.2), (1, 0)), "damaged"),  # no room for the left child
        (((0,), (0, -1, -1), (0.1, 0.2, 0.3), (0, 0, 0)), "damaged"),  # leads back to itself
        (((0,), (0, -1, -1), (0.1, 0.2, 0.3), (3, 0, 0)), "damaged"),  # leads outside
        (((0,), (0, 0, -1, -1), (0.1, 0.2, 0.3, 0.4), (2, 3, 0, 0)), "damaged"),  # two ways lead to one node
        (((0,), (0, -1, -1, -1), (0.1, 0.2, 0.3, 0.4), (2, 0, 0, 0)), "damaged"),  # no way leads to the last
        (((1,), (-1,), (0.1,), (0,)), "damaged"),
        (((0,), (-1,), (float("nan"),), (0,)), "damaged"),
        (((0,), (-1, -1), (0.1,), (0, 0)), "2 features, 1 values and 2 right children"),
    ],
)
def test_damaged_trees_are_refused(trees: tuple[tuple[int, ...], ...], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Trees(*trees)
