"""From sums over users to the rows of a report, each with its intervals."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from graphrec.evaluation.accounting import overlap
from graphrec.evaluation.bootstrap import Interval, PairedBootstrap, paired_bootstrap, percentile_interval
from graphrec.evaluation.value import worth

from ..report.parts import FUSED, STRATA, ChannelReport, Comparison, FusedReport
from .sums import Sums

HOT = "hot"
# The share that an interval covers.
LEVEL = 0.95


@dataclass(frozen=True, slots=True)
class Costs:
    """Seconds of fitting and bytes by channel, and microseconds a query by channel and for ``"fused"``."""

    fit_s: Mapping[str, float]
    size_bytes: Mapping[str, int]
    query_us: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Without:
    """The list merged without a channel, among the lists that are compared; the others go by their names."""

    channel: str


@dataclass(frozen=True, slots=True)
class Valued:
    """What the true items in the lists of a channel are worth; of no channel, what the whole truth is."""

    channel: str | None


Compared = str | Without | Valued


@dataclass(frozen=True, slots=True, eq=False)
class Summary:
    """The numbers behind a report, made into its rows when asked.

    ``true_items`` (3,) int64 are the true items by stratum; ``by_exposure`` (2,) int64 those never shown and those
    shown, None where no exposures are known; ``resamples`` are of each cut-off: one resampling of the users serves
    every interval.
    """

    sums: Sums
    costs: Costs
    true_items: npt.NDArray[np.int64]
    by_exposure: npt.NDArray[np.int64] | None
    resamples: Mapping[int, PairedBootstrap[Compared]]

    def channel(self, name: str) -> ChannelReport:
        """Return the row of a channel."""
        sums, place = self.sums, self.sums.channels.index(name)
        n = len(sums.truth)
        against_hot = HOT in sums.channels and name != HOT
        return ChannelReport(
            **self._metrics(name),
            fit_s=self.costs.fit_s[name],
            size_bytes=self.costs.size_bytes[name],
            unique_hits={k: int(hits[place]) for k, hits in sums.unique_hits.items()},
            returned={k: float(common[place, place] / n) for k, common in sums.common.items()},
            marginal_recall=self._intervals(FUSED, Without(name)),
            vs_hot=self._intervals(name, HOT) if against_hot else None,
        )

    def fused(self) -> FusedReport:
        """Return the row of the merged list; it costs what all channels cost together."""
        return FusedReport(
            **self._metrics(FUSED),
            fit_s=sum(self.costs.fit_s[name] for name in self.sums.channels),
            size_bytes=sum(self.costs.size_bytes[name] for name in self.sums.channels),
            union_recall={k: float(union.mean()) for k, union in self.sums.union.items()},
        )

    def fused_vs_best(self) -> dict[int, Comparison]:
        """Return the merged list beside the channel with the highest recall, by cut-off."""
        comparisons = {}
        for k, resamples in self.resamples.items():
            best = max(self.sums.channels, key=lambda name: float(resamples.values[name].mean()))
            comparisons[k] = Comparison(best, resamples.interval(FUSED, minus=best, level=LEVEL))
        return comparisons

    def overlap(self) -> dict[int, dict[str, dict[str, float]]]:
        """Return by cut-off the share of each channel's entries that each other one returned too."""
        names = self.sums.channels
        return {
            k: {
                name: dict(zip(names, map(float, row), strict=True))
                for name, row in zip(names, overlap(common), strict=True)
            }
            for k, common in self.sums.common.items()
        }

    def _metrics(self, name: str) -> dict[str, Any]:
        """Return the fields that a channel and the merged list share."""
        own = self.sums.accumulators[name].results(self.true_items, self.by_exposure)
        if self.sums.evaluator.values is not None:
            own |= {"value": self._intervals(Valued(name)), "value_recall": self._value_shares(name)}
        return {**own, "recall_interval": self._intervals(name), "query_us": self.costs.query_us[name]}

    def _value_shares(self, name: str) -> dict[int, Interval]:
        """Return the share of what the truth is worth that a channel's lists hold: a ratio of means, as resampled."""
        shares = {}
        for k, resamples in self.resamples.items():
            ours, whole = Valued(name), Valued(None)
            # A resample may miss every user whose truth is worth something.
            total = resamples.means[whole]
            ratios = np.divide(resamples.means[ours], total, out=np.zeros_like(total), where=total > 0)
            estimate = resamples.values[ours].mean() / max(resamples.values[whole].mean(), np.finfo(float).tiny)
            shares[k] = percentile_interval(float(estimate), ratios, level=LEVEL)
        return shares

    def _intervals(self, ours: Compared, theirs: Compared | None = None) -> dict[int, Interval]:
        return {k: resamples.interval(ours, minus=theirs, level=LEVEL) for k, resamples in self.resamples.items()}


def summarise(sums: Sums, costs: Costs, *, rounds: int, seed: int) -> Summary:
    """Return what rows are made of: the users are resampled once for each cut-off."""
    true_items = np.bincount(sums.evaluator.strata[sums.truth.items], minlength=len(STRATA))
    exposed = sums.evaluator.exposed
    by_exposure = None if exposed is None else np.bincount(exposed[sums.truth.items], minlength=2)
    resamples = {k: paired_bootstrap(_recalls(sums, k), rounds=rounds, seed=seed) for k in sums.evaluator.cutoffs}
    return Summary(sums, costs, true_items, by_exposure, resamples)


def _recalls(sums: Sums, k: int) -> dict[Compared, npt.NDArray[np.float64]]:
    """Return the (n,) recalls and values of every list that is compared: channels, merged, merged without each."""
    recalls: dict[Compared, npt.NDArray[np.float64]] = {
        name: accumulator.recall[k] for name, accumulator in sums.accumulators.items()
    }
    valued: dict[Compared, npt.NDArray[np.float64]] = {}
    if sums.evaluator.values is not None:
        valued = {Valued(name): accumulator.value[k] for name, accumulator in sums.accumulators.items()}
        valued[Valued(None)] = worth(sums.truth, sums.evaluator.values)
    return recalls | {Without(name): values[k] for name, values in sums.without.items()} | valued
