"""Which channels to keep when not all can be paid for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from graphrec.errors import ConfigError

Objective = Callable[[tuple[str, ...]], float]
# Gains below the rounding of means are none.
_NOISE = 1e-12


@dataclass(frozen=True, slots=True)
class Selection:
    """The channels kept, in the order given; ``steps`` are (channel, value up to there), as they came."""

    channels: tuple[str, ...]
    steps: tuple[tuple[str, float], ...]


def select_channels(
    names: Sequence[str],
    objective: Objective,
    *,
    costs: Mapping[str, Mapping[str, float]],
    limits: Mapping[str, float],
) -> Selection:
    """Return the channels that greedy forward selection keeps within the limits.

    Twice the channel that fits and gains most is added until none gains: once with gains counted by the share of the
    tightest limit that the channel uses up, once as they are. The better end is kept. The first finds many cheap
    channels, the second one that is dear and good; together they are the usual rule for a budget. A channel that is
    worth nothing beside those added after it is let go again.

    Parameters
    ----------
    names : sequence of str
        The channels. Sets are given to ``objective`` in this order.
    objective : callable
        The value of a set of channels, such as the Recall@K of its merged list on users that the result is not
        reported on. It is called once for each set, at most ``2 C (C + 1)`` times
        where no channel is let go.
    costs : mapping of str to mapping
        For each limit what each channel uses up, >= 0.
    limits : mapping of str to float
        What may be used up in all, > 0. Without limits every channel that gains is kept.

    Returns
    -------
    Selection
        Empty where nothing that fits has a value above 0.

    Raises
    ------
    ConfigError
        If a limit is 0 or below.

    Notes
    -----
    The recall of merged lists is neither monotone nor submodular (a channel may take places from better ones), so no
    guarantee is known; every figure is measured instead. Deterministic: ties go to the earlier channel.

    References
    ----------
    .. [1] J. Leskovec et al., "Cost-effective Outbreak Detection in Networks", KDD 2007 (the better of two greedy
       selections, for submodular values). Differs: it stops where nothing gains, and lets go.
    """
    for limit, most in limits.items():
        if not most > 0:
            raise ConfigError(f"the limit of {limit} is {most:g}; it must be above 0")
    share = {name: max((costs[limit][name] / most for limit, most in limits.items()), default=0.0) for name in names}
    seen: dict[tuple[str, ...], float] = {}

    def value_of(chosen: set[str]) -> float:
        ordered = tuple(name for name in names if name in chosen)
        if ordered not in seen:
            seen[ordered] = objective(ordered)
        return seen[ordered]

    def fits(chosen: set[str]) -> bool:
        return all(sum(costs[limit][name] for name in chosen) <= most for limit, most in limits.items())

    def climb(by_share: bool) -> list[str]:
        order: list[str] = []
        reached = 0.0
        while affordable := [name for name in names if name not in order and fits({*order, name})]:
            gains = [value_of({*order, name}) - reached for name in affordable]
            ranked = [gain / max(share[name], 1e-9) for gain, name in zip(gains, affordable, strict=True)]
            best = int(np.argmax(ranked if by_share else gains))
            if gains[best] <= _NOISE:
                break
            order.append(affordable[best])
            reached = value_of({*order})
            # What came early may be worth nothing beside what came later: its place is free again.
            for name in order[:-1]:
                rest = {*order} - {name}
                if value_of(rest) >= reached - _NOISE:
                    order.remove(name)
                    reached = value_of(rest)
        return order

    order = max((climb(by_share=True), climb(by_share=False)), key=lambda end: value_of({*end}) if end else 0.0)
    steps = tuple((name, value_of({*order[: place + 1]})) for place, name in enumerate(order))
    return Selection(tuple(name for name in names if name in order), steps)
