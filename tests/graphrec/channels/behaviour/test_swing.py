"""Swing beside its slow version, and at its edges: hubs, repeats, lonely users, nothing at all."""

from __future__ import annotations

import numpy as np
import pytest

from graphrec.channels.behaviour.swing import Swing
from graphrec.contracts.progress import FitContext
from graphrec.contracts.recall_data import RecallData
from graphrec.data.interactions import Interactions
from graphrec.data.neighbours import NeighbourTable
from graphrec.errors import ConfigError
from tests.graphrec.channels.compare import WORLDS, World, settings_of
from tests.oracles.behaviour import swing_table
from tests.oracles.sparse import Dense
from tests.worlds import library, skewed


def _dense(table: NeighbourTable) -> Dense:
    dense = np.zeros((len(table), table.n_columns))
    for row in range(len(table)):
        columns, scores = table[row]
        dense[row, columns] = scores
    return dense


def _of(pairs: list[tuple[int, int]], weights: list[float] | None = None) -> RecallData:
    """Return the library with other events."""
    data = library()
    users, items = np.array(pairs, dtype=np.int32).reshape(-1, 2).T
    events = Interactions(users, items, weights, n_users=len(data.users), n_items=len(data.items))
    return RecallData(data.users, data.items, events, data.catalogue, data.item_tags)


@WORLDS
@pytest.mark.parametrize(
    "recipe",
    [
        Swing(),
        Swing(alpha=0.0, user_shift=0.0, beta=1.0, item_exponent=0.0, normalise=False),
        Swing(alpha=3.0, beta=0.0, item_exponent=1.0, min_common_users=4),
        Swing(max_users_per_item=5, normalise=False),
        Swing(max_users_per_item=2),
    ],
)
def test_it_is_the_sum_over_pairs_of_users(world: World, recipe: Swing) -> None:
    data = world()
    found = _dense(recipe.fit(data).tables[0])
    np.testing.assert_allclose(found, swing_table(data, **settings_of(recipe, "weight_exponent")), rtol=1e-5)


def test_only_the_best_k_stay() -> None:
    cut = Swing(k=3, normalise=False).fit(skewed()).tables[0]
    whole = _dense(Swing(k=1000, normalise=False).fit(skewed()).tables[0])
    for row, scores in enumerate(whole):
        np.testing.assert_allclose(cut[row][1], np.sort(scores[scores > 0])[::-1][:3], rtol=1e-6)


def test_two_who_share_nothing_else_count_most() -> None:
    # 0 and 1 share items 0 and 1 only; 2 and 3 share items 0, 2, 3 and 4.
    data = _of([(0, 0), (0, 1), (1, 0), (1, 1), *((u, i) for u in (2, 3) for i in (0, 2, 3, 4))])
    items, scores = Swing(alpha=0.0, beta=0.0, item_exponent=0.0, normalise=False).fit(data).tables[0][0]
    assert items.tolist() == [1, 2, 3, 4]
    np.testing.assert_allclose(scores, [1 / 2, 1 / 4, 1 / 4, 1 / 4])


def test_of_a_hub_as_many_users_as_the_cap_are_paired_and_the_others_are_left() -> None:
    # Item 0 has eight users; of them rows 0, 2, 4, 6 are taken. Item 1 is shared by the odd ones, item 2 by the even.
    data = _of([(u, 0) for u in range(8)] + [(u, 1 + (u + 1) % 2) for u in range(8)])
    recipe = Swing(alpha=0.0, beta=0.0, item_exponent=0.0, max_users_per_item=4, normalise=False)
    table = recipe.fit(data).tables[0]
    assert table[0][0].tolist() == [2]
    np.testing.assert_allclose(table[0][1], [6 / 2])
    # The hub has no cap on being found: item 1 has four users, all of them paired.
    assert table[1][0].tolist() == [0]


def test_users_of_one_item_do_not_fill_the_places_of_a_hub() -> None:
    data = _of([(u, 0) for u in range(8)] + [(6, 1), (7, 1)])
    assert Swing(max_users_per_item=2).fit(data).tables[0][0][0].tolist() == [1]


def test_repeats_count_once_and_weights_of_zero_or_below_not_at_all() -> None:
    pairs = [(0, 0), (0, 1), (1, 0), (1, 1)]
    once = _dense(Swing(normalise=False).fit(_of(pairs)).tables[0])
    twice = _dense(Swing(normalise=False).fit(_of(pairs * 2)).tables[0])
    np.testing.assert_array_equal(once, twice)
    disliked = _of([*pairs, (0, 2), (1, 2), (0, 3), (1, 3)], [1, 1, 1, 1, 0, 0, -1, -1])
    np.testing.assert_array_equal(_dense(Swing(normalise=False).fit(disliked).tables[0]), once)


def test_an_item_shared_by_no_two_users_has_no_neighbours() -> None:
    table = Swing().fit(_of([(0, 0), (0, 1), (1, 2), (1, 3)])).tables[0]
    assert len(table) == len(library().items)
    assert len(table.neighbours) == 0


def test_threads_do_not_change_a_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("graphrec.channels.behaviour.swing.chunk_rows", lambda width: 7)
    data = skewed()
    alone, many = (Swing().fit(data, FitContext(workers=workers)).tables[0] for workers in (1, 4))
    for name in ("indptr", "neighbours", "scores"):
        np.testing.assert_array_equal(getattr(alone, name), getattr(many, name))
    monkeypatch.undo()
    np.testing.assert_array_equal(Swing().fit(data).tables[0].scores, alone.scores)


def test_a_cap_that_memory_does_not_hold_is_refused() -> None:
    with pytest.raises(ConfigError, match="max_users_per_item is 10001; it must be a whole number from 2 to 10,000"):
        Swing(max_users_per_item=10_001)
    with pytest.raises(ConfigError, match="min_common_users is 1; it must be a whole number of 2 or more"):
        Swing(min_common_users=1)
