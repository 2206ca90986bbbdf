"""Nothing of what is held out reaches training by way of exposures (user tags: ``test_user_tags.py``)."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import numpy as np
import pytest

from graphrec.contracts.training_part import last_moment, training_part
from graphrec.data.exposures import Exposures
from graphrec.data.interactions import Interactions
from graphrec.data.splits import split_by_ratio, split_by_time
from graphrec.errors import ConfigError
from tests.worlds import described, skewed


def test_a_split_by_time_leaves_the_exposures_before_the_cut() -> None:
    data = described(skewed())
    split = split_by_time(data.interactions, test_share=0.3)
    part = training_part(data, split)
    cut = datetime.fromisoformat(str(split.settings["cut"])).timestamp()
    assert data.exposures is not None
    assert data.exposures.times is not None
    assert part.exposures is not None
    assert part.exposures.times is not None
    assert part.exposures.times.max() < cut
    assert len(part.exposures) == (data.exposures.times < cut).sum() > 0
    assert part.interactions is split.train
    assert last_moment(part) == split.train.times.max()  # type: ignore[union-attr]


def test_other_splits_leave_out_the_exposures_of_held_out_pairs() -> None:
    data = described(skewed(), n_exposures=3000)
    split = split_by_ratio(data.interactions, seed=1)
    part = training_part(data, split)
    held = set(zip(split.test.users.tolist(), split.test.items.tolist(), strict=True))
    assert data.exposures is not None
    assert part.exposures is not None
    before = list(zip(data.exposures.users.tolist(), data.exposures.items.tolist(), strict=True))
    after = list(zip(part.exposures.users.tolist(), part.exposures.items.tolist(), strict=True))
    assert held & set(before)
    assert after == [pair for pair in before if pair not in held]
    assert (part.exposures.users == -1).sum() == (data.exposures.users == -1).sum()


def test_a_split_by_time_refuses_what_it_cannot_place() -> None:
    data = described(skewed())
    shown = data.exposures
    assert shown is not None
    untimed = Exposures(shown.users, shown.items, shown.converted, n_users=shown.n_users, n_items=shown.n_items)
    split = split_by_time(data.interactions)
    with pytest.raises(ConfigError, match="the exposures have no times"):
        training_part(replace(data, exposures=untimed), split)
    events = data.interactions
    rows = Interactions(events.users, events.items, n_users=events.n_users, n_items=events.n_items)
    with pytest.raises(ConfigError, match="the events have no times"):
        training_part(replace(data, interactions=rows), split_by_time(rows))
    assert training_part(replace(data, exposures=None), split).exposures is None


def test_the_newest_event_is_the_moment_of_measuring() -> None:
    data = skewed()
    events = data.interactions
    assert events.times is not None
    assert last_moment(data) == np.max(events.times)
    rows = Interactions(events.users, events.items, n_users=events.n_users, n_items=events.n_items)
    assert last_moment(replace(data, interactions=rows)) is None
