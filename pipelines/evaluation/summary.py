"""From sums over users to the rows of a report, each with its intervals."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from graphrec.evaluation.accounting import overlap
from graphrec.evaluation.bootstrap import Interval, PairedBootstrap, paired_bootstrap

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


Compared = str | Without


@dataclass(frozen=True, slots=True, eq=False)
class Summary:
    """The numbers behind a report, made into its rows when asked.

    ``true_items`` (3,) int64 are the true items by stratum; ``resamples`` are of each cut-off: one resampling of the
    users serves every interval.
    """

    sums: Sums
    costs: Costs
    true_items: npt.NDArray[np.int64]
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
        own = self.sums.accumulators[name].results(self.true_items)
        return {**own, "recall_interval": self._intervals(name), "query_us": self.costs.query_us[name]}

    def _intervals(self, ours: Compared, theirs: Compared | None = None) -> dict[int, Interval]:
        return {k: resamples.interval(ours, minus=theirs, level=LEVEL) for k, resamples in self.resamples.items()}


def summarise(sums: Sums, costs: Costs, *, rounds: int, seed: int) -> Summary:
    """Return what rows are made of: the users are resampled once for each cut-off."""
    true_items = np.bincount(sums.evaluator.strata[sums.truth.items], minlength=len(STRATA))
    resamples = {k: paired_bootstrap(_recalls(sums, k), rounds=rounds, seed=seed) for k in sums.evaluator.cutoffs}
    return Summary(sums, costs, true_items, resamples)


def _recalls(sums: Sums, k: int) -> dict[Compared, npt.NDArray[np.float64]]:
    """Return the (n,) recalls of every list that is compared: channels, merged, and merged without each channel."""
    recalls: dict[Compared, npt.NDArray[np.float64]] = {
        name: accumulator.recall[k] for name, accumulator in sums.accumulators.items()
    }
    return recalls | {Without(name): values[k] for name, values in sums.without.items()}
