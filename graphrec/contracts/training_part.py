"""What recipes may learn from while events are held out: nothing that gives those away."""

from __future__ import annotations

import dataclasses
from datetime import datetime

import numpy as np
import numpy.typing as npt

from graphrec.checks import typed_late
from graphrec.contracts.recall_data import RecallData
from graphrec.data.exposures import take_exposures
from graphrec.data.splits import Split
from graphrec.data.user_tags import tags_of_items, take_user_tags
from graphrec.errors import ConfigError


@typed_late
def training_part(data: RecallData, split: Split) -> RecallData:
    """Return ``data`` with the training events of ``split``, and nothing that gives away what is held out.

    Under a split by time the exposures before the cut are left. Under any other, those of the (user, item) pairs that
    are held out go; exposures of unknown users stay, for no such pair is known to be theirs. Tags that users
    gave go with held-out pairs under every split, and from the cut on under one by time; the tags of items are made
    anew of the rest.

    Raises
    ------
    ConfigError
        If the split is by time and the exposures, the user tags, or the events, have no times.
    """
    shown, tagged, by_time = data.exposures, data.user_tags, split.settings["kind"] == "time"
    part = dataclasses.replace(data, interactions=split.train)
    if shown is not None:
        kept = _before(shown.times, split, "exposures") if by_time else ~_held(shown.users, shown.items, split)
        part = dataclasses.replace(part, exposures=take_exposures(shown, kept))
    if tagged is not None:
        kept = ~_held(tagged.users, tagged.items, split)
        if by_time:
            kept &= _before(tagged.times, split, "user tags")
        left = take_user_tags(tagged, kept)
        part = dataclasses.replace(part, user_tags=left, item_tags=tags_of_items(left))
    return part


def last_moment(data: RecallData) -> float | None:
    """Return the time of the newest event: schedules are looked at for then while channels are measured."""
    times = data.interactions.times
    return float(times.max()) if times is not None and len(times) else None


def _before(times: npt.NDArray[np.int64] | None, split: Split, what: str) -> npt.NDArray[np.bool_]:
    """Return which ``times`` (m,) lie before the cut."""
    cut = split.settings.get("cut")
    if times is None or not isinstance(cut, str):
        untimed = what if times is None else "events"
        raise ConfigError(
            f"split.kind = 'time' must know which {what} lie before the cut, and the {untimed} have no times; "
            "name their column 'timestamp', or choose another split"
        )
    return times < datetime.fromisoformat(cut).timestamp()


def _held(users: npt.NDArray[np.int32], items: npt.NDArray[np.int32], split: Split) -> npt.NDArray[np.bool_]:
    """Return which (user, item) pairs (m,) are held out; people who are no users (-1, or beyond) hold none."""
    held = split.test.users.astype(np.int64) * split.test.n_items + split.test.items
    return np.isin(users.astype(np.int64) * split.test.n_items + items, held)
