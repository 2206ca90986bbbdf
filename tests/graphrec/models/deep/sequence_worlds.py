"""Worlds of sequences: what comes next is plain to see."""

from __future__ import annotations

import numpy as np

from graphrec.contracts.recall_data import RecallData
from graphrec.data.interactions import Interactions
from graphrec.data.vocabulary import Vocabulary
from graphrec.graph.catalogue import items_only
from tests.worlds import DAY, START

N_ITEMS = 12


def rounds(*, n_users: int = 40, times: bool = True) -> RecallData:
    """Return users who walk around a circle of 12 items from places of their own, of 2 to 9 steps, and one of 30."""
    rng = np.random.default_rng(5)
    lengths = rng.integers(3, 11, n_users)
    lengths[0] = 31
    first = rng.integers(0, N_ITEMS, n_users)
    users = np.repeat(np.arange(n_users), lengths)
    steps = np.concatenate([np.arange(length) for length in lengths])
    items = (first[users] + steps) % N_ITEMS
    when = START + steps * DAY if times else None
    # Not in order: what brings events in order is their time.
    order = rng.permutation(len(users)) if times else np.arange(len(users))
    events = Interactions(
        users[order], items[order], times=None if when is None else when[order], n_users=n_users, n_items=N_ITEMS
    )
    names = Vocabulary([f"i{row}" for row in range(N_ITEMS)])
    return RecallData(Vocabulary([f"u{row}" for row in range(n_users)]), names, events, items_only(names))
