"""Sequence channels over baskets: what they add where people buy again, and where they buy what is new to them.

    python -m benchmarks.baskets [--data DIR] [--json FILE] [--epochs N]

completejourney, split by time: the newest fifth of the purchases is the test, the 8 % before it validation.
Channels learn from what is before both; at the test a household's history holds its validation purchases too. Truth is
read in two ways. *New*: the items that a household had not bought before, and no others may be recalled. *All*: every
item that it bought, with repeats, and everything may be recalled; there ``bought before``, a household's own items by
number of purchases, is one of what is merged. Merged lists are of boosted trees that learnt on the validation purchases
of the same reading; a sequence channel's gain is that of the merged list with it over the one of all others but the
sequence channels, in points of Recall@K, with a paired bootstrap interval over households.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.table import Table

from benchmarks.harness import write_json
from benchmarks.learned_data import SEED, configuration
from graphrec.contracts.queries import Queries
from graphrec.contracts.recaller import Recaller
from graphrec.data.interactions import Interactions, histories, take
from graphrec.data.lists import ItemLists, lists_of, take_lists, truncate
from graphrec.data.sequences import sequences, take_sequences
from graphrec.data.splits import held_out
from graphrec.evaluation.bootstrap import difference_interval
from graphrec.evaluation.metrics import rank_metrics
from graphrec.fusion.fit_boosted import fit_boosted
from graphrec.pipelines.jobs.fitting import fit_channels
from graphrec.pipelines.jobs.train import prepare
from graphrec.pipelines.progress import Shown, Steps
from graphrec.recallers.filtering import recall_allowed

CUTOFFS, DEPTH, ROUNDS = (50, 200), 400, 1000
# Shares of the events by which the first period and validation end.
ENDS = (0.72, 0.8)
READINGS = ("new", "all")
CLASSIC: Mapping[str, Mapping[str, Any]] = {"hot": {}, "item-cf": {}, "user-cf": {}, "als": {"dim": 64}}
# Histories are long and many: windows in one pass, and narrow vectors.
TRAINED = {
    "dim": 64,
    "overlap": 1,
    "batch": 32,
    "negatives": 1024,
    "dropout": 0.3,
    "weight_decay": 0.1,
    "averaged": 1.0,
}
SEQUENCES: Mapping[str, Mapping[str, Any]] = {
    "item-cf-session": {"recipe": "item-cf", "last": 10, "half_life": 5.0},
    "sasrec": TRAINED,
    "youtube-dnn": TRAINED,
}
Values = npt.NDArray[np.float64]


class Part(NamedTuple):
    """Households with held-out purchases: what they ask with, what they had, and what they bought then, by reading."""

    queries: Queries
    had: ItemLists
    truth: Mapping[str, ItemLists]


def periods(events: Interactions) -> npt.NDArray[np.intp]:
    """Return (m,): 0 for an event before validation, 1 for one of it, 2 for one of the test; repeats are events."""
    if events.times is None:
        raise ValueError("baskets have times")
    return np.searchsorted(np.quantile(events.times, ENDS), events.times, side="right")


def part_of(train: Interactions, held: Interactions) -> Part:
    """Return the households that bought something new in ``held``: the same ones in both readings."""
    new, every = held_out(train, held), histories(held)
    users = np.flatnonzero(new.lengths)
    truth = {"new": take_lists(new, users), "all": take_lists(every, users)}
    history = take_sequences(sequences(train), users)
    now = None if train.times is None else float(train.times.max())
    return Part(Queries(users, history, now=now), take_lists(histories(train), users), truth)


def answers(
    channels: Mapping[str, Recaller], part: Part, reading: str, pool: npt.NDArray[np.bool_]
) -> dict[str, ItemLists]:
    """Return each channel's list a household, and what was bought before where that may be recalled."""
    nothing = take_lists(part.had, np.full(len(part.had), -1))
    left_out = part.had if reading == "new" else nothing
    lists = {
        name: recall_allowed(channel, part.queries, DEPTH, exclude=left_out, allowed=pool)
        for name, channel in channels.items()
    }
    return lists if reading == "new" else {"bought before": by_count(part.had), **lists}


def by_count(had: ItemLists) -> ItemLists:
    """Return the lists with what has the greatest scores first, ``DEPTH`` of each."""
    owners = np.repeat(np.arange(len(had)), had.lengths)
    order = np.lexsort((had.items, -had.scores, owners))
    return truncate(lists_of(had.indptr, had.items[order], had.scores[order]), DEPTH)


def rows_of(
    reading: str, chosen_on: Part, measured: Part, lists: list[dict[str, ItemLists]], counts: npt.NDArray[np.int64]
) -> list[dict[str, Any]]:
    """Return a row a channel, and one a merged list: without sequence channels, with each of them, and with all."""
    before, at_test = lists
    truth = measured.truth[reading]
    rows = [{"name": name, **_means(_recalls(own, truth))} for name, own in at_test.items()]
    others = [name for name in at_test if name not in SEQUENCES]
    merged: dict[str, dict[int, Values]] = {}
    with_each = {f"merged, with {name}": [*others, name] for name in SEQUENCES}
    for label, names in {"merged": others, **with_each, "merged, with all": list(at_test)}.items():
        fusion = fit_boosted(
            {name: before[name] for name in names}, chosen_on.truth[reading], cutoffs=CUTOFFS, counts=counts, seed=SEED
        )
        made = fusion.merge({name: at_test[name] for name in names}, CUTOFFS[-1]).lists
        merged[label] = _recalls(made, truth)
        gains = {
            f"gain_recall@{k}": difference_interval(
                merged[label][k], merged["merged"][k], rounds=ROUNDS, seed=SEED
            ).to_list()
            for k in CUTOFFS
            if label != "merged"
        }
        rows.append({"name": label, **_means(merged[label]), **gains})
    return [{"reading": reading, "households": len(truth), **row} for row in rows]


def _recalls(lists: ItemLists, truth: ItemLists) -> dict[int, Values]:
    return {k: rank_metrics(lists, truth, k).recall for k in CUTOFFS}


def _means(recalls: Mapping[int, Values]) -> dict[str, float]:
    return {f"recall@{k}": float(values.mean()) for k, values in recalls.items()}


def run(root: Path, epochs: int, steps: Steps) -> tuple[list[dict[str, Any]], dict[str, float]]:
    """Return the rows of both readings, and the seconds of each fit."""
    trained = {name: {} if "recipe" in own else {"epochs": epochs} for name, own in SEQUENCES.items()}
    channels = {**CLASSIC, **{name: {**own, **trained[name]} for name, own in SEQUENCES.items()}}
    config = configuration("completejourney", root, channels, list(CUTOFFS))
    inputs, _, data = prepare(config, rejects=None, steps=steps)
    events = inputs.data.interactions
    period = periods(events)
    first = take(events, period == 0)
    fitted = fit_channels(config, replace(data, interactions=first), steps)
    chosen_on, measured = (part_of(take(events, period < held), take(events, period == held)) for held in (1, 2))
    counts = np.bincount(first.items, minlength=len(data.items))
    rows: list[dict[str, Any]] = []
    for reading in READINGS:
        with steps.step(f"ask and merge, {reading}"):
            lists = [answers(fitted.channels, part, reading, data.pool) for part in (chosen_on, measured)]
            rows += rows_of(reading, chosen_on, measured, lists, counts)
    return rows, dict(fitted.fit_s)


def show(reading: str, rows: list[dict[str, Any]]) -> Table:
    """Return the rows of a reading for people."""
    shown = Table(title=f"completejourney, {reading}", title_justify="left")
    for head in ("channel", "R@50", "R@200", "gain R@50, points", "gain R@200, points"):
        shown.add_column(head, justify="left" if head == "channel" else "right", no_wrap=True)
    for row in rows:
        gains = (row.get(f"gain_recall@{k}") for k in CUTOFFS)
        points = (
            "" if gain is None else "{:+.2f} [{:+.2f}, {:+.2f}]".format(*(100 * x for x in gain)) for gain in gains
        )
        shown.add_row(row["name"], *(f"{row[f'recall@{k}']:.4f}" for k in CUTOFFS), *points)
    return shown


def main() -> None:
    """Run, print the tables, write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=os.environ.get("GRAPHREC_DATA"), help="folder of test data")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--epochs", type=int, default=5)
    arguments = parser.parse_args()
    if arguments.data is None:
        parser.error("name the folder of test data: --data DIR or GRAPHREC_DATA")
    rows, fit_s = run(Path(arguments.data), arguments.epochs, Shown(Console(stderr=True)))
    for reading in READINGS:
        Console(width=112).print(show(reading, [row for row in rows if row["reading"] == reading]))
    if arguments.json is not None:
        described = {
            "seed": SEED,
            "classic": CLASSIC,
            "sequences": SEQUENCES,
            "epochs": arguments.epochs,
            "fit_s": fit_s,
        }
        write_json(arguments.json, "baskets", described, rows, packages=("torch",))


if __name__ == "__main__":
    main()
