"""Curves and weights of calibrated fusion, fitted on held-out events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from graphrec.data.lists import ItemLists, take_lists
from graphrec.errors import ConfigError, DataError, MissingExtraError
from graphrec.evaluation.metrics import hit_mask
from graphrec.fusion.calibrated import Calibrated
from graphrec.fusion.curves import LEAST_SHARE, Curve
from graphrec.fusion.graph_levels import NO_LEVELS, GraphLevels
from graphrec.fusion.heads import Values, head_shares
from graphrec.fusion.objective import Objective, ascend, users_with_truth
from graphrec.fusion.rrf import merging_depth
from graphrec.fusion.settings import FitResult
from graphrec.fusion.stacked import stack
from graphrec.fusion.sums import by_sum

Method = Literal["isotonic", "logistic"]


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
        graph: GraphLevels = NO_LEVELS,  # noqa: ARG002
        histories: ItemLists | None = None,  # noqa: ARG002
    ) -> FitResult:
        """Return the fusion, and its weights for the report."""
        cutoffs = self.cutoffs or (k,)
        fusion = fit_calibrated(lists, truth, cutoffs=cutoffs, seed=seed, method=self.method)
        return FitResult(fusion, {"method": self.method, "cutoffs": list(cutoffs), "weights": dict(fusion.weights)})

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


def fit_calibrated(
    lists: Mapping[str, ItemLists],
    truth: ItemLists,
    *,
    cutoffs: Sequence[int],
    seed: int,
    method: Method = "isotonic",
    rounds: int = 4,
    ascents: int = 6,
    max_users: int = 4000,
) -> Calibrated:
    """Return the fusion whose curves fit the hits of ``lists``, and whose weights maximise Recall@K + NDCG@K.

    Each channel's curve is fitted on its own entries; then the weights ascend, one channel at a time, from equal ones,
    as in :func:`graphrec.fusion.fit_rrf.fit_weights`. They do so several times, each time for another half of the users
    and in another order, and the mean is taken: where channels return the same items, one ascent leaves to chance which
    of them keeps its weight, and the mean finds more (Gowalla, users not seen: Recall@20 .2153, one ascent .2124).

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
    ascents : int, default 6
        Ascents, each for a random half of the users.
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
       several channels are added with weights, not multiplied: they return the same items far too often to be taken for
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
    weights = _mean_ascent(equal, {name: parts[name] for name in curves}, chosen, cutoffs, rounds, ascents, rng)
    return Calibrated(curves, weights)


def _curves(lists: Mapping[str, ItemLists], truth: ItemLists, method: Method) -> dict[str, Curve]:
    """Return a curve for each channel that has a hit."""
    stacked = stack(lists)
    (shares, _), ranks = head_shares(stacked), stacked.ranks().astype(np.float64)
    curves = {}
    for c, (name, part) in enumerate(lists.items()):
        hits, here = hit_mask(part, truth), stacked.entries_of(c)
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
    model = IsotonicRegression(y_min=0.0, y_max=1.0).fit(shares, hits.astype(np.float64))
    return Curve(tuple(map(float, model.X_thresholds_)), tuple(map(float, model.y_thresholds_)))


def _logistic(shares: Values, ranks: Values, hits: npt.NDArray[np.bool_]) -> Curve:
    """Return the logistic curve of the logarithms of share and rank."""
    try:
        from sklearn.linear_model import LogisticRegression
    except ImportError as error:
        raise MissingExtraError("calibrated fusion", extra="train") from error
    if hits.all():
        return Curve((0.0,), (1.0,))
    columns = np.stack([np.log(np.maximum(shares, LEAST_SHARE)), np.log(ranks)], axis=1)
    model = LogisticRegression(C=1e3, max_iter=1000).fit(columns, hits)
    slopes = model.coef_[0]
    return Curve((), (), float(model.intercept_[0]), float(slopes[0]), float(slopes[1]))


def _mean_ascent(
    fusion: Calibrated,
    lists: Mapping[str, ItemLists],
    truth: ItemLists,
    cutoffs: Sequence[int],
    rounds: int,
    ascents: int,
    rng: np.random.Generator,
) -> dict[str, float]:
    """Return the mean of the weights that several ascents from equal ones reach, scaled so that the largest is 1."""
    stacked = stack(lists)
    values = fusion.values(stacked, head_shares(stacked)[0])
    candidates = by_sum(stacked, values, stacked.widest)
    rates = np.zeros(candidates.ranks.T.shape)  # (C, m): what each channel adds at weight 1
    queries = np.repeat(np.arange(stacked.n), candidates.lists.lengths)
    for c in range(len(rates)):
        there = np.flatnonzero(candidates.ranks[:, c])
        rates[c, there] = values[stacked.starts[c, queries[there]] + candidates.ranks[there, c] - 1]
    objective = Objective(candidates.lists, rates, truth, cutoffs=cutoffs, with_ndcg=True)
    weights = np.zeros(len(rates))
    for _ in range(ascents):
        half = np.sort(rng.permutation(stacked.n)[: (stacked.n + 1) // 2])
        reached = ascend(objective.among(half), rounds=rounds, order=lambda: rng.permutation(len(rates)))
        weights += reached / reached.sum()
    return {
        name: round(float(weight), 4) for name, weight in zip(stacked.channels, weights / weights.max(), strict=True)
    }
