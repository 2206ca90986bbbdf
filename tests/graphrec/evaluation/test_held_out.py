from dataclasses import replace

import numpy as np
import pytest

from graphrec.data.interactions import Interactions, histories
from graphrec.data.splits import split_by_ratio, split_by_time
from graphrec.errors import DataError
from graphrec.evaluation.held_out import held_out_panel, sample_users
from tests.worlds import skewed


def test_truth_is_what_sets_say() -> None:
    whole = skewed()
    split = split_by_time(whole.interactions, test_share=0.4)
    data = replace(whole, interactions=split.train)
    held = held_out_panel(data, split.test)
    assert split.train.times is not None
    assert held.panel.moment == split.train.times.max()
    known, expected, outside = histories(split.train), {}, 0
    for user, (items, weights) in enumerate(histories(split.test)):
        liked = {int(i) for i, weight in zip(items, weights, strict=True) if weight > 0} - set(known[user][0].tolist())
        outside += sum(not data.pool[i] for i in liked)
        expected[user] = {i for i in liked if data.pool[i]}
    expected = {user: items for user, items in expected.items() if items}
    found = {
        int(user): set(items.tolist()) for user, (items, _) in zip(held.panel.users, held.panel.truth, strict=True)
    }
    assert found == expected
    assert (held.n_with_truth, held.n_outside_pool) == (len(expected), outside)
    assert outside > 0
    for user, (items, _) in zip(held.panel.users, held.panel.history, strict=True):
        assert items.tolist() == known[int(user)][0].tolist()


def test_a_sample_is_that_of_the_seed_and_counted_whole() -> None:
    whole = skewed()
    split = split_by_ratio(whole.interactions, test_share=0.3, seed=1)
    data = replace(whole, interactions=split.train)
    everybody = held_out_panel(data, split.test)
    few = held_out_panel(data, split.test, max_users=9, seed=4)
    assert few.panel.users.tolist() == sample_users(everybody.panel.users, 9, seed=4).tolist()
    assert few.panel.users.tolist() == sorted(few.panel.users.tolist())
    assert few.n_with_truth == everybody.n_with_truth == len(everybody.panel)


def test_parts_that_do_not_fit_together_are_refused() -> None:
    data = skewed()
    with pytest.raises(DataError, match="read both with the same vocabularies"):
        held_out_panel(data, Interactions([0], [0], n_users=1, n_items=2))
    with pytest.raises(DataError, match="nobody has a held-out item inside the pool"):
        held_out_panel(data, data.interactions)
    assert sample_users(np.arange(3, dtype=np.int32), None, seed=0).tolist() == [0, 1, 2]
