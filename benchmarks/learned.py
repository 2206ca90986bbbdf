"""Learned channels with features: each alone, and what it adds to the classic channels.

    python -m benchmarks.learned [--data DIR] [--json FILE] [--set NAME ...] [--channels NAME ...] [--epochs N]
                                 [--online]

completejourney and ml-latest-small are split by time, the newest fifth of the events held out; colakg-ml-1m has its
given split. Full ranking, items of the history left out. A row's marginal gain is that of the fused list (RRF) of the
classic channels and it over the list without it, in points of Recall@K, with a paired bootstrap interval over users.
``short`` is Recall@200 of users with a history of at most 20 items, ``rare`` that of held-out items with fewer than 5
training events, ``never`` that of those without any, both of the catalogue. Settings are the same for all.
``--online`` measures in their place a two tower that is served by its tower: encoder and search over 100,000 items, one
request at a time, on one thread.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.table import Table

from benchmarks.harness import request_times, write_json
from benchmarks.learned_data import DATA, SEED, configuration
from graphrec.contracts.panel import Panel
from graphrec.contracts.progress import FitContext
from graphrec.contracts.queries import Queries
from graphrec.contracts.recall_data import RecallData
from graphrec.contracts.recaller import Recaller
from graphrec.data.features import Features, Labels
from graphrec.data.interactions import Interactions
from graphrec.data.lists import ItemLists, item_lists
from graphrec.data.vocabulary import Vocabulary
from graphrec.evaluation.held_out import held_out_panel
from graphrec.evaluation.metrics import rank_metrics
from graphrec.fusion.rrf import Rrf
from graphrec.graph.catalogue import items_only
from graphrec.models.deep.two_tower import TwoTower
from graphrec.pipelines.evaluation.evaluate import EvaluationSettings, evaluate
from graphrec.pipelines.jobs.fitting import Fitted, fit_channels
from graphrec.pipelines.jobs.train import prepare
from graphrec.pipelines.progress import Shown, Steps
from graphrec.recallers.filtering import recall_allowed

CUTOFFS = (50, 200)
SHORT, RARE = 20, 5
PARTS = ("rare", "never", "short")
CLASSIC: dict[str, dict[str, Any]] = {"hot": {}, "item-cf": {}, "user-cf": {}, "als": {"dim": 64}}
TOWERS = {"batch": 256}
LEARNED: dict[str, dict[str, Any]] = dict.fromkeys(("two-tower", "esam", "mobius", "tdm", "fm", "ffm"), TOWERS) | {
    # Chosen on parts of train of completejourney and ml-latest-small.
    "two-tower-tail": {
        **TOWERS,
        "recipe": "two-tower",
        "mix": {"in-batch": 1.0, "uniform": 1.0},
        "regularisation": 10.0,
        "length_exponent": 0.3,
    },
}


def of_parts(channel: Recaller, data: RecallData, panel: Panel) -> dict[str, float]:
    """Return Recall@200 of users with short histories, of rare items, and of those that training never saw.

    A part of which nothing is held out is left out.
    """
    k, counts = CUTOFFS[-1], np.bincount(data.interactions.items, minlength=len(data.items))
    answer = recall_allowed(channel, panel.queries, k, exclude=panel.history, allowed=panel.pool)
    parts = {"rare": counts < RARE, "never": counts == 0}
    recalls = {part: rank_metrics(answer, _among(panel.truth, rows), k).recall for part, rows in parts.items()}
    users = panel.history.lengths <= SHORT
    recalls["short"] = rank_metrics(answer, panel.truth, k).recall[users]
    means = {f"recall@{k}_{part}": float(np.nanmean(of)) for part, of in recalls.items() if np.isfinite(of).any()}
    return {**means, "n_short": float(users.sum())}


def _among(truth: ItemLists, chosen: npt.NDArray[np.bool_]) -> ItemLists:
    """Return the lists without items that are not ``chosen`` (n_items,), and without those outside the catalogue."""
    within = np.append(chosen, False)
    return item_lists([items[within[np.minimum(items, len(chosen))]] for items, _ in truth])


def run(name: str, root: Path, learned: Mapping[str, Mapping[str, Any]], steps: Steps) -> list[dict[str, Any]]:
    """Return a row a channel: the classic ones, and those of ``learned`` by name with their settings."""
    channels = {**CLASSIC, **learned}
    config = configuration(name, root, channels, list(CUTOFFS))
    _, split, data = prepare(config, rejects=None, steps=steps)
    fitted = fit_channels(config, data, steps)
    panel = held_out_panel(data, split.test).panel
    rows = []
    for channel in channels:
        together = CLASSIC.keys() | {channel}
        report = _report(fitted, [known for known in channels if known in together], data, split.test)
        row = report["channels"][channel]
        rows.append({
            "name": channel, "set": name, **{f"recall@{k}": row[f"recall@{k}"] for k in CUTOFFS},
            **{f"marginal_recall@{k}": row[f"marginal_recall@{k}"] for k in CUTOFFS}, "fit_s": row["fit_s"],
            "size_bytes": row["size_bytes"], **of_parts(fitted.channels[channel], data, panel),
        })  # fmt: skip
    return rows


def _report(fitted: Fitted, names: list[str], data: RecallData, test: Interactions) -> dict[str, Any]:
    part = replace(fitted, **{
        field: {name: value for name, value in of.items() if name in names}
        for field, of in vars_of(fitted).items() if isinstance(of, Mapping)
    })  # fmt: skip
    report: dict[str, Any] = evaluate(part, Rrf(), data, test, EvaluationSettings(CUTOFFS, SEED)).to_dict()
    return report


def vars_of(fitted: Fitted) -> dict[str, Any]:
    """Return the fields of a dataclass that has no ``__dict__``."""
    return {name: getattr(fitted, name) for name in fitted.__dataclass_fields__}


def online(n_items: int = 100_000, n_queries: int = 300) -> dict[str, Any]:
    """Return milliseconds of a request: user, features and a history of 20 items, encoded and searched for."""
    rng, n_users = np.random.default_rng(SEED), n_items // 5
    users, names = np.repeat(np.arange(n_users), 5), Vocabulary([str(row) for row in range(n_items)])
    labels = {
        name: Labels(Vocabulary([f"{name} {row}" for row in range(n)]), rng.integers(0, n, n_users))
        for name, n in (("city", 50), ("country", 5))
    }
    data = RecallData(
        Vocabulary([f"u{row}" for row in range(n_users)]), names,
        Interactions(users, rng.permutation(n_items), n_users=n_users, n_items=n_items), items_only(names),
        user_features=Features(n_users, {"age": rng.integers(18, 90, n_users).astype(np.float64)}, labels),
    )  # fmt: skip
    # As it is drawn at first: of vectors without leading directions a sketch is least use, so this is the slowest case.
    recipe, context = TwoTower(serve="tower", user_layers=1), FitContext(seed=SEED)
    channel = recipe._channel(data, recipe._task(data, context).learnt(), context)
    asked = [
        Queries([user], item_lists([rng.integers(0, n_items, 20).tolist()]), context={"country": ["country 1"]})
        for user in rng.integers(0, n_users, n_queries).tolist()
    ]
    return {"name": f"two-tower by its tower, {n_items:,} items", **request_times(channel, asked, 300)}


def table(name: str, rows: list[dict[str, Any]]) -> Table:
    """Return the rows for people."""
    shown = Table(title=name, title_justify="left")
    for head in ("channel", "R@50", "R@200", "rare", "never", "short", "marginal R@200, points", "fit s"):
        shown.add_column(head, justify="left" if head == "channel" else "right", no_wrap=True)
    for row in rows:
        gain = row["marginal_recall@200"]
        beside = "" if gain is None else f"{100 * gain[0]:+.2f} [{100 * gain[1]:+.2f}, {100 * gain[2]:+.2f}]"
        figures = [row.get(key) for key in ("recall@50", "recall@200", *(f"recall@200_{part}" for part in PARTS))]
        shown.add_row(
            row["name"],
            *("" if figure is None else f"{figure:.4f}" for figure in figures),
            beside,
            f"{row['fit_s']:.0f}",
        )
    return shown


def main() -> None:
    """Run, print the tables, write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=os.environ.get("GRAPHREC_DATA"), help="folder of test data")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--set", nargs="+", choices=list(DATA), default=list(DATA))
    parser.add_argument("--channels", nargs="+", choices=list(LEARNED), default=list(LEARNED))
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--online", action="store_true")
    arguments = parser.parse_args()
    if arguments.data is None and not arguments.online:
        parser.error("name the folder of test data: --data DIR or GRAPHREC_DATA")
    learned = {name: {**LEARNED[name], "epochs": arguments.epochs} for name in arguments.channels}
    rows: list[dict[str, Any]] = []
    if arguments.online:
        rows.append(online())
        Console().print(rows[-1])
    for name in () if arguments.online else arguments.set:
        made = run(name, Path(arguments.data), learned, Shown(Console(stderr=True)))
        rows += made
        Console(width=112).print(table(name, made))
    if arguments.json is not None:
        described = {"seed": SEED, "classic": CLASSIC, "learned": learned}
        write_json(arguments.json, "learned", described, rows, packages=("torch",))


if __name__ == "__main__":
    main()
