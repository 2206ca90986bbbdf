"""How much each item of a history counts as a user's taste."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from graphrec.checks import as_array, check_k, check_rows
from graphrec.contracts.queries import Queries
from graphrec.data.lists import ItemLists
from graphrec.errors import ConfigError
from graphrec.kernels import kernel


@dataclass(frozen=True, slots=True)
class Profile:
    r"""Weights of history items: :math:`w_p^{\gamma}\, 2^{-a_p / h}`, with age :math:`a_p` counted from the newest.

    Entries whose weight is 0 or below are no taste and get 0, unless ``dislike`` is set.

    Parameters
    ----------
    last : int, default 0
        Use the newest ``last`` items only; 0 uses all.
    half_life : float, default 0.0
        Positions after which an item counts half; 0 means that age does not matter.
    exponent : float, default 0.0
        gamma: 0 makes every positive weight 1, 1 takes weights (ratings) as they are.
    dislike : float, default 0.0
        D: entries whose weight is 0 or below, or more than one standard deviation below the mean of the history's
        positive weights, get :math:`-D\, 2^{-a_p / h}`; 0 takes them like all others.

    Raises
    ------
    ConfigError
        If a setting is negative.
    """

    last: int = 0
    half_life: float = 0.0
    exponent: float = 0.0
    dislike: float = 0.0

    def __post_init__(self) -> None:
        for name in ("last", "half_life", "exponent", "dislike"):
            if not getattr(self, name) >= 0:
                raise ConfigError(f"{name} of a profile is {getattr(self, name)}; it must be 0 or more")


@kernel
def _least_liked(weights: npt.NDArray[np.float32]) -> float:  # pragma: no cover - compiled
    """Return the mean of the weights above 0 less their standard deviation, a rounding error below; 0 without any."""
    n, total, squares = 0, 0.0, 0.0
    for weight in weights:
        if weight > 0.0:
            n += 1
            total += weight
            squares += np.float64(weight) * weight
    if n == 0:
        return 0.0
    mean = total / n
    return float(mean - np.sqrt(max(squares / n - mean * mean, 0.0)) - 1e-5 * mean)


@kernel
def _weights(
    indptr: npt.NDArray[np.int64],
    weights: npt.NDArray[np.float32],
    last: int,
    half_life: float,
    exponent: float,
    dislike: float,
) -> npt.NDArray[np.float64]:  # pragma: no cover - compiled
    result = np.zeros(weights.size, dtype=np.float64)
    for i in range(indptr.size - 1):
        start, stop = indptr[i], indptr[i + 1]
        if last > 0:
            start = max(start, stop - last)
        least = _least_liked(weights[start:stop]) if dislike > 0.0 else 0.0
        for p in range(start, stop):
            weight = np.float64(weights[p])
            if dislike > 0.0 and (weight <= 0.0 or weight < least):
                weight = np.float64(-dislike)
            elif weight <= 0.0:
                continue
            elif exponent != 1.0:
                weight = weight**exponent
            if half_life > 0.0:
                weight *= 2.0 ** (-(stop - 1 - p) / half_life)
            result[p] = weight
    return result


def profile_weights(history: ItemLists, profile: Profile) -> npt.NDArray[np.float64]:
    """Return (m,) float64, one weight an entry of ``history``; 0 where it is not to be used, below 0 if disliked."""
    weights: npt.NDArray[np.float64] = _weights(
        history.indptr,
        history.scores,
        profile.last,
        float(profile.half_life),
        float(profile.exponent),
        float(profile.dislike),
    )
    return weights


def question_weights(queries: Queries, k: int, profile: Profile, *, n_items: int) -> npt.NDArray[np.float64]:
    """Return the :func:`profile_weights` of the histories behind a question for ``k`` items.

    Raises
    ------
    ConfigError
        If ``k < 1``.
    DataError
        If a history holds a row that is no item.
    """
    check_k(k)
    check_rows(queries.history.items, n_items, name="history.items")
    return profile_weights(queries.history, profile)


def evidence_weights(
    query: Queries, items: npt.ArrayLike, profile: Profile, *, n_items: int
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.float64], npt.NDArray[np.intp]]:
    """Return what evidence starts from: ``items`` (m,) as rows, the history's weights, and where those above 0 stand.

    Raises
    ------
    DataError
        If a row is no item.
    """
    targets = as_array(items, np.int32, name="items")
    check_rows(targets, n_items, name="items")
    check_rows(query.history.items, n_items, name="history.items")
    weights = profile_weights(query.history, profile)
    return targets, weights, np.flatnonzero(weights > 0)
