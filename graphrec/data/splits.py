"""Holding out events for evaluation: by time, by each user's last items, at random, or as given.

In every kind a (user, item) pair is on one side only: no item of a user's training part is held out for that user.
Nothing vanishes in silence: events are in ``train``, in ``test``, or counted as ``dropped_repeats``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time

import numpy as np
import numpy.typing as npt

from graphrec.checks import check_count, typed_late
from graphrec.data.interactions import Interactions, histories, take
from graphrec.data.lists import ItemLists, entries_where
from graphrec.errors import ConfigError, DataError


@dataclass(frozen=True, slots=True, eq=False)
class Split:
    """Events to learn from, events held out, and ``settings``: how it was done and what came of it, as JSON values."""

    train: Interactions
    test: Interactions
    settings: dict[str, object]


@typed_late
def split_by_time(interactions: Interactions, *, test_share: float = 0.2, cut: int | str | date | None = None) -> Split:
    """Return the split at one moment for all users: training ends before it, test begins at it.

    Parameters
    ----------
    interactions : Interactions
        Without times, the order of rows counts as time, and ``cut`` cannot be given.
    test_share : float, default 0.2
        Share of events after the cut, between 0 and 1. The cut is the moment that comes closest to it: events of one
        second stay together. Not used where ``cut`` is given.
    cut : int, str, date or datetime, optional
        Seconds UTC, a date (its first midnight) or an ISO date; without a zone it is UTC.

    Returns
    -------
    Split
        Later events of a pair that is in ``train`` are dropped from ``test`` and counted.

    Raises
    ------
    ConfigError
        If the share or the date is illegal, or a cut is given where there are no times.
    DataError
        If either side would be empty.
    """
    _check_share(test_share)
    settings: dict[str, object] = {"kind": "time"}
    if interactions.times is None:
        if cut is not None:
            raise ConfigError("a split by cut time needs times, and these interactions have none; use test_share")
        first = round((1 - test_share) * len(interactions))
        later = np.arange(len(interactions)) >= first
        settings |= {"test_share": test_share, "cut": None, "cut_row": first, "order": "rows"}
    else:
        moment = _closest_cut(interactions.times, test_share) if cut is None else _seconds(cut)
        later = interactions.times >= moment
        settings |= {"test_share": test_share if cut is None else None, "cut": _iso(moment), "order": "times"}
    return _finish(take(interactions, ~later), take(interactions, later), settings)


@typed_late
def split_leave_last(interactions: Interactions, *, n: int = 1) -> Split:
    """Return the split that holds out each user's last ``n`` items, all events of those pairs included.

    The last items are those whose last event is latest (then: latest row). Users with ``n`` items or fewer stay wholly
    in training.

    Raises
    ------
    ConfigError
        If ``n < 1``.
    DataError
        If no user has more than ``n`` items.
    """
    check_count("n", n, 1)
    history = histories(interactions)
    lengths = history.lengths
    from_end = np.repeat(history.indptr[1:], lengths) - np.arange(len(history.items))
    held = (from_end <= n) & (np.repeat(lengths, lengths) > n)
    order = "rows" if interactions.times is None else "times"
    return _by_pairs(interactions, history, held, {"kind": "leave-last", "n": n, "order": order})


@typed_late
def split_by_ratio(interactions: Interactions, *, test_share: float = 0.2, seed: int) -> Split:
    """Return the split that holds out a random share of each user's items, all events of those pairs included.

    The share is rounded to whole items for each user (halves up), and one item stays in training at least.

    Raises
    ------
    ConfigError
        If the share does not lie between 0 and 1, or the seed is no whole number of 0 or more.
    DataError
        If nothing would be held out.
    """
    _check_share(test_share)
    check_count("seed", seed, 0)
    history = histories(interactions)
    lengths = history.lengths
    owners = np.repeat(np.arange(len(history)), lengths)
    shuffled = np.lexsort((np.random.default_rng(seed).permutation(len(history.items)), owners))
    wanted = np.minimum(np.floor(test_share * lengths + 0.5).astype(np.int64), np.maximum(lengths - 1, 0))
    # Users stand in one run each, so the place within the run is the place in the user's own shuffle.
    within = np.arange(len(shuffled)) - np.repeat(history.indptr[:-1], lengths)
    held = np.zeros(len(shuffled), dtype=np.bool_)
    held[shuffled] = within < np.repeat(wanted, lengths)
    return _by_pairs(interactions, history, held, {"kind": "ratio", "test_share": test_share, "seed": seed})


@typed_late
def split_given(train: Interactions, test: Interactions) -> Split:
    """Return the split that files already made; test events of pairs in ``train`` are dropped and counted.

    Raises
    ------
    DataError
        If the two have different numbers of users or items, or either is empty.
    """
    if (train.n_users, train.n_items) != (test.n_users, test.n_items):
        raise DataError(
            f"train has {train.n_users} users and {train.n_items} items, test has {test.n_users} and "
            f"{test.n_items}; read both with the same vocabularies"
        )
    return _finish(train, test, {"kind": "given"})


@typed_late
def held_out(train: Interactions, test: Interactions) -> ItemLists:
    """Return each user's truth: the distinct items of ``test`` that are not in ``train``, with summed weights.

    Items whose summed weight is 0 or below are left out: they were seen, not liked.
    """
    merged = histories(test)
    keys = np.repeat(np.arange(len(merged), dtype=np.int64), merged.lengths) * test.n_items + merged.items
    keep = ~np.isin(keys, _pairs(train)) & (merged.scores > 0)
    return entries_where(merged, keep)


def items_born_after(train: Interactions, test: Interactions) -> npt.NDArray[np.int32]:
    """Return the rows of items, ascending, that have events in ``test`` and none in ``train``.

    No channel that learns from behaviour alone can find them; report how many there are.
    """
    seen = np.bincount(train.items, minlength=train.n_items) > 0
    tested = np.bincount(test.items, minlength=test.n_items) > 0
    return np.flatnonzero(tested & ~seen).astype(np.int32)


def _pairs(interactions: Interactions) -> npt.NDArray[np.int64]:
    """Return (m,) int64: one number for each event's (user, item) pair."""
    keys: npt.NDArray[np.int64] = interactions.users.astype(np.int64) * interactions.n_items + interactions.items
    return keys


def _by_pairs(
    interactions: Interactions, history: ItemLists, held: npt.NDArray[np.bool_], settings: dict[str, object]
) -> Split:
    """Send all events of the held pairs of ``history`` to test."""
    owners = np.repeat(np.arange(len(history), dtype=np.int64), history.lengths)
    keys = owners * interactions.n_items + history.items
    chosen = np.isin(_pairs(interactions), keys[held])
    return _finish(take(interactions, ~chosen), take(interactions, chosen), settings)


def _finish(train: Interactions, test: Interactions, settings: Mapping[str, object]) -> Split:
    """Drop repeats from test, refuse empty sides, and describe what came of it."""
    repeats = np.isin(_pairs(test), _pairs(train))
    kept = take(test, ~repeats)
    for name, side in (("training", train), ("test", kept)):
        if len(side) == 0:
            raise DataError(
                f"the {settings['kind']} split leaves no {name} events ({len(train)} train, {len(test)} test, "
                f"{int(repeats.sum())} of them repeats of training); choose another cut or share"
            )
    n_with_truth = int((held_out(train, kept).lengths > 0).sum())
    born = items_born_after(train, kept)
    outcome: dict[str, object] = {
        "n_users": train.n_users,
        "n_items": train.n_items,
        "train_events": len(train),
        "test_events": len(kept),
        "dropped_repeats": int(repeats.sum()),
        "users_with_truth": n_with_truth,
        "users_without_truth": train.n_users - n_with_truth,
        "test_users_without_train": len(np.setdiff1d(kept.users, train.users)),
        "items_born_after": len(born),
        "test_events_of_items_born_after": int(np.isin(kept.items, born).sum()),
    }
    return Split(train, kept, {**settings, **outcome})


def _check_share(share: float) -> None:
    if isinstance(share, bool) or not isinstance(share, int | float | np.number) or not 0 < share < 1:
        raise ConfigError(f"test_share is {share!r}; it must lie between 0 and 1, such as 0.2")


def _closest_cut(times: npt.NDArray[np.int64], test_share: float) -> int:
    """Return the moment that leaves a share of events closest to ``test_share`` at or after it."""
    moments, counts = np.unique(times, return_counts=True)
    if len(moments) < 2:
        raise DataError(f"all {len(times)} events have the same time; use a leave-last or ratio split")
    before = np.cumsum(counts)[:-1]
    closest = int(np.argmin(np.abs(before - (1 - test_share) * len(times))))
    return int(moments[closest + 1])


def _seconds(cut: int | str | date) -> int:
    """Return a cut as seconds UTC."""
    try:
        if isinstance(cut, bool):
            raise ValueError("a truth value is no moment")
        if isinstance(cut, int | np.integer):
            return int(_at(cut).timestamp())
        moment = datetime.fromisoformat(cut) if isinstance(cut, str) else cut
        if isinstance(moment, date) and not isinstance(moment, datetime):
            moment = datetime.combine(moment, time())
        aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
        return int(aware.timestamp())
    except (ValueError, OverflowError, OSError, AttributeError) as error:
        raise ConfigError(
            f"the cut {cut!r} is no ISO date; write it like 2024-05-01 or 2024-05-01T12:00:00Z, or give seconds UTC"
        ) from error


def _iso(seconds: int) -> str:
    return _at(seconds).isoformat().replace("+00:00", "Z")


def _at(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, tz=UTC)
