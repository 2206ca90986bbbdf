"""Whether the high-efficiency channel ranks what it has not seen better than raw rates and popularity do.

    python -m benchmarks.high_efficiency [--data DIR] [--json FILE] [--rounds N]

Nothing was tuned on any of the settings, the recipes run with their defaults:

- ``halves``: the uniform log of Open Bandit (10,000 impressions of 80 items, 38 clicks), learned on a random half
  and measured on the other, again and again.
- ``policy``: learned on the log of Thompson sampling (10,000 impressions, 4 to 1,105 an item), measured on the uniform
  log; intervals by drawing the impressions of the uniform log again.
- ``simulated``: 80 items, shown as often as Thompson sampling showed them, whose true rates are drawn from the Beta
  distribution that fits the uniform log: the truth is known, so the 38 clicks do not blur it.
- ``simulated coupons``: the same with the exposures and the distribution of the coupons below.
- ``coupons``: The Complete Journey, coupons of campaigns of type B and C sent to households (every household of such a
  campaign gets all its coupons), converted if redeemed, the value being what the household spent on the coupon's
  products that day; learned on a random half of the households and measured on the other: revenue per thousand.

Measures: ``auc``, how often an impression with a click has an item ranked above that of one without (ties half), and
``top10``, the clicks per thousand impressions of the ten items ranked first (``coupons``: the revenue
of the twenty first).
An interval is the 2.5th to 97.5th percentile over the rounds, which divide or draw the same data again; for simulated
worlds, which are independent, it is that of the mean (1.96 standard errors).
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from benchmarks.harness import write_json
from graphrec.channels.popular.high_efficiency import HighEfficiency
from graphrec.channels.popular.rates import beta_prior
from graphrec.contracts.queries import Queries
from graphrec.contracts.recall_data import RecallData
from graphrec.data.exposures import Exposures, take_exposures
from graphrec.data.interactions import Interactions
from graphrec.data.lists import empty_lists
from graphrec.data.vocabulary import Vocabulary
from graphrec.graph.catalogue import items_only

Numbers = npt.NDArray[np.float64]
Ranker = Callable[[Exposures], Numbers]


def by_recipe(recipe: HighEfficiency) -> Ranker:
    """Return what scores items by the channel, items that it leaves out last."""

    def rank(shown: Exposures) -> Numbers:
        items = Vocabulary([str(row) for row in range(shown.n_items)])
        events = Interactions([], [], n_users=0, n_items=shown.n_items)
        data = RecallData(Vocabulary([]), items, events, items_only(items), exposures=shown)
        listed, _ = recipe.fit(data).recall(Queries([-1], empty_lists(1)), shown.n_items)[0]
        scores = np.full(shown.n_items, -1.0)
        scores[listed] = 1.0 - np.arange(len(listed)) / shown.n_items
        return scores

    return rank


def _sums(shown: Exposures, amounts: npt.NDArray[Any]) -> Numbers:
    return np.bincount(shown.items, weights=amounts, minlength=shown.n_items).astype(np.float64)


def raw_rate(shown: Exposures) -> Numbers:
    """Conversions divided by exposures; 0 without any."""
    return _sums(shown, shown.converted) / np.maximum(_sums(shown, np.ones(len(shown))), 1.0)


def raw_revenue(shown: Exposures) -> Numbers:
    """Value divided by exposures; 0 without any."""
    return _sums(shown, np.asarray(shown.values)) / np.maximum(_sums(shown, np.ones(len(shown))), 1.0)


def popularity(shown: Exposures) -> Numbers:
    """Conversions."""
    return _sums(shown, shown.converted)


RATES: Mapping[str, Ranker] = {
    "high-efficiency": by_recipe(HighEfficiency()),
    "high-efficiency wilson": by_recipe(HighEfficiency(bound="wilson")),
    "high-efficiency median": by_recipe(HighEfficiency(confidence=0.5)),
    "raw rate": raw_rate,
    "popularity": popularity,
}
REVENUE: Mapping[str, Ranker] = {
    "high-efficiency value": by_recipe(HighEfficiency(value=True)),
    "high-efficiency": by_recipe(HighEfficiency()),
    "raw revenue": raw_revenue,
    "raw rate": raw_rate,
    "popularity": popularity,
}


class Measured(NamedTuple):
    """(rounds,) values by ranker."""

    auc: dict[str, Numbers]
    top: dict[str, Numbers]


def auc(scores: Numbers, shown: Exposures) -> float:
    """Return how often a converted exposure stands above one that is not, ties half."""
    places = np.argsort(np.argsort(np.unique(scores)))[np.unique(scores, return_inverse=True)[1]]
    yes = np.bincount(places, weights=_sums(shown, shown.converted))
    no = np.bincount(places, weights=_sums(shown, ~shown.converted))
    below = np.cumsum(no) - no
    return float((yes * (below + no / 2)).sum() / (yes.sum() * no.sum()))


def top_rate(scores: Numbers, shown: Exposures, k: int, amounts: npt.NDArray[Any], rng: np.random.Generator) -> float:
    """Return a thousand times the mean amount of exposures of the ``k`` first items; ties are broken at random."""
    first = np.lexsort((rng.random(len(scores)), -scores))[:k]
    among = np.isin(shown.items, first)
    return 1000.0 * float(amounts[among].sum()) / max(int(among.sum()), 1)


def halves(
    shown: Exposures, rankers: Mapping[str, Ranker], rounds: int, *, k: int, groups: npt.NDArray[Any]
) -> Measured:
    """Learn on a random half of the ``groups`` of exposures and measure on the other, ``rounds`` times."""
    rng = np.random.default_rng(0)
    found = Measured({name: np.zeros(rounds) for name in rankers}, {name: np.zeros(rounds) for name in rankers})
    distinct, place = np.unique(groups, return_inverse=True)
    for turn in range(rounds):
        learned = (rng.permutation(len(distinct)) < len(distinct) // 2)[place]
        train, test = take_exposures(shown, learned), take_exposures(shown, ~learned)
        amounts = test.converted if test.values is None else test.values
        for name, ranker in rankers.items():
            scores = ranker(train)
            found.auc[name][turn] = auc(scores, test)
            found.top[name][turn] = top_rate(scores, test, k, amounts, rng)
    return found


def policy(train: Exposures, test: Exposures, rounds: int) -> Measured:
    """Learn on one log and measure on bootstrap samples of another."""
    rng = np.random.default_rng(0)
    scored = {name: ranker(train) for name, ranker in RATES.items()}
    found = Measured({name: np.zeros(rounds) for name in RATES}, {name: np.zeros(rounds) for name in RATES})
    for turn in range(rounds):
        drawn = take_exposures(test, rng.integers(0, len(test), len(test)))
        for name, scores in scored.items():
            found.auc[name][turn] = auc(scores, drawn)
            found.top[name][turn] = top_rate(scores, drawn, 10, drawn.converted, rng)
    return found


def simulated(shown: Exposures, prior: tuple[float, float], rounds: int) -> Measured:
    """Draw true rates and clicks, and measure the true rates of the ten items ranked first; ``auc`` is left empty."""
    rng = np.random.default_rng(0)
    top = {name: np.zeros(rounds) for name in (*RATES, "the truth")}
    for turn in range(rounds):
        rates = rng.beta(*prior, shown.n_items)
        clicks = rng.random(len(shown)) < rates[shown.items]
        world = Exposures(shown.users, shown.items, clicks, n_users=0, n_items=shown.n_items)
        scored = {**{name: ranker(world) for name, ranker in RATES.items()}, "the truth": rates}
        for name, scores in scored.items():
            first = np.lexsort((rng.random(shown.n_items), -scores))[:10]
            top[name][turn] = 1000.0 * rates[first].mean()
    return Measured({}, top)


def open_bandit(path: Path) -> Exposures:
    """Read one log of Open Bandit."""
    frame = pl.read_csv(path, columns=["item_id", "click"])
    nobody = np.full(len(frame), -1)
    return Exposures(nobody, frame["item_id"].to_numpy(), frame["click"].to_numpy() == 1, n_users=0, n_items=80)


def coupons(directory: Path) -> tuple[Exposures, npt.NDArray[np.int64]]:
    """Return every coupon of type B and C campaigns that was sent, with what came of it, and to which household."""
    read = {name: pl.read_parquet(directory / f"{name}.parquet") for name in (
        "campaigns", "campaign_descriptions", "coupons", "coupon_redemptions", "transactions")}  # fmt: skip
    kinds = read["campaign_descriptions"].filter(pl.col("campaign_type") != "Type A").select("campaign_id")
    offers = read["coupons"].select("campaign_id", "coupon_upc").unique()
    sent = read["campaigns"].join(kinds, on="campaign_id").join(offers, on="campaign_id")
    keys = ["household_id", "campaign_id", "coupon_upc"]
    day = pl.col("transaction_timestamp").dt.date().alias("day")
    spent = read["transactions"].select("household_id", "product_id", "sales_value", day)
    spent = spent.group_by("household_id", "product_id", "day").agg(pl.col("sales_value").sum())
    redeemed = read["coupon_redemptions"].with_columns(pl.col("redemption_date").dt.date().alias("day"))
    bought = redeemed.select(*keys, "day").unique().join(read["coupons"], on=["campaign_id", "coupon_upc"])
    brought = bought.join(spent, on=["household_id", "product_id", "day"], how="left").group_by(keys)
    values = brought.agg(pl.col("sales_value").sum().alias("value"))
    table = sent.join(values, on=keys, how="left").sort(keys)
    items = table["coupon_upc"].rank("dense").to_numpy().astype(np.int64) - 1
    households = table["household_id"].to_numpy().astype(np.int64)
    converted = table["value"].is_not_null().to_numpy()
    amounts = table["value"].fill_null(0.0).to_numpy()
    nobody = np.full(len(table), -1)
    return Exposures(nobody, items, converted, amounts, n_users=0, n_items=int(items.max()) + 1), households


def rows(
    setting: str, found: Measured, best: str, against: tuple[str, ...], *, independent: bool = False
) -> list[dict[str, Any]]:
    """Return a row a ranker, with the differences of ``best`` to it and how often it is not behind."""
    interval = _of_mean if independent else _of_rounds
    result = []
    for name in found.top:
        row: dict[str, Any] = {"name": f"{setting}/{name}"}
        for measure, values in (("auc", found.auc), ("top10", found.top)):
            if name not in values:
                continue
            row[measure] = interval(values[name])
            if name in against:
                row[f"{measure}_gain_of_{best}"] = interval(values[best] - values[name])
                row[f"{measure}_share_not_behind"] = round(float((values[best] >= values[name]).mean()), 4)
        result.append(row)
    return result


def _of_mean(values: Numbers) -> list[float]:
    reach = 1.96 * values.std(ddof=1) / np.sqrt(len(values))
    return [round(float(x), 5) for x in (values.mean(), values.mean() - reach, values.mean() + reach)]


def _of_rounds(values: Numbers) -> list[float]:
    return [round(float(x), 5) for x in (values.mean(), *np.percentile(values, [2.5, 97.5]))]


def main() -> None:
    """Run the settings, print the rows, write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=os.environ.get("GRAPHREC_DATA"))
    parser.add_argument("--json", type=Path)
    parser.add_argument("--rounds", type=int, default=1000)
    arguments = parser.parse_args()
    if arguments.data is None:
        parser.error("name the folder of test data with --data or the variable GRAPHREC_DATA")
    folder, rounds = Path(arguments.data), arguments.rounds
    uniform, sampled = (open_bandit(folder / "open-bandit" / f"{log}_all.csv") for log in ("random", "bts"))
    sent, households = coupons(folder / "completejourney")
    prior, coupon_prior = (beta_prior(popularity(one), _sums(one, np.ones(len(one)))) for one in (uniform, sent))
    others = ("raw rate", "popularity")
    results = [
        *rows("halves", halves(uniform, RATES, rounds, k=10, groups=np.arange(len(uniform))),
              "high-efficiency", others),
        *rows("policy", policy(sampled, uniform, rounds), "high-efficiency", others),
        *rows("simulated", simulated(sampled, prior, rounds), "high-efficiency", others, independent=True),
        *rows("simulated coupons", simulated(sent, coupon_prior, rounds), "high-efficiency", others, independent=True),
        *rows("coupons", halves(sent, REVENUE, max(rounds // 10, 10), k=20, groups=households),
              "high-efficiency value", ("high-efficiency", "raw revenue", *others)),
    ]  # fmt: skip
    for row in results:
        print(row)
    settings = {
        "rounds": rounds,
        "prior_of_simulated": [round(x, 4) for x in prior],
        "prior_of_simulated_coupons": [round(x, 4) for x in coupon_prior],
        "coupons": {"exposures": len(sent), "redeemed": int(sent.converted.sum()), "coupons": sent.n_items,
                    "households": len(np.unique(households))},
    }  # fmt: skip
    if arguments.json:
        write_json(arguments.json, "high_efficiency", settings, results)


if __name__ == "__main__":
    main()
