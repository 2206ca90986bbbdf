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
    """Runs of events within users, (n,) int64: window i is ``lengths[i]`` events from position ``starts[i]`` on.

    ``newest[i]`` counts the events at its end that it predicts.
    """

    starts: Rows
    lengths: Rows
    newest: Rows


def n_windows(events: Sequences, last: int, overlap: int) -> int:
    """Return how many windows :func:`windows` cuts, whatever it draws."""
    steps, strides = _steps(events, last, overlap)
    return int((-(-steps // strides)).sum())


def windows(events: Sequences, last: int, overlap: int, rng: np.random.Generator) -> Windows:
    """Cut each list into windows of at most ``last`` + 1 events, which predict each event but the first once.

    A window predicts its newest events. From one to the next it slides by so many that at most ``overlap`` windows read
    an event: 1 lets neighbours share a single event, the last that one predicts and the first that the next reads;
    ``last`` gives each event a window of its own. Where a list has room, the first cut is drawn, so that an event is
    not always at the same place of a window. Lists of fewer than two events have none.
    """
    steps, strides = _steps(events, last, overlap)
    counts = -(-steps // strides)
    least = steps - np.maximum(counts - 1, 0) * strides  # events that the first window must predict
    first = least + (rng.random(len(steps)) * (np.minimum(strides, steps) - least + 1)).astype(np.int64)
    owners = np.repeat(np.arange(len(steps)), counts)
    number = np.arange(len(owners)) - np.repeat(indptr_of(counts)[:-1], counts)
    ends = np.minimum(first[owners] + number * strides[owners], steps[owners])
    done = np.where(number == 0, 0, first[owners] + (number - 1) * strides[owners])
    begins = np.maximum(ends - last, 0)
    return Windows(events.indptr[owners] + begins, ends - begins + 1, ends - done)


def _steps(events: Sequences, last: int, overlap: int) -> tuple[Rows, Rows]:
    """Return (n,) the events of each list that are predicted, and (n,) how many of them a window predicts at most."""
    steps = np.maximum(events.lengths - 1, 0)
    return steps, np.maximum(-(-np.minimum(steps, last) // overlap), 1)


def in_steps(cut: Windows, size: int, rng: np.random.Generator) -> Iterator[Windows]:
    """Yield windows ``size`` at a time, each once, in an order that is drawn; those of a step are of like lengths."""
    order = rng.permutation(len(cut.starts))
    steps: list[Rows] = []
    for start in range(0, len(order), size * _POOL):
        pool = order[start : start + size * _POOL]
        pool = pool[np.argsort(cut.lengths[pool], kind="stable")]
        steps += [pool[place : place + size] for place in range(0, len(pool), size)]
    for number in rng.permutation(len(steps)):
        yield Windows(*(part[steps[number]] for part in cut))


def positions_of(starts: Rows, lengths: Rows) -> Rows:
    """Return (n, w) int64: the positions of ``lengths`` (n,) events from ``starts`` (n,) on; -1 behind the end."""
    places = np.arange(int(lengths.max(initial=0)))
    return np.where(places < lengths[:, None], starts[:, None] + places, -1)
