"""Measuring channels and their merged list on held-out events: the numbers of ``report.json``."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import numpy as np
import numpy.typing as npt

from graphrec.contracts.queries import Queries, known_queries
from graphrec.contracts.recall_data import RecallData
from graphrec.contracts.recaller import Recaller
from graphrec.contracts.training_part import last_moment
from graphrec.data.interactions import Interactions, histories
from graphrec.data.lists import ItemLists, concatenate, entries_where, take_lists
from graphrec.data.splits import held_out
from graphrec.errors import ConfigError, DataError
from graphrec.evaluation.accounting import Merge, overlap, shares, without_each
from graphrec.evaluation.bootstrap import percentile_interval, resampled_means
from graphrec.evaluation.metrics import metrics_at, truth_sizes
from graphrec.fusion.settings import Fusion
from graphrec.ranking.place import merge_and_place
from graphrec.recallers.filtering import recall_allowed

from .accumulator import STRATA, Tally, Yardstick, yardstick
from .channel_choice import Trials, choose_channels
from .definitions import DEFINITIONS
from .latency import FUSED, query_us

# Users measured at once: their top lists of every channel are held together.
_CHUNK = 2048
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
    dataset: str = "",
    split: Mapping[str, object] | None = None,
    limits: Mapping[str, float] | None = None,
    validation: tuple[Mapping[str, ItemLists], ItemLists] | None = None,
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
    dataset, split
        Name and split settings, put into the report as they are.
    limits : mapping of str to float, optional
        Limits to the sums of ``query_us``, ``size_bytes`` or ``channels`` (1 each): the report then recommends which
        channels to keep (:mod:`graphrec.evaluation.selection`), at the largest cut-off.
    validation : (lists, truth), optional
        Where these channels are chosen: each channel's answers on a validation part, as deep as they will be merged.
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
    Memory: the top lists of ``_CHUNK`` users, and a few numbers a user, channel and cut-off. Same input and seed give
    the same numbers, but for the seconds.
    """
    cutoffs = _cutoffs(k)
    if not channels:
        raise ConfigError("there is no channel to evaluate; fit at least one")
    if FUSED in channels:
        raise ConfigError(f"a channel is called {FUSED!r}, which is the name of the merged list; rename it")
    history, truth, users, counts = _subjects(data, test, max_users=max_users, seed=seed)
    measure = yardstick(data.interactions, data.pool, cutoffs)
    sample = np.random.default_rng(seed).permutation(users)[:_TIMED_USERS]
    took = query_us(channels, fusion, history, sample, cutoffs[-1], pool=data.pool)

    def ask(some: npt.NDArray[np.int32]) -> dict[str, ItemLists]:
        return ask_all(channels, history, some, depth, allowed=data.pool, now=last_moment(data))

    depth, trials = fusion.channel_depth(cutoffs[-1]), None
    if limits:
        costs: dict[str, Mapping[str, float]] = {
            "query_us": {name: took[name] for name in channels},
            "size_bytes": {name: size_bytes.get(name, 0) for name in channels},
            "channels": dict.fromkeys(channels, 1.0),
        }
        trials = choose_channels(
            ask, truth, users, fusion, k=cutoffs[-1], limits=limits, costs=costs, names=tuple(channels),
            validation=validation, seed=seed,
        )  # fmt: skip
    found = _measure(channels, fusion, history, truth, users, measure, progress, trials, now=last_moment(data))
    report = {
        "dataset": dataset,
        "split": dict(split or {}),
        "seed": seed,
        "k": cutoffs,
        "users": counts,
        "fusion": fusion.to_dict(),
        **found.results(take_lists(truth, users), measure, rounds=bootstrap_rounds, seed=seed),
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
        "versions": {name: version(name) for name in ("graphrec", "numpy", "scipy", "numba", "hnswlib")},
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


def _subjects(
    data: RecallData, test: Interactions, *, max_users: int | None, seed: int
) -> tuple[ItemLists, ItemLists, npt.NDArray[np.int32], dict[str, int]]:
    """Return histories and truth of all users, the rows of those to measure, and counts for the report."""
    train = data.interactions
    if (train.n_users, train.n_items) != (test.n_users, test.n_items):
        raise DataError(
            f"the channels learned from {train.n_users} users and {train.n_items} items, the test part speaks of "
            f"{test.n_users} and {test.n_items}; read both with the same vocabularies"
        )
    everything = held_out(train, test)
    truth = entries_where(everything, data.pool[everything.items])
    users = np.flatnonzero(truth_sizes(truth) > 0).astype(np.int32)
    if len(users) == 0:
        raise DataError("nobody has a held-out item inside the pool; hold out more events or widen the pool")
    n_with_truth = len(users)
    users = sample_users(users, max_users, seed=seed)
    history = histories(train)
    counts = {
        "all": train.n_users,
        "with_truth": n_with_truth,
        "measured": len(users),
        "measured_without_history": int((history.lengths[users] == 0).sum()),
        "pool": int(data.pool.sum()),
        "true_items": int(truth.lengths[users].sum()),
        "true_items_outside_pool": len(everything.items) - len(truth.items),
    }
    return history, truth, users, counts


def sample_users(users: npt.NDArray[np.int32], most: int | None, *, seed: int) -> npt.NDArray[np.int32]:
    """Return ``users``, or ``most`` of them drawn with the seed, in the same order, where they are more."""
    if most is None or len(users) <= most:
        return users
    return np.sort(np.random.default_rng(seed).choice(users, size=most, replace=False))


@dataclass(frozen=True, slots=True, eq=False)
class _Found:
    """What measuring collects over the chunks: see ``_measure``."""

    tallies: dict[str, Tally]
    without: dict[str, dict[int, npt.NDArray[np.float64]]]
    union: dict[int, npt.NDArray[np.float64]]
    common: dict[int, npt.NDArray[np.int64]]
    unique_hits: dict[int, npt.NDArray[np.int64]]
    trials: Trials | None = None

    def add(
        self, start: int, lists: Mapping[str, ItemLists], truth: ItemLists, merge: Merge, cutoffs: list[int]
    ) -> None:
        """Account for the users of one chunk."""
        for name, part in (*lists.items(), (FUSED, merge(lists, cutoffs[-1]))):
            self.tallies[name].add(start, part, truth)
        here = slice(start, start + len(truth))
        for name, part in without_each(lists, merge, cutoffs[-1]).items():
            for k, values in metrics_at(part, truth, cutoffs).items():
                self.without[name][k][here] = values.recall
        sizes = truth_sizes(truth)
        for k in cutoffs:
            share = shares(lists, truth, k)
            self.common[k] += share.common
            self.unique_hits[k] += share.unique_hits
            self.union[k][here] = share.union_hits / sizes

    def results(self, truth: ItemLists, measure: Yardstick, *, rounds: int, seed: int) -> dict[str, Any]:
        """Return the parts of the report that are about channels, the merged list, and overlaps."""
        true_items = np.bincount(measure.strata[truth.items], minlength=len(STRATA))
        rows = {name: tally.results(true_items) for name, tally in self.tallies.items()}
        names = [name for name in rows if name != FUSED]
        report: dict[str, Any] = {"channels": {name: rows[name] for name in names}, FUSED: rows[FUSED]}
        for k in measure.cutoffs:
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
            full = self.tallies[FUSED].recall[self.trials.k]
            report["selection"] = self.trials.results(full, rounds=rounds, seed=seed)
        return report

    def _compare(self, report: dict[str, Any], names: list[str], k: int, *, rounds: int, seed: int) -> None:
        """Add everything that has an interval: one resampling of the users serves them all."""
        columns = {name: self.tallies[name].recall[k] for name in (*names, FUSED)}
        columns |= {f"without {name}": self.without[name][k] for name in names}
        values = np.stack(list(columns.values()), axis=1)  # (users, 2 C + 1)
        means = resampled_means(values, rounds=rounds, seed=seed)
        place = {name: position for position, name in enumerate(columns)}

        def interval(ours: str, theirs: str | None = None) -> list[float]:
            a, estimate = means[:, place[ours]], columns[ours].mean()
            if theirs is None:
                return percentile_interval(estimate, a).to_list()
            b = means[:, place[theirs]]
            return percentile_interval(estimate - columns[theirs].mean(), a - b).to_list()

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
    history: ItemLists,
    truth: ItemLists,
    users: npt.NDArray[np.int32],
    measure: Yardstick,
    progress: Progress | None,
    trials: Trials | None,
    *,
    now: float | None,
) -> _Found:
    """Ask every channel for every user, chunk by chunk, and account for the answers."""
    n, cutoffs, c = len(users), measure.cutoffs, len(channels)
    found = _Found(
        {name: Tally(measure, n) for name in (*channels, FUSED)},
        {name: {k: np.zeros(n) for k in cutoffs} for name in channels},
        {k: np.zeros(n) for k in cutoffs},
        {k: np.zeros((c, c), dtype=np.int64) for k in cutoffs},
        {k: np.zeros(c, dtype=np.int64) for k in cutoffs},
        trials,
    )
    depth, done = fusion.channel_depth(cutoffs[-1]), 0
    for queries, lists in ask_in_chunks(channels, history, users, depth, allowed=measure.pool, now=now):

        def merge(parts: Mapping[str, ItemLists], k: int, queries: Queries = queries) -> ItemLists:
            return merge_and_place(fusion, parts, channels, queries, k).lists

        chosen = take_lists(truth, queries.users)
        found.add(done, lists, chosen, merge, cutoffs)
        if trials is not None:
            trials.add(done, lists, chosen, fusion)
        done += len(queries)
        if progress is not None:
            progress(done, n)
    return found


def ask_in_chunks(
    channels: Mapping[str, Recaller],
    history: ItemLists,
    users: npt.NDArray[np.int32],
    depth: int,
    *,
    allowed: npt.NDArray[np.bool_],
    now: float | None,
) -> Iterator[tuple[Queries, dict[str, ItemLists]]]:
    """Yield queries of ``users`` in chunks, with each channel's ``depth`` allowed items that are not in the history."""
    for start in range(0, len(users), _CHUNK):
        chunk = users[start : start + _CHUNK]
        queries = known_queries(history, chunk, now=now)
        yield (
            queries,
            {
                name: recall_allowed(channel, queries, depth, exclude=queries.history, allowed=allowed)
                for name, channel in channels.items()
            },
        )


def ask_all(
    channels: Mapping[str, Recaller],
    history: ItemLists,
    users: npt.NDArray[np.int32],
    depth: int,
    *,
    allowed: npt.NDArray[np.bool_],
    now: float | None,
) -> dict[str, ItemLists]:
    """Return what :func:`ask_in_chunks` yields, joined: the lists of all ``users`` by channel, 8 bytes an entry."""
    parts = [lists for _, lists in ask_in_chunks(channels, history, users, depth, allowed=allowed, now=now)]
    return {name: concatenate([part[name] for part in parts]) for name in channels}
