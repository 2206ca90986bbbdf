"""What a batch of PinSage holds: the frontier without leaks, histories cut in two, pairs, negatives."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphrec.data.interactions import Interactions
from graphrec.data.neighbours import NeighbourTable
from graphrec.errors import DataError
from graphrec.models.graph_networks import pinsage_batches
from graphrec.models.graph_networks.pinsage_batches import (
    Batch,
    Batches,
    BatchSettings,
    Frontier,
    Histories,
    histories_of,
    rows_of,
    takers_of,
    whole,
)
from graphrec.recallers.profile import Profile
from tests.graphrec.models.graph_networks.test_pinsage_model import table_of
from tests.worlds import skewed

PLAIN: dict[str, Any] = {
    "batch": 4, "held": 0.5, "exponent": 1.0, "discount": 0.0, "profile": Profile(), "negatives": 6,
    "in_batch": False, "pairs": True, "window": 0,
}  # fmt: skip


def batches_of(histories: Histories, band: NeighbourTable | None = None, **changed: Any) -> Batches:
    table = table_of(histories.n_items, 0)
    return Batches(histories, Frontier(table, 2), BatchSettings(**PLAIN | changed), band)


def epoch(histories: Histories, band: NeighbourTable | None = None, n_hard: int = 0, **changed: Any) -> list[Batch]:
    batches = batches_of(histories, band, **changed)
    return [batches.batch(*drawn, n_hard) for drawn in batches.epoch(np.random.default_rng(0))]


@settings(max_examples=40, deadline=None)
@given(n=st.integers(1, 60), n_seeds=st.integers(1, 60), n_pairs=st.integers(0, 20), seed=st.integers(0, 999))
def test_blocks_are_the_neighbourhoods_without_the_pairs_edges(n: int, n_seeds: int, n_pairs: int, seed: int) -> None:
    table, rng = table_of(n, seed), np.random.default_rng(seed)
    seeds = rng.permutation(n)[:n_seeds].astype(np.int64)
    left, right = rng.integers(0, n, (2, n_pairs))
    banned = {*zip(left.tolist(), right.tolist(), strict=True), *zip(right.tolist(), left.tolist(), strict=True)}
    blocks = Frontier(table, 2).blocks(seeds, (left, right))
    np.testing.assert_array_equal(blocks[1].nodes[: len(seeds)], seeds)
    np.testing.assert_array_equal(blocks[0].nodes[: len(blocks[1].nodes)], blocks[1].nodes)
    for block in blocks:
        assert len(np.unique(block.nodes)) == len(block.nodes)
        for i in range(len(block.indptr) - 1):
            row = int(block.nodes[i])
            here = slice(block.indptr[i], block.indptr[i + 1])
            near, scores = table[row]
            kept = np.array([(row, int(other)) not in banned for other in near], dtype=np.bool_)
            np.testing.assert_array_equal(block.nodes[block.neighbours[here]], near[kept])
            if kept.any():
                np.testing.assert_allclose(block.weights[here], scores[kept] / scores[kept].sum(), rtol=1e-5)


def test_a_frontier_is_the_same_when_it_is_used_again() -> None:
    frontier, seeds = Frontier(table_of(50, 1), 2), np.array([3, 9, 4])
    first, _, again = (frontier.blocks(chosen) for chosen in (seeds, np.arange(50), seeds))
    for left, right in zip(first, again, strict=True):
        np.testing.assert_array_equal(left.nodes, right.nodes)
        np.testing.assert_array_equal(left.neighbours, right.neighbours)


def test_a_layer_of_more_neighbours_than_places_count_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    table, everything = table_of(30, 1), np.arange(30)
    m, frontier = len(table.neighbours), Frontier(table, 1)
    edges = np.repeat(everything, np.diff(table.indptr)), table.neighbours.astype(np.int64)
    before = frontier.blocks(everything)[0]
    monkeypatch.setattr(pinsage_batches, "_MOST", m - 1)
    sentence = f"a layer has {m} neighbours; at most {m - 1}: keep fewer neighbours"
    with pytest.raises(DataError, match=sentence):
        whole(table)
    with pytest.raises(DataError, match=sentence):
        rows_of(table, everything)
    with pytest.raises(DataError, match=sentence):
        frontier.blocks(everything, edges)
    monkeypatch.undo()
    # What was left out of the batch that failed is there again.
    np.testing.assert_array_equal(frontier.blocks(everything)[0].neighbours, before.neighbours)


def test_the_whole_block_pools_in_order_of_rows() -> None:
    table = table_of(20, 2)
    block = whole(table)
    np.testing.assert_array_equal(block.nodes, np.arange(20))
    np.testing.assert_array_equal(block.neighbours, table.neighbours)


def lists(indptr: npt.NDArray[np.int64], items: npt.NDArray[np.int64]) -> list[list[int]]:
    return [items[a:b].tolist() for a, b in pairwise(indptr.tolist())]


@pytest.mark.parametrize("held", [0.0, 0.3, 0.7])
def test_a_history_is_read_in_part_and_the_rest_is_to_be_told(held: float) -> None:
    histories = histories_of(skewed().interactions)
    seen: list[int] = []
    for batch in epoch(histories, held=held):
        read = lists(batch.history_indptr, batch.seeds[batch.history])
        for place, user in enumerate(batch.users.tolist()):
            own = histories.items[histories.indptr[user] : histories.indptr[user + 1]].tolist()
            told = batch.seeds[batch.taken[batch.owners == place]].tolist()
            if held:
                assert sorted(read[place] + told) == sorted(own)
            else:
                assert read[place] == told == own
            seen.append(user)
    assert sorted(seen) == np.flatnonzero(np.diff(histories.indptr)).tolist()


def test_what_is_read_weighs_as_it_will_when_served() -> None:
    histories = histories_of(skewed().interactions)
    profile = Profile(half_life=2.0, exponent=1.0)
    for batch in epoch(histories, profile=profile, exponent=0.5, held=0.0):
        for place, user in enumerate(batch.users.tolist()):
            weights = histories.weights[histories.indptr[user] : histories.indptr[user + 1]].astype(np.float64)
            weights = weights * 2.0 ** (-np.arange(len(weights))[::-1] / 2.0)
            here = batch.history_weights[batch.history_indptr[place] : batch.history_indptr[place + 1]]
            np.testing.assert_allclose(here, weights / weights.sum() ** 0.5, rtol=1e-5)


@pytest.mark.parametrize(("window", "timed"), [(0, True), (1, True), (3, True), (3, False)])
def test_pairs_are_of_one_user_and_of_the_next_few_where_times_are_known(window: int, timed: bool) -> None:
    whole_world = skewed().interactions
    events = whole_world if timed else Interactions(whole_world.users, whole_world.items, n_users=60, n_items=45)
    histories = histories_of(events)
    own = lists(histories.indptr, histories.items)
    places = [{item: place for place, item in enumerate(items)} for items in own]
    n = 0
    for batch in epoch(histories, window=window, batch=1):
        place = places[int(batch.users[0])]
        for query, partner in zip(batch.seeds[batch.queries], batch.seeds[batch.partners], strict=True):
            step = place[int(partner)] - place[int(query)]
            assert step != 0
            if timed and window:
                assert 1 <= step <= window
            n += 1
    # Every event has a partner, but the newest of each user where partners come later.
    assert n == len(histories.items) - (57 if timed and window else 0)


def test_the_edges_of_pairs_are_out_of_the_batch() -> None:
    histories = histories_of(skewed().interactions)
    full = NeighbourTable(
        np.arange(46) * 44, np.concatenate([np.delete(np.arange(45), i) for i in range(45)]), np.ones(45 * 44),
        n_columns=45,
    )  # fmt: skip
    batches = Batches(histories, Frontier(full, 1), BatchSettings(**PLAIN | {"batch": 1}))
    for drawn in batches.epoch(np.random.default_rng(1)):
        batch = batches.batch(*drawn)
        block = batch.blocks[0]
        pairs = {*zip(batch.queries.tolist(), batch.partners.tolist(), strict=True)}
        pairs |= {(b, a) for a, b in pairs}
        pooling = np.repeat(np.arange(len(block.indptr) - 1), np.diff(block.indptr))
        assert not pairs & set(zip(pooling.tolist(), block.neighbours.tolist(), strict=True))


def test_candidates_are_distinct_and_corrected_for_their_odds() -> None:
    histories = histories_of(skewed().interactions)
    drawn = np.zeros(45)
    rng, rounds = np.random.default_rng(3), 400
    batches = batches_of(histories, in_batch=True, batch=6, negatives=5, held=0.5)
    expected = np.zeros(45)
    n = 0
    for _ in range(rounds // len(batches)):
        for parts in batches.epoch(rng):
            batch = batches.batch(*parts)
            rows = batch.seeds[batch.candidates]
            assert len(np.unique(rows)) == len(rows)
            assert set(batch.seeds[batch.taken].tolist()) <= set(rows.tolist())
            drawn[rows] += 1
            expected[rows] = np.maximum(expected[rows], np.exp(batch.log_q))
            n += 1
    # Popular items are nearly always there; items without events as often as 5 of 45.
    assert (expected[41:] < 0.2).all()
    assert abs(drawn[41:].mean() / n - 5 / 45) < 0.03
    popular = int(np.argmax(histories.shares))
    assert expected[popular] > 0.8
    assert drawn[popular] / n > 0.6


def test_as_many_negatives_as_items_are_all_items() -> None:
    for batch in epoch(histories_of(skewed().interactions), negatives=1000, in_batch=True):
        assert batch.seeds[batch.candidates].tolist() == list(range(45))
        assert not batch.log_q.any()


def test_hard_negatives_come_from_the_band() -> None:
    histories = histories_of(skewed().interactions)
    band = table_of(45, 9, isolated=0.2, degree=6)
    for batch in epoch(histories, band, n_hard=3):
        assert batch.hard.shape == (len(batch.queries), 3)
        for query, hard in zip(batch.seeds[batch.queries], batch.seeds[batch.hard], strict=True):
            near = set(band[int(query)][0].tolist())
            assert not near or set(hard.tolist()) <= near
    empty = NeighbourTable(np.zeros(46, np.int64), [], [], n_columns=45)
    assert all(batch.hard.shape[1] == 2 for batch in epoch(histories, empty, n_hard=2))
    assert all(batch.hard.shape[1] == 0 for batch in epoch(histories, None, n_hard=2))


def test_a_divided_batch_is_drawn_like_the_whole() -> None:
    """Processes that share a batch read and tell, of each user, what one process would."""
    histories = histories_of(skewed().interactions)
    batches = batches_of(histories, table_of(45, 9, isolated=0.2, degree=6), batch=12)
    for users, numbers, negatives in batches.epoch(np.random.default_rng(0)):
        whole_batch = batches.batch(users, numbers, negatives, 2)
        parts = [batches.batch(users[rank::2], numbers[rank::2], negatives, 2) for rank in (0, 1)]
        for name in ("taken", "queries", "partners", "history"):
            ours = whole_batch.seeds[getattr(whole_batch, name)]
            theirs = np.concatenate([part.seeds[getattr(part, name)] for part in parts])
            assert sorted(ours.tolist()) == sorted(theirs.tolist())


@pytest.mark.parametrize("held", [0.2, 0.5])
def test_what_is_held_is_drawn_evenly(held: float) -> None:
    histories = histories_of(skewed().interactions)
    told = np.array([len(batch.taken) for batch in epoch(histories, held=held, batch=1)])
    lengths = np.diff(histories.indptr)[np.diff(histories.indptr) > 0]
    assert abs(told.sum() / lengths.sum() - held) < 0.08
    assert batches_of(histories, held=held).pairs_per_user == pytest.approx(held * lengths.mean())


def test_takers_are_the_normalised_events() -> None:
    histories = histories_of(skewed().interactions)
    takers = takers_of(histories)
    dense = np.zeros((45, 60))
    users = np.repeat(np.arange(60), np.diff(histories.indptr))
    dense[histories.items, users] = 1
    dense /= np.sqrt(np.maximum(dense.sum(axis=0), 1) * np.maximum(dense.sum(axis=1, keepdims=True), 1))
    block = rows_of(takers, np.array([3, 44, 0]))
    for place, row in enumerate((3, 44, 0)):
        here = slice(block.indptr[place], block.indptr[place + 1])
        own = np.zeros(60)
        own[block.neighbours[here]] = block.weights[here]
        np.testing.assert_allclose(own, dense[row], atol=1e-6)


def test_popular_items_say_less_where_they_are_discounted() -> None:
    histories = histories_of(skewed().interactions)
    counts = np.bincount(histories.items, minlength=45)
    for plain, less in zip(epoch(histories), epoch(histories, discount=0.5), strict=True):
        ratios = less.history_weights / plain.history_weights
        expected = counts[plain.seeds[plain.history]] ** -0.5
        np.testing.assert_allclose(ratios / ratios[0], expected / expected[0], rtol=1e-4)
    assert float(histories.discounts(0.5) @ histories.shares) == pytest.approx(1.0, rel=1e-5)


def test_what_a_pair_counts_halves_with_its_age() -> None:
    times = np.array([0, 5, 10], dtype=np.int64) * 86_400
    events = Interactions(
        np.array([0, 0, 1], dtype=np.int32), np.array([0, 1, 1], dtype=np.int32), None, times, n_users=2, n_items=3
    )
    taken = histories_of(events)
    counted = np.array([0.25, 0.5, 1.0])
    np.testing.assert_allclose(taken.freshness(5.0), counted / counted.mean(), rtol=1e-6)
    np.testing.assert_allclose(taken.fresh_events(5.0), np.array([0.25, 1.5, 0]) / counted.mean(), rtol=1e-6)
    assert (taken.freshness(float("inf")) == 1).all()
    assert (replace(taken, times=None).freshness(5.0) == 1).all()
