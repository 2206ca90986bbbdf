"""Calibrated fusion: what a channel's score and rank have meant for held-out hits, weighted and added up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar, Literal, get_args

import numpy as np
import numpy.typing as npt

from graphrec.data.lists import ItemLists, take_lists
from graphrec.errors import ConfigError, DataError, MissingExtraError
from graphrec.evaluation.metrics import hit_mask
from graphrec.fusion.fit import Worth, climb, users_with_truth
from graphrec.fusion.fused import FusedLists
from graphrec.fusion.kernels import LEAST_SHARE, calibrated_rates, head_shares
from graphrec.fusion.merging import by_sum
from graphrec.fusion.rrf import check_settings, check_weights, merging_depth
from graphrec.fusion.settings import FitResult
from graphrec.fusion.stacked import StackedLists, stack

Method = Literal["isotonic", "logistic"]
Values = npt.NDArray[np.float64]

# Best entries of a list whose scores sum to one share: they are there in any list that is merged.
HEAD = 100


@dataclass(frozen=True)
class Curve:
    r"""The rate of hits of one channel's entries.

    Parameters
    ----------
    shares, rates : tuple of float
        Isotonic: knots of a rising, piecewise linear function from an entry's share to its rate of hits.
    intercept, share_slope, rank_slope : float
        Logistic, where there are no knots: :math:`\sigma(a + b \ln share + c \ln rank)`.
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

    @cached_property
    def knots(self) -> Values:
        """(2, n) shares and rates."""
        return np.array([self.shares, self.rates], dtype=np.float64)

    @property
    def slopes(self) -> Values:
        """(3,) intercept, slope of the share, slope of the rank."""
        return np.array([self.intercept, self.share_slope, self.rank_slope])

    def to_dict(self) -> dict[str, Any]:
        """Return the settings as JSON values."""
        if self.shares:
            return {"shares": list(self.shares), "rates": list(self.rates)}
        return {"intercept": self.intercept, "share_slope": self.share_slope, "rank_slope": self.rank_slope}


# An entry's share taken for its rate: what is left where nothing is known of any channel.
_SHARES = Curve((0.0, 1.0), (0.0, 1.0))


@dataclass(frozen=True, slots=True)
class Calibrated:
    r"""The best k items a query by what each channel's score has been worth.

    .. math:: s(i) = \sum_{h:\ i \in h} w_h\, p_h\big(share_h(i), rank_h(i)\big), \qquad
              share_h(i) = \frac{\max(score_h(i), 0)}{\sum_{j \in top_{100}(h)} \max(score_h(j), 0)}

    with p the rate at which such entries of channel h were hits on held-out events (:class:`Curve`). Shares make the
    scores of a long and of a short history alike; a channel's own scale does not matter. A channel that is not named
    has no curve and adds no item of its own.

    Parameters
    ----------
    curves : dict of str to Curve
        By channel.
    weights : dict of str to float
        By channel, >= 0; channels that are not named weigh 1.
    """

    kind: ClassVar[str] = "calibrated"
    curves: dict[str, Curve]
    weights: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        made = {name: curve if isinstance(curve, Curve) else Curve(**curve) for name, curve in self.curves.items()}
        if not made:
            raise ConfigError("calibrated fusion has no curve; fit it on a validation part of train")
        object.__setattr__(self, "curves", made)
        check_weights(self.weights, tuple(made))

    def merge(self, lists: Mapping[str, ItemLists], k: int) -> FusedLists:
        """Return at most k items a query, best first, ties by row, with what each channel said of them.

        Time O(E log E) for a query with E entries over all channels. Where every channel at hand weighs 0 or has no
        curve, all are merged alike by share.
        """
        check_settings(k=k)
        stacked = stack(lists)
        return by_sum(stacked, self._values(stacked), k)

    def _values(self, stacked: StackedLists) -> Values:
        """Return what each entry adds to its item's score, (m,)."""
        worth = {name: self.weights.get(name, 1.0) for name in stacked.channels if name in self.curves}
        known = any(worth.values())
        shares, ranks = shares_and_ranks(stacked)
        values = np.zeros(len(shares))
        for c, name in enumerate(stacked.channels):
            curve, weight = (self.curves.get(name), worth.get(name)) if known else (_SHARES, 1.0)
            if curve and weight:
                here = slice(stacked.bounds[c, 0], stacked.bounds[c, -1])
                calibrated_rates(shares[here], ranks[here], curve.knots, curve.slopes, weight, values[here])
        return values

    def channel_depth(self, k: int) -> int:
        """Return twice k, and 200 at least."""
        return merging_depth(k)

    def to_dict(self) -> dict[str, Any]:
        """Return the settings as JSON values."""
        curves = {name: curve.to_dict() for name, curve in self.curves.items()}
        return {"kind": self.kind, "curves": curves, "weights": dict(self.weights)}


@dataclass(frozen=True, slots=True)
class FittedCalibrated:
    """Calibrated fusion, fitted on a validation part of train: see :func:`fit_calibrated`.

    Parameters
    ----------
    method : {"isotonic", "logistic"}
        How the curves are fitted.
    cutoffs : tuple of int, default ()
        The K, over which the weights maximise the mean of Recall@K + NDCG@K; none takes the largest of the evaluation.

    Raises
    ------
    ConfigError
        If a setting is illegal.
    """

    method: Method = "isotonic"
    cutoffs: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        check_method(self.method)
        check_cutoffs(self.cutoffs)

    def fit(
        self,
        lists: Mapping[str, ItemLists],
        truth: ItemLists,
        *,
        k: int,
        counts: npt.NDArray[np.int64],  # noqa: ARG002 - one signature
        seed: int,
    ) -> FitResult:
        """Return the fusion, and its weights as what was found."""
        cutoffs = self.cutoffs or (k,)
        fusion = fit_calibrated(lists, truth, cutoffs=cutoffs, seed=seed, method=self.method)
        found = {"method": self.method, "cutoffs": list(cutoffs), "weights": dict(fusion.weights)}
        return FitResult(fusion, found)

    def channel_depth(self, k: int) -> int:
        """Return how deep the fitted fusion asks."""
        return merging_depth(k)


def check_method(method: str) -> None:
    """Raise ConfigError unless curves can be fitted so."""
    if method not in get_args(Method):
        raise ConfigError(f"method is {method!r}; legal: {', '.join(get_args(Method))}")


def check_cutoffs(cutoffs: Sequence[int]) -> None:
    """Raise ConfigError unless every cut-off is 1 or more."""
    for cutoff in cutoffs:
        if cutoff < 1:
            raise ConfigError(f"a cut-off is {cutoff}; each must be 1 or more")


def shares_and_ranks(stacked: StackedLists) -> tuple[Values, Values]:
    """Return each entry's share of its list's head and its 1-based rank, (m,) float64 both."""
    shares, ranks = np.empty(len(stacked.items)), np.empty(len(stacked.items))
    head_shares(stacked.bounds, stacked.scores, HEAD, shares, ranks)
    return shares, ranks


def fit_calibrated(
    lists: Mapping[str, ItemLists],
    truth: ItemLists,
    *,
    cutoffs: Sequence[int],
    seed: int,
    method: Method = "isotonic",
    rounds: int = 4,
    climbs: int = 6,
    max_users: int = 4000,
) -> Calibrated:
    """Return the fusion whose curves fit the hits of ``lists``, and whose weights maximise Recall@K + NDCG@K.

    Each channel's curve is fitted on its own entries; then the weights climb, one channel at a time, from equal ones,
    as in :func:`graphrec.fusion.fit.fit_weights`. They do so several times, each time for another half of the users and
    in another order, and the mean is taken: where channels find the same items, one climb leaves to chance which of
    them keeps its weight, and the mean finds more (Gowalla, users not seen: Recall@20 .2153, one climb .2124).

    Parameters
    ----------
    lists : mapping of str to ItemLists
        Each channel's answers to n users, fitted on data without the held-out events, as long as those that will be
        merged (``channel_depth``).
    truth : ItemLists
        n lists of held-out items: a validation part, never the test part. Users without any are left out.
    cutoffs : sequence of int
        The K, each >= 1, over which what is maximised is averaged.
    seed : int
        Decides the order of channels, and the sample where there are more than ``max_users`` users with truth.
    method : {"isotonic", "logistic"}
        How curves are fitted: isotonic regression on the share, or logistic regression on the logarithms of share and
        rank.
    rounds : int, default 4
        Passes over the channels at most.
    climbs : int, default 6
        Climbs, each for a random half of the users.
    max_users : int, default 4000
        Users looked at.

    Raises
    ------
    DataError
        If no user has any truth, or no channel has a hit.
    ConfigError
        If ``method`` is unknown, or there is no cut-off, or one below 1.
    MissingExtraError
        If scikit-learn is not installed.

    References
    ----------
    .. [1] Zadrozny, Elkan, "Transforming classifier scores into accurate multiclass probability estimates", KDD 2002
       (isotonic). [2] Platt, "Probabilistic outputs for support vector machines", 1999 (logistic). Differs: rates of
       several channels are added with weights, not multiplied: they find the same items far too often to be taken for
       independent witnesses.
    """
    check_method(method)
    check_cutoffs(cutoffs)
    if not cutoffs:
        raise ConfigError("calibrated fusion needs a cut-off; give one K at least")
    rng = np.random.default_rng(seed)
    users = users_with_truth(truth, max_users, rng)
    parts, chosen = {name: take_lists(part, users) for name, part in lists.items()}, take_lists(truth, users)
    curves = _curves(parts, chosen, method)
    if not curves:
        raise DataError("no channel has a single hit among the held-out items, so scores cannot be calibrated")
    equal = Calibrated(curves)
    weights = _climb(equal, {name: parts[name] for name in curves}, chosen, cutoffs, rounds, climbs, rng)
    return Calibrated(curves, weights)


def _curves(lists: Mapping[str, ItemLists], truth: ItemLists, method: Method) -> dict[str, Curve]:
    """Return a curve for each channel that has a hit."""
    stacked = stack(lists)
    shares, ranks = shares_and_ranks(stacked)
    curves = {}
    for c, (name, part) in enumerate(lists.items()):
        hits, here = hit_mask(part, truth), slice(stacked.bounds[c, 0], stacked.bounds[c, -1])
        if hits.any():
            fit = _isotonic if method == "isotonic" else _logistic
            curves[name] = fit(shares[here], ranks[here], hits)
    return curves


def _isotonic(shares: Values, ranks: Values, hits: npt.NDArray[np.bool_]) -> Curve:  # noqa: ARG001 - one signature
    """Return the rising curve nearest to the hits."""
    try:
        from sklearn.isotonic import IsotonicRegression
    except ImportError as error:
        raise MissingExtraError("calibrated fusion", extra="train") from error
    found = IsotonicRegression(y_min=0.0, y_max=1.0).fit(shares, hits.astype(np.float64))
    return Curve(tuple(map(float, found.X_thresholds_)), tuple(map(float, found.y_thresholds_)))


def _logistic(shares: Values, ranks: Values, hits: npt.NDArray[np.bool_]) -> Curve:
    """Return the logistic curve of the logarithms of share and rank."""
    try:
        from sklearn.linear_model import LogisticRegression
    except ImportError as error:
        raise MissingExtraError("calibrated fusion", extra="train") from error
    if hits.all():
        return Curve((0.0,), (1.0,))
    columns = np.stack([np.log(np.maximum(shares, LEAST_SHARE)), np.log(ranks)], axis=1)
    found = LogisticRegression(C=1e3, max_iter=1000).fit(columns, hits)
    slopes = found.coef_[0]
    return Curve((), (), float(found.intercept_[0]), float(slopes[0]), float(slopes[1]))


def _climb(
    fusion: Calibrated,
    lists: Mapping[str, ItemLists],
    truth: ItemLists,
    cutoffs: Sequence[int],
    rounds: int,
    climbs: int,
    rng: np.random.Generator,
) -> dict[str, float]:
    """Return the mean of the weights that several climbs from equal ones reach, scaled so that the largest is 1."""
    stacked = stack(lists)
    widest = int(np.diff(stacked.bounds, axis=1).sum(axis=0).max())  # entries that one query has over all channels
    values = fusion._values(stacked)
    everything = by_sum(stacked, values, widest)
    rates = np.zeros(everything.ranks.T.shape)  # (C, m): what each channel adds at weight 1
    owners = np.repeat(np.arange(stacked.n), everything.lists.lengths)
    for c in range(len(rates)):
        there = np.flatnonzero(everything.ranks[:, c])
        rates[c, there] = values[stacked.bounds[c, owners[there]] + everything.ranks[there, c] - 1]
    worth = Worth(everything.lists, rates, truth, cutoffs=cutoffs, with_ndcg=True)
    weights = np.zeros(len(rates))
    for _ in range(climbs):
        half = np.sort(rng.permutation(stacked.n)[: (stacked.n + 1) // 2])
        reached = climb(worth.among(half), rounds=rounds, order=lambda: rng.permutation(len(rates)))
        weights += reached / reached.sum()
    return {
        name: round(float(weight), 4) for name, weight in zip(stacked.channels, weights / weights.max(), strict=True)
    }
