"""Measuring channels and their merged list on held-out events: the numbers of a report."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from graphrec.contracts.panel import Panel, take_panel
from graphrec.contracts.recall_data import RecallData
from graphrec.contracts.recaller import Recaller
from graphrec.data.interactions import Interactions
from graphrec.errors import ConfigError
from graphrec.evaluation.held_out import HeldOut, held_out_panel
from graphrec.evaluation.value import item_values
from graphrec.fusion.settings import Fusion

from ..environment import package_versions
from ..jobs.fitting import Fitted
from ..report.parts import FUSED, BootstrapSettings, ChannelChoice, ChannelReport, Counts, Machine
from ..report.report import Report
from .accumulator import evaluator
from .channel_choice import Trials, choose_channels
from .definitions import DEFINITIONS
from .latency import query_us
from .panel_lists import PanelLists
from .reach import composition, reach
from .summary import LEVEL, Costs, Summary, summarise
from .sums import Progress, measure

_TIMED_USERS = 200
_MISSED = (
    "{n:,} true items ({share:.1%} of the truth) are outside the catalogue and count as missed: declare them in "
    "[catalogue], or leave them out with catalogue.outside = 'left-out'."
)


@dataclass(frozen=True, slots=True)
class EvaluationSettings:
    """How channels are measured.

    Parameters
    ----------
    k : sequence of int
        Cut-offs, >= 1; channels are asked for ``fusion.channel_depth(max(k))`` items.
    seed : int
        Of the bootstrap and of samples of users.
    bootstrap_rounds : int, default 1000
        Resamples behind every interval.
    max_users : int, optional
        Measure a random sample of so many users with truth.
    limits : mapping of str to float
        Limits to the sums of ``query_us``, ``size_bytes`` or ``channels`` (1 each): the report then recommends which
        channels to keep (:mod:`graphrec.evaluation.selection`), at the largest cut-off.
    value : str, optional
        The number of the items that says what they are worth: value@K is then measured beside Recall@K.
    """

    k: Sequence[int]
    seed: int
    bootstrap_rounds: int = 1000
    max_users: int | None = None
    limits: Mapping[str, float] = field(default_factory=dict)
    value: str | None = None

    @property
    def cutoffs(self) -> list[int]:
        """The cut-offs, rising, each once; ConfigError where they are not legal."""
        cutoffs = sorted(set(self.k))
        if not cutoffs or cutoffs[0] < 1:
            raise ConfigError(f"the cut-offs are {list(self.k)}; give at least one, each 1 or more")
        return [int(cutoff) for cutoff in cutoffs]


def evaluate(
    fitted: Fitted,
    fusion: Fusion,
    data: RecallData,
    test: Interactions,
    settings: EvaluationSettings,
    *,
    outside: Interactions | None = None,
    validation: PanelLists | None = None,
    progress: Progress | None = None,
) -> Report:
    """Return the report of channels that were fitted on ``data``, measured on ``test``.

    Parameters
    ----------
    fitted : Fitted
        At least one channel, with the seconds of its fit and its bytes; their order is kept.
    fusion : Fusion
        How the channels' lists are merged.
    data : RecallData
        What the channels learned from: ``data.interactions`` is the training part, ``data.pool`` what may be recalled.
    test : Interactions
        The held-out part, over the same users and items.
    settings : EvaluationSettings
        Cut-offs, seed, resamples, sample of users, and the budget.
    outside : Interactions, optional
        The held-out events of items outside the catalogue, which are missed (:func:`held_out_panel`).
    validation : PanelLists, optional
        Where channels are chosen for the budget: each channel's lists for a validation panel, as deep as they will be
        merged. Without it some of the measured users are used up for choosing.
    progress : callable, optional
        ``progress(users done, users in all)``.

    Returns
    -------
    Report
        Without what a configuration knows: dataset, split, inputs and pool.

    Raises
    ------
    ConfigError
        If there is no channel or an illegal cut-off.
    DataError
        If no user has any truth, or train and test have different users or items.

    Notes
    -----
    Memory: the top lists of a chunk of users, and a few numbers a user, channel and cut-off. Same input and seed give
    the same numbers, but for the seconds.
    """
    cutoffs, channels = settings.cutoffs, fitted.channels
    _check_names(channels)
    held = held_out_panel(data, test, outside=outside, max_users=settings.max_users, seed=settings.seed)
    costs = _costs(fitted, fusion, held.panel, settings)
    trials = _trials(fitted, fusion, held.panel, settings, costs, validation)
    sums = measure(
        channels,
        fusion,
        held.panel,
        evaluator(
            data.interactions,
            data.pool,
            cutoffs,
            n_outside=held.panel.n_outside,
            values=None if settings.value is None else item_values(data.item_features, settings.value),
            exposures=data.exposures,
        ),
        also=() if trials is None else (trials,),
        progress=progress,
    )
    summary = summarise(sums, costs, rounds=settings.bootstrap_rounds, seed=settings.seed)
    rows = {name: summary.channel(name) for name in channels}
    return Report(
        seed=settings.seed,
        k=tuple(cutoffs),
        users=_counts(data, held),
        fusion=fusion.to_dict(),
        channels=rows,
        fused=summary.fused(),
        fused_vs_best=summary.fused_vs_best(),
        overlap=summary.overlap(),
        selection=_choice(trials, summary, settings),
        bootstrap=BootstrapSettings(settings.bootstrap_rounds, LEVEL, settings.seed),
        definitions=DEFINITIONS,
        versions=package_versions(("numpy", "scipy", "numba", "hnswlib")),
        machine=_machine(),
        notices=_notices(rows, cutoffs[-1], held.panel),
        catalogue={**composition(data), "reach": reach(channels, data, held.panel, seed=settings.seed)},
    )


def _check_names(channels: Mapping[str, Recaller]) -> None:
    if not channels:
        raise ConfigError("there is no channel to evaluate; fit at least one")
    if FUSED in channels:
        raise ConfigError(f"a channel is called {FUSED!r}, which is the name of the merged list; rename it")


def _costs(fitted: Fitted, fusion: Fusion, panel: Panel, settings: EvaluationSettings) -> Costs:
    """Return what the channels cost: the fits as they came, the queries timed on a sample of the panel."""
    sample = np.random.default_rng(settings.seed).permutation(len(panel))[:_TIMED_USERS]
    took = query_us(fitted.channels, fusion, take_panel(panel, sample), settings.cutoffs[-1])
    return Costs(fitted.fit_s, fitted.size_bytes, took)


def _trials(
    fitted: Fitted,
    fusion: Fusion,
    panel: Panel,
    settings: EvaluationSettings,
    costs: Costs,
    validation: PanelLists | None,
) -> Trials | None:
    """Return the channels that the budget pays for, ready to be measured; None without a budget."""
    if not settings.limits:
        return None
    by_limit: dict[str, Mapping[str, float]] = {
        "query_us": {name: costs.query_us[name] for name in fitted.channels},
        "size_bytes": costs.size_bytes,
        "channels": dict.fromkeys(fitted.channels, 1.0),
    }
    return choose_channels(
        fitted.channels,
        fusion,
        panel,
        k=settings.cutoffs[-1],
        limits=settings.limits,
        costs=by_limit,
        validation=validation,
        seed=settings.seed,
    )


def _choice(trials: Trials | None, summary: Summary, settings: EvaluationSettings) -> ChannelChoice | None:
    if trials is None:
        return None
    full = summary.sums.accumulators[FUSED].recall[trials.k]
    return trials.choice(full, rounds=settings.bootstrap_rounds, seed=settings.seed)


def _machine() -> Machine:
    return Machine(
        system=platform.system(),
        processor=platform.machine(),
        cpus=os.cpu_count(),
        python=platform.python_version(),
    )


def _notices(rows: Mapping[str, ChannelReport], k: int, panel: Panel) -> tuple[str, ...]:
    """Return what a reader of the numbers should know first, a sentence each."""
    silent = [
        f"Channel {name!r} returned nothing for any of the {len(panel):,} users measured: see what it was fitted on."
        for name, row in rows.items()
        if row.returned[k] == 0
    ]
    missed = _n_missed(panel)
    share = missed / max(len(panel.truth.items), 1)
    return (*silent, *([_MISSED.format(n=missed, share=share)] if missed else []))


def _n_missed(panel: Panel) -> int:
    """Return how many true items are outside the catalogue."""
    return int((panel.truth.items >= len(panel.pool)).sum())


def _counts(data: RecallData, held: HeldOut) -> Counts:
    """Return how many users and items were measured, and what was left out."""
    panel = held.panel
    return Counts(
        all=data.interactions.n_users,
        with_truth=held.n_with_truth,
        measured=len(panel),
        measured_without_history=int((panel.history.lengths == 0).sum()),
        pool=int(panel.pool.sum()),
        true_items=len(panel.truth.items),
        true_items_outside_pool=held.n_outside_pool,
        true_items_outside_catalogue=_n_missed(panel),
    )
