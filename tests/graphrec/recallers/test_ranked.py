from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from graphrec.contracts.queries import Queries
from graphrec.data.lists import empty_lists, item_lists
from graphrec.errors import BundleError, ConfigError, DataError
from graphrec.recallers import load_recaller
from graphrec.recallers.ranked import RankedRecaller
from tests.worlds import parts_of, vocabulary


def test_the_list_is_put_in_order_and_given_to_everybody() -> None:
    recaller = RankedRecaller([4, 0, 2, 1], [1.0, 5.0, 1.0, 9.0])
    answer = recaller.recall(Queries([-1, 3], item_lists([[], [1]])), 3)
    assert [items.tolist() for items, _ in answer] == [[1, 0, 2], [1, 0, 2]]
    assert answer.scores.tolist() == [9.0, 5.0, 1.0] * 2


def test_what_makes_no_list_is_refused() -> None:
    with pytest.raises(DataError, match="stands twice"):
        RankedRecaller([1, 1], [1.0, 2.0])
    with pytest.raises(DataError, match="negative"):
        RankedRecaller([-1], [1.0])
    with pytest.raises(DataError, match="finite"):
        RankedRecaller([1], [np.nan])
    with pytest.raises(DataError, match="scores has 1 entries"):
        RankedRecaller([1, 2], [1.0])
    with pytest.raises(ConfigError, match="k is 0"):
        RankedRecaller([1], [1.0]).recall(Queries([-1], empty_lists(1)), 0)


def test_a_saved_list_for_more_items_is_refused(tmp_path: Path) -> None:
    RankedRecaller([7], [1.0]).save(tmp_path)
    with pytest.raises(BundleError, match=r"holds item row 7; the bundle has 5 items"):
        load_recaller(tmp_path, parts_of(vocabulary("i", 5)))


def test_a_damaged_score_is_refused(tmp_path: Path) -> None:
    RankedRecaller([0, 1], [1.0, 2.0]).save(tmp_path)
    np.save(tmp_path / "scores.npy", np.array([1.0, np.inf], dtype=np.float32))
    with pytest.raises(BundleError, match="is damaged"):
        load_recaller(tmp_path, parts_of(vocabulary("i", 5)))
