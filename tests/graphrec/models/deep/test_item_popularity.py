"""Popularity as what is to come would have it: the half-life that foretells the newest events best."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from graphrec.contracts.progress import FitContext
from graphrec.data.interactions import DAY_S, Interactions
from graphrec.models.deep.fm import FM
from graphrec.models.deep.item_popularity import _TRIED, coming_events, foretelling_half_life
from graphrec.models.graph_networks.pinsage_batches import histories_of
from tests.worlds import skewed


def in_fashion(period_days: float, *, n: int = 600, timed: bool = True) -> Interactions:
    """Return events of 2,000 days: half of any of 20 items, half of the one that is in fashion, each for a period."""
    rng = np.random.default_rng(0)
    days = np.sort(rng.uniform(0, 2000, n))
    items = np.where(rng.random(n) < 0.5, (days // period_days).astype(np.int64) % 20, rng.integers(0, 20, n))
    times = (days * DAY_S).astype(np.int64) if timed else None
    return Interactions(np.arange(n), items, None, times, n_users=n, n_items=20)


def test_the_half_life_is_the_likeliest() -> None:
    events = in_fashion(250.0)
    histories = histories_of(events)
    days, items = np.array(histories.times) / DAY_S, histories.items
    cut = np.quantile(days, 0.8)
    old = days <= cut

    def likelihood(half_life: float) -> float:
        fresh = [2 ** (-(cut - day) / half_life) for day in days[old]]
        counts = np.ones(20)
        for item, counted in zip(items[old], fresh, strict=True):
            counts[item] += counted / np.mean(fresh)
        return sum(math.log(counts[item] / counts.sum()) for item in items[~old])

    likeliest = max(_TRIED, key=likelihood)
    assert _TRIED[0] < likeliest < _TRIED[-1]
    assert foretelling_half_life(histories) == likeliest


def test_where_no_fashion_comes_or_goes_all_events_count_alike() -> None:
    assert foretelling_half_life(histories_of(in_fashion(400.0))) < 365
    assert foretelling_half_life(histories_of(in_fashion(5000.0))) == math.inf


@pytest.mark.parametrize("events", [in_fashion(100.0, timed=False), in_fashion(100.0, n=0), in_fashion(100.0, n=1)])
def test_without_times_all_events_count_alike(events: Interactions) -> None:
    histories = histories_of(events)
    assert foretelling_half_life(histories) == math.inf
    np.testing.assert_allclose(coming_events(histories, math.inf), histories.events)


def test_the_weight_of_an_item_begins_with_what_is_foretold() -> None:
    data: Any = replace(skewed(), interactions=Interactions(
        np.arange(60), np.repeat([0, 1], [40, 20]), None, np.linspace(0, 3000 * DAY_S, 60).astype(np.int64),
        n_users=60, n_items=45,
    ))  # fmt: skip
    begins = {}
    for half_life in (math.inf, 1e9):
        model: Any = FM(dim=2, half_life_days=half_life)._task(data, FitContext()).model
        begins[half_life] = model.linear.ids.weight[:2, 0].tolist()
    assert begins[1e9] == pytest.approx(np.log1p([40, 20]))
    assert begins[math.inf][0] < begins[math.inf][1]
