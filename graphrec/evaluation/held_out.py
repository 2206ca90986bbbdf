"""The panel of a held-out part: which users are measured, on which items, and what had to be left out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from graphrec.checks import typed_late
from graphrec.contracts.panel import Panel
from graphrec.contracts.recall_data import RecallData
from graphrec.contracts.training_part import last_moment
from graphrec.data.interactions import Interactions, with_n_items
from graphrec.data.lists import entries_where, take_lists
from graphrec.data.outside import joined
from graphrec.data.sequences import sequences, take_sequences
from graphrec.data.splits import held_out
from graphrec.errors import DataError


@dataclass(frozen=True, slots=True, eq=False)
class HeldOut:
    """A panel, and the counts of what is not in it.

    ``n_with_truth`` are the users with a held-out item in the pool or outside the catalogue, of whom the panel may be a
    sample; ``n_outside_pool`` the held-out (user, item) pairs whose item is in the catalogue and not in the pool.
    """

    panel: Panel
    n_with_truth: int
    n_outside_pool: int


@typed_late
def held_out_panel(
    data: RecallData,
    test: Interactions,
    *,
    outside: Interactions | None = None,
    max_users: int | None = None,
    seed: int = 0,
) -> HeldOut:
    """Return the users with held-out items, as a panel: those in the pool, and those outside the catalogue.

    Parameters
    ----------
    data : RecallData
        What channels learn from: ``data.interactions`` are the histories, ``data.pool`` what may be recalled; the
        moment is that of the newest event.
    test : Interactions
        The held-out events, over the same users and items. A user's truth is the items here that are not in the
        history, are in the pool, and have a summed weight above 0.
    outside : Interactions, optional
        The held-out events of items outside the catalogue, over the same users and item rows of their own. They are
        truth that no channel can return, rows from ``n_items`` on: left out, they would raise every recall.
    max_users : int, optional
        Keep a random sample of so many users.
    seed : int
        Of the sample.

    Raises
    ------
    DataError
        If the two parts have other users or items, or nobody has a held-out item inside the pool.
    """
    train = data.interactions
    if (train.n_users, train.n_items) != (test.n_users, test.n_items):
        raise DataError(
            f"the channels learned from {train.n_users} users and {train.n_items} items, the held-out part has "
            f"{test.n_users} and {test.n_items}; read both with the same vocabularies"
        )
    n_outside = 0 if outside is None else outside.n_items
    both = test if outside is None else joined(test, outside)
    everything = held_out(with_n_items(train, both.n_items), both)
    truth = entries_where(everything, np.append(data.pool, np.ones(n_outside, dtype=np.bool_))[everything.items])
    users = np.flatnonzero(truth.lengths > 0).astype(np.int32)
    if len(users) == 0:
        raise DataError("nobody has a held-out item inside the pool; hold out more events or widen the pool")
    sample = sample_users(users, max_users, seed=seed)
    # As it happened: channels of sequences read repeats and times, all others the distinct items.
    history = take_sequences(sequences(train), sample)
    panel = Panel(sample, history, take_lists(truth, sample), data.pool, last_moment(data), n_outside=n_outside)
    return HeldOut(panel, len(users), len(everything.items) - len(truth.items))


def sample_users(users: npt.NDArray[np.int32], most: int | None, *, seed: int) -> npt.NDArray[np.int32]:
    """Return ``users``, or ``most`` of them drawn with the seed, in the same order, where there are more."""
    if most is None or len(users) <= most:
        return users
    return np.sort(np.random.default_rng(seed).choice(users, size=most, replace=False))
