from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch

from graphrec.fusion.network import add_rows, network_from_layers
from graphrec.models.deep.odds_network import fit_odds_network


def _world(n: int) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
    """Return two features of which a hit has one alone high, one of another scale and one that never changes."""
    rng = np.random.default_rng(n)
    rows = rng.normal(size=(n, 4)).astype(np.float32) * np.array([1, 1, 1000, 0], dtype=np.float32) + np.float32(5)
    return rows, (rows[:, 0] > 5) != (rows[:, 1] > 5)


def _odds(rows: npt.NDArray[np.float32], hits: npt.NDArray[np.bool_], start: float, seed: int = 0) -> npt.NDArray:  # type: ignore[type-arg]
    ones = np.ones(len(rows))
    layers = fit_odds_network(rows, hits, ones, start * ones, hidden=(16, 8), farthest=3.0, seed=seed)
    return start + add_rows(_world(500)[0], network_from_layers(*layers))


def test_it_learns_what_no_sum_can_say_and_where_it_starts_from_does_not_matter() -> None:
    rows, hits = _world(20_000)
    unseen = _world(500)[1]
    assert ((_odds(rows, hits, 0.0) > 0) == unseen).mean() > 0.95
    assert ((_odds(rows, hits, 2.0) > 0) == unseen).mean() > 0.95


def test_heavier_entries_decide() -> None:
    rows, _ = _world(8_000)
    hits = np.arange(8_000) % 2 == 0
    layers = fit_odds_network(rows, hits, np.where(hits, 1.8, 0.2), np.zeros(8_000), hidden=(4,), farthest=3.0, seed=0)
    odds = add_rows(rows, network_from_layers(*layers))
    assert abs(odds.mean() - np.log(9)) < 0.3


def test_what_is_not_known_and_what_is_far_off_count_no_more_than_what_was_seen() -> None:
    rows, hits = _world(8_000)
    rows[::10, 2] = np.nan
    network = network_from_layers(
        *fit_odds_network(rows, hits, np.ones(8_000), np.zeros(8_000), hidden=(8,), farthest=3.0, seed=0)
    )
    far = rows[:50].copy()
    far[:, 2] = [1e20, np.nan] * 25
    # The third feature says nothing; what it never was may not overrule the others.
    assert ((add_rows(far, network) > 0) == hits[:50]).mean() > 0.8


def test_an_infinite_feature_is_not_known() -> None:
    rows, hits = _world(8_000)
    rows[::10, 2], rows[1::10, 2] = np.inf, -np.inf
    network = network_from_layers(
        *fit_odds_network(rows, hits, np.ones(8_000), np.zeros(8_000), hidden=(8,), farthest=3.0, seed=0)
    )
    assert ((add_rows(rows, network) > 0) == hits).mean() > 0.8


def test_a_feature_that_is_never_known_counts_nothing() -> None:
    rows, hits = _world(2_000)
    rows[:, 3] = np.nan
    network = network_from_layers(
        *fit_odds_network(rows, hits, np.ones(2_000), np.zeros(2_000), hidden=(4,), farthest=3.0, seed=0)
    )
    other = rows.copy()
    other[:, 3] = 7.0
    np.testing.assert_array_equal(add_rows(other, network), add_rows(rows, network))


def test_the_same_seed_learns_the_same_and_leaves_torch_alone() -> None:
    rows, hits = _world(2_000)
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    first, again, other = (_odds(rows, hits, 0.0, seed) for seed in (1, 1, 2))
    assert torch.rand(1) == expected
    np.testing.assert_allclose(first, again, rtol=1e-5, atol=1e-5)
    assert not np.allclose(first, other, atol=1e-2)
