"""Value against recall on completejourney: one model of towers, searched by scores times a power of the price.

    python -m benchmarks.value_curve [--data DIR] [--json FILE] [--epochs N] [--users N]

The newest fifth of the purchases is test. A product's price is what was paid for it in training over the number of
pieces; ``revenue@200`` is the mean over households of the prices of the true products among 200, full ranking,
products of the history left out. The exponent of the price is chosen on a random fifth of each household's
training pairs: the greatest revenue@200 whose Recall@200 lies within the interval of the plain tower's. The towers are
then trained on all training pairs, and test is read once: revenue and recall of the plain tower, of the exponent that
was chosen, and of Mobius with its teacher at the same exponent, each less the plain tower's, with 95 % intervals of
1,000 resamples of the households. The other exponents of the curve are those of the validation part.
"""

from __future__ import annotations

import argparse
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from benchmarks.harness import write_json
from benchmarks.learned_data import SEED, configuration
from benchmarks.negatives import parted
from graphrec.contracts.panel import Panel
from graphrec.contracts.progress import FitContext
from graphrec.contracts.recall_data import RecallData
from graphrec.contracts.recaller import Recaller
from graphrec.data.features import Features
from graphrec.data.interactions import Interactions, take
from graphrec.evaluation.bootstrap import mean_interval
from graphrec.evaluation.held_out import held_out_panel
from graphrec.evaluation.metrics import rank_metrics
from graphrec.evaluation.value import item_values, value_at
from graphrec.models.deep.mobius import Mobius
from graphrec.pipelines.jobs.train import prepare
from graphrec.pipelines.progress import Silent
from graphrec.recallers.filtering import recall_allowed

K = 200
EXPONENTS = (0.0, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5)
SETTINGS: dict[str, Any] = {
    "mix": {"all": 1.0}, "batch": 256, "index": "exact", "value": "price",
}  # fmt: skip
Numbers = npt.NDArray[np.float64]


def prices(path: Path, data: RecallData) -> Numbers:
    """Return (n_items,) the mean price of a piece in training; NaN for what was not bought then."""
    times = data.interactions.times
    if times is None:
        raise AssertionError("completejourney has times")
    paid = (
        pl.scan_parquet(path)
        .filter(pl.col("transaction_timestamp").dt.epoch("s") <= int(times.max()), pl.col("quantity") > 0)
        .group_by("product_id")
        .agg(pl.col("sales_value").sum() / pl.col("quantity").sum())
        .collect()
    )
    by_id = dict(zip(paid["product_id"].cast(pl.String).to_list(), paid["sales_value"].to_list(), strict=True))
    return np.array([by_id.get(item, np.nan) for item in data.items], dtype=np.float64)


def measured(channel: Recaller, panel: Panel, values: Numbers) -> tuple[Numbers, Numbers]:
    """Return Recall@200 and revenue@200 of each household."""
    answer = recall_allowed(channel, panel.queries, K, exclude=panel.history, allowed=panel.pool)
    return rank_metrics(answer, panel.truth, K).recall, value_at(answer, panel.truth, [K], values)[K]


def curve(recipe: Mobius, data: RecallData, exponents: tuple[float, ...]) -> dict[float, Recaller]:
    """Return the channel of each exponent, all of one training: the exponent is of the search alone."""
    context = FitContext(seed=SEED, workers=1)
    learnt, _ = recipe._task(data, context).run(context)
    return {each: replace(recipe, value_exponent=each)._channel(data, learnt, context) for each in exponents}


def row(name: str, ours: tuple[Numbers, Numbers], plain: tuple[Numbers, Numbers]) -> dict[str, Any]:
    """Return recall and revenue of a channel, and beside the plain tower's."""
    revenue, less = mean_interval(ours[1]), mean_interval(ours[1] - plain[1])
    mean = float(np.nanmean(plain[1]))
    return {
        "name": name,
        f"recall@{K}": mean_interval(ours[0]).to_list(),
        f"recall@{K}_minus_plain": mean_interval(ours[0] - plain[0]).to_list(),
        f"revenue@{K}": revenue.to_list(),
        f"revenue@{K}_gain": [end / mean for end in less.to_list()],
    }


def chosen(rows: list[dict[str, Any]]) -> float:
    """Return the exponent of the greatest revenue among those whose recall lies within the plain tower's interval."""
    low = rows[0][f"recall@{K}"][1]
    kept = [each for each in rows if each[f"recall@{K}"][0] >= low]
    return float(max(kept, key=lambda each: each[f"revenue@{K}"][0])["exponent"])


def run(root: Path, epochs: int, users: int) -> list[dict[str, Any]]:
    """Return the curve of the validation part, and the rows of test."""
    config = configuration("completejourney", root, {"hot": {}}, [K])
    _, split, data = prepare(config, rejects=None, steps=Silent())
    values = prices(root / "completejourney" / "transactions.parquet", data)
    features = data.item_features or Features(len(data.items))
    data = replace(data, item_features=replace(features, numbers={**features.numbers, "price": values}))
    if users:
        kept = np.random.default_rng(SEED).permutation(len(data.users))[:users]
        data = replace(data, interactions=_of(data.interactions, kept))
    worth, rows = item_values(data.item_features, "price"), []
    recipe, (train, rest) = Mobius(**SETTINGS, epochs=epochs), parted(data)
    panel = held_out_panel(train, rest, seed=SEED).panel
    figures = {each: measured(channel, panel, worth) for each, channel in curve(recipe, train, EXPONENTS).items()}
    for each in EXPONENTS:
        rows.append({
            **row(f"validation, exponent {each:g}", figures[each], figures[0.0]),
            "part": "validation", "exponent": each,
        })  # fmt: skip
    best = chosen(rows)
    panel = held_out_panel(data, split.test if not users else _of(split.test, kept)).panel
    made = curve(recipe, data, (0.0, best))
    plain, at_best = (measured(made[each], panel, worth) for each in (0.0, best))
    taught = measured(curve(replace(recipe, mix={}), data, (best,))[best], panel, worth)
    for name, ours in (("plain tower", plain), ("price in the search", at_best), ("and bad cases", taught)):
        rows.append({**row(f"test, {name}", ours, plain), "part": "test", "exponent": 0.0 if ours is plain else best})
    return rows


def _of(events: Interactions, users: npt.NDArray[np.int64]) -> Interactions:
    return take(events, np.isin(events.users, users))


def main() -> None:
    """Measure and print; write JSON where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("GRAPHREC_DATA", "data")))
    parser.add_argument("--json", type=Path)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--users", type=int, default=0, help="households drawn; 0 takes all")
    given = parser.parse_args()
    rows = run(given.data, given.epochs, given.users)
    for made in rows:
        print({name: value if isinstance(value, str) else np.round(value, 4).tolist() for name, value in made.items()})
    if given.json:
        settings = {"seed": SEED, "epochs": given.epochs, "users": given.users, "mobius": SETTINGS}
        write_json(given.json, "value_curve", settings, rows, packages=("torch",))


if __name__ == "__main__":
    main()
