"""Events of items that are outside the catalogue: kept apart from what is learned, never lost from what is judged.

Where a catalogue is declared, events may be of items that are not in it. Such events are split along with all others,
so that what is held out does not depend on the declaration; then they are divided from those of the catalogue.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt

from graphrec.data.interactions import Interactions, take
from graphrec.data.splits import Split
from graphrec.errors import DataError


def renumbered(interactions: Interactions, rows: npt.NDArray[np.int32], *, n_items: int) -> Interactions:
    """Return the events with item ``rows[i]`` in place of item ``i``.

    Parameters
    ----------
    rows : ndarray
        (n_items before,) int32 new rows, each in ``0..n_items-1``.
    n_items : int
        Size of the new vocabulary.
    """
    return Interactions(
        interactions.users,
        rows[interactions.items],
        interactions.weights,
        interactions.times,
        n_users=interactions.n_users,
        n_items=n_items,
        kinds=interactions.kinds,
        kind_names=interactions.kind_names,
    )


def divided(events: Interactions, n_items: int) -> tuple[Interactions, Interactions]:
    """Return the events of items ``0..n_items-1``, and those of the rows behind them, numbered from 0."""
    behind = events.items >= n_items
    inside, outside = take(events, ~behind), take(events, behind)
    numbers = np.arange(events.n_items, dtype=np.int32)
    return (
        renumbered(inside, numbers, n_items=n_items),
        renumbered(outside, numbers - np.int32(n_items), n_items=events.n_items - n_items),
    )


def divided_split(split: Split, n_items: int) -> tuple[Split, Interactions]:
    """Return the split of the events inside the catalogue of ``n_items``, and the held-out events outside it.

    Training events outside the catalogue are left out: nothing is learned from them.

    Raises
    ------
    DataError
        If no training event is of an item of the catalogue.
    """
    train, _ = divided(split.train, n_items)
    test, missed = divided(split.test, n_items)
    if not len(train):
        raise DataError(
            f"none of the {len(split.train):,} training events is of one of the {n_items:,} items of the catalogue; "
            "declare another catalogue, or hold out fewer events"
        )
    return dataclasses.replace(split, train=train, test=test), missed


def joined(test: Interactions, outside: Interactions) -> Interactions:
    """Return both tables of events as one: the items of ``outside`` have the rows behind those of ``test``.

    Kinds are dropped, and so are times where a table has none.

    Raises
    ------
    DataError
        If the two have other numbers of users.
    """
    if test.n_users != outside.n_users:
        raise DataError(
            f"the events outside the catalogue are of {outside.n_users} users, the others of {test.n_users}"
        )
    times = None
    if test.times is not None and outside.times is not None:
        times = np.concatenate([test.times, outside.times])
    return Interactions(
        np.concatenate([test.users, outside.users]),
        np.concatenate([test.items, outside.items + np.int32(test.n_items)]),
        np.concatenate([test.weights, outside.weights]),
        times,
        n_users=test.n_users,
        n_items=test.n_items + outside.n_items,
    )
