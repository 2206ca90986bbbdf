"""Measuring channels and their merged list on held-out events: the numbers of ``report.json``."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from graphrec.contracts.panel import Panel, take_panel
from graphrec.contracts.recall_data import RecallData
from graphrec.contracts.recaller import Recaller
from graphrec.data.interactions import Interactions
from graphrec.data.lists import ItemLists
from graphrec.errors import ConfigError
from graphrec.evaluation.accounting import overlap, shares, without_each
from graphrec.evaluation.bootstrap import paired_bootstrap
from graphrec.evaluation.held_out import HeldOut, held_out_panel
from graphrec.evaluation.metrics import metrics_at
from graphrec.fusion.settings import Fusion

from ..environment import package_versions
from .accumulator import STRATA, Accumulator, Evaluator, evaluator
from .channel_choice import Trials, choose_channels
from .definitions import DEFINITIONS
from .latency import FUSED, query_us
from .panel_lists import PanelLists, ask_in_chunks, merged, of_channels

_TIMED_USERS = 200
HOT = "hot"

Progress = Callable[[int, int], None]


def evaluate(
    channels: Mapping[str, Recaller],
    fusion: Fusion,
    data: RecallData,
    test: Interactions,
    *,
    k: Sequence[int],
    fit_s: Mapping[str, float],
    size_bytes: Mapping[str, int],
    seed: int,
    progress: Progress | None = None,
    bootstrap_rounds: int = 1000,
    max_users: int | None = None,
    limits: Mapping[str, float] | None = None,
    validation: PanelLists | None = None,
) -> dict[str, Any]:
    """Return the report of channels that were fitted on ``data``, measured on ``test``.

    Parameters
    ----------
    channels : mapping of str to Recaller
        At least one; their order is kept.
    fusion : Fusion
        How the channels' lists are merged.
    data : RecallData
        What the channels learned from: ``data.interactions`` is the training part, ``data.pool`` what may be recalled.
    test : Interactions
        The held-out part, over the same users and items.
    k : sequence of int
        Cut-offs, >= 1; channels are asked for ``fusion.channel_depth(max(k))`` items.
    fit_s, size_bytes : mapping of str
        Seconds and bytes by channel, for the report.
    seed : int
        Of the bootstrap and of samples of users.
    progress : callable, optional
        ``progress(users done, users in all)``.
    bootstrap_rounds : int, default 1000
        Resamples behind every interval.
    max_users : int, optional
        Measure a random sample of so many users with truth.
    limits : mapping of str to float, optional
        Limits to the sums of ``query_us``, ``size_bytes`` or ``channels`` (1 each): the report then recommends which
        channels to keep (:mod:`graphrec.evaluation.selection`), at the largest cut-off.
    validation : PanelLists, optional
        Where these channels are chosen: each channel's lists for a validation panel, as deep as they will be merged.
        Without it some of the measured users are used up for choosing.

    Returns
    -------
    dict
        JSON values without NaN, as ``report.json`` holds them; ``definitions`` says what each number means.

    Raises
    ------
    ConfigError
        If there is no channel or an illegal cut-off.
    DataError
        If nobody has any truth, or train and test speak of different users or items.

    Notes
    -----
    Memory: the top lists of a chunk of users, and a few numbers a user, channel and cut-off. Same input and seed give
    the same numbers, but for the seconds.
    """
    cutoffs = _cutoffs(k)
    if not channels:
        raise ConfigError("there is no channel to evaluate; fit at least one")
    if FUSED in channels:
        raise ConfigError(f"a channel is called {FUSED!r}, which is the name of the merged list; rename it")
    held = held_out_panel(data, test, max_users=max_users, seed=seed)
    panel, counts = held.panel, _counts(data, held)
    against = evaluator(data.interactions, data.pool, cutoffs)
    sample = np.random.default_rng(seed).permutation(len(panel))[:_TIMED_USERS]
    took = query_us(channels, fusion, take_panel(panel, sample), cutoffs[-1])
    trials = None
    if limits:
        costs: dict[str, Mapping[str, float]] = {
            "query_us": {name: took[name] for name in channels},
            "size_bytes": {name: size_bytes.get(name, 0) for name in channels},
            "channels": dict.fromkeys(channels, 1.0),
        }
        trials = choose_channels(
            channels, fusion, panel, k=cutoffs[-1], limits=limits, costs=costs, validation=validation, seed=seed
        )
    found = _measure(channels, fusion, panel, against, progress, trials)
    report = {
        "seed": seed,
        "k": cutoffs,
        "users": counts,
        "fusion": fusion.to_dict(),
        **found.results(panel.truth, against, rounds=bootstrap_rounds, seed=seed),
        "bootstrap": {"rounds": bootstrap_rounds, "level": 0.95, "seed": seed},
        "definitions": DEFINITIONS,
        **_surroundings(),
    }
    _add_costs(report, fit_s, size_bytes, took)
    report["notices"] = _notices(report, counts["measured"])
    return report


def _surroundings() -> dict[str, Any]:
    """Return the versions and the machine that numbers were measured with."""
    return {
        "versions": package_versions(("numpy", "scipy", "numba", "hnswlib")),
        "machine": {
            "system": platform.system(),
            "processor": platform.machine(),
            "cpus": os.cpu_count(),
            "python": platform.python_version(),
        },
    }


def _add_costs(
    report: dict[str, Any], fit_s: Mapping[str, float], size_bytes: Mapping[str, int], took: Mapping[str, float]
) -> None:
    """Add what each channel costs to its row, and what all of them cost together to the merged list's."""
    rows = report["channels"]
    for name, row in rows.items():
        row |= {"fit_s": fit_s.get(name), "size_bytes": size_bytes.get(name), "query_us": took[name]}
    report[FUSED] |= {
        "fit_s": sum(fit_s.get(name, 0.0) for name in rows),
        "size_bytes": sum(size_bytes.get(name, 0) for name in rows),
        "query_us": took[FUSED],
    }


def _notices(report: Mapping[str, Any], n: int) -> list[str]:
    """Return what a reader of the numbers should know first, a sentence each."""
    k = report["k"][-1]
    return [
        f"Channel {name!r} returned nothing for any of the {n:,} users measured: see what it was fitted on."
        for name, row in report["channels"].items()
        if row[f"returned@{k}"] == 0
    ]


def _cutoffs(k: Sequence[int]) -> list[int]:
    cutoffs = sorted(set(k))
    if not cutoffs or cutoffs[0] < 1:
        raise ConfigError(f"the cut-offs are {list(k)}; give at least one, each 1 or more")
    return [int(cutoff) for cutoff in cutoffs]


def _counts(data: RecallData, held: HeldOut) -> dict[str, int]:
    """Return how many users and items were measured, and what was left out."""
    panel = held.panel
    return {
        "all": data.interactions.n_users,
        "with_truth": held.n_with_truth,
        "measured": len(panel),
        "measured_without_history": int((panel.history.lengths == 0).sum()),
        "pool": int(panel.pool.sum()),
        "true_items": len(panel.truth.items),
        "true_items_outside_pool": held.n_outside_pool,
    }


@dataclass(frozen=True, slots=True, eq=False)
class _Results:
    """What measuring collects over the chunks: see ``_measure``."""

    accumulators: dict[str, Accumulator]
    without: dict[str, dict[int, npt.NDArray[np.float64]]]
    union: dict[int, npt.NDArray[np.float64]]
    common: dict[int, npt.NDArray[np.int64]]
    unique_hits: dict[int, npt.NDArray[np.int64]]
    trials: Trials | None = None

    def add(self, start: int, answers: PanelLists, fusion: Fusion, cutoffs: list[int]) -> None:
        """Account for the users of one chunk."""
        lists, truth = answers.lists, answers.panel.truth

        def merge(parts: Mapping[str, ItemLists], k: int) -> ItemLists:
            return merged(of_channels(answers, list(parts)), fusion, k)

        for name, part in (*lists.items(), (FUSED, merge(lists, cutoffs[-1]))):
            self.accumulators[name].add(start, part, truth)
        here = slice(start, start + len(truth))
        for name, part in without_each(lists, merge, cutoffs[-1]).items():
            for k, values in metrics_at(part, truth, cutoffs).items():
                self.without[name][k][here] = values.recall
        sizes = truth.lengths
        for k in cutoffs:
            share = shares(lists, truth, k)
            self.common[k] += share.common
            self.unique_hits[k] += share.unique_hits
            self.union[k][here] = share.union_hits / sizes

    def results(self, truth: ItemLists, against: Evaluator, *, rounds: int, seed: int) -> dict[str, Any]:
        """Return the parts of the report that are about channels, the merged list, and overlaps."""
        true_items = np.bincount(against.strata[truth.items], minlength=len(STRATA))
        rows = {name: accumulator.results(true_items) for name, accumulator in self.accumulators.items()}
        names = [name for name in rows if name != FUSED]
        report: dict[str, Any] = {"channels": {name: rows[name] for name in names}, FUSED: rows[FUSED]}
        for k in against.cutoffs:
            self._compare(report, names, k, rounds=rounds, seed=seed)
            returned = np.diag(self.common[k]) / len(truth)
            rows[FUSED][f"union_recall@{k}"] = float(self.union[k].mean())
            matrix = overlap(self.common[k])
            for name, count, mean in zip(names, self.unique_hits[k], returned, strict=True):
                rows[name][f"unique_hits@{k}"] = int(count)
                rows[name][f"returned@{k}"] = float(mean)
            report[f"overlap@{k}"] = {
                name: dict(zip(names, map(float, row), strict=True)) for name, row in zip(names, matrix, strict=True)
            }
        if self.trials is not None:
            full = self.accumulators[FUSED].recall[self.trials.k]
            report["selection"] = self.trials.results(full, rounds=rounds, seed=seed)
        return report

    def _compare(self, report: dict[str, Any], names: list[str], k: int, *, rounds: int, seed: int) -> None:
        """Add everything that has an interval: one resampling of the users serves them all."""
        columns = {name: self.accumulators[name].recall[k] for name in (*names, FUSED)}
        columns |= {f"without {name}": self.without[name][k] for name in names}
        resamples = paired_bootstrap(columns, rounds=rounds, seed=seed)

        def interval(ours: str, theirs: str | None = None) -> list[float]:
            return resamples.interval(ours, minus=theirs).to_list()

        for name in names:
            row = report["channels"][name]
            row[f"recall_interval@{k}"] = interval(name)
            row[f"marginal_recall@{k}"] = interval(FUSED, f"without {name}")
            if HOT in names and name != HOT:
                row[f"vs_hot@{k}"] = interval(name, HOT)
        best = max(names, key=lambda name: float(columns[name].mean()))
        report[FUSED][f"recall_interval@{k}"] = interval(FUSED)
        report[f"fused_vs_best@{k}"] = {"channel": best, "difference": interval(FUSED, best)}


def _measure(
    channels: Mapping[str, Recaller],
    fusion: Fusion,
    panel: Panel,
    against: Evaluator,
    progress: Progress | None,
    trials: Trials | None,
) -> _Results:
    """Ask every channel for every user, chunk by chunk, and account for the answers."""
    n, cutoffs, c = len(panel), against.cutoffs, len(channels)
    found = _Results(
        {name: Accumulator(against, n) for name in (*channels, FUSED)},
        {name: {k: np.zeros(n) for k in cutoffs} for name in channels},
        {k: np.zeros(n) for k in cutoffs},
        {k: np.zeros((c, c), dtype=np.int64) for k in cutoffs},
        {k: np.zeros(c, dtype=np.int64) for k in cutoffs},
        trials,
    )
    done = 0
    for answers in ask_in_chunks(channels, panel, fusion.channel_depth(cutoffs[-1])):
        found.add(done, answers, fusion, cutoffs)
        if trials is not None:
            trials.add(done, answers, fusion)
        done += len(answers.panel)
        if progress is not None:
            progress(done, n)
    return found
