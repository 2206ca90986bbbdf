"""What recipes may learn from while something is held out: events, and exposures that do not tell of it."""

from __future__ import annotations

import dataclasses
from datetime import datetime

import numpy as np

from graphrec.errors import ConfigError
from graphrec.exposures import Exposures, take_exposures
from graphrec.recall import RecallData
from graphrec.splits import Split


def training_part(data: RecallData, split: Split) -> RecallData:
    """Return ``data`` with the training events of ``split``, and only the exposures that do not leak what is held out.

    Under a split by time those before the cut are left. Under any other, those of the (user, item) pairs that are held
    out go; exposures of nobody known stay, for they cannot be told to belong to such a pair.

    Raises
    ------
    ConfigError
        If the split is by time and the exposures, or the events, have no times.
    """
    shown = data.exposures
    if shown is not None:
        shown = _before(shown, split) if split.settings["kind"] == "time" else _without_pairs(shown, split)
    return dataclasses.replace(data, interactions=split.train, exposures=shown)


def last_moment(data: RecallData) -> float | None:
    """Return the time of the newest event: schedules are looked at for then while channels are measured."""
    times = data.interactions.times
    return float(times.max()) if times is not None and len(times) else None


def _before(shown: Exposures, split: Split) -> Exposures:
    """Return the exposures before the cut."""
    cut = split.settings.get("cut")
    if shown.times is None or not isinstance(cut, str):
        what = "the exposures" if shown.times is None else "the events"
        raise ConfigError(
            f"split.kind = 'time' must know which exposures lie before the cut, and {what} have no times; "
            "name their column 'timestamp', or choose another split"
        )
    return take_exposures(shown, shown.times < datetime.fromisoformat(cut).timestamp())


def _without_pairs(shown: Exposures, split: Split) -> Exposures:
    """Return the exposures without those of held-out pairs."""
    held = split.test.users.astype(np.int64) * split.test.n_items + split.test.items
    pairs = shown.users.astype(np.int64) * shown.n_items + shown.items
    return take_exposures(shown, (shown.users < 0) | ~np.isin(pairs, held))
