"""What measuring collects over chunks of users: the sums behind a report."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from graphrec.contracts.panel import Panel
from graphrec.contracts.recaller import Recaller
from graphrec.data.lists import ItemLists
from graphrec.evaluation.accounting import shares, without_each
from graphrec.evaluation.metrics import metrics_at
from graphrec.fusion.settings import Fusion

from ..report.parts import FUSED
from .accumulator import Accumulator, Evaluator
from .panel_lists import PanelLists, ask_in_chunks, merged, of_channels

Progress = Callable[[int, int], None]


class Collector(Protocol):
    """Something else that is measured on the same lists."""

    def add(self, start: int, answers: PanelLists, fusion: Fusion) -> None:
        """Account for the users of one chunk, ``start`` onwards."""


@dataclass(frozen=True, slots=True, eq=False)
class Sums:
    """The sums over n users, c channels, by channel and cut-off.

    ``accumulators`` are by channel, and under ``"fused"`` for the merged list. ``without`` (n,) float64 is the recall
    of the list merged without a channel, ``union`` (n,) the share of the truth that any channel returned; ``common``
    (c, c) int64 counts entries that two channels share, ``unique_hits`` (c,) true items of one channel alone.
    """

    evaluator: Evaluator
    truth: ItemLists
    accumulators: Mapping[str, Accumulator]
    without: Mapping[str, Mapping[int, npt.NDArray[np.float64]]]
    union: Mapping[int, npt.NDArray[np.float64]]
    common: Mapping[int, npt.NDArray[np.int64]]
    unique_hits: Mapping[int, npt.NDArray[np.int64]]

    @property
    def channels(self) -> list[str]:
        """The channels in their order."""
        return list(self.without)

    def add(self, start: int, answers: PanelLists, fusion: Fusion) -> None:
        """Account for the users of one chunk, ``start`` onwards."""
        lists, truth, cutoffs = answers.lists, answers.panel.truth, self.evaluator.cutoffs

        def merge(parts: Mapping[str, ItemLists], k: int) -> ItemLists:
            return merged(of_channels(answers, list(parts)), fusion, k)

        for name, part in (*lists.items(), (FUSED, merge(lists, cutoffs[-1]))):
            self.accumulators[name].add(start, part, truth)
        here = slice(start, start + len(truth))
        for name, part in without_each(lists, merge, cutoffs[-1]).items():
            for k, values in metrics_at(part, truth, cutoffs).items():
                self.without[name][k][here] = values.recall
        for k in cutoffs:
            share = shares(lists, truth, k)
            self.common[k][:] += share.common
            self.unique_hits[k][:] += share.unique_hits
            self.union[k][here] = share.union_hits / truth.lengths


def measure(
    channels: Mapping[str, Recaller],
    fusion: Fusion,
    panel: Panel,
    against: Evaluator,
    *,
    also: Sequence[Collector] = (),
    progress: Progress | None = None,
) -> Sums:
    """Ask every channel for every user, chunk by chunk, and account for the answers; ``also`` sees each chunk too."""
    n, c, cutoffs = len(panel), len(channels), against.cutoffs
    sums = Sums(
        against,
        panel.truth,
        {name: Accumulator(against, n) for name in (*channels, FUSED)},
        {name: {k: np.zeros(n) for k in cutoffs} for name in channels},
        {k: np.zeros(n) for k in cutoffs},
        {k: np.zeros((c, c), dtype=np.int64) for k in cutoffs},
        {k: np.zeros(c, dtype=np.int64) for k in cutoffs},
    )
    done = 0
    for answers in ask_in_chunks(channels, panel, fusion.channel_depth(cutoffs[-1])):
        for collector in (sums, *also):
            collector.add(done, answers, fusion)
        done += len(answers.panel)
        if progress is not None:
            progress(done, n)
    return sums
