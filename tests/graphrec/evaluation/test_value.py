from __future__ import annotations

import numpy as np
import pytest

from graphrec.data.features import Features
from graphrec.data.lists import item_lists
from graphrec.errors import ConfigError, DataError
from graphrec.evaluation.value import item_values, value_at, worth


def test_the_worth_of_hits_is_summed_within_each_cut_off() -> None:
    values = np.array([1.0, 10.0, 100.0, 0.0])
    lists = item_lists([[2, 1, 0], [3, 1], [], [0, 0]])
    truth = item_lists([[0, 2, 7], [1], [2], [0]])  # 7 is outside the catalogue
    found = value_at(lists, truth, [1, 2, 3], values)
    assert {k: sums.tolist() for k, sums in found.items()} == {
        1: [100, 0, 0, 1],
        2: [100, 10, 0, 1],
        3: [101, 10, 0, 1],
    }
    assert worth(truth, values).tolist() == [101, 10, 100, 1]


def test_values_are_a_column_without_gaps() -> None:
    features = Features(3, numbers={"price": np.array([2.0, np.nan, 0.0])})
    assert item_values(features, "price").tolist() == [2, 0, 0]


@pytest.mark.parametrize(
    ("prices", "words"),
    [
        ([1.0, -2.0], r"the price of item row 1 is -2 \(1 are below 0\); what a true item is worth is 0 or more"),
        ([0.0, np.nan], "no item has a price above 0"),
    ],
)
def test_prices_that_weigh_nothing_are_refused(prices: list[float], words: str) -> None:
    with pytest.raises(DataError, match=words):
        item_values(Features(2, numbers={"price": np.array(prices)}), "price")


def test_a_column_that_is_not_there_is_named() -> None:
    with pytest.raises(ConfigError, match=r"there is no number 'prise' .*nearest: 'price'"):
        item_values(Features(1, numbers={"price": np.ones(1)}), "prise")
    with pytest.raises(ConfigError, match=r"evaluate.value = 'price' needs a column of numbers"):
        item_values(None, "price")
