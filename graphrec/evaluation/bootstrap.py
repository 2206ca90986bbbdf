"""Paired bootstrap over users: how far a mean, or the difference of two, could have come out otherwise."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
import numpy.typing as npt

from graphrec.errors import ConfigError, DataError
from graphrec.kernels import kernel

Key = TypeVar("Key", bound=Hashable)

# Resampling counts held at once: 64 MB of float64.
_CHUNK = 8_000_000


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate with the ends of its interval."""

    estimate: float
    low: float
    high: float

    def to_list(self) -> list[float]:
        """Return ``[estimate, low, high]``."""
        return [self.estimate, self.low, self.high]


def resampled_means(values: npt.NDArray[np.float64], *, rounds: int, seed: int) -> npt.NDArray[np.float64]:
    """Return the column means of ``rounds`` resamples of the rows, with replacement.

    Parameters
    ----------
    values : ndarray
        (n, c) float64, finite: one row a user, one column a quantity. All columns share the same resamples, so
        differences between columns of the result are paired.
    rounds : int
        Resamples, >= 1.
    seed : int
        Same seed, same resamples.

    Returns
    -------
    ndarray
        (rounds, c) float64.

    Raises
    ------
    DataError
        If there are no rows, or a value is not finite.
    ConfigError
        If ``rounds < 1``.

    Notes
    -----
    Time O(rounds n c), memory O(n c + rounds c) and 64 MB. Deterministic on every machine: each column is summed in the
    same order, by a kernel of our own, so that equal columns have equal means (BLAS's would differ in the last digit).

    References
    ----------
    .. [1] B. Efron, R. Tibshirani, "An Introduction to the Bootstrap", 1993, chapters 6 and 13 (percentile interval).
    """
    if rounds < 1:
        raise ConfigError(f"the bootstrap has {rounds} rounds; it needs at least 1")
    n, c = values.shape
    if n == 0:
        raise DataError("there are no users to resample; the split left nobody with held-out items")
    if not np.isfinite(values).all():
        raise DataError("values to resample must be finite; leave out users without truth first")
    rng, rows = np.random.default_rng(seed), np.ascontiguousarray(values)
    means = np.empty((rounds, c), dtype=np.float64)
    chunk = max(1, _CHUNK // n)
    for start in range(0, rounds, chunk):
        stop = min(start + chunk, rounds)
        counts = np.empty((stop - start, n), dtype=np.float64)
        for row in range(stop - start):
            counts[row] = np.bincount(rng.integers(0, n, size=n), minlength=n)
        means[start:stop] = _weighted_sums(counts, rows) / n
    return means


@kernel
def _weighted_sums(
    counts: npt.NDArray[np.float64], values: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:  # pragma: no cover - compiled
    """Return ``counts @ values``, (r, n) by (n, c), each entry summed over the rows in order."""
    sums = np.zeros((len(counts), values.shape[1]))
    for i in range(len(values)):
        for r in range(len(counts)):
            count = counts[r, i]
            for column in range(values.shape[1]):
                sums[r, column] += count * values[i, column]
    return sums


@dataclass(frozen=True, slots=True, eq=False)
class PairedBootstrap(Generic[Key]):
    """Several quantities of the same users, with their means over the same resamples.

    ``values`` are (n,) float64 by key, ``means`` (rounds,) float64 by key. A key is a name, or what tells quantities
    of two kinds from each other where both have names that users choose.
    """

    values: Mapping[Key, npt.NDArray[np.float64]]
    means: Mapping[Key, npt.NDArray[np.float64]]

    def interval(self, key: Key, *, minus: Key | None = None, level: float = 0.95) -> Interval:
        """Return the mean of a quantity, or of its difference to another, with its interval.

        The estimate is the mean of the differences by user, so that equal quantities differ by exactly 0.
        """
        if minus is None:
            return percentile_interval(self.values[key].mean(), self.means[key], level=level)
        differences = self.values[key] - self.values[minus]
        return percentile_interval(differences.mean(), self.means[key] - self.means[minus], level=level)


def paired_bootstrap(values: Mapping[Key, npt.NDArray[np.float64]], *, rounds: int, seed: int) -> PairedBootstrap[Key]:
    """Return the resampled means of quantities by key, each (n,) float64, finite; see :func:`resampled_means`."""
    means = resampled_means(np.stack(list(values.values()), axis=1), rounds=rounds, seed=seed)  # (rounds, c)
    return PairedBootstrap(dict(values), dict(zip(values, means.T, strict=True)))


def percentile_interval(estimate: float, means: npt.NDArray[np.float64], *, level: float = 0.95) -> Interval:
    """Return the percentile interval of ``level`` around ``estimate``, from (rounds,) resampled values."""
    if not 0 < level < 1:
        raise ConfigError(f"the level of an interval is {level}; it must lie between 0 and 1")
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(estimate), float(low), float(high))


def mean_interval(
    values: npt.NDArray[np.float64], *, rounds: int = 1000, seed: int = 0, level: float = 0.95
) -> Interval:
    """Return the mean of (n,) values, one a user, with its interval. Users whose value is NaN are left out."""
    valid = values[~np.isnan(values)]
    means = resampled_means(valid[:, None], rounds=rounds, seed=seed)
    return percentile_interval(valid.mean(), means[:, 0], level=level)


def difference_interval(
    ours: npt.NDArray[np.float64],
    theirs: npt.NDArray[np.float64],
    *,
    rounds: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> Interval:
    """Return the mean of ``ours - theirs``, (n,) values of the same users in the same order, with its interval.

    Raises
    ------
    DataError
        If the lengths differ.
    """
    if ours.shape != theirs.shape:
        raise DataError(f"a paired difference needs the same users twice; got {ours.shape} and {theirs.shape} values")
    return mean_interval(ours - theirs, rounds=rounds, seed=seed, level=level)
