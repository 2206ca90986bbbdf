"""Exposures: what the table refuses, and what it keeps."""

from __future__ import annotations

import numpy as np
import pytest

from graphrec.data.exposures import Exposures, take_exposures
from graphrec.errors import DataError


def exposures(**changes: object) -> Exposures:
    values = {
        "users": [0, -1, 2],
        "items": [1, 1, 0],
        "converted": [True, False, True],
        "values": [2.5, 0, 1],
        "times": [5, 6, 7],
        "n_users": 3,
        "n_items": 2,
    }
    return Exposures(**(values | changes))  # type: ignore[arg-type]


def test_columns_have_their_dtypes() -> None:
    shown = exposures()
    assert shown.values is not None
    assert shown.times is not None
    found = [column.dtype for column in (shown.users, shown.items, shown.converted, shown.values, shown.times)]
    assert found == [np.int32, np.int32, np.bool_, np.float32, np.int64]
    assert len(shown) == 3
    assert (shown.n_users, shown.n_items) == (3, 2)


def test_values_and_times_may_be_unknown() -> None:
    shown = exposures(values=None, times=None)
    assert shown.values is None
    assert shown.times is None
    assert take_exposures(shown, np.array([0])).values is None


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"items": [1, 1]}, "items has 2 entries; it must have 3"),
        ({"converted": [True]}, "converted has 1"),
        ({"values": [1, 2]}, "values has 2"),
        ({"times": [1]}, "times has 1"),
        ({"items": [1, 2, 0]}, r"items\[1\] is 2; legal rows are 0 to 1"),
        ({"items": [1, -1, 0]}, "is -1"),
        ({"users": [0, -2, 1]}, "is -2"),
        ({"users": [0, 3, 1]}, "is 3; legal rows are 0 to 2"),
        ({"values": [1, np.nan, 0]}, "finite"),
        ({"values": [1, 0, -0.5]}, r"values\[2\] is -0.5"),
    ],
)
def test_faults_are_named(changes: dict[str, object], words: str) -> None:
    with pytest.raises(DataError, match=words):
        exposures(**changes)


def test_rows_are_taken_with_all_their_columns() -> None:
    part = take_exposures(exposures(), np.array([False, True, True]))
    assert part.users.tolist() == [-1, 2]
    assert part.items.tolist() == [1, 0]
    assert part.converted.tolist() == [False, True]
    assert part.values is not None
    assert part.values.tolist() == [0, 1]
    assert part.times is not None
    assert part.times.tolist() == [6, 7]
    assert (part.n_users, part.n_items) == (3, 2)


@pytest.mark.parametrize("wrong", [0.0, -0.5, 1.5, np.nan, np.inf])
def test_propensities_are_probabilities_above_0(wrong: float) -> None:
    with pytest.raises(DataError, match=r"propensities\[1\] is .*; a propensity is above 0 and at most 1"):
        Exposures([0, 0], [0, 1], [1, 0], n_users=1, n_items=2, propensities=[0.5, wrong])
    shown = Exposures([0, 0], [0, 1], [1, 0], n_users=1, n_items=2, propensities=[0.5, 0.25])
    kept = take_exposures(shown, np.array([1])).propensities
    assert kept is not None
    assert kept.tolist() == [0.25]
