from __future__ import annotations

from typing import Any, Literal

import numpy as np
import pytest
import scipy.stats

from graphrec.data.feature_leaks import ColumnCheck, check_columns, refuse_derived_columns
from graphrec.data.features import Features
from graphrec.data.interactions import Interactions
from graphrec.data.splits import Split, split_by_ratio
from graphrec.errors import DataError, LeakError
from tests.graphrec.data.encoding.columns import labels

N_USERS, N_ITEMS = 120, 90


def world(seed: int = 0) -> tuple[Split, dict[str, Any]]:
    """Return a split of skewed events, and what may be counted of its parts by item."""
    rng = np.random.default_rng(seed)
    users, items = rng.integers(0, N_USERS, 3000), (N_ITEMS * rng.random(3000) ** 2).astype(int)
    weights = rng.integers(1, 6, 3000).astype(np.float32)
    times = rng.integers(10**9, 10**9 + 10**7, 3000)
    events = Interactions(users, items, weights, times, n_users=N_USERS, n_items=N_ITEMS)
    split = split_by_ratio(events, test_share=0.3, seed=seed)
    train = np.bincount(split.train.items, minlength=N_ITEMS).astype(float)
    held = np.bincount(split.test.items, minlength=N_ITEMS).astype(float)
    means = np.bincount(items, weights, N_ITEMS) / np.maximum(train + held, 1)
    newest = np.zeros(N_ITEMS)
    np.maximum.at(newest, items, times)
    return split, {"train": train, "held": held, "means": means, "newest": newest, "rng": rng}


def check(split: Split, features: Features, space: Literal["item", "user"] = "item") -> dict[str, ColumnCheck]:
    return {found.column: found for found in check_columns(features, split.train, split.test, space=space)}


def test_columns_that_were_counted_over_held_out_events_are_derived() -> None:
    split, known = world()
    checks = check(
        split,
        Features(
            N_ITEMS,
            numbers={
                "sales": known["train"] + known["held"],
                "log_sales": np.log1p(known["train"] + known["held"]),
                "next_sales": known["held"],
                "rank": -known["held"],
                "rating": known["means"],
                "last_sold": known["newest"],
            },
            labels={"band": labels([str(int(count) // 4) for count in known["held"]])},
        ),
    )
    assert {name: found.derived for name, found in checks.items()} == dict.fromkeys(checks, True)
    assert checks["rank"].correlation == pytest.approx(-1.0)
    assert checks["rating"].figure == "mean weight, in all"
    assert checks["last_sold"].figure == "newest event, in all"


@pytest.mark.parametrize("seed", range(4))
def test_columns_that_training_explains_or_nothing_does_are_not(seed: int) -> None:
    split, known = world(seed)
    rng, n = known["rng"], N_ITEMS
    checks = check(
        split,
        Features(
            n,
            numbers={
                "sales_before": known["train"],
                "noisy": known["train"] * rng.uniform(0.8, 1.2, n),
                "price": rng.lognormal(size=n),
                "one": np.ones(n),
                "gone": np.full(n, np.nan),
            },
            labels={
                "brand": labels([str(b) for b in rng.integers(0, 9, n)]),
                "id": labels([f"i{b}" for b in range(n)]),
                "same": labels(["x"] * n),
            },
        ),
    )
    assert {name: found.derived for name, found in checks.items()} == dict.fromkeys(checks, False)
    assert (checks["gone"].figure, checks["gone"].correlation) == ("", None)


def test_the_correlation_is_that_of_the_residuals_of_ranks() -> None:
    split, known = world()
    price = known["held"] + known["rng"].normal(scale=4, size=N_ITEMS)
    found = check(split, Features(N_ITEMS, numbers={"price": price}))["price"]
    assert found.figure == "events, held out"
    x, t, h = (scipy.stats.rankdata(values) for values in (price, known["train"], known["held"]))
    left = [scipy.stats.linregress(t, values) for values in (x, h)]
    residuals = [values - (line.intercept + line.slope * t) for values, line in zip((x, h), left, strict=True)]
    assert found.correlation == pytest.approx(np.corrcoef(residuals[0], residuals[1])[0, 1])


def test_columns_of_users() -> None:
    split, _ = world()
    held = np.bincount(split.test.users, minlength=N_USERS).astype(float)
    checks = check(
        split, Features(N_USERS, numbers={"orders": held, "age": np.arange(N_USERS, dtype=np.float64) % 7}), "user"
    )
    assert [found.derived for found in checks.values()] == [True, False]


def test_the_refusal_names_the_column_its_figure_and_what_to_do() -> None:
    split, known = world()
    features = Features(N_ITEMS, numbers={"sales": known["held"], "price": np.arange(90.0)})
    checks = check_columns(features, split.train, split.test, space="item")
    with pytest.raises(
        LeakError, match=r"item column 'sales' follows a figure .* correlation 1\.00: .*derived"
    ) as error:
        refuse_derived_columns(checks)
    assert "price" not in str(error.value)
    refuse_derived_columns(checks, allowed=["sales"])


def test_features_of_another_space_are_refused() -> None:
    split, _ = world()
    with pytest.raises(DataError, match="the features have 5 rows, the events 90 items"):
        check_columns(Features(5), split.train, split.test, space="item")
