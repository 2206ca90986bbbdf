"""How long one query takes."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

import numpy as np

from graphrec.contracts.panel import Panel, chunks
from graphrec.contracts.recaller import Recaller
from graphrec.fusion.settings import Fusion

from ..report.parts import FUSED
from .panel_lists import ask, ask_channel, merged

_WARM_UP = 10


def query_us(channels: Mapping[str, Recaller], fusion: Fusion, panel: Panel, k: int) -> dict[str, float]:
    """Return the median microseconds of one query by channel, and of all of them with merging under ``"fused"``.

    Parameters
    ----------
    channels : mapping of str to Recaller
        Each is asked for ``k`` items; for the merged list, all are asked for ``fusion.channel_depth(k)``.
    panel : Panel
        The users, one at a time and at the panel's moment; the first few are asked for twice, to warm up.
    k : int
        Items wanted, >= 1.
    """
    users, depth = list(chunks(panel, 1)), fusion.channel_depth(k)

    def asker(name: str, channel: Recaller) -> Callable[[Panel], object]:
        return lambda user: ask_channel(name, channel, user, k)

    def fuse(user: Panel) -> object:
        return merged(ask(channels, user, depth), fusion, k)

    took = {name: _median_us(asker(name, channel), users) for name, channel in channels.items()}
    return {**took, FUSED: _median_us(fuse, users)}


def _median_us(answer: Callable[[Panel], object], users: list[Panel]) -> float:
    for user in users[:_WARM_UP]:
        answer(user)
    taken = np.empty(len(users))
    for position, user in enumerate(users):
        started = time.perf_counter_ns()
        answer(user)
        taken[position] = time.perf_counter_ns() - started
    return round(float(np.median(taken)) / 1000, 1)
