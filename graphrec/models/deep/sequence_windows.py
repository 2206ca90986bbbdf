"""What sequence models are trained on: everybody's liked events, cut into windows and put together by length."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from graphrec.data.interactions import Interactions, take
from graphrec.data.lists import indptr_of
from graphrec.data.sequences import Sequences, sequences

Rows = npt.NDArray[np.int64]

# Steps whose windows are drawn together and put in order of length, so that a step pads little.
_POOL = 16


def liked_events(interactions: Interactions) -> Sequences:
    """Return everybody's events whose weight is above 0, oldest first, with repeats."""
    return sequences(take(interactions, interactions.weights > 0))


class Windows(NamedTuple):
    """Runs of events within users: window i is ``lengths[i]`` events from position ``starts[i]`` on, (n,) int64."""

    starts: Rows
    lengths: Rows


def n_windows(events: Sequences, last: int) -> int:
    """Return how many windows :func:`windows` cuts, whatever it draws."""
    return int((-(-np.maximum(events.lengths - 1, 0) // last)).sum())


def windows(events: Sequences, last: int, rng: np.random.Generator) -> Windows:
    """Cut each list into as few windows of at most ``last`` + 1 events as let each event but the first be predicted.

    Neighbouring windows share one event: the last that one predicts is the first that the next reads. Where a list has
    room, the first cut is drawn, so that an event is not always at the same place of a window. Lists of fewer than two
    events have none.
    """
    steps = np.maximum(events.lengths - 1, 0)
    counts = -(-steps // last)
    least = steps - np.maximum(counts - 1, 0) * last  # steps that the first window must have
    first = least + (rng.random(len(steps)) * (np.minimum(last, steps) - least + 1)).astype(np.int64)
    owners = np.repeat(np.arange(len(steps)), counts)
    number = np.arange(len(owners)) - np.repeat(indptr_of(counts)[:-1], counts)
    begins = np.where(number == 0, 0, first[owners] + (number - 1) * last)
    ends = np.minimum(first[owners] + number * last, steps[owners])
    return Windows(events.indptr[owners] + begins, ends - begins + 1)


def prefixes(events: Sequences, last: int) -> Windows:
    """Return for each event but the first of a list a window that ends with it, after at most ``last`` others."""
    begins = np.repeat(events.indptr[:-1], events.lengths)
    ends = np.arange(len(begins))
    ends = ends[ends > begins]
    starts = np.maximum(begins[ends], ends - last)
    return Windows(starts, ends - starts + 1)


def in_steps(cut: Windows, size: int, rng: np.random.Generator) -> Iterator[Windows]:
    """Yield windows ``size`` at a time, each once, in an order that is drawn; those of a step are of like lengths."""
    order = rng.permutation(len(cut.starts))
    steps: list[Rows] = []
    for start in range(0, len(order), size * _POOL):
        pool = order[start : start + size * _POOL]
        pool = pool[np.argsort(cut.lengths[pool], kind="stable")]
        steps += [pool[place : place + size] for place in range(0, len(pool), size)]
    for number in rng.permutation(len(steps)):
        yield Windows(cut.starts[steps[number]], cut.lengths[steps[number]])


def positions_of(cut: Windows) -> Rows:
    """Return (n, w) int64: the positions of each window's events, w the longest; -1 behind the end of a shorter one."""
    width = int(cut.lengths.max(initial=0))
    places = np.arange(width)
    return np.where(places < cut.lengths[:, None], cut.starts[:, None] + places, -1)
