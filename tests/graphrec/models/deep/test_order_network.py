from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch

from graphrec.fusion.network import Network, add_rows, network_from_layers
from graphrec.models.deep.order_network import fit_order_network

Rows = npt.NDArray[np.float32]
Values = npt.NDArray[np.float64]


def _world(n: int) -> tuple[Rows, npt.NDArray[np.bool_]]:
    """Return two features of which a hit has one alone high, one of another scale and one that never changes."""
    rng = np.random.default_rng(n)
    rows = rng.normal(size=(n, 4)).astype(np.float32) * np.array([1, 1, 1000, 0], dtype=np.float32) + np.float32(5)
    return rows, (rows[:, 0] > 5) != (rows[:, 1] > 5)


def _network(
    rows: Rows,
    weights: npt.ArrayLike,
    *,
    size: int = 20,
    counts: npt.ArrayLike = 1.0,
    start: npt.ArrayLike = 0.0,
    hidden: tuple[int, ...] = (16, 8),
    seed: int = 0,
) -> Network:
    """Return the network of lists of one size."""
    lists = np.arange(0, len(rows) + 1, size)
    numbers = (np.broadcast_to(np.asarray(part, dtype=np.float64), len(rows)) for part in (weights, counts, start))
    return network_from_layers(*fit_order_network(rows, lists, *numbers, hidden=hidden, seed=seed))


def _in_order(scores: Values, hits: npt.NDArray[np.bool_]) -> float:
    """Return which share of the pairs of a hit and another entry the scores put in order."""
    return float((scores[hits][:, None] > scores[~hits]).mean())


def test_it_learns_what_no_sum_can_say_from_wherever_it_starts() -> None:
    rows, hits = _world(20_000)
    unseen, expected = _world(500)
    assert _in_order(add_rows(unseen, _network(rows, hits)), expected) > 0.97
    away, owners = 3.0 * (5 - rows[:, 0]), np.repeat(np.random.default_rng(0).normal(size=1000), 20)
    corrected = 3.0 * (5 - unseen[:, 0]) + add_rows(unseen, _network(rows, hits, start=away))
    assert _in_order(corrected, expected) > 0.9
    # What all entries of a list have in common says nothing.
    common = add_rows(unseen, _network(rows, hits, start=50 * owners))
    assert _in_order(common, expected) > 0.97


def test_weights_of_hits_and_what_entries_stand_for_decide() -> None:
    rows = np.tile(np.eye(2, dtype=np.float32), (4_000, 1))
    heavier = add_rows(rows[:2], _network(rows, np.tile([1.8, 0.2], 4_000), size=2, hidden=(4,)))
    assert abs(heavier[0] - heavier[1] - np.log(9)) < 0.3
    # As often a hit, but the second stands for four.
    either = np.eye(2)[np.arange(4_000) % 2].ravel()
    counted = add_rows(rows[:2], _network(rows, either, size=2, counts=np.tile([1.0, 4.0], 4_000), hidden=(4,)))
    assert abs(counted[0] - counted[1] - np.log(4)) < 0.3


def test_lists_have_any_length() -> None:
    rows, hits = _world(20_000)
    lengths = np.tile([1, 39, 20, 20], 250)
    lists = np.append(0, np.cumsum(lengths))
    layers = fit_order_network(
        rows, lists, hits.astype(np.float64), np.ones(20_000), np.zeros(20_000), hidden=(16, 8), seed=0
    )
    unseen, expected = _world(500)
    assert _in_order(add_rows(unseen, network_from_layers(*layers)), expected) > 0.97


def test_what_is_not_known_and_what_is_far_off_count_no_more_than_what_was_seen() -> None:
    rows, hits = _world(8_000)
    rows[::10, 2] = np.nan
    network = _network(rows, hits, hidden=(8,))
    far = rows[:50].copy()
    far[:, 2] = [1e20, np.nan] * 25
    # The third feature says nothing; what it never was may not overrule the others.
    assert _in_order(add_rows(far, network), hits[:50]) > 0.8


def test_a_feature_that_is_never_known_counts_nothing() -> None:
    rows, hits = _world(2_000)
    rows[:, 3] = np.nan
    network = _network(rows, hits, hidden=(4,))
    other = rows.copy()
    other[:, 3] = 7.0
    np.testing.assert_array_equal(add_rows(other, network), add_rows(rows, network))


def test_the_same_seed_learns_the_same_and_leaves_torch_alone() -> None:
    rows, hits = _world(2_000)
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    first, again, other = (add_rows(rows, _network(rows, hits, seed=seed)) for seed in (1, 1, 2))
    assert torch.rand(1) == expected
    np.testing.assert_allclose(first, again, rtol=1e-5, atol=1e-5)
    assert not np.allclose(first, other, atol=1e-2)
