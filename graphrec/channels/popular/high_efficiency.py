"""High-efficiency: what converts most often when it is shown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from graphrec.channels.popular.rates import beta_prior, posterior_lower, posterior_mean, wilson_lower
from graphrec.channels.popular.segments import category_recaller, check_labels, sums_by_segment, user_segments
from graphrec.contracts.progress import ALONE, FitContext
from graphrec.contracts.recall_data import RecallData
from graphrec.contracts.recipe import About
from graphrec.contracts.settings import Settings, choice, count, flag, number, text
from graphrec.data.exposures import Exposures
from graphrec.data.interactions import DAY_S
from graphrec.data.lists import indptr_of
from graphrec.data.neighbours import NeighbourTable
from graphrec.errors import ConfigError
from graphrec.recallers.neighbours import NeighbourRecaller
from graphrec.recallers.ranked import RankedRecaller
from graphrec.recallers.segmented import SegmentedRecaller
from graphrec.sparse.taste import Scale, sums_by_row

Bound = Literal["posterior", "wilson"]


@dataclass(frozen=True, slots=True, kw_only=True)
class HighEfficiency(Settings):
    r"""Items by what their conversions per exposure are at least.

    Of item i, :math:`n_i` exposures and :math:`x_i` conversions are counted, each less the longer ago it is, as
    :math:`2^{-age / h}`. The true rates are taken to follow a Beta(a, b) over all items, whose parameters come from
    the counts by the method of moments (:func:`graphrec.channels.popular.rates.beta_prior`). The score is a lower
    bound, so that a lucky first click does not lead the list:

    ============= ==============================================================================================
    ``posterior`` the value that Beta(:math:`x_i + a,\ n_i - x_i + b`) exceeds with probability ``confidence``
    ``wilson``    the lower end of Wilson's interval around :math:`x_i / n_i`, without the prior; as it knows no other
                  item, one click in one exposure may lead its list: give ``min_exposures`` with it
    ============= ==============================================================================================

    **With values** (``value = true``) the score is revenue per thousand exposures: 1000 times the bound times the
    mean value of a conversion, :math:`(V_i + v\,\bar V) / (x_i + v)`, shrunk to the mean :math:`\bar V` of all.

    **By segment of users** (``by_user``) an item's score is multiplied by its lift in the segment,
    :math:`(x_{gi} + prior) / (e_{gi} + prior)`: observed conversions to expected ones, where
    :math:`e_{gi} = \rho_g n_{gi} \hat p_i` with the smoothed rate of everybody and :math:`\rho_g` such that a segment's
    expected conversions sum to those observed. Items not shown in a segment keep the score of everybody, and so do
    all items for who belongs to no known segment. A request's context goes before what is stored of a user.

    **By category of items** (``by_item``): the categories of a history's items, each with its items by score.

    Everybody (of a segment) gets the same list, so cold users are served like others; by category they get an empty
    one. A cold item is recalled once it was shown ``min_exposures`` times: ``operations`` can see to that.

    Parameters
    ----------
    bound : {"posterior", "wilson"}, default "posterior"
        Which lower bound.
    confidence : float, default 0.8
        Probability that the true rate lies above the bound, at least 0.5 and below 1. 0.5 takes the median (or the
        raw rate, with "wilson"); more demands more evidence.
    min_exposures : int, default 1
        Items shown less often are left out.
    half_life_days : float, default inf
        h, days, > 0, after which an exposure counts half; ``inf`` counts all alike. Needs times.
    value : bool, default False
        Order by revenue instead of by rate. Needs values.
    value_prior : float, default 10.0
        v, conversions of mean value that every item is given.
    by_user, by_item : str, default ""
        A label of the users, or of the items; empty does not divide. Only one of the two may be given.
    prior : float, default 5.0
        Conversions, > 0, that must be expected of an item in a segment before its own say as much as everybody's.
    list_length : int, default 2000
        Items kept a category; 0 keeps all.
    last : int, default 0
        Newest history items whose categories count; 0 counts all.

    Raises
    ------
    ConfigError
        If a setting is out of its range, or both labels are given.

    References
    ----------
    .. [1] B. Efron, C. Morris, "Data analysis using Stein's estimator and its generalizations", JASA 70 (1975), for
       shrinking many rates at once.
    .. [2] W. DuMouchel, "Bayesian data mining in large frequency tables", The American Statistician 53 (1999), for
       the ratio of observed to expected. Differs: one prior weight instead of a fitted mixture of two.
    """

    about: ClassVar[About] = About(
        recalls="conversions or revenue per exposure, by a lower bound",
        artefact="ranked list",
        unknown_users="served",
    )

    bound: Bound = choice("posterior", Bound)
    confidence: float = number(0.8, least=0.5, below=1)
    min_exposures: int = count(1, least=1, unit="exposures")
    half_life_days: float = number(float("inf"), above=0, infinite=True, unit="days")
    value: bool = flag(False)
    value_prior: float = number(10.0, above=0, unit="conversions")
    by_user: str = text(legal="the name of a label, or empty")
    by_item: str = text(legal="the name of a label, or empty")
    prior: float = number(5.0, above=0, unit="conversions")
    list_length: int = count(2000, unit="items")
    last: int = count(0, unit="items")

    def check(self) -> None:
        """Raise ConfigError where settings do not go together."""
        check_labels(self.by_user, self.by_item)

    def fit(
        self,
        data: RecallData,
        context: FitContext = ALONE,  # noqa: ARG002 - nothing is drawn
    ) -> RankedRecaller | SegmentedRecaller | NeighbourRecaller:
        """Return the items that were shown, in order of their bounds. Time O(m) and a sort of the items.

        Raises
        ------
        ConfigError
            If the data has no exposures, or not the times, values or labels that the settings ask for.
        """
        shown = self._exposures(data)
        counted = self._weights(shown)
        exposed = sums_by_row(shown.items, counted, len(data.items))
        converted = sums_by_row(shown.items, counted * shown.converted, len(data.items))
        prior = beta_prior(converted, exposed)
        scores = self._bounds(converted, exposed, prior)
        if self.value and shown.values is not None:
            brought = sums_by_row(shown.items, counted * shown.converted * shown.values, len(data.items))
            scores = scores * self._worth(brought, converted)
        often = np.bincount(shown.items, minlength=len(data.items)) >= self.min_exposures
        listed = data.pool & often
        reason = "often {verb} by those who are shown it"
        if self.by_item:
            return category_recaller(
                data,
                self.by_item,
                np.where(listed, scores, 0.0),
                list_length=self.list_length,
                last=self.last,
                reason=f"{reason}, in {{via}}",
            )
        items = np.flatnonzero(listed).astype(np.int32)
        everyone = RankedRecaller(items, scores[items].astype(np.float32), reason)
        if not self.by_user:
            return everyone
        return self._segmented(
            data, everyone, shown, counted, np.where(listed, scores, -1.0), posterior_mean(converted, exposed, prior)
        )

    def _exposures(self, data: RecallData) -> Exposures:
        """Return the exposures, with all that the settings need of them."""
        shown = data.exposures
        if shown is None or len(shown) == 0:
            raise ConfigError(
                "the high-efficiency channel learns from exposures, and the data has none; give [data.exposures] or "
                "leave the channel out"
            )
        if self.value and shown.values is None:
            raise ConfigError("value = true needs the value of exposures, and these have none; name the column 'value'")
        if self.half_life_days != float("inf") and shown.times is None:
            raise ConfigError(
                f"half_life_days = {self.half_life_days:g} needs the times of exposures, and these have none; "
                "name the column 'timestamp' or leave the setting out"
            )
        return shown

    def _weights(self, shown: Exposures) -> Scale:
        """Return (m,) float64: what each exposure counts."""
        if shown.times is None or self.half_life_days == float("inf"):
            return np.ones(len(shown), dtype=np.float64)
        age_days = (int(shown.times.max()) - shown.times) / DAY_S
        counted: Scale = np.exp2(-age_days / self.half_life_days)
        return counted

    def _bounds(self, converted: Scale, exposed: Scale, prior: tuple[float, float]) -> Scale:
        """Return (n_items,) float64: what each item's rate is at least."""
        if self.bound == "wilson":
            return wilson_lower(converted, exposed, self.confidence)
        return posterior_lower(converted, exposed, prior, self.confidence)

    def _worth(self, brought: Scale, converted: Scale) -> Scale:
        """Return (n_items,) float64: a thousand times the smoothed value of a conversion."""
        mean = brought.sum() / max(converted.sum(), np.finfo(np.float64).tiny)
        worth: Scale = 1000.0 * (brought + self.value_prior * mean) / (converted + self.value_prior)
        return worth

    def _segmented(
        self,
        data: RecallData,
        everyone: RankedRecaller,
        shown: Exposures,
        counted: Scale,
        scores: Scale,
        rates: Scale,
    ) -> SegmentedRecaller:
        """Return one list a segment: an item's score for everybody times its lift; -1 marks items that are left out."""
        segments = user_segments(data, self.by_user)
        of_users = segments.labels.codes
        codes = np.where(shown.users >= 0, of_users[shown.users] if len(of_users) else -1, -1).astype(np.int32)
        size = {"n_segments": len(segments), "n_items": len(data.items)}
        exposed = sums_by_segment(codes, shown.items, counted, **size)
        # Converted ones stand at the same places: zeros are kept by adding nothing to every exposure.
        converted = sums_by_segment(codes, shown.items, counted * shown.converted, **size)
        rows = np.repeat(np.arange(len(segments)), np.diff(exposed.indptr))
        expected = exposed.data * rates[exposed.indices]
        observed = sums_by_row(rows, converted.data, len(segments))
        ratio = observed / np.maximum(sums_by_row(rows, expected, len(segments)), 1e-300)
        lift = (converted.data + self.prior) / (ratio[rows] * expected + self.prior)
        kept = scores[exposed.indices] >= 0
        indptr = indptr_of(kept)[exposed.indptr]
        own = (scores[exposed.indices] * lift)[kept].astype(np.float32)
        table = NeighbourTable(indptr, exposed.indices[kept], own, n_columns=len(data.items))
        return SegmentedRecaller(everyone, segments, table, np.ones(len(segments)), everyone.reason)
