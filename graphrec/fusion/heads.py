"""The heads of channels' lists: the shares of their entries, and how large they are on validation and as served."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from graphrec.data.lists import ItemLists
from graphrec.fusion.stacked import StackedLists, stack
from graphrec.kernels import kernel

Values = npt.NDArray[np.float64]

# Best entries of a list whose scores sum to one share: they are there in any list that is merged.
HEAD = 100
# Slopes from few users, or from histories of like lengths, are near 0.
_RIDGE = 1.0


class Answers(NamedTuple):
    """What channels returned to n users, and the histories of these."""

    lists: Mapping[str, ItemLists]
    histories: ItemLists


def head_shares(stacked: StackedLists) -> tuple[Values, Values]:
    """Return (m,) each entry's share of its list's head, and (C, n) the sum of the scores above 0 of each head."""
    shares, heads = np.empty(len(stacked.items)), np.empty(stacked.starts.shape)
    _share(stacked.starts, stacked.stops, stacked.scores, shares, heads)
    return shares, heads


def head_factors(learnt: Answers, served: Answers) -> dict[str, float]:
    r"""Return by channel the factor that makes heads as served as large as those learnt from, for as long a history.

    .. math:: f = \exp(\bar y_{learnt} + b\, (\bar x_{served} - \bar x_{learnt}) - \bar y_{served})

    with x the logarithm of the length of a user's history, y that of the head, means over users whose head is above 0,
    and b the slope of y over x among the lists learnt from, by least squares with a ridge of 1. A channel without such
    users on both sides has no factor.

    Parameters
    ----------
    learnt, served : Answers
        Of the same users or others; of channels in one of them alone nothing is said.
    """
    factors = {}
    for name in learnt.lists:
        if name not in served.lists:
            continue
        (x, y), (x_served, y_served) = (_logarithms(answers, name) for answers in (learnt, served))
        if len(x) and len(x_served):
            away = x - x.mean()
            slope = away @ y / (away @ away + _RIDGE)
            change = y.mean() + slope * (x_served.mean() - x.mean()) - y_served.mean()
            factors[name] = float(f"{np.exp(change):.6g}")
    return factors


def _logarithms(answers: Answers, name: str) -> tuple[Values, Values]:
    """Return the logarithms of the lengths of histories and of heads, of users whose head is above 0."""
    heads = head_shares(stack({name: answers.lists[name]}, depth=HEAD, histories=answers.histories))[1][0]
    return np.log(np.maximum(answers.histories.lengths, 1.0))[heads > 0], np.log(heads[heads > 0])


@kernel
def _share(
    starts: npt.NDArray[np.int64],
    stops: npt.NDArray[np.int64],
    scores: npt.NDArray[np.float32],
    shares: Values,
    heads: Values,
) -> None:  # pragma: no cover - compiled
    """Write the sum of each list's head, and every entry's share of it."""
    for channel in range(starts.shape[0]):
        for query in range(starts.shape[1]):
            start, stop = starts[channel, query], stops[channel, query]
            whole = 0.0
            for p in range(start, min(stop, start + HEAD)):
                whole += max(np.float64(scores[p]), 0.0)
            heads[channel, query] = whole
            divisor = whole if whole > 0 else 1.0
            for p in range(start, stop):
                shares[p] = max(np.float64(scores[p]), 0.0) / divisor
