"""Whose objective: whether off-policy estimates agree with what another policy earned in truth.

    python -m benchmarks.objective [--data DIR] [--json FILE] [--rounds N]

``open-bandit``: two logs of the same fashion page in the same week, 10,000 impressions each: one of a uniform policy,
one of Thompson sampling (BTS), with the propensity of every impression. Each log estimates what the policy of the
*other* earned there, and the other log has that figure itself: clicks per thousand impressions, with 95 % intervals of
1,000 resamples of the impressions. A context is one of the three places of the page. The target policy BTS is its mean
over the week, which is how often it showed each item in each place; the uniform policy shows each of 80 items with
1/80. The doubly robust estimate is of one half of the log, with the smoothed click rates of the other half as its
model. Nothing was tuned.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from benchmarks.harness import write_json
from graphrec.data.exposures import Exposures, take_exposures
from graphrec.evaluation.bootstrap import Interval
from graphrec.evaluation.off_policy import policy_value

Numbers = npt.NDArray[np.float64]
N_ITEMS, N_PLACES = 80, 3


def read_log(path: Path) -> tuple[Exposures, npt.NDArray[np.int64]]:
    """Return the impressions of one log, and the place of each on the page, 0 to 2."""
    frame = pl.read_csv(path, columns=["item_id", "click", "propensity_score", "position"])
    exposures = Exposures(
        np.full(len(frame), -1),
        frame["item_id"].to_numpy(),
        frame["click"].to_numpy() == 1,
        n_users=0,
        n_items=N_ITEMS,
        propensities=frame["propensity_score"].to_numpy(),
    )
    return exposures, frame["position"].to_numpy().astype(np.int64) - 1


def mean_policy(shown: Exposures, places: npt.NDArray[np.int64]) -> Numbers:
    """Return (places, items): how often a policy showed each item in each place."""
    counts = np.zeros((N_PLACES, N_ITEMS))
    np.add.at(counts, (places, shown.items), 1.0)
    shares: Numbers = counts / counts.sum(axis=1, keepdims=True)
    return shares


def smoothed_rates(shown: Exposures) -> Numbers:
    """Return (places, items): the click rate of each item, pulled to the mean by a hundred impressions of it."""
    mean = shown.converted.mean()
    clicks = np.bincount(shown.items, shown.converted, N_ITEMS)
    rates = (clicks + 100 * mean) / (np.bincount(shown.items, minlength=N_ITEMS) + 100)
    return np.tile(rates, (N_PLACES, 1))


def judged(
    log: tuple[Exposures, npt.NDArray[np.int64]], target: Numbers, earned: Numbers, *, rounds: int
) -> dict[str, Any]:
    """Return what a log says of a target policy, beside the (n,) clicks that the target ``earned`` in truth."""
    shown, places = log
    # The model learns from every second impression, and the estimate is of the others.
    halves = np.arange(len(shown)) % 2 == 0
    whole = policy_value(shown, target, contexts=places, rounds=rounds)
    half = policy_value(
        take_exposures(shown, ~halves),
        target,
        contexts=places[~halves],
        model=smoothed_rates(take_exposures(shown, halves)),
        rounds=rounds,
    )
    if half.dr is None:
        raise AssertionError("a model was given")
    draws = np.random.default_rng(0).binomial(len(earned), earned.mean(), rounds) / len(earned)
    truth = Interval(float(earned.mean()), float(np.quantile(draws, 0.025)), float(np.quantile(draws, 0.975)))
    estimates = {"ips": whole.ips, "snips": whole.snips, "dr (half of the log)": half.dr}
    return {
        "earned": per_thousand(truth),
        "effective": round(whole.effective),
        "mean_weight": round(whole.mean_weight, 3),
        **{name: per_thousand(interval) for name, interval in estimates.items()},
        "agree": {name: overlap(interval, truth) for name, interval in estimates.items()},
    }


def per_thousand(interval: Interval) -> list[float]:
    """Return estimate and ends, clicks per thousand impressions."""
    return [round(1000 * end, 2) for end in interval.to_list()]


def overlap(first: Interval, second: Interval) -> bool:
    """Return whether two intervals have a point in common."""
    return first.low <= second.high and second.low <= first.high


def main() -> None:
    """Measure and print; write JSON where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("GRAPHREC_DATA", "data")))
    parser.add_argument("--json", type=Path)
    parser.add_argument("--rounds", type=int, default=1000)
    given = parser.parse_args()
    folder = given.data / "open-bandit"
    uniform, bts = read_log(folder / "random_all.csv"), read_log(folder / "bts_all.csv")
    same = np.full((N_PLACES, N_ITEMS), 1 / N_ITEMS)
    results = [
        {"target": "BTS", "log": "uniform",
         **judged(uniform, mean_policy(*bts), bts[0].converted.astype(float), rounds=given.rounds)},
        {"target": "uniform", "log": "BTS",
         **judged(bts, same, uniform[0].converted.astype(float), rounds=given.rounds)},
    ]  # fmt: skip
    for row in results:
        print(row)
    if given.json:
        write_json(given.json, "objective", {"part": "open-bandit", "rounds": given.rounds}, results)


if __name__ == "__main__":
    main()
