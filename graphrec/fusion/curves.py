"""What an entry's share of its list's head and its rank say of its chance to be a hit: curves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from graphrec.data.lists import indptr_of
from graphrec.errors import ConfigError
from graphrec.fusion.heads import Values
from graphrec.fusion.stacked import StackedLists
from graphrec.kernels import kernel

# A share of 0 has no logarithm, and an entry that was never a hit still comes before none.
LEAST_SHARE, LEAST_RATE = 1e-9, 1e-9


@dataclass(frozen=True)
class Curve:
    r"""The rate of hits of one channel's entries.

    Parameters
    ----------
    shares, rates : tuple of float
        Isotonic: knots of a rising, piecewise linear function from an entry's share to its rate of hits.
    intercept, share_slope, rank_slope : float
        Logistic, where there are no knots: :math:`\sigma(a + b \ln share + c \ln rank)`.

    Raises
    ------
    ConfigError
        If there are not as many shares as rates, or shares do not rise.
    """

    shares: tuple[float, ...] = ()
    rates: tuple[float, ...] = ()
    intercept: float = 0.0
    share_slope: float = 0.0
    rank_slope: float = 0.0

    def __post_init__(self) -> None:
        # JSON gives lists; tuples compare and hash.
        object.__setattr__(self, "shares", tuple(self.shares))
        object.__setattr__(self, "rates", tuple(self.rates))
        if len(self.shares) != len(self.rates):
            raise ConfigError(f"a curve has {len(self.shares)} shares and {len(self.rates)} rates; it needs as many")
        if any(after <= before for before, after in zip(self.shares, self.shares[1:], strict=False)):
            raise ConfigError("the shares of a curve must rise from knot to knot")

    @property
    def slopes(self) -> tuple[float, float, float]:
        """Intercept, slope of the share, slope of the rank."""
        return (self.intercept, self.share_slope, self.rank_slope)

    def to_dict(self) -> dict[str, Any]:
        """Return the settings as JSON values."""
        if self.shares:
            return {"shares": list(self.shares), "rates": list(self.rates)}
        return {"intercept": self.intercept, "share_slope": self.share_slope, "rank_slope": self.rank_slope}


class CurveArrays(NamedTuple):
    """Curves laid end to end, as the kernel reads them.

    ``indptr`` (curves + 1,) int64 bounds the knots of each in ``shares`` and ``rates``; ``slopes`` (curves, 3).
    """

    indptr: npt.NDArray[np.int64]
    shares: Values
    rates: Values
    slopes: Values


def curve_arrays(curves: Sequence[Curve]) -> CurveArrays:
    """Return the curves laid end to end."""
    return CurveArrays(
        indptr_of([len(curve.shares) for curve in curves]),
        np.array([share for curve in curves for share in curve.shares], dtype=np.float64),
        np.array([rate for curve in curves for rate in curve.rates], dtype=np.float64),
        np.array([curve.slopes for curve in curves], dtype=np.float64).reshape(-1, 3),
    )


def hit_rates(
    stacked: StackedLists, shares: Values, curves: CurveArrays, chosen: npt.NDArray[np.int64], weights: Values
) -> Values:
    """Return (m,) each entry's rate of hits times the weight of its channel.

    Parameters
    ----------
    stacked : StackedLists
        C channels' answers.
    shares : ndarray
        (m,) of :func:`graphrec.fusion.heads.head_shares`.
    curves : CurveArrays
        Curves in any order.
    chosen : ndarray
        (C,) int64: the curve of each channel; -1 where it has none, whose entries get 0.
    weights : ndarray
        (C,) float64.
    """
    values = np.zeros(len(shares))
    _rate(stacked.starts, stacked.stops, shares, curves, chosen, weights, values)
    return values


@kernel
def _rate(
    starts: npt.NDArray[np.int64],
    stops: npt.NDArray[np.int64],
    shares: Values,
    curves: CurveArrays,
    chosen: npt.NDArray[np.int64],
    weights: Values,
    values: Values,
) -> None:  # pragma: no cover - compiled
    """Write the weighted rate of every entry of a channel that has a curve."""
    for channel in range(starts.shape[0]):
        if chosen[channel] < 0:
            continue
        first, last = curves.indptr[chosen[channel]], curves.indptr[chosen[channel] + 1]
        slopes = curves.slopes[chosen[channel]]
        for query in range(starts.shape[1]):
            start = starts[channel, query]
            # The knot behind the entry before: lists fall, so the next one's is near.
            after = last
            for p in range(start, stops[channel, query]):
                share, rank = shares[p], np.float64(p - start + 1)
                if first == last:
                    odds = slopes[0] + slopes[1] * np.log(max(share, LEAST_SHARE)) + slopes[2] * np.log(rank)
                    rate = 1 / (1 + np.exp(-odds))
                else:
                    while after > first and curves.shares[after - 1] >= share:
                        after -= 1
                    while after < last and curves.shares[after] < share:
                        after += 1
                    if after in (first, last):
                        rate = curves.rates[min(after, last - 1)]
                    else:
                        low, high = curves.shares[after - 1], curves.shares[after]
                        below, above = curves.rates[after - 1], curves.rates[after]
                        rate = below + (above - below) * (share - low) / (high - low)
                # Where a curve is flat, entries keep their channel's order: a millionth more for every place.
                values[p] = weights[channel] * max(rate, LEAST_RATE) * (1 + 1e-6 * max(10_000 - rank, 0.0))
